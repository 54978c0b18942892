package admin

import (
	"context"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
)

// CloseBatch asks batching to close the open batch now instead of when it is full or old enough. The batch stays open
// until batching has done it, some seconds later. It needs a reason. Errors: ErrInvalid, batch.ErrNotFound,
// executor.ErrRefused (the batch is not open, or batching is paused).
func (s *Service) CloseBatch(ctx context.Context, index uint64, o Command) (Batch, error) {
	if err := o.check(true); err != nil {
		return Batch{}, err
	}
	store, err := s.store("")
	if err != nil {
		return Batch{}, err
	}
	d, err := store.at(ctx, index)
	if err != nil {
		return Batch{}, err
	}
	worker := stage.AggregatorBatching
	if !s.l2() {
		worker = stage.SnosBatching
	}
	pauses, err := s.Control.Pauses(ctx)
	if err != nil {
		return Batch{}, fmt.Errorf("read paused stages: %w", err)
	}
	if _, paused := pauses.Of(worker); paused {
		return Batch{}, fmt.Errorf("%s is paused: resume it first: %w", worker, executor.ErrRefused)
	}
	if d.status != batch.Open {
		return Batch{}, fmt.Errorf("%s is not open, it is %s: %w", nameOf(d.kind, index), d.status, executor.ErrRefused)
	}
	if err := s.Queue.Send(ctx, s.Trigger,
		queue.Outgoing{Body: schedule.Wakeup{Stage: worker, Close: index}.Encode()}); err != nil {
		return Batch{}, fmt.Errorf("ask %s to close %s: %w", worker, nameOf(d.kind, index), err)
	}
	s.audit(ctx, event.BatchCloseAsked, worker, o)
	return s.batchView(d, nil), nil
}
