package e2e_test

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// calling are what calls functions: schedules and the HTTP API. The module has no clients of their services.
func (i inventory) calling(ctx context.Context, cfg aws.Config) error {
	var schedules struct {
		Schedules      []struct{ GroupName, Name string }
		ScheduleGroups []struct{ Name string }
	}
	for _, path := range []string{"/schedules?MaxResults=100", "/schedule-groups?MaxResults=100"} {
		raw, err := request(ctx, cfg, "scheduler", path, "")
		if err == nil {
			err = json.Unmarshal(raw, &schedules)
		}
		if err != nil {
			return err
		}
	}
	for _, x := range schedules.Schedules {
		i.add("AWS::Scheduler::Schedule", aws.String(x.GroupName+"/"+x.Name))
	}
	for _, x := range schedules.ScheduleGroups {
		i.add("AWS::Scheduler::ScheduleGroup", &x.Name)
	}
	var apis struct {
		Items []struct {
			ID string `json:"apiId"`
		} `json:"items"`
	}
	raw, err := request(ctx, cfg, "apigateway", "/v2/apis", "")
	if err == nil {
		err = json.Unmarshal(raw, &apis)
	}
	if err != nil {
		return err
	}
	for _, x := range apis.Items {
		i.add("AWS::ApiGatewayV2::Api", &x.ID)
	}
	return nil
}

// watching are alarms and dashboards. The module has no client of CloudWatch.
func (i inventory) watching(ctx context.Context, cfg aws.Config) error {
	var seen struct {
		Alarms     []string `xml:"DescribeAlarmsResult>MetricAlarms>member>AlarmName"`
		Next       string   `xml:"DescribeAlarmsResult>NextToken"`
		Dashboards []string `xml:"ListDashboardsResult>DashboardEntries>member>DashboardName"`
	}
	ask := func(action string) error {
		seen.Next = ""
		raw, err := request(ctx, cfg, "monitoring", "/", "Version=2010-08-01&Action="+action)
		if err == nil {
			err = xml.Unmarshal(raw, &seen)
		}
		return err
	}
	if err := ask("ListDashboards"); err != nil {
		return err
	}
	const alarms = "DescribeAlarms&MaxRecords=100"
	err := ask(alarms)
	for err == nil && seen.Next != "" {
		err = ask(alarms + "&NextToken=" + url.QueryEscape(seen.Next))
	}
	for _, x := range seen.Alarms {
		i.add("AWS::CloudWatch::Alarm", &x)
	}
	for _, x := range seen.Dashboards {
		i.add("AWS::CloudWatch::Dashboard", &x)
	}
	return err
}

// unsignedPayload signs a request without the hash of its body.
const unsignedPayload = "UNSIGNED-PAYLOAD"

// request asks a service that the module has no client of: a form where there is one, else a path.
func request(ctx context.Context, cfg aws.Config, service, path, form string) ([]byte, error) {
	method := http.MethodGet
	if form != "" {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(ctx, method, aws.ToString(cfg.BaseEndpoint)+path, strings.NewReader(form))
	if err != nil {
		return nil, err
	}
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	c, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	c.SessionToken = "" // of an account's own key
	r.Header.Set("X-Amz-Content-Sha256", unsignedPayload)
	if err := v4.NewSigner().SignHTTP(ctx, c, r, unsignedPayload, service, cfg.Region, time.Now()); err != nil {
		return nil, err
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer a.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(a.Body, 8<<20))
	if err == nil && a.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s answers %d: %.300s", service, path, a.StatusCode, raw)
	}
	return raw, err
}
