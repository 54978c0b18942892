package executor

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// Waker runs trigger workers at once by a message. A lost message costs latency only: every worker also has a schedule.
type Waker struct {
	Queue     queue.Sender
	QueueName string // the trigger queue
	Layer     stage.Layer
	// Hold waits in the place of a queue that has no delays; nil: it has them.
	Hold func(context.Context, time.Duration) error
	Log  *slog.Logger
}

// After wakes the stages that may have work once a stage has made progress.
func (w *Waker) After(ctx context.Context, n stage.Name) { w.Run(ctx, w.Layer.Wakes(n)...) }

// closeAgain is how long after a try to close a batch the next one is; heldClose, where the invocation has to wait for
// it itself.
const (
	closeAgain = 15 * time.Second
	heldClose  = 2 * time.Second
)

// CloseLater asks a batching worker again to close a batch, which an operator wants. An error means that it may not be
// asked.
func (w *Waker) CloseLater(ctx context.Context, worker stage.Name, index uint64) error {
	m := queue.Outgoing{Body: schedule.Wakeup{Stage: worker, Close: index}.Encode(), Delay: closeAgain}
	if w.Hold != nil { // no document knows what an operator wants: this message may not be dropped
		m.Delay = 0
		if err := w.Hold(ctx, heldClose); err != nil {
			return fmt.Errorf("wait to ask %s again to close batch %d: %w", worker, index, err)
		}
	}
	if err := w.Queue.Send(queue.AtOnce(ctx), w.QueueName, m); err != nil {
		return fmt.Errorf("ask %s again to close batch %d: %w", worker, index, err)
	}
	return nil
}

// Hold waits in this process, as Waker.Hold wants it.
func Hold(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Run wakes workers.
func (w *Waker) Run(ctx context.Context, workers ...stage.Name) {
	ms := make([]queue.Outgoing, 0, len(workers))
	for _, name := range workers {
		ms = append(ms, queue.Outgoing{Body: schedule.Wakeup{Stage: name}.Encode()})
	}
	if len(ms) == 0 {
		return
	}
	if err := w.Queue.Send(ctx, w.QueueName, ms...); err != nil && w.Log != nil {
		w.Log.WarnContext(ctx, "workers not woken, their schedules will run them", "workers", workers, "error", err)
	}
}
