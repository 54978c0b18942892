// Package batchtest is the conformance suite of batch.Store.
package batchtest

import (
	"context"
	"errors"
	"math/big"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

var start = time.Date(2026, 3, 4, 5, 6, 7, 8e6, time.UTC)

// TestStore checks that a store keeps the contract of batch.Store. newStore returns an empty one.
func TestStore(t *testing.T, newStore func(t *testing.T) batch.Store) {
	t.Helper()
	for name, run := range map[string]func(*testing.T, context.Context, batch.Store){
		"SnosKeepsEveryField": testSnosFields, "AggregatorKeepsEveryField": testAggregatorFields,
		"Snos": testSnos, "Aggregators": testAggregators, "UpdateIsCompareAndSet": testUpdate,
		"FencedWriterLoses":    testFence,
		"OneOfManyWritersWins": testRace, "DeleteIsCompareAndSet": testDelete, "AnEarlierEpochGivesWay": testEpoch,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			run(t, ctx, newStore(t))
		})
	}
}

func span(from, to uint64) batch.Span {
	return batch.Span{
		StartBlock: from, EndBlock: to, EndHash: felt.FromUint64(to + 1), StarknetVersion: "0.14.1", OpenedAt: start,
		ClosedAt: start.Add(time.Minute), Reason: batch.BlockCount,
		Weights: block.Weights{L1Gas: 1, MessageSegmentLength: 2, NEvents: 3, StateDiffSize: 4, SierraGas: 5, NTxs: 6,
			ProvingGas: 7, ReceiptL2Gas: 8},
	}
}

// ledger has a fee beyond 64 bits.
func ledger() batch.Ledger {
	l := batch.Ledger{GasUsed: 9, DataGasUsed: 8, Blobs: 2, Tx: "0x1", ProverTask: "p", ProverSteps: 6,
		StoredBytes: 1 << 40,
		Fee:         new(big.Int).Lsh(big.NewInt(7), 90), FeeSaved: new(big.Int).Lsh(big.NewInt(-3), 90),
		DataFee:  new(big.Int).Lsh(big.NewInt(5), 90),
		Requests: map[string]int{"rpc": 3}}
	l.Pass("SnosRun", start, start.Add(time.Second))
	return l
}

func snos(i uint64) batch.SnosBatch {
	return batch.SnosBatch{Span: span(i*10, i*10+9), Index: i, Aggregator: 1, DAWords: 55, AccumulatorKey: "k",
		Status: batch.Closed, TraceID: "t", Ledger: ledger(), CreatedAt: start, UpdatedAt: start}
}

func aggregator(i uint64) batch.AggregatorBatch {
	return batch.AggregatorBatch{
		Span: span(i*100, i*100+99), Index: i, FirstSnos: i * 10,
		Snos: []batch.Span{span(i*100, i*100+49), span(i*100+50, i*100+99)}, DAWords: 77,
		InputSize: 66, AccumulatorKey: "k", Bucket: "b", Prover: "p", Status: batch.Closed, TraceID: "t",
		Ledger: ledger(), CreatedAt: start, UpdatedAt: start,
	}
}

func same[T any](t *testing.T, got, want T) {
	t.Helper()
	equal := cmp.Comparer(func(a, b *big.Int) bool { return a == b || a != nil && b != nil && a.Cmp(b) == 0 })
	if d := cmp.Diff(want, got, equal, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("batch differs (-want +got):\n%s", d)
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func testSnosFields(t *testing.T, ctx context.Context, s batch.Store) {
	b := snos(1)
	if err := s.CreateSnos(ctx, b); err != nil {
		t.Fatal(err)
	}
	same(t, must(s.Snos(ctx, 1))(t), b)
	if err := s.CreateSnos(ctx, b); !errors.Is(err, batch.ErrExists) {
		t.Errorf("created twice: %v", err)
	}
}

func testAggregatorFields(t *testing.T, ctx context.Context, s batch.Store) {
	b := aggregator(1)
	if err := s.CreateAggregator(ctx, b); err != nil {
		t.Fatal(err)
	}
	same(t, must(s.Aggregator(ctx, 1))(t), b)
	if err := s.CreateAggregator(ctx, b); !errors.Is(err, batch.ErrExists) {
		t.Errorf("created twice: %v", err)
	}
}

func testSnos(t *testing.T, ctx context.Context, s batch.Store) {
	if _, err := s.LastSnos(ctx); !errors.Is(err, batch.ErrNotFound) {
		t.Errorf("last of none: %v", err)
	}
	for i := uint64(1); i <= 5; i++ {
		b := snos(i)
		if i%2 == 0 {
			b.Status = batch.InProofCreation
		}
		if err := s.CreateSnos(ctx, b); err != nil {
			t.Fatal(err)
		}
	}
	if b := must(s.LastSnos(ctx))(t); b.Index != 5 {
		t.Errorf("last is %d", b.Index)
	}
	for number, want := range map[uint64]uint64{10: 1, 19: 1, 20: 2, 59: 5} {
		if b := must(s.SnosOfBlock(ctx, number))(t); b.Index != want {
			t.Errorf("block %d is in batch %d, want %d", number, b.Index, want)
		}
	}
	for _, number := range []uint64{9, 60} {
		if _, err := s.SnosOfBlock(ctx, number); !errors.Is(err, batch.ErrNotFound) {
			t.Errorf("block %d: %v", number, err)
		}
	}
	var got []uint64
	for _, b := range must(s.ListSnos(ctx, batch.Closed, 2, 10))(t) {
		got = append(got, b.Index)
	}
	for _, b := range must(s.ListSnos(ctx, batch.Closed, 0, 1))(t) {
		got = append(got, b.Index)
	}
	for _, b := range must(s.SnosRange(ctx, 4, 9))(t) {
		got = append(got, b.Index)
	}
	if d := cmp.Diff([]uint64{3, 5, 1, 4, 5}, got); d != "" {
		t.Errorf("listings (-want +got):\n%s", d)
	}
	if _, err := s.Snos(ctx, 99); !errors.Is(err, batch.ErrNotFound) {
		t.Errorf("batch 99: %v", err)
	}
}

func testAggregators(t *testing.T, ctx context.Context, s batch.Store) {
	if _, err := s.LastAggregator(ctx); !errors.Is(err, batch.ErrNotFound) {
		t.Errorf("last of none: %v", err)
	}
	for i := uint64(1); i <= 3; i++ {
		if err := s.CreateAggregator(ctx, aggregator(i)); err != nil {
			t.Fatal(err)
		}
	}
	if b := must(s.LastAggregator(ctx))(t); b.Index != 3 {
		t.Errorf("last is %d", b.Index)
	}
	if b := must(s.AggregatorOfBlock(ctx, 250))(t); b.Index != 2 {
		t.Errorf("block 250 is in batch %d", b.Index)
	}
	if _, err := s.AggregatorOfBlock(ctx, 400); !errors.Is(err, batch.ErrNotFound) {
		t.Errorf("block 400: %v", err)
	}
	if bs := must(s.ListAggregators(ctx, batch.Closed, 2, 10))(t); len(bs) != 2 || bs[0].Index != 2 {
		t.Errorf("listing has %d batches", len(bs))
	}
	if bs := must(s.AggregatorRange(ctx, 2, 9))(t); len(bs) != 2 || bs[0].Index != 2 || bs[1].Index != 3 {
		t.Errorf("the range from 2 on has %d batches", len(bs))
	}
}

func testUpdate(t *testing.T, ctx context.Context, s batch.Store) {
	b := aggregator(1)
	if _, err := s.UpdateAggregator(ctx, b); !errors.Is(err, batch.ErrNotFound) {
		t.Errorf("no batch: %v", err)
	}
	if err := s.CreateAggregator(ctx, b); err != nil {
		t.Fatal(err)
	}
	b.Status = batch.Proven
	next := must(s.UpdateAggregator(ctx, b))(t)
	if next.Version != b.Version+1 {
		t.Errorf("version %d after %d", next.Version, b.Version)
	}
	b.Status = batch.Completed
	if _, err := s.UpdateAggregator(ctx, b); !errors.Is(err, batch.ErrConflict) {
		t.Errorf("an old version was taken: %v", err)
	}
	same(t, must(s.Aggregator(ctx, 1))(t), next)
	if bs := must(s.ListAggregators(ctx, batch.Closed, 0, 10))(t); len(bs) != 0 {
		t.Errorf("%d batches are listed with the old status", len(bs))
	}
}

func testFence(t *testing.T, ctx context.Context, s batch.Store) {
	b := snos(1)
	b.Fence = 5
	if err := s.CreateSnos(ctx, b); err != nil {
		t.Fatal(err)
	}
	old := b
	old.Fence = 4
	if _, err := s.UpdateSnos(ctx, old); !errors.Is(err, batch.ErrFenced) {
		t.Errorf("a writer with an older lease: %v", err)
	}
	b.Fence = 6
	if _, err := s.UpdateSnos(ctx, b); err != nil {
		t.Errorf("a writer with a newer lease: %v", err)
	}
}

func testRace(t *testing.T, ctx context.Context, s batch.Store) {
	b := snos(1)
	if err := s.CreateSnos(ctx, b); err != nil {
		t.Fatal(err)
	}
	var won atomic.Int64
	var wg sync.WaitGroup
	for range 12 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if _, err := s.UpdateSnos(ctx, b); err == nil {
				won.Add(1)
			} else if !errors.Is(err, batch.ErrConflict) {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d writers won", won.Load())
	}
}

// places are the calls of both kinds of batches by which a batch takes and leaves its index.
func places(s batch.Store) map[string]place {
	return map[string]place{
		"SNOS": {
			create: func(ctx context.Context, i, epoch uint64) error {
				b := snos(i)
				b.Epoch = epoch
				return s.CreateSnos(ctx, b)
			},
			update: func(ctx context.Context, i, epoch, version uint64) error {
				b := snos(i)
				b.Epoch, b.Version = epoch, version
				_, err := s.UpdateSnos(ctx, b)
				return err
			},
			remove: func(ctx context.Context, i, epoch, version uint64) error {
				b := snos(i)
				b.Epoch, b.Version = epoch, version
				return s.DeleteSnos(ctx, b)
			},
			last: func(ctx context.Context) (uint64, uint64, error) {
				b, err := s.LastSnos(ctx)
				return b.Index, b.Epoch, err
			},
		},
		"aggregator": {
			create: func(ctx context.Context, i, epoch uint64) error {
				b := aggregator(i)
				b.Epoch = epoch
				return s.CreateAggregator(ctx, b)
			},
			update: func(ctx context.Context, i, epoch, version uint64) error {
				b := aggregator(i)
				b.Epoch, b.Version = epoch, version
				_, err := s.UpdateAggregator(ctx, b)
				return err
			},
			remove: func(ctx context.Context, i, epoch, version uint64) error {
				b := aggregator(i)
				b.Epoch, b.Version = epoch, version
				return s.DeleteAggregator(ctx, b)
			},
			last: func(ctx context.Context) (uint64, uint64, error) {
				b, err := s.LastAggregator(ctx)
				return b.Index, b.Epoch, err
			},
		},
	}
}

type place struct {
	create         func(ctx context.Context, index, epoch uint64) error
	update, remove func(ctx context.Context, index, epoch, version uint64) error
	last           func(ctx context.Context) (index, epoch uint64, err error)
}

func testDelete(t *testing.T, ctx context.Context, s batch.Store) {
	for kind, p := range places(s) {
		for i := uint64(1); i <= 2; i++ {
			if err := p.create(ctx, i, 0); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.update(ctx, 2, 0, 0); err != nil { // now version 1
			t.Fatal(err)
		}
		if err := p.remove(ctx, 2, 0, 0); !errors.Is(err, batch.ErrConflict) {
			t.Errorf("%s: an old version was deleted: %v", kind, err)
		}
		if err := p.remove(ctx, 2, 1, 1); !errors.Is(err, batch.ErrConflict) {
			t.Errorf("%s: a batch of another epoch was deleted: %v", kind, err)
		}
		if err := p.remove(ctx, 2, 0, 1); err != nil {
			t.Fatal(err)
		}
		for what, err := range map[string]error{
			"deleted": p.remove(ctx, 2, 0, 1), "written": p.update(ctx, 2, 0, 1),
		} {
			if !errors.Is(err, batch.ErrNotFound) {
				t.Errorf("%s: a deleted batch was %s: %v", kind, what, err)
			}
		}
		if i, _, err := p.last(ctx); err != nil || i != 1 {
			t.Errorf("%s: the last batch is %d, %v", kind, i, err)
		}
		if err := p.create(ctx, 2, 0); err != nil {
			t.Errorf("%s: the place of a deleted batch is taken: %v", kind, err)
		}
	}
}

func testEpoch(t *testing.T, ctx context.Context, s batch.Store) {
	for kind, p := range places(s) {
		if err := p.create(ctx, 1, 0); err != nil {
			t.Fatal(err)
		}
		if err := p.create(ctx, 1, 2); err != nil {
			t.Fatalf("%s: a batch of epoch 0 did not give way: %v", kind, err)
		}
		if i, epoch, err := p.last(ctx); err != nil || i != 1 || epoch != 2 {
			t.Errorf("%s: batch %d of epoch %d, %v", kind, i, epoch, err)
		}
		for _, epoch := range []uint64{0, 1, 2} {
			if err := p.create(ctx, 1, epoch); !errors.Is(err, batch.ErrExists) {
				t.Errorf("%s: a batch of epoch %d took the place of one of epoch 2: %v", kind, epoch, err)
			}
			if err := p.update(ctx, 1, epoch, 0); epoch < 2 && !errors.Is(err, batch.ErrConflict) {
				t.Errorf("%s: a writer of epoch %d changed a batch of epoch 2: %v", kind, epoch, err)
			}
		}
	}
}
