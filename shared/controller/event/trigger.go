package event

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
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
	Messages
	Service TriggerService
	Invoker Invoker
}

// Handle takes a schedule event {"stage":"..."} or a queue's event whose messages are such objects or, on the priority
// queues, job wake-ups. Of a queue's event the failed messages are delivered again; a schedule's failure is the
// function's.
func (c *Triggers) Handle(ctx context.Context, raw json.RawMessage) (any, error) {
	var s shape
	if err := decodeOnly(raw, &s); err != nil {
		return nil, err
	}
	wakeup, ok, err := schedule.Decode(raw)
	switch {
	case err != nil:
		return nil, err
	case ok && s.messages():
		return nil, errors.New(
			`event has both messages and "stage": want a schedule's {"stage":"..."} or an event of a queue`)
	case ok:
		c.together(ctx, func(ctx context.Context) { err = c.wake(ctx, wakeup) })
		return nil, err
	case !s.messages():
		return nil, errors.New(
			`event has no "stage" and no messages: want a schedule's {"stage":"..."} or an event of a queue`)
	}
	return c.each(ctx, raw, onceEach(c.message))
}

func (c *Triggers) wake(ctx context.Context, w schedule.Wakeup) error {
	if w.Close != 0 {
		return c.Service.Close(ctx, w.Stage, w.Close)
	}
	return c.Service.Run(ctx, w.Stage)
}

func (c *Triggers) message(ctx context.Context, d queue.Delivery) error {
	wakeup, ok, err := schedule.Decode([]byte(d.Body))
	switch {
	case err != nil:
		return err
	case ok:
		return c.wake(ctx, wakeup)
	}
	m, err := job.DecodeMessage(d.Body)
	if err != nil {
		return err
	}
	if err := c.Invoker.Invoke(ctx, m.Type, m.Encode()); err != nil {
		return fmt.Errorf("invoke the function of %s for job %s: %w", m.Type, m.JobID, err)
	}
	return nil
}
