package batching

import (
	"context"
	"errors"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/rewind"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// maxMaterialized bounds how many SNOS batches one run writes.
const maxMaterialized = 500

// RunSnosOfAggregators writes the documents of the closed SNOS batches that the aggregator batches list (L2).
func (b *Batcher) RunSnosOfAggregators(ctx context.Context) error {
	written := 0
	err := b.locked(ctx, stage.SnosBatching, func(ctx context.Context, l *lease) error {
		next, parent := uint64(1), uint64(1)
		rewinds, ready, err := b.rewound(ctx)
		if err != nil || !ready {
			return err
		}
		last, err := b.lastSnos(ctx, rewinds)
		switch {
		case err == nil && rewinds.Later(last.Epoch):
			return nil // the next run knows of the rewind
		case err == nil:
			next, parent = last.Index+1, last.Aggregator
		case !errors.Is(err, batch.ErrNotFound):
			return fmt.Errorf("read the newest SNOS batch: %w", err)
		}
		written, err = b.materialize(ctx, l, rewinds, parent, next)
		if written > 0 {
			b.Wake.After(ctx, stage.SnosBatching)
		}
		return err
	})
	if err == nil && written >= maxMaterialized {
		b.Wake.Run(ctx, stage.SnosBatching)
	}
	return err
}

// lastSnos reads the newest SNOS batch, without those that were discarded and are there again.
func (b *Batcher) lastSnos(ctx context.Context, s rewind.State) (batch.SnosBatch, error) {
	for {
		last, err := b.Batches.LastSnos(ctx)
		if err != nil {
			return last, err
		}
		if again, err := b.swept(ctx, s, rewind.Snos, last.Index, last.Epoch); err != nil || !again {
			return last, err
		}
	}
}

func (b *Batcher) materialize(ctx context.Context, l *lease, s rewind.State, parent,
	next uint64) (written int, err error) {
	for ; written < maxMaterialized; parent++ {
		a, err := b.Batches.Aggregator(ctx, parent)
		if errors.Is(err, batch.ErrNotFound) ||
			err == nil && (s.Stale(rewind.Aggregator, a.Index, a.Epoch) || s.Later(a.Epoch)) {
			return written, nil // of a later epoch: the SNOS batches before are to be written again first
		}
		if err != nil {
			return written, fmt.Errorf("read aggregator batch %d: %w", parent, err)
		}
		for i, span := range a.Snos {
			index := a.FirstSnos + uint64(i)
			if index < next || span.Reason == "" {
				continue
			}
			now := b.Now()
			made := batch.SnosBatch{
				Span: span, Index: index, Epoch: a.Epoch, Aggregator: a.Index, Status: batch.Closed, TraceID: a.TraceID,
				Version: 1, Fence: l.Fence, CreatedAt: now, UpdatedAt: now,
			}
			err := b.Batches.CreateSnos(ctx, made)
			if err != nil && !errors.Is(err, batch.ErrExists) {
				return written, fmt.Errorf("store SNOS batch %d: %w", index, err)
			}
			if err == nil { // else whoever wrote it has said and measured it
				b.closed(ctx, index, span, a.TraceID, "snos", b.Limits.SnosFill(span, 0))
			}
			written++
		}
		if a.Status == batch.Open {
			return written, nil
		}
	}
	return written, nil
}
