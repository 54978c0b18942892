package batching

import (
	"context"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/rewind"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

var (
	_ policy[batch.AggregatorBatch] = aggregators{}
	_ policy[batch.SnosBatch]       = snosBatches{}
)

// RunAggregator groups new blocks into aggregator batches and their SNOS batches (L2), and closes what is full or too
// old.
func (b *Batcher) RunAggregator(ctx context.Context) error {
	return runPass(ctx, b, aggregators{b})
}

// CloseAggregator is RunAggregator, and closes the open batch if it has the index: an operator asked for it. Where
// another invocation batches now, the wake-up is sent again.
func (b *Batcher) CloseAggregator(ctx context.Context, index uint64) error {
	return runPass(ctx, b.closing(index), aggregators{b})
}

// CloseSnos is CloseAggregator for an L3's SNOS batches.
func (b *Batcher) CloseSnos(ctx context.Context, index uint64) error {
	return runPass(ctx, b.closing(index), snosBatches{b})
}

// closing is the batcher for one pass that closes the open batch with an index.
func (b *Batcher) closing(index uint64) *Batcher {
	c := *b
	c.asked = index
	return &c
}

// RunSnos groups new blocks into SNOS batches (L3), and closes what is full or too old.
func (b *Batcher) RunSnos(ctx context.Context) error { return runPass(ctx, b, snosBatches{b}) }

// aggregators are the aggregator batches of an L2. Each lists its SNOS batches.
type aggregators struct{ *Batcher }

func (aggregators) worker() stage.Name   { return stage.AggregatorBatching }
func (aggregators) kind() string         { return "aggregator" }
func (aggregators) batches() rewind.Kind { return rewind.Aggregator }

func (p aggregators) newest(ctx context.Context) (batch.AggregatorBatch, error) {
	return p.Batches.LastAggregator(ctx)
}

func (p aggregators) at(ctx context.Context, i uint64) (batch.AggregatorBatch, error) {
	return p.Batches.Aggregator(ctx, i)
}

func (aggregators) parts(b *batch.AggregatorBatch) parts {
	x := parts{
		index: b.Index, epoch: b.Epoch, trace: b.TraceID, span: &b.Span, status: &b.Status,
		accumulatorKey: &b.AccumulatorKey, inputSize: b.InputSize, version: &b.Version,
		fence: &b.Fence, updatedAt: &b.UpdatedAt,
	}
	for _, s := range b.Snos {
		if s.Reason != "" {
			x.closed++
		}
	}
	return x
}

func (aggregators) ends(b batch.AggregatorBatch) []tip {
	var out []tip
	for _, s := range b.Snos {
		out = append(out, tip{number: s.EndBlock, hash: s.EndHash, any: true})
	}
	return out
}

func (p aggregators) begin(ctx context.Context, last batch.AggregatorBatch, epoch uint64,
	c batch.Candidate) (batch.AggregatorBatch, error) {
	now := p.Now()
	next := batch.AggregatorBatch{
		Index: last.Index + 1, Epoch: epoch, FirstSnos: 1, Status: batch.Open, TraceID: batch.NewTraceID(),
		CreatedAt: now, UpdatedAt: now,
	}
	if last.Index != 0 {
		next.FirstSnos = last.LastSnos() + 1
	}
	next, err := p.proven(ctx, next, c.Header.StarknetVersion)
	if err != nil {
		return next, err
	}
	return p.extend(next, c), nil
}

// proven is a batch of a Starknet version that is to be proven by the prover of the settings, in a bucket of its own
// where that has them.
func (p aggregators) proven(ctx context.Context, b batch.AggregatorBatch,
	version string) (batch.AggregatorBatch, error) {
	c := p.Prover.Capabilities()
	b.Prover, b.Bucket = c.Name, ""
	if !c.Buckets {
		return b, nil
	}
	external := fmt.Sprintf("%s-aggregator-%d", p.Chain, b.Index)
	if b.Epoch > 0 { // never the bucket of a discarded batch, which has its proofs
		external += fmt.Sprintf("-epoch-%d", b.Epoch)
	}
	var err error
	if b.Bucket, err = p.Prover.OpenBucket(ctx, external, version); err != nil {
		return b, &readError{fmt.Errorf("open bucket %s: %w", external, err)}
	}
	return b, nil
}

func (p aggregators) foreign(b batch.AggregatorBatch) error {
	return b.Origin().Aggregate(p.Prover.Capabilities())
}

func (p aggregators) moved(ctx context.Context, b batch.AggregatorBatch) (batch.AggregatorBatch, error) {
	return p.proven(ctx, b, b.StarknetVersion)
}

func (p aggregators) extend(b batch.AggregatorBatch, c batch.Candidate) batch.AggregatorBatch {
	return b.Add(p.Limits, c, p.Now())
}

func (p aggregators) closes(b batch.AggregatorBatch, c batch.Candidate) (batch.Reason, bool) {
	return p.Limits.ShouldCloseAggregator(b, c)
}

func (p aggregators) full(b batch.AggregatorBatch) (batch.Reason, bool) {
	return p.Limits.IsAggregatorFull(b, p.Now())
}

func (p aggregators) fill(b batch.AggregatorBatch) float64 { return p.Limits.AggregatorFill(b) }

func (p aggregators) fits(c batch.Candidate) error { return p.Limits.Fits(c) }

func (p aggregators) closeParts(b batch.AggregatorBatch) batch.AggregatorBatch {
	if p.Limits.SnosBatches != 0 && len(b.Snos) >= p.Limits.SnosBatches {
		return b
	}
	return b.CloseFullSnos(p.Limits, p.Now())
}

func (p aggregators) close(b batch.AggregatorBatch, r batch.Reason) batch.AggregatorBatch {
	return b.CloseAll(r, p.Now())
}

func (p aggregators) create(ctx context.Context, b batch.AggregatorBatch) error {
	return p.Batches.CreateAggregator(ctx, b)
}

func (p aggregators) update(ctx context.Context, b batch.AggregatorBatch) (batch.AggregatorBatch, error) {
	return p.Batches.UpdateAggregator(ctx, b)
}

// snosBatches are the SNOS batches of an L3, which settle one by one.
type snosBatches struct{ *Batcher }

func (snosBatches) worker() stage.Name   { return stage.SnosBatching }
func (snosBatches) kind() string         { return "snos" }
func (snosBatches) batches() rewind.Kind { return rewind.Snos }

func (p snosBatches) newest(ctx context.Context) (batch.SnosBatch, error) {
	return p.Batches.LastSnos(ctx)
}

func (p snosBatches) at(ctx context.Context, i uint64) (batch.SnosBatch, error) {
	return p.Batches.Snos(ctx, i)
}

func (snosBatches) parts(b *batch.SnosBatch) parts {
	return parts{
		index: b.Index, epoch: b.Epoch, trace: b.TraceID, span: &b.Span, status: &b.Status, daWords: b.DAWords,
		version: &b.Version, fence: &b.Fence, updatedAt: &b.UpdatedAt,
	}
}

func (snosBatches) ends(b batch.SnosBatch) []tip {
	return []tip{{number: b.EndBlock, hash: b.EndHash, any: true}}
}

func (p snosBatches) begin(_ context.Context, last batch.SnosBatch, epoch uint64,
	c batch.Candidate) (batch.SnosBatch, error) {
	now := p.Now()
	return batch.SnosBatch{
		Span: batch.OpenSpan(c, now), Index: last.Index + 1, Epoch: epoch, DAWords: c.DAWords, Status: batch.Open,
		TraceID: batch.NewTraceID(), CreatedAt: now,
	}, nil
}

func (snosBatches) foreign(batch.SnosBatch) error { return nil } // each is proven by itself

func (snosBatches) moved(_ context.Context, b batch.SnosBatch) (batch.SnosBatch, error) {
	return b, nil
}

func (snosBatches) extend(b batch.SnosBatch, c batch.Candidate) batch.SnosBatch {
	b.Span, b.DAWords, b.AccumulatorKey = b.Span.Extend(c), c.DAWords, ""
	return b
}

func (p snosBatches) closes(b batch.SnosBatch, c batch.Candidate) (batch.Reason, bool) {
	return p.Limits.ShouldCloseSnos(b.Span, c)
}

func (p snosBatches) full(b batch.SnosBatch) (batch.Reason, bool) {
	return p.Limits.IsSnosFull(b.Span, p.Now())
}

func (p snosBatches) fill(b batch.SnosBatch) float64 { return p.Limits.SnosFill(b.Span, b.DAWords) }

// a block that is larger is published in several transactions
func (snosBatches) fits(batch.Candidate) error { return nil }

func (snosBatches) closeParts(b batch.SnosBatch) batch.SnosBatch { return b }

func (p snosBatches) close(b batch.SnosBatch, r batch.Reason) batch.SnosBatch {
	b.Span, b.Status = b.Span.Close(r, p.Now()), batch.Closed
	return b
}

func (p snosBatches) create(ctx context.Context, b batch.SnosBatch) error {
	return p.Batches.CreateSnos(ctx, b)
}

func (p snosBatches) update(ctx context.Context, b batch.SnosBatch) (batch.SnosBatch, error) {
	return p.Batches.UpdateSnos(ctx, b)
}
