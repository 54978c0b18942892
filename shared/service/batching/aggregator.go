package batching

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// RunAggregator groups new blocks into aggregator batches and their SNOS batches (L2), and closes what is full or too
// old.
func (b *Batcher) RunAggregator(ctx context.Context) error {
	p := &pass{Batcher: b}
	err := b.locked(ctx, stage.AggregatorBatching, func(ctx context.Context, l *lease) error {
		p.lease = l
		err := p.run(ctx)
		if p.closedSnos {
			b.Wake.After(ctx, stage.AggregatorBatching)
		}
		return err
	})
	if err == nil && p.more { // once the lease is free
		b.Wake.Run(ctx, stage.AggregatorBatching)
	}
	return err
}

// pass is one run of the aggregator batching worker. cur is the open batch, zero where there is none; saved says that
// the store has it.
type pass struct {
	*Batcher
	lease      *lease
	cur        batch.AggregatorBatch
	sizer      Sizer
	saved      bool
	dirty      bool
	last       batch.AggregatorBatch // the closed batch before cur, zero for the first
	closedSnos bool
	more       bool // blocks are left for another run
}

func (p *pass) open() bool { return p.cur.Index != 0 }

func (p *pass) run(ctx context.Context) error {
	if err := p.load(ctx); err != nil {
		return err
	}
	next := p.FirstBlock
	switch {
	case p.open():
		next = p.cur.EndBlock + 1
	case p.last.Index != 0:
		next = p.last.EndBlock + 1
	}
	reach, err := p.reach(ctx, next)
	if err != nil {
		return err
	}
	for from := next; reach.any && from <= reach.to; from += chunk {
		if err := halves(from, min(reach.to, from+chunk-1), func(from, to uint64) error { return p.take(ctx, from, to) }); err != nil {
			if saveErr := p.save(ctx); saveErr != nil {
				return errors.Join(err, saveErr)
			}
			return err
		}
		if err := p.save(ctx); err != nil {
			return err
		}
		if err := p.lease.renew(ctx); err != nil {
			return err
		}
	}
	p.more = reach.more
	return p.closeFull(ctx)
}

// load reads the newest batch; an open one goes on from its saved sizer.
func (p *pass) load(ctx context.Context) error {
	last, err := p.Batches.LastAggregator(ctx)
	if errors.Is(err, batch.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the newest aggregator batch: %w", err)
	}
	if last.Status != batch.Open {
		p.last = last
		return nil
	}
	saved, err := artifact.ReadAll(ctx, p.Artifacts, last.AccumulatorKey, maxSizer)
	if err != nil {
		return fmt.Errorf("read %s of open batch %d: %w", last.AccumulatorKey, last.Index, err)
	}
	if p.sizer, err = p.NewSizer(last.StarknetVersion, saved); err != nil {
		return fmt.Errorf("decode %s of open batch %d: %w", last.AccumulatorKey, last.Index, err)
	}
	p.cur, p.saved = last, true
	return nil
}

// take adds blocks from..to.
func (p *pass) take(ctx context.Context, from, to uint64) error {
	blocks, err := p.blocks(ctx, from, to, true)
	if err != nil {
		return err
	}
	for _, r := range blocks {
		if err := p.checkVersion(ctx, r.header); err != nil {
			return err
		}
		if err := p.add(ctx, r); err != nil {
			return fmt.Errorf("batch block %d: %w", r.header.Number, err)
		}
	}
	return nil
}

// add puts one block into the open batch, or closes that and opens one for it.
func (p *pass) add(ctx context.Context, r read) error {
	c := batch.Candidate{Header: r.header, Weights: r.weights}
	blockInput := batch.BlockInputSize(r.update.Diff, r.weights.MessageSegmentLength)
	if p.open() {
		if err := p.sizer.Add(r.update); err != nil {
			p.dirty = false // the sizer may hold half a block: nothing of this chunk is saved
			return err
		}
		c.DAWords, c.InputSize = p.sizer.Words(), p.cur.InputSize+blockInput
		reason, closes := p.Limits.ShouldCloseAggregator(p.cur, c)
		if !closes {
			p.extend(c)
			return nil
		}
		if err := p.close(ctx, reason); err != nil {
			return err
		}
	}
	return p.openWith(ctx, r, blockInput)
}

func (p *pass) extend(c batch.Candidate) {
	before := closedSpans(p.cur)
	p.cur = p.cur.Add(p.Limits, c, p.Now())
	p.closedSnos = p.closedSnos || closedSpans(p.cur) > before
	p.dirty = true
}

// openWith opens a batch with its first block.
func (p *pass) openWith(ctx context.Context, r read, blockInput int) error {
	sizer, err := p.NewSizer(r.header.StarknetVersion, nil)
	if err != nil {
		return fmt.Errorf("new sizer: %w", err)
	}
	if err := sizer.Add(r.update); err != nil {
		return err
	}
	c := batch.Candidate{Header: r.header, Weights: r.weights, DAWords: sizer.Words(), InputSize: batch.FirstInputSize + blockInput}
	if err := p.alone(ctx, c); err != nil {
		return err
	}
	now := p.Now()
	next := batch.AggregatorBatch{
		Index: p.last.Index + 1, FirstSnos: 1, Status: batch.Open, TraceID: batch.NewTraceID(),
		CreatedAt: now, UpdatedAt: now,
	}
	if p.last.Index != 0 {
		next.FirstSnos = p.last.LastSnos() + 1
	}
	if p.Prover.Capabilities().Buckets {
		external := fmt.Sprintf("%s-aggregator-%d", p.Chain, next.Index)
		if next.Bucket, err = p.Prover.OpenBucket(ctx, external, r.header.StarknetVersion); err != nil {
			return fmt.Errorf("open bucket %s: %w", external, err)
		}
	}
	p.cur, p.sizer, p.saved = next, sizer, false
	p.extend(c)
	return nil
}

// alone refuses a block that no batch could hold.
func (p *pass) alone(ctx context.Context, c batch.Candidate) error {
	l := p.Limits
	fault := ""
	switch over := c.Weights.Exceeds(l.Weights); {
	case l.Blobs != 0 && c.DAWords > l.Capacity():
		fault = fmt.Sprintf("its state diff takes %d words, %d blobs hold %d", c.DAWords, l.Blobs, l.Capacity())
	case l.InputSize != 0 && c.InputSize > l.InputSize:
		fault = fmt.Sprintf("it takes %d felts of aggregator input, the limit is %d", c.InputSize, l.InputSize)
	case over != "":
		fault = fmt.Sprintf("its %s is over the batch's limit", over)
	default:
		return nil
	}
	err := fmt.Errorf("%w: block %d: %s", ErrBlockTooLarge, c.Header.Number, fault)
	p.alert(ctx, fmt.Sprintf("block-too-large/%d", c.Header.Number), "A block is larger than a batch may be",
		err.Error()+". Batching stops before this block; raise the limit, and it goes on.")
	return err
}

// close closes the open batch and saves it.
func (p *pass) close(ctx context.Context, reason batch.Reason) error {
	p.cur = p.cur.CloseAll(reason, p.Now())
	p.closedSnos, p.dirty = true, true
	if err := p.save(ctx); err != nil {
		return err
	}
	p.closed(ctx, p.cur.Index, p.cur.Span, p.cur.TraceID, "aggregator")
	p.last, p.cur, p.sizer, p.saved = p.cur, batch.AggregatorBatch{}, nil, false
	return nil
}

// closeFull closes what is full or too old without a further block.
func (p *pass) closeFull(ctx context.Context) error {
	if !p.open() {
		return nil
	}
	if reason, full := p.Limits.IsAggregatorFull(p.cur, p.Now()); full {
		return p.close(ctx, reason)
	}
	before := closedSpans(p.cur)
	if room := p.Limits.SnosBatches == 0 || len(p.cur.Snos) < p.Limits.SnosBatches; room {
		p.cur = p.cur.CloseFullSnos(p.Limits, p.Now())
	}
	if closedSpans(p.cur) > before {
		p.closedSnos, p.dirty = true, true
	}
	return p.save(ctx)
}

// save writes the sizer under a key of its own version, then the document: a crash in between leaves the document with
// the sizer it names.
func (p *pass) save(ctx context.Context) error {
	if !p.open() || !p.dirty {
		return nil
	}
	previous := p.cur.AccumulatorKey
	p.cur.AccumulatorKey = ""
	if p.cur.Status == batch.Open {
		saved, err := p.sizer.MarshalBinary()
		if err != nil {
			return fmt.Errorf("encode the sizer of batch %d: %w", p.cur.Index, err)
		}
		p.cur.AccumulatorKey = artifact.AccumulatorKey(p.cur.Index, p.lease.Fence, p.cur.EndBlock)
		if err := p.Artifacts.Put(ctx, p.cur.AccumulatorKey, bytes.NewReader(saved)); err != nil {
			return fmt.Errorf("store %s: %w", p.cur.AccumulatorKey, err)
		}
	}
	p.cur.Fence, p.cur.UpdatedAt = p.lease.Fence, p.Now()
	if err := p.write(ctx); err != nil {
		return fmt.Errorf("store aggregator batch %d: %w", p.cur.Index, err)
	}
	p.saved, p.dirty = true, false
	if previous != "" && previous != p.cur.AccumulatorKey {
		_ = p.Artifacts.Delete(ctx, previous) // what stays expires with the batch
	}
	return nil
}

func (p *pass) write(ctx context.Context) error {
	if !p.saved {
		p.cur.Version = 1
		return p.Batches.CreateAggregator(ctx, p.cur)
	}
	stored, err := p.Batches.UpdateAggregator(ctx, p.cur)
	if err == nil {
		p.cur = stored
	}
	return err
}

func closedSpans(a batch.AggregatorBatch) int {
	n := 0
	for _, s := range a.Snos {
		if s.Reason != "" {
			n++
		}
	}
	return n
}
