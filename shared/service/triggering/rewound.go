package triggering

import (
	"context"
	"errors"
	"slices"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/rewind"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// rewound are the workers of one run, which know what was discarded by now. A rewind that is under way is taken on
// first. A step of it that fails does not keep a worker from its own work, except the one that could not batch anyway:
// a rewind that does not get on must show.
func (t *Triggers) rewound(ctx context.Context, worker stage.Name) (*Triggers, error) {
	if t.Rewinder == nil {
		return t, nil
	}
	s, err := t.Rewinder.Continue(ctx)
	if err != nil && (s.Version == 0 || t.batches(worker) && !errors.Is(err, rewind.ErrConflict)) {
		return nil, err // it is not known what was discarded, or nothing is batched
	}
	if err != nil {
		t.log().WarnContext(ctx, "the rewind did not get on, the next run tries again", "error", err)
	}
	run := *t
	run.rewinds = s
	return &run, nil
}

// batches says whether a worker makes the batches that settle.
func (t *Triggers) batches(worker stage.Name) bool {
	return worker == stage.AggregatorBatching || t.Settings.Layer == stage.L3 && worker == stage.SnosBatching
}

// known says whether a batch is one that this run may act on: it was not discarded, and no rewind that began after the
// run has made it.
func (t *Triggers) known(k rewind.Kind, index, epoch uint64) bool {
	return !t.rewinds.Stale(k, index, epoch) && !t.rewinds.Later(epoch)
}

// snosWith are the SNOS batches with a status, as far as they are known.
func (t *Triggers) snosWith(ctx context.Context, s batch.Status, limit int) ([]batch.SnosBatch, error) {
	bs, err := t.Batches.ListSnos(ctx, s, 0, limit)
	return slices.DeleteFunc(bs, func(b batch.SnosBatch) bool {
		return !t.known(rewind.Snos, b.Index, b.Epoch)
	}), err
}

// aggregatorsWith is snosWith for aggregator batches.
func (t *Triggers) aggregatorsWith(ctx context.Context, s batch.Status, limit int) ([]batch.AggregatorBatch, error) {
	bs, err := t.Batches.ListAggregators(ctx, s, 0, limit)
	return slices.DeleteFunc(bs, func(b batch.AggregatorBatch) bool {
		return !t.known(rewind.Aggregator, b.Index, b.Epoch)
	}), err
}

// updates are the selected StateTransition jobs, without those that were discarded.
func (t *Triggers) updates(ctx context.Context, f job.Filter) ([]job.Job, error) {
	f.Type = job.StateTransition
	js, err := t.Jobs.List(ctx, f)
	return slices.DeleteFunc(js, func(j job.Job) bool {
		return t.rewinds.Stale(rewind.KindOf(t.Settings.Layer, j.Type), j.Batch, j.Epoch)
	}), err
}
