package eventbridge_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsbridge "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/madara-orchestrator/orchestrator/shared/client/eventbridge"
	"github.com/madara-orchestrator/orchestrator/shared/client/sqs"
	"github.com/madara-orchestrator/orchestrator/shared/core/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/event/eventtest"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// subscribed is a bus with a rule that sends all our events to a queue.
func subscribed(t *testing.T, endpoint, chain string) eventtest.Harness {
	t.Helper()
	ctx := t.Context()
	cfg := devcloud.Config(endpoint)
	s, err := devcloud.Provision(ctx, cfg, devcloud.Options{Chain: chain, Layer: stage.L2})
	if err != nil {
		t.Fatal(err)
	}
	q := resource.Physical(chain, resource.TriggerQueue)
	api := awsbridge.NewFromConfig(cfg)
	pattern := `{"source":["orchestrator"]}`
	if _, err := api.PutRule(ctx,
		&awsbridge.PutRuleInput{Name: aws.String("r"), EventBusName: &s.Bus, EventPattern: &pattern}); err != nil {
		t.Fatal(err)
	}
	_, err = api.PutTargets(ctx,
		&awsbridge.PutTargetsInput{Rule: aws.String("r"), EventBusName: &s.Bus, Targets: []types.Target{{
			Id: aws.String("1"), Arn: aws.String("arn:aws:sqs:" + devcloud.Region + ":123456789012:" + q),
		}}})
	if err != nil {
		t.Fatal(err)
	}
	return eventtest.Harness{Bus: eventbridge.New(cfg, s.Bus),
		Received: func(ctx context.Context) ([]event.Event, error) {
			ds, err := sqs.New(cfg).Receive(ctx, q, 10, 5*time.Second)
			var out []event.Event
			for _, d := range ds {
				var e struct {
					DetailType event.Type  `json:"detail-type"`
					Detail     event.Event `json:"detail"`
				}
				if err := json.Unmarshal([]byte(d.Body), &e); err != nil || e.DetailType != e.Detail.Type {
					t.Errorf("event %s, %v", d.Body, err)
				}
				out = append(out, e.Detail)
			}
			return out, err
		}}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	tools.AWS(t, func(t *testing.T, endpoint string) {
		eventtest.TestBus(t,
			func(t *testing.T) eventtest.Harness { return subscribed(t, endpoint, fmt.Sprintf("bus%d", n.Add(1))) })
	})
}
