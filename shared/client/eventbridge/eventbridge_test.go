package eventbridge_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsbridge "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/madara-orchestrator/orchestrator/scripts/emulator"
	"github.com/madara-orchestrator/orchestrator/scripts/testenv"
	"github.com/madara-orchestrator/orchestrator/shared/client/eventbridge"
	"github.com/madara-orchestrator/orchestrator/shared/client/sqs"
	"github.com/madara-orchestrator/orchestrator/shared/core/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// Events reach a rule's target: more than fit in one request.
func TestPublish(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	cfg := emulator.Config(testenv.Moto(t))
	s, err := emulator.Provision(ctx, cfg, emulator.Options{Chain: "bus", Layer: schedule.L2})
	if err != nil {
		t.Fatal(err)
	}
	q := resource.Physical("bus", resource.TriggerQueue)
	api := awsbridge.NewFromConfig(cfg)
	pattern := `{"source":["orchestrator"],"detail-type":["BatchSettled"]}`
	if _, err := api.PutRule(ctx, &awsbridge.PutRuleInput{Name: aws.String("r"), EventBusName: &s.Bus, EventPattern: &pattern}); err != nil {
		t.Fatal(err)
	}
	_, err = api.PutTargets(ctx, &awsbridge.PutTargetsInput{Rule: aws.String("r"), EventBusName: &s.Bus, Targets: []types.Target{{
		Id: aws.String("1"), Arn: aws.String("arn:aws:sqs:" + emulator.Region + ":123456789012:" + q),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	es := []event.Event{{Type: event.JobChanged, At: time.Now(), Chain: "c"}}
	for i := range uint64(12) {
		es = append(es, event.Event{Type: event.BatchSettled, At: time.Now(), Chain: "c", Batch: i})
	}
	if err := eventbridge.New(cfg, s.Bus).Publish(ctx, es...); err != nil {
		t.Fatal(err)
	}
	seen := map[uint64]bool{}
	for len(seen) < 12 {
		ds, err := sqs.New(cfg).Receive(ctx, q, 10, 5*time.Second)
		if err != nil || len(ds) == 0 {
			t.Fatalf("%d events arrived, %v", len(seen), err)
		}
		for _, d := range ds {
			var e struct {
				DetailType string      `json:"detail-type"`
				Detail     event.Event `json:"detail"`
			}
			if err := json.Unmarshal([]byte(d.Body), &e); err != nil || e.DetailType != "BatchSettled" {
				t.Fatalf("event %s, %v", d.Body, err)
			}
			seen[e.Detail.Batch] = true
		}
	}
}
