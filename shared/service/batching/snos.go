package batching

import (
	"context"
	"errors"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// maxMaterialized bounds how many SNOS batches one run writes.
const maxMaterialized = 500

// RunSnosOfAggregators writes the documents of the closed SNOS batches that the aggregator batches list (L2).
func (b *Batcher) RunSnosOfAggregators(ctx context.Context) error {
	written := 0
	err := b.locked(ctx, stage.SnosBatching, func(ctx context.Context, l *lease) error {
		next, parent := uint64(1), uint64(1)
		last, err := b.Batches.LastSnos(ctx)
		switch {
		case err == nil:
			next, parent = last.Index+1, last.Aggregator
		case !errors.Is(err, batch.ErrNotFound):
			return fmt.Errorf("read the newest SNOS batch: %w", err)
		}
		written, err = b.materialize(ctx, l, parent, next)
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

func (b *Batcher) materialize(ctx context.Context, l *lease, parent, next uint64) (written int, err error) {
	for ; written < maxMaterialized; parent++ {
		a, err := b.Batches.Aggregator(ctx, parent)
		if errors.Is(err, batch.ErrNotFound) {
			return written, nil
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
			s := batch.SnosBatch{
				Span: span, Index: index, Aggregator: a.Index, Status: batch.Closed, TraceID: a.TraceID,
				Version: 1, Fence: l.Fence, CreatedAt: now, UpdatedAt: now,
			}
			if err := b.Batches.CreateSnos(ctx, s); err != nil && !errors.Is(err, batch.ErrExists) {
				return written, fmt.Errorf("store SNOS batch %d: %w", index, err)
			}
			b.closed(ctx, index, span, a.TraceID, "snos")
			written++
		}
		if a.Status == batch.Open {
			return written, nil
		}
	}
	return written, nil
}

// RunSnos groups new blocks into SNOS batches (L3), and closes what is full or too old.
func (b *Batcher) RunSnos(ctx context.Context) error {
	p := &snosPass{Batcher: b}
	err := b.locked(ctx, stage.SnosBatching, func(ctx context.Context, l *lease) error {
		p.lease = l
		err := p.run(ctx)
		if p.closedAny {
			b.Wake.After(ctx, stage.SnosBatching)
		}
		return err
	})
	if err == nil && p.more {
		b.Wake.Run(ctx, stage.SnosBatching)
	}
	return err
}

// snosPass is one run of the SNOS batching worker on an L3.
type snosPass struct {
	*Batcher
	lease        *lease
	cur, last    batch.SnosBatch
	saved, dirty bool
	closedAny    bool
	more         bool // blocks are left for another run
}

func (p *snosPass) run(ctx context.Context) error {
	last, err := p.Batches.LastSnos(ctx)
	next := p.FirstBlock
	switch {
	case errors.Is(err, batch.ErrNotFound):
	case err != nil:
		return fmt.Errorf("read the newest SNOS batch: %w", err)
	case last.Status == batch.Open:
		p.cur, p.saved, next = last, true, last.EndBlock+1
	default:
		p.last, next = last, last.EndBlock+1
	}
	reach, err := p.reach(ctx, next)
	if err != nil {
		return err
	}
	p.more = reach.more
	for from := next; reach.any && from <= reach.to; from += chunk {
		if err := halves(from, min(reach.to, from+chunk-1), func(from, to uint64) error { return p.take(ctx, from, to) }); err != nil {
			return errors.Join(err, p.save(ctx))
		}
		if err := p.save(ctx); err != nil {
			return err
		}
		if err := p.lease.renew(ctx); err != nil {
			return err
		}
	}
	if p.cur.Index != 0 {
		if reason, full := p.Limits.IsSnosFull(p.cur.Span, p.Now()); full {
			return p.close(ctx, reason)
		}
	}
	return p.save(ctx)
}

func (p *snosPass) take(ctx context.Context, from, to uint64) error {
	blocks, err := p.blocks(ctx, from, to, false)
	if err != nil {
		return err
	}
	for _, r := range blocks {
		if err := p.checkVersion(ctx, r.header); err != nil {
			return err
		}
		c := batch.Candidate{Header: r.header, Weights: r.weights}
		if p.cur.Index != 0 {
			if reason, closes := p.Limits.ShouldCloseSnos(p.cur.Span, c); closes {
				if err := p.close(ctx, reason); err != nil {
					return err
				}
			}
		}
		if p.cur.Index == 0 {
			now := p.Now()
			p.cur = batch.SnosBatch{
				Span: batch.OpenSpan(c, now), Index: p.last.Index + 1, Status: batch.Open,
				TraceID: batch.NewTraceID(), CreatedAt: now,
			}
			p.saved = false
		} else {
			p.cur.Span = p.cur.Span.Extend(c)
		}
		p.dirty = true
		if reason, full := p.Limits.IsSnosFull(p.cur.Span, p.Now()); full {
			if err := p.close(ctx, reason); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *snosPass) close(ctx context.Context, reason batch.Reason) error {
	p.cur.Span = p.cur.Span.Close(reason, p.Now())
	p.cur.Status = batch.Closed
	p.dirty = true
	if err := p.save(ctx); err != nil {
		return err
	}
	p.closed(ctx, p.cur.Index, p.cur.Span, p.cur.TraceID, "snos")
	p.last, p.cur, p.saved, p.closedAny = p.cur, batch.SnosBatch{}, false, true
	return nil
}

func (p *snosPass) save(ctx context.Context) error {
	if p.cur.Index == 0 || !p.dirty {
		return nil
	}
	p.cur.Fence, p.cur.UpdatedAt = p.lease.Fence, p.Now()
	if !p.saved {
		p.cur.Version = 1
		if err := p.Batches.CreateSnos(ctx, p.cur); err != nil {
			return fmt.Errorf("store SNOS batch %d: %w", p.cur.Index, err)
		}
	} else {
		stored, err := p.Batches.UpdateSnos(ctx, p.cur)
		if err != nil {
			return fmt.Errorf("store SNOS batch %d: %w", p.cur.Index, err)
		}
		p.cur = stored
	}
	p.saved, p.dirty = true, false
	return nil
}
