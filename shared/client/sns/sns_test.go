package sns_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/madara-orchestrator/orchestrator/scripts/emulator"
	"github.com/madara-orchestrator/orchestrator/scripts/testenv"
	"github.com/madara-orchestrator/orchestrator/shared/client/sns"
	"github.com/madara-orchestrator/orchestrator/shared/client/sqs"
	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// An alert arrives at a queue that subscribes to the topic, with all it says.
func TestNotify(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	cfg := emulator.Config(testenv.Moto(t))
	s, err := emulator.Provision(ctx, cfg, emulator.Options{Chain: "sns", Layer: schedule.L2})
	if err != nil {
		t.Fatal(err)
	}
	q := resource.Physical("sns", resource.TriggerQueue)
	_, err = awssns.NewFromConfig(cfg).Subscribe(ctx, &awssns.SubscribeInput{
		TopicArn: &s.TopicARN, Protocol: aws.String("sqs"), Endpoint: aws.String("arn:aws:sqs:" + emulator.Region + ":123456789012:" + q),
	})
	if err != nil {
		t.Fatal(err)
	}
	a := alert.Alert{
		Severity: alert.Critical, Key: "k", Title: "A job failed — ünïcode\n" + strings.Repeat("x", 200), Detail: "why", JobID: "j", JobType: "SnosRun", Batch: 7,
		At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	if err := sns.New(cfg, s.TopicARN, "mychain").Notify(ctx, a); err != nil {
		t.Fatal(err)
	}
	ds, err := sqs.New(cfg).Receive(ctx, q, 1, 5*time.Second)
	if err != nil || len(ds) != 1 {
		t.Fatalf("%d messages, %v", len(ds), err)
	}
	var outer struct{ Subject, Message string }
	var m sns.Message
	if err := json.Unmarshal([]byte(ds[0].Body), &outer); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(outer.Message), &m); err != nil {
		t.Fatal(err)
	}
	if m.Chain != "mychain" || m.Batch != 7 || m.Detail != "why" || m.Title != a.Title || !strings.HasPrefix(outer.Subject, "[mychain] critical: A job failed") {
		t.Errorf("subject %q, message %+v", outer.Subject, m)
	}
	if err := sns.New(cfg, s.TopicARN+"x", "mychain").Notify(ctx, a); err == nil {
		t.Error("a topic that is not there took the alert")
	}
}
