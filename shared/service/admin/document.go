package admin

import (
	"context"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// document is a batch of either kind.
type document struct {
	kind                string
	index               uint64
	span                batch.Span
	snos                []batch.Span // of an aggregator batch
	firstSnos, lastSnos uint64
	aggregator          uint64
	status              batch.Status
	settled             bool
	daWords             int
	trace               string
	ledger              batch.Ledger
}

func aggregatorDocument(b batch.AggregatorBatch) document {
	return document{
		kind: KindAggregator, index: b.Index, span: b.Span, snos: b.Snos, firstSnos: b.FirstSnos,
		lastSnos: b.LastSnos(), status: b.Status,
		settled: settled(b.Status), daWords: b.DAWords, trace: b.TraceID, ledger: b.Ledger,
	}
}

func snosDocument(b batch.SnosBatch) document {
	return document{
		kind: KindSnos, index: b.Index, span: b.Span, firstSnos: b.Index, lastSnos: b.Index,
		aggregator: b.Aggregator, status: b.Status,
		settled: settled(b.Status), daWords: b.DAWords, trace: b.TraceID, ledger: b.Ledger,
	}
}

func settled(s batch.Status) bool { return s == batch.Completed || s == batch.Archived }

// nameOf names a batch so that nobody takes it for one of the other kind.
func nameOf(kind string, index uint64) string {
	if kind == KindAggregator {
		return stage.AggregatorBatch(index)
	}
	return stage.SnosBatch(index)
}

// batches are the batches of one kind.
type batches interface {
	at(ctx context.Context, index uint64) (document, error)
	last(ctx context.Context) (document, error)
	// span returns the batches with indices first..last that exist, ascending.
	span(ctx context.Context, first, last uint64) ([]document, error)
	// list returns the batches with a status by ascending index, from one on.
	list(ctx context.Context, s batch.Status, from uint64, limit int) ([]document, error)
}

// store returns the batches of a kind; "" is what one state update settles. ErrUnknown where the chain has none of the
// kind.
func (s *Service) store(kind string) (batches, error) {
	switch {
	case kind == KindSnos, kind == "" && !s.l2():
		return snosBatches{s.Batches}, nil
	case s.l2():
		return aggregatorBatches{s.Batches}, nil
	}
	return nil, fmt.Errorf("an l3 has no %s batches: %w", kind, ErrUnknown)
}

type aggregatorBatches struct{ store batch.AggregatorStore }

func (b aggregatorBatches) at(ctx context.Context, i uint64) (document, error) {
	x, err := b.store.Aggregator(ctx, i)
	return aggregatorDocument(x), err
}

func (b aggregatorBatches) last(ctx context.Context) (document, error) {
	x, err := b.store.LastAggregator(ctx)
	return aggregatorDocument(x), err
}

func (b aggregatorBatches) list(ctx context.Context, st batch.Status, from uint64, limit int) ([]document, error) {
	xs, err := b.store.ListAggregators(ctx, st, from, limit)
	return documents(xs, aggregatorDocument), err
}

func (b aggregatorBatches) span(ctx context.Context, first, last uint64) ([]document, error) {
	xs, err := b.store.AggregatorRange(ctx, first, last)
	return documents(xs, aggregatorDocument), err
}

type snosBatches struct{ store batch.SnosStore }

func (b snosBatches) at(ctx context.Context, i uint64) (document, error) {
	x, err := b.store.Snos(ctx, i)
	return snosDocument(x), err
}

func (b snosBatches) last(ctx context.Context) (document, error) {
	x, err := b.store.LastSnos(ctx)
	return snosDocument(x), err
}

func (b snosBatches) list(ctx context.Context, st batch.Status, from uint64, limit int) ([]document, error) {
	xs, err := b.store.ListSnos(ctx, st, from, limit)
	return documents(xs, snosDocument), err
}

func (b snosBatches) span(ctx context.Context, first, last uint64) ([]document, error) {
	xs, err := b.store.SnosRange(ctx, first, last)
	return documents(xs, snosDocument), err
}

func documents[B any](xs []B, of func(B) document) []document {
	out := make([]document, 0, len(xs))
	for _, x := range xs {
		out = append(out, of(x))
	}
	return out
}
