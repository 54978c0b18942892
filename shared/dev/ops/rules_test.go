package ops_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/madara-orchestrator/orchestrator/shared/client/eventbridge"
	"github.com/madara-orchestrator/orchestrator/shared/core/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/dev/ops"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// Rules are listed and switched, and the tail of a bus shows its events and leaves nothing behind.
func TestBus(t *testing.T) {
	endpoint := tools.MinistackAlone(t)
	for k, v := range map[string]string{"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": devcloud.Region,
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"} {
		t.Setenv(k, v)
	}
	cfg := devcloud.Config(endpoint)
	s, err := devcloud.Provision(t.Context(), cfg, devcloud.Options{Chain: "mychain", Layer: stage.L2})
	if err != nil {
		t.Fatal(err)
	}
	router := eventbridge.NewRules(cfg, s.Bus)
	target := "arn:aws:sqs:" + devcloud.Region + ":123456789012:" +
		resource.Physical("mychain", resource.TriggerQueue)
	if err := router.Put(t.Context(), event.Rule{Name: "settled", Types: []event.Type{event.BatchSettled},
		Targets: []string{target}}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args string
		code int
		says string
	}{
		{"rules", ops.OK, "settled  enabled  BatchSettled"}, {"rules disable settled", ops.OK, "settled  disabled"},
		{"rules enable settled", ops.OK, "settled  enabled"}, {"rules disable none", ops.Unknown, "no such rule"},
		{"rules dance settled", ops.Usage, "want rules"}, {"rules -json", ops.OK, `"Name": "settled"`},
	} {
		var out, errs buffer
		code := ops.Main(t.Context(), append([]string{"-chain", "mychain"}, strings.Fields(tt.args)...), &out, &errs)
		if code != tt.code || !strings.Contains(out.String()+errs.String(), tt.says) {
			t.Errorf("%s: code %d, want %d with %q:\n%s%s", tt.args, code, tt.code, tt.says, &out, &errs)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out, errs buffer
	done := make(chan int, 1)
	go func() { done <- ops.Main(ctx, []string{"-chain", "mychain", "events", "-bus"}, &out, &errs) }()
	await(t, &out, "events of the bus")
	e := event.Event{Type: event.BatchSettled, At: time.Now(), Chain: "mychain", Batch: 7}
	if err := eventbridge.New(cfg, s.Bus).Publish(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	await(t, &out, "BatchSettled of batch 7")
	stop()
	if code := <-done; code != ops.OK {
		t.Errorf("code %d: %s", code, &errs)
	}
	early, stop := context.WithCancel(t.Context()) // interrupted before AWS has answered that the queue is made
	defer stop()
	to, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	made := false
	proxy.ModifyResponse = func(r *http.Response) error {
		if strings.HasSuffix(r.Request.Header.Get("X-Amz-Target"), ".CreateQueue") {
			made = r.StatusCode == http.StatusOK
			stop()
		}
		return nil
	}
	srv := httptest.NewServer(proxy)
	defer srv.Close()
	t.Setenv("AWS_ENDPOINT_URL", srv.URL)
	if code := ops.Main(early, []string{"-chain", "mychain", "events", "-bus"}, &out, &errs); code != ops.OK || !made {
		t.Errorf("interrupted early: code %d, the queue was made: %t: %s", code, made, &errs)
	}
	left, err := router.Rules(t.Context())
	queues, qerr := awssqs.NewFromConfig(cfg).ListQueues(t.Context(), &awssqs.ListQueuesInput{})
	if err != nil || qerr != nil || len(left) != 1 || strings.Contains(fmt.Sprint(queues.QueueUrls), "tail-") {
		t.Errorf("left: %+v, %v; %v, %v", left, err, queues.QueueUrls, qerr)
	}
	if code := ops.Main(t.Context(), []string{"-url", "http://127.0.0.1:1", "rules"}, &out, &errs); code != ops.Usage {
		t.Errorf("without a deployment on AWS: %d", code)
	}
}
