package eventbridge_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

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
	target := "arn:aws:sqs:" + devcloud.Region + ":123456789012:" + q
	if err := eventbridge.NewRules(cfg, s.Bus).Put(ctx, event.Rule{Name: "r", Targets: []string{target}}); err != nil {
		t.Fatal(err)
	}
	return eventtest.Harness{Bus: eventbridge.New(cfg, s.Bus), Received: received(t, cfg, q)}
}

// received reads the events that came to a queue.
func received(t *testing.T, cfg aws.Config, q string) func(ctx context.Context) ([]event.Event, error) {
	return func(ctx context.Context) ([]event.Event, error) {
		ds, err := sqs.New(cfg).Receive(ctx, q, 10, 3*time.Second)
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
			if err := sqs.New(cfg).Delete(ctx, q, d.Handle); err != nil {
				t.Error(err)
			}
		}
		return out, err
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	tools.AWS(t, func(t *testing.T, endpoint string) {
		eventtest.TestBus(t,
			func(t *testing.T) eventtest.Harness { return subscribed(t, endpoint, fmt.Sprintf("bus%d", n.Add(1))) })
	})
}

func TestRouterConformance(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	tools.AWS(t, func(t *testing.T, endpoint string) {
		eventtest.TestRouter(t, func(t *testing.T) eventtest.RouterHarness {
			chain, cfg := fmt.Sprintf("router%d", n.Add(1)), devcloud.Config(endpoint)
			s, err := devcloud.Provision(t.Context(), cfg, devcloud.Options{Chain: chain, Layer: stage.L2})
			if err != nil {
				t.Fatal(err)
			}
			q := resource.Physical(chain, resource.TriggerQueue)
			return eventtest.RouterHarness{
				Router: eventbridge.NewRules(cfg, s.Bus), Bus: eventbridge.New(cfg, s.Bus),
				Target: "arn:aws:sqs:" + devcloud.Region + ":123456789012:" + q, Received: received(t, cfg, q),
				Sends: endpoint == tools.Moto(t),
			}
		})
	})
}
