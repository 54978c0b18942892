package event

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/aws/aws-lambda-go/events"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// TriggerService runs a trigger worker once.
type TriggerService interface {
	Run(ctx context.Context, w stage.Name) error
	// Close runs a batching worker once, which closes the open batch if it is the one with the index.
	Close(ctx context.Context, w stage.Name, index uint64) error
}

// Invoker runs a job type's function at once, past its queue.
type Invoker interface {
	Invoke(ctx context.Context, t job.Type, body string) error
}

// Triggers serves the schedules, the wake-up queue of the trigger workers, and the priority pair.
type Triggers struct {
	Service TriggerService
	Invoker Invoker
	Log     *slog.Logger
}

// Handle takes a schedule event {"stage":"..."} or an SQS event whose messages are such objects or, on the priority
// queues, job wake-ups. The answer to an SQS event names the failed records; a schedule's failure is the function's.
func (c *Triggers) Handle(ctx context.Context, raw json.RawMessage) (any, error) {
	var shape struct {
		Records []json.RawMessage `json:"Records"`
	}
	if err := decodeOnly(raw, &shape); err != nil {
		return nil, err
	}
	wakeup, ok, err := schedule.Decode(raw)
	switch {
	case err != nil:
		return nil, err
	case ok && shape.Records != nil:
		return nil, errors.New(
			`event has both "Records" and "stage": want a schedule's {"stage":"..."} or an SQS event`)
	case ok:
		return nil, c.wake(ctx, wakeup)
	case shape.Records == nil:
		return nil, errors.New(
			`event has no "stage" and no "Records": want a schedule's {"stage":"..."} or an SQS event`)
	}
	var e events.SQSEvent
	if err := decodeOnly(raw, &e); err != nil {
		return nil, err
	}
	return eachRecord(ctx, c.Log, e, c.record)
}

func (c *Triggers) wake(ctx context.Context, w schedule.Wakeup) error {
	if w.Close != 0 {
		return c.Service.Close(ctx, w.Stage, w.Close)
	}
	return c.Service.Run(ctx, w.Stage)
}

func (c *Triggers) record(ctx context.Context, r events.SQSMessage) error {
	wakeup, ok, err := schedule.Decode([]byte(r.Body))
	switch {
	case err != nil:
		return err
	case ok:
		return c.wake(ctx, wakeup)
	}
	m, err := job.DecodeMessage(r.Body)
	if err != nil {
		return err
	}
	if err := c.Invoker.Invoke(ctx, m.Type, m.Encode()); err != nil {
		return fmt.Errorf("invoke the function of %s for job %s: %w", m.Type, m.JobID, err)
	}
	return nil
}
