package memory

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"math/big"
	"slices"
	"sync"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
)

// Batches is a batch.Store.
type Batches struct {
	snos        shelf[batch.SnosBatch]
	aggregators shelf[batch.AggregatorBatch]
}

var _ batch.Store = (*Batches)(nil)

// NewBatches returns an empty store.
func NewBatches(e *fault.Env) *Batches {
	return &Batches{
		snos: newShelf(e, "Snos", cloneSnos, func(b *batch.SnosBatch) fields {
			return fields{b.Index, string(b.Status), b.StartBlock, b.EndBlock, b.Fence, b.Epoch, &b.Version}
		}),
		aggregators: newShelf(e, "Aggregator", cloneAggregator, func(b *batch.AggregatorBatch) fields {
			return fields{b.Index, string(b.Status), b.StartBlock, b.EndBlock, b.Fence, b.Epoch, &b.Version}
		}),
	}
}

// CreateSnos implements batch.SnosStore.
func (s *Batches) CreateSnos(ctx context.Context, b batch.SnosBatch) error {
	return s.snos.create(ctx, b)
}

// Snos implements batch.SnosStore.
func (s *Batches) Snos(ctx context.Context, i uint64) (batch.SnosBatch, error) {
	return s.snos.one(ctx, i)
}

// LastSnos implements batch.SnosStore.
func (s *Batches) LastSnos(ctx context.Context) (batch.SnosBatch, error) { return s.snos.last(ctx) }

// SnosOfBlock implements batch.SnosStore.
func (s *Batches) SnosOfBlock(ctx context.Context, number uint64) (batch.SnosBatch, error) {
	return s.snos.ofBlock(ctx, number)
}

// ListSnos implements batch.SnosStore.
func (s *Batches) ListSnos(ctx context.Context, st batch.Status, from uint64, limit int) ([]batch.SnosBatch, error) {
	return s.snos.list(ctx, string(st), from, limit)
}

// SnosRange implements batch.SnosStore.
func (s *Batches) SnosRange(ctx context.Context, first, last uint64) ([]batch.SnosBatch, error) {
	return s.snos.span(ctx, first, last)
}

// UpdateSnos implements batch.SnosStore.
func (s *Batches) UpdateSnos(ctx context.Context, b batch.SnosBatch) (batch.SnosBatch, error) {
	return s.snos.update(ctx, b)
}

// DeleteSnos implements batch.SnosStore.
func (s *Batches) DeleteSnos(ctx context.Context, b batch.SnosBatch) error {
	return s.snos.delete(ctx, b)
}

// CreateAggregator implements batch.AggregatorStore.
func (s *Batches) CreateAggregator(ctx context.Context, b batch.AggregatorBatch) error {
	return s.aggregators.create(ctx, b)
}

// Aggregator implements batch.AggregatorStore.
func (s *Batches) Aggregator(ctx context.Context, i uint64) (batch.AggregatorBatch, error) {
	return s.aggregators.one(ctx, i)
}

// LastAggregator implements batch.AggregatorStore.
func (s *Batches) LastAggregator(ctx context.Context) (batch.AggregatorBatch, error) {
	return s.aggregators.last(ctx)
}

// AggregatorOfBlock implements batch.AggregatorStore.
func (s *Batches) AggregatorOfBlock(ctx context.Context, number uint64) (batch.AggregatorBatch, error) {
	return s.aggregators.ofBlock(ctx, number)
}

// ListAggregators implements batch.AggregatorStore.
func (s *Batches) ListAggregators(ctx context.Context, st batch.Status, from uint64,
	limit int) ([]batch.AggregatorBatch, error) {
	return s.aggregators.list(ctx, string(st), from, limit)
}

// AggregatorRange implements batch.AggregatorStore.
func (s *Batches) AggregatorRange(ctx context.Context, first, last uint64) ([]batch.AggregatorBatch, error) {
	return s.aggregators.span(ctx, first, last)
}

// UpdateAggregator implements batch.AggregatorStore.
func (s *Batches) UpdateAggregator(ctx context.Context, b batch.AggregatorBatch) (batch.AggregatorBatch, error) {
	return s.aggregators.update(ctx, b)
}

// DeleteAggregator implements batch.AggregatorStore.
func (s *Batches) DeleteAggregator(ctx context.Context, b batch.AggregatorBatch) error {
	return s.aggregators.delete(ctx, b)
}

// fields are what a shelf needs to know of a batch.
type fields struct {
	index      uint64
	status     string
	start, end uint64
	fence      uint64
	epoch      uint64
	version    *uint64
}

type statusKey struct {
	status string
	index  uint64
}

type blockKey struct{ start, index uint64 }

// shelf keeps batches of one kind.
type shelf[B any] struct {
	env    *fault.Env
	kind   string
	fields func(*B) fields

	mu       sync.Mutex
	docs     table[uint64, B]
	indices  index[uint64]
	statuses index[statusKey]
	blocks   index[blockKey]
}

func newShelf[B any](e *fault.Env, kind string, clone func(B) B, f func(*B) fields) shelf[B] {
	return shelf[B]{
		env: e, kind: kind, fields: f, docs: newTable[uint64](clone, e.Hooked()),
		indices: index[uint64]{cmp: cmp.Compare[uint64]},
		statuses: index[statusKey]{cmp: func(a, b statusKey) int {
			return cmp.Or(cmp.Compare(a.status, b.status), cmp.Compare(a.index, b.index))
		}},
		blocks: index[blockKey]{cmp: func(a, b blockKey) int {
			return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.index, b.index))
		}},
	}
}

// read does a reading call under the lock.
func read[B, T any](ctx context.Context, s *shelf[B], method string, key any,
	do func(fault.Fault) (T, error)) (T, error) {
	return fault.Call(ctx, s.env, "batches", method, fmt.Sprint(key), func(f fault.Fault) (T, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return do(f)
	})
}

func (s *shelf[B]) create(ctx context.Context, b B) error {
	f := s.fields(&b)
	_, err := read(ctx, s, "Create"+s.kind, f.index, func(fault.Fault) (struct{}, error) {
		if old, ok := s.docs.get(f.index, false); ok {
			was := s.fields(&old)
			if was.epoch >= f.epoch {
				return struct{}{}, fmt.Errorf("create %s batch %d: %w", s.kind, f.index, batch.ErrExists)
			}
			s.remove(was)
		}
		s.docs.put(f.index, b)
		s.enlist(f)
		return struct{}{}, nil
	})
	return err
}

func (s *shelf[B]) one(ctx context.Context, i uint64) (B, error) {
	return read(ctx, s, s.kind, i, func(f fault.Fault) (B, error) { return s.get(i, f) })
}

// get returns a batch. The caller holds the lock.
func (s *shelf[B]) get(i uint64, f fault.Fault) (B, error) {
	b, ok := s.docs.get(i, f.Is(fault.Stale))
	if !ok {
		return b, fmt.Errorf("read %s batch %d: %w", s.kind, i, batch.ErrNotFound)
	}
	return b, nil
}

func (s *shelf[B]) last(ctx context.Context) (B, error) {
	return read(ctx, s, "Last"+s.kind, "", func(f fault.Fault) (B, error) {
		for _, i := range slices.Backward(s.indices.keys) {
			if b, err := s.get(i, f); err == nil {
				return b, nil
			}
		}
		var none B
		return none, fmt.Errorf("read the last %s batch: %w", s.kind, batch.ErrNotFound)
	})
}

func (s *shelf[B]) ofBlock(ctx context.Context, number uint64) (B, error) {
	return read(ctx, s, s.kind+"OfBlock", number, func(f fault.Fault) (B, error) {
		var none B
		if p := s.blocks.at(blockKey{number, ^uint64(0)}); p > 0 {
			b, err := s.get(s.blocks.keys[p-1].index, f)
			if err == nil && s.fields(&b).end >= number && s.fields(&b).start <= number {
				return b, nil
			}
		}
		return none, fmt.Errorf("read the %s batch of block %d: %w", s.kind, number, batch.ErrNotFound)
	})
}

func (s *shelf[B]) list(ctx context.Context, status string, from uint64, limit int) ([]B, error) {
	return read(ctx, s, "List"+s.kind, status, func(f fault.Fault) ([]B, error) {
		var out []B
		if f.Is(fault.Stale) {
			for b := range s.before() {
				if x := s.fields(&b); x.status == status && x.index >= from {
					out = append(out, b)
				}
			}
			return cut(out, limit), nil
		}
		for _, k := range s.statuses.keys[s.statuses.at(statusKey{status, from}):] {
			if k.status != status || len(out) == pageSize(limit) {
				break
			}
			b, err := s.get(k.index, f)
			if err != nil {
				return nil, err
			}
			out = append(out, b)
		}
		return out, nil
	})
}

// before yields the batches as they were before their last writes, by index. The caller holds the lock.
func (s *shelf[B]) before() iter.Seq[B] {
	all := slices.SortedFunc(s.docs.before(), func(a, b B) int {
		return cmp.Compare(s.fields(&a).index, s.fields(&b).index)
	})
	return slices.Values(all)
}

func (s *shelf[B]) span(ctx context.Context, first, last uint64) ([]B, error) {
	return read(ctx, s, s.kind+"Range", fmt.Sprintf("%d..%d", first, last), func(f fault.Fault) ([]B, error) {
		var out []B
		for _, i := range s.indices.keys[s.indices.at(first):] {
			if i > last || len(out) == batch.MaxPage {
				break
			}
			if b, err := s.get(i, f); err == nil {
				out = append(out, b)
			}
		}
		return out, nil
	})
}

func (s *shelf[B]) update(ctx context.Context, b B) (B, error) {
	f := s.fields(&b)
	return read(ctx, s, "Update"+s.kind, f.index, func(fault.Fault) (B, error) {
		var none B
		old, err := s.get(f.index, fault.Fault{})
		if err != nil {
			return none, err
		}
		was := s.fields(&old)
		if was.fence > f.fence {
			return none, fmt.Errorf("update %s batch %d under fence %d, stored is %d: %w",
				s.kind, f.index, f.fence, was.fence, batch.ErrFenced)
		}
		if *was.version != *f.version || was.epoch != f.epoch {
			return none, fmt.Errorf("update %s batch %d at version %d of epoch %d, stored is %d of %d: %w",
				s.kind, f.index, *f.version, f.epoch, *was.version, was.epoch, batch.ErrConflict)
		}
		next := s.docs.clone(b)
		*s.fields(&next).version++
		s.delist(was)
		s.docs.put(f.index, next)
		s.enlist(f)
		return next, nil
	})
}

func (s *shelf[B]) delete(ctx context.Context, b B) error {
	f := s.fields(&b)
	_, err := read(ctx, s, "Delete"+s.kind, f.index, func(fault.Fault) (struct{}, error) {
		old, err := s.get(f.index, fault.Fault{})
		if err != nil {
			return struct{}{}, err
		}
		was := s.fields(&old)
		if *was.version != *f.version || was.epoch != f.epoch {
			return struct{}{}, fmt.Errorf("delete %s batch %d at version %d of epoch %d, stored is %d of %d: %w",
				s.kind, f.index, *f.version, f.epoch, *was.version, was.epoch, batch.ErrConflict)
		}
		s.remove(was)
		return struct{}{}, nil
	})
	return err
}

// remove takes a batch out. The caller holds the lock.
func (s *shelf[B]) remove(f fields) {
	s.delist(f)
	s.indices.remove(f.index)
	delete(s.docs.rows, f.index)
}

func (s *shelf[B]) enlist(f fields) {
	s.indices.add(f.index)
	s.statuses.add(statusKey{f.status, f.index})
	s.blocks.add(blockKey{f.start, f.index})
}

func (s *shelf[B]) delist(f fields) {
	s.statuses.remove(statusKey{f.status, f.index})
	s.blocks.remove(blockKey{f.start, f.index})
}

func cloneSnos(b batch.SnosBatch) batch.SnosBatch {
	b.Ledger = cloneLedger(b.Ledger)
	return b
}

func cloneAggregator(b batch.AggregatorBatch) batch.AggregatorBatch {
	b.Snos = slices.Clone(b.Snos)
	b.Ledger = cloneLedger(b.Ledger)
	return b
}

func cloneLedger(l batch.Ledger) batch.Ledger {
	l.Stages, l.Requests = maps.Clone(l.Stages), maps.Clone(l.Requests)
	if l.Fee != nil {
		l.Fee = new(big.Int).Set(l.Fee)
	}
	return l
}
