package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
)

// backlog is a run whose batches are all ready before the first one is settled.
type backlog struct {
	core  setup.App
	chain *appChain
	layer *settlementLayer
	began uint64 // block of the settlement layer
}

// holdBack pauses the state updates.
func holdBack(ctx context.Context, core setup.App, a *appChain, l *settlementLayer) (*backlog, error) {
	err := core.Control.Pause(ctx,
		schedule.Pause{Stage: stage.StateTransition, By: "make run", Reason: "all batches are to be ready first"})
	return &backlog{core: core, chain: a, layer: l}, err
}

// release lets them go once the last job before them is completed for every batch.
func (b *backlog) release(ctx context.Context) error {
	before := job.Aggregator
	if b.core.Layer == stage.L3 {
		before = job.DataSubmission
	}
	err := until(ctx, 100*time.Millisecond, func(ctx context.Context) (bool, error) {
		n, err := b.last(ctx)
		if err != nil || n == 0 {
			return false, err
		}
		done, err := b.core.Jobs.Count(ctx, before, []job.Status{job.Completed}, int(n))
		return done[job.Completed] == int(n), err
	})
	if err != nil {
		return err
	}
	h, err := b.layer.wallet.Chain.Head(ctx)
	if err != nil {
		return err
	}
	b.began = h.Number
	if err := b.core.Control.Resume(ctx, stage.StateTransition); err != nil {
		return err
	}
	b.core.Waker().Run(ctx, stage.StateTransition)
	return nil
}

// last is the index of the batch with the last block; 0 while it is not closed.
func (b *backlog) last(ctx context.Context) (uint64, error) {
	var index, end uint64
	var s batch.Status
	var err error
	if b.core.Layer == stage.L2 {
		var last batch.AggregatorBatch
		last, err = b.core.Batches.LastAggregator(ctx)
		index, end, s = last.Index, last.EndBlock, last.Status
	} else {
		var last batch.SnosBatch
		last, err = b.core.Batches.LastSnos(ctx)
		index, end, s = last.Index, last.EndBlock, last.Status
	}
	if errors.Is(err, batch.ErrNotFound) || err == nil && (s == batch.Open || end < b.chain.last) {
		return 0, nil
	}
	return index, err
}

// report says how many batches a block of the settlement layer took, from when the updates began to the block of the
// last one.
func (b *backlog) report(ctx context.Context, w io.Writer) error {
	js, err := b.core.Jobs.List(ctx, job.Filter{Type: job.StateTransition, Limit: job.MaxPage})
	if err != nil {
		return err
	}
	end := b.began
	for _, j := range js {
		if m, ok := j.Metadata.(*job.StateTransitionMeta); ok && m.Included != nil {
			end = max(end, m.Included.Block)
		}
	}
	n := end - b.began
	fmt.Fprintf(w, "backlog    %d batches settled in %d blocks of the settlement layer, %.2f a block\n",
		len(js), n, float64(len(js))/float64(max(n, 1)))
	return nil
}
