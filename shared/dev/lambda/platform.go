// Package lambda is a small Lambda platform for the local run and the end-to-end tests: it polls queues and fires
// schedules as AWS does, and hands the events to function handlers as JSON. It honours batch size, partial failures,
// visibility, redelivery and maximum concurrency.
package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// Function runs one invocation: event JSON in, answer JSON out. An error is a function error: nothing was acknowledged.
type Function interface {
	Invoke(ctx context.Context, event []byte) ([]byte, error)
}

// InProcess makes a Function of what would be given to lambda.Start; the event is decoded as in the cloud.
func InProcess(handler any) Function { return lambda.NewHandler(handler) }

// Mapping is an event source mapping: a queue and the function that consumes it.
type Mapping struct {
	Queue          string // the name that Queues knows
	Function       string
	BatchSize      int
	MaxConcurrency int
}

// Tick is a schedule.
type Tick struct {
	Stage stage.Name
	Every time.Duration
	// On says whether it fires now; nil: always.
	On func() bool
}

// Platform runs functions until its context ends.
type Platform struct {
	Queues    queue.Queue
	Functions map[string]Function
	Timeouts  map[string]time.Duration // of functions
	Mappings  []Mapping
	Ticks     []Tick
	Trigger   string        // the function that schedules invoke
	LongPoll  time.Duration // how long a poller waits for a first message
	// Kafka says that Queues are Kafka's topics: functions get its events, and none of their messages again that they
	// have taken.
	Kafka bool
	Log   *slog.Logger

	invocations atomic.Int64
	failures    atomic.Int64
}

// Counts returns how many invocations there were and how many messages or schedules failed.
func (p *Platform) Counts() (invocations, failures int64) {
	return p.invocations.Load(), p.failures.Load()
}

// Run polls and ticks until ctx ends, then waits for the invocations that are under way.
func (p *Platform) Run(ctx context.Context) error {
	for _, m := range p.Mappings {
		if p.Functions[m.Function] == nil {
			return fmt.Errorf("queue %s is mapped to function %q, which is not there", m.Queue, m.Function)
		}
	}
	var wg sync.WaitGroup
	for _, m := range p.Mappings {
		for range max(m.MaxConcurrency, 1) {
			wg.Add(1)
			go func() { defer wg.Done(); p.poll(ctx, m) }()
		}
	}
	for _, t := range p.Ticks {
		wg.Add(1)
		go func() { defer wg.Done(); p.tick(ctx, t) }()
	}
	wg.Wait()
	return nil
}

// poll serves one mapping with one invocation at a time.
func (p *Platform) poll(ctx context.Context, m Mapping) {
	for ctx.Err() == nil {
		ds, err := p.Queues.Receive(ctx, m.Queue, min(m.BatchSize, 10), p.LongPoll)
		if err != nil {
			if ctx.Err() == nil {
				p.Log.WarnContext(ctx, "receive", "queue", m.Queue, "error", err)
				pause(ctx, time.Second)
			}
			continue
		}
		if len(ds) > 0 {
			p.Deliver(context.WithoutCancel(ctx), m, ds)
		}
	}
}

// Deliver invokes a mapping's function with received messages and deletes those that it is done with.
func (p *Platform) Deliver(ctx context.Context, m Mapping, ds []queue.Delivery) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout(m.Function))
	defer cancel()
	invoke := p.invokeSQS
	if p.Kafka {
		invoke = p.invokeKafka
	}
	failed, err := invoke(ctx, m, ds)
	if err != nil {
		p.failures.Add(int64(len(ds)))
		p.again(context.WithoutCancel(ctx), m, ds)
		p.Log.WarnContext(ctx, "function error, messages stay", "function", m.Function,
			"messages", len(ds), "error", err)
		return
	}
	p.failures.Add(int64(len(failed)))
	for _, d := range ds {
		if failed[d.ID] {
			continue
		}
		if err := p.Queues.Delete(ctx, m.Queue, d.Handle); err != nil {
			p.Log.WarnContext(ctx, "delete", "queue", m.Queue, "error", err)
		}
	}
}

// kafkaRetry is after how long Lambda gives a function a batch of a Kafka topic again that it failed on.
const kafkaRetry = time.Second

// again has messages of Kafka delivered again, which SQS does by itself.
func (p *Platform) again(ctx context.Context, m Mapping, ds []queue.Delivery) {
	if !p.Kafka {
		return
	}
	for _, d := range ds {
		if err := p.Queues.ChangeVisibility(ctx, m.Queue, d.Handle, kafkaRetry); err != nil {
			p.Log.WarnContext(ctx, "change visibility", "queue", m.Queue, "error", err)
		}
	}
}

// invokeKafka runs the function; what it has taken is acknowledged as a whole.
func (p *Platform) invokeKafka(ctx context.Context, m Mapping, ds []queue.Delivery) (map[string]bool, error) {
	e, err := KafkaEvent(ds)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	_, err = p.Invoke(ctx, m.Function, body)
	return nil, err
}

// invokeSQS returns the ids of messages that the function wants again.
func (p *Platform) invokeSQS(ctx context.Context, m Mapping, ds []queue.Delivery) (map[string]bool, error) {
	body, err := json.Marshal(SQSEvent(m.Queue, ds))
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	out, err := p.Invoke(ctx, m.Function, body)
	if err != nil {
		return nil, err
	}
	var resp events.SQSEventResponse
	if err := json.Unmarshal(out, &resp); err != nil {
		return nil, fmt.Errorf("answer %.200q is not a batch response: %w", out, err)
	}
	known := map[string]bool{}
	for _, d := range ds {
		known[d.ID] = true
	}
	failed := map[string]bool{}
	for _, f := range resp.BatchItemFailures {
		if !known[f.ItemIdentifier] { // AWS then takes the whole batch as failed
			return nil, fmt.Errorf("answer names message %q, which was not in the event", f.ItemIdentifier)
		}
		failed[f.ItemIdentifier] = true
	}
	return failed, nil
}

// SQSEvent is the event that Lambda makes of received messages.
func SQSEvent(queueName string, ds []queue.Delivery) events.SQSEvent {
	e := events.SQSEvent{Records: make([]events.SQSMessage, 0, len(ds))}
	for _, d := range ds {
		e.Records = append(e.Records, events.SQSMessage{
			MessageId: d.ID, ReceiptHandle: d.Handle, Body: d.Body, EventSource: "aws:sqs", AWSRegion: "local",
			EventSourceARN: "arn:aws:sqs:local:000000000000:" + queueName,
			Attributes: map[string]string{
				"ApproximateReceiveCount": strconv.Itoa(d.Receives),
				"SentTimestamp":           strconv.FormatInt(d.SentAt.UnixMilli(), 10),
			},
		})
	}
	return e
}

// Invoke runs a function once.
func (p *Platform) Invoke(ctx context.Context, function string, event []byte) ([]byte, error) {
	f := p.Functions[function]
	if f == nil {
		return nil, fmt.Errorf("no function %q", function)
	}
	p.invocations.Add(1)
	return f.Invoke(ctx, event)
}

// tick fires a schedule now and at each interval. A run that takes longer than the interval skips beats.
func (p *Platform) tick(ctx context.Context, t Tick) {
	ticker := time.NewTicker(t.Every)
	defer ticker.Stop()
	event := []byte(schedule.Wakeup{Stage: t.Stage}.Encode())
	for {
		if t.On == nil || t.On() {
			p.fire(ctx, t, event)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (p *Platform) fire(ctx context.Context, t Tick, event []byte) {
	if ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.timeout(p.Trigger))
	defer cancel()
	if _, err := p.Invoke(ctx, p.Trigger, event); err != nil && !errors.Is(err, context.Canceled) {
		p.failures.Add(1)
		p.Log.WarnContext(ctx, "schedule failed", "stage", string(t.Stage), "error", err)
	}
}

func (p *Platform) timeout(function string) time.Duration {
	if d := p.Timeouts[function]; d > 0 {
		return d
	}
	return time.Minute
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// InvokeMessage runs a function with an SQS event of one message, as the trigger function does for the priority queues.
// A message that the function wants again is an error.
func (p *Platform) InvokeMessage(ctx context.Context, function, body string) error {
	d := queue.Delivery{ID: newID(), Handle: "priority", Body: body, Receives: 1, SentAt: time.Now()}
	failed, err := p.invokeSQS(ctx, Mapping{Queue: "priority", Function: function}, []queue.Delivery{d})
	if err == nil && len(failed) > 0 {
		err = fmt.Errorf("function %s wants the message again", function)
	}
	return err
}
