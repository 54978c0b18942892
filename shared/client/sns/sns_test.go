package sns_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/madara-orchestrator/orchestrator/shared/client/sns"
	"github.com/madara-orchestrator/orchestrator/shared/client/sqs"
	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/alert/alerttest"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// subscribed is a topic with a queue that subscribes to it.
func subscribed(t *testing.T, endpoint,
	chain string) (topic string, receive func(context.Context) ([]queue.Delivery, error)) {
	t.Helper()
	ctx := t.Context()
	cfg := devcloud.Config(endpoint)
	s, err := devcloud.Provision(ctx, cfg, devcloud.Options{Chain: chain, Layer: stage.L2})
	if err != nil {
		t.Fatal(err)
	}
	q := resource.Physical(chain, resource.TriggerQueue)
	_, err = awssns.NewFromConfig(cfg).Subscribe(ctx, &awssns.SubscribeInput{
		TopicArn: &s.TopicARN, Protocol: aws.String("sqs"),
		Endpoint: aws.String("arn:aws:sqs:" + devcloud.Region + ":123456789012:" + q),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s.TopicARN, func(ctx context.Context) ([]queue.Delivery, error) {
		return sqs.New(cfg).Receive(ctx, q, 10, 5*time.Second)
	}
}

// decode reads what a subscriber gets.
func decode(t *testing.T, d queue.Delivery) (subject string, m sns.Message) {
	t.Helper()
	var outer struct{ Subject, Message string }
	if err := json.Unmarshal([]byte(d.Body), &outer); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(outer.Message), &m); err != nil {
		t.Fatal(err)
	}
	return outer.Subject, m
}

func TestConformance(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	tools.AWS(t, func(t *testing.T, endpoint string) {
		alerttest.TestNotifier(t, func(t *testing.T) alerttest.Harness {
			topic, receive := subscribed(t, endpoint, fmt.Sprintf("sns%d", n.Add(1)))
			return alerttest.Harness{Notifier: sns.New(devcloud.Config(endpoint), topic, "mychain"),
				Received: func(ctx context.Context) ([]alert.Alert, error) {
					ds, err := receive(ctx)
					var out []alert.Alert
					for _, d := range ds {
						_, m := decode(t, d)
						a := alert.Alert{Severity: m.Severity, Key: m.Key, Title: m.Title, Detail: m.Detail, At: m.At}
						for _, j := range m.Jobs {
							a.Jobs = append(a.Jobs, alert.Job(j))
						}
						out = append(out, a)
					}
					return out, err
				}}
		})
	})
}

func TestTopicConformance(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	for name, endpoint := range map[string]string{"moto": tools.Moto(t), "ministack": tools.Ministack(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			alerttest.TestTopics(t, func(t *testing.T) alerttest.TopicHarness {
				chain := fmt.Sprintf("topic%d", n.Add(1))
				_, receive := subscribed(t, endpoint, chain+"q")
				cfg := devcloud.Config(endpoint)
				return alerttest.TopicHarness{
					Topics: named{sns.NewTopics(cfg, "mychain"), chain}, Asks: name == "ministack",
					Queue: "arn:aws:sqs:" + devcloud.Region + ":123456789012:" +
						resource.Physical(chain+"q", resource.TriggerQueue),
					Received: func(ctx context.Context) (int, error) {
						ds, err := receive(ctx)
						return len(ds), err
					},
				}
			})
		})
	}
}

// named makes topics with a name of the test's own: the emulator is shared.
type named struct {
	alert.Topics
	prefix string
}

// Create implements alert.Topics.
func (n named) Create(ctx context.Context, name string) (alert.Topic, error) {
	return n.Topics.Create(ctx, n.prefix+name)
}

// The subject is one line that SNS takes, and begins with the deployment.
func TestSubject(t *testing.T) {
	t.Parallel()
	topic, receive := subscribed(t, tools.Moto(t), "sns")
	cfg := devcloud.Config(tools.Moto(t))
	a := alert.Alert{Severity: alert.Critical, Key: "k",
		Title: "A job failed — ünïcode\n" + strings.Repeat("x", 200)}
	if err := sns.New(cfg, topic, "mychain").Notify(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	ds, err := receive(t.Context())
	if err != nil || len(ds) != 1 {
		t.Fatalf("%d messages, %v", len(ds), err)
	}
	if subject, m := decode(t, ds[0]); m.Chain != "mychain" ||
		!strings.HasPrefix(subject, "[mychain] critical: A job failed") || len(subject) > 100 {
		t.Errorf("subject %q, message %+v", subject, m)
	}
	if err := sns.New(cfg, topic+"x", "mychain").Notify(t.Context(), a); err == nil {
		t.Error("a topic that is not there took the alert")
	}
}
