package admin_test

import (
	"context"
	"errors"
	"math/big"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
)

// slow is a store whose reads of several batches take some time.
type slow struct {
	*memory.Batches
	takes time.Duration
}

// AggregatorRange implements batch.AggregatorStore.
func (s slow) AggregatorRange(ctx context.Context, first, last uint64) ([]batch.AggregatorBatch, error) {
	select {
	case <-time.After(s.takes):
		return s.Batches.AggregatorRange(ctx, first, last)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// However slow the database is, the ledger is there within its time, and says that it is not whole. However many
// batches there are, it looks at 5,000.
func TestLedgerIsBounded(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		takes          time.Duration
		batches, wants int
		fails          bool
	}{
		"quick":        {time.Millisecond, 300, 300, false},
		"many":         {time.Millisecond, 5200, 5000, false},
		"slow":         {3 * time.Second, 5200, 300, false},
		"far too slow": {time.Minute, 5200, 0, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			batches := memory.NewBatches(nil)
			for i := range uint64(tt.batches) {
				var l batch.Ledger
				l.Pass("StateTransition", time.Now(), time.Now())
				err := batches.CreateAggregator(t.Context(), batch.AggregatorBatch{Index: i + 1, FirstSnos: i + 1,
					Snos: make([]batch.Span, 1), Status: batch.Archived, Ledger: l})
				if err != nil {
					t.Fatal(err)
				}
			}
			s := &admin.Service{Layer: stage.L2, Batches: slow{batches, tt.takes}, Now: time.Now}
			began := time.Now()
			got, err := s.Ledger(t.Context(), 1)
			if (err != nil) != tt.fails || got.All.Batches != tt.wants ||
				!tt.fails && got.Complete != (tt.wants == tt.batches) {
				t.Errorf("%s: %d batches, complete %t, %v; want %d", name, got.All.Batches, got.Complete, err, tt.wants)
			}
			if d := time.Since(began); d > 10*time.Second {
				t.Errorf("%s: it took %s", name, d)
			}
			time.Sleep(time.Hour) // what was given up ends
		})
	}
}

// The ledger sums what was settled on each day, the newest first, and all of it; what is not settled, and what was
// settled before, does not count.
func TestLedger(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 10, 15, 0, 0, 0, time.UTC)
	for _, l := range []stage.Layer{stage.L2, stage.L3} {
		batches := memory.NewBatches(nil)
		add := func(i uint64, status batch.Status, settled time.Time) {
			ledger := batch.Ledger{GasUsed: 10, DataGasUsed: 20, Blobs: 2, Fee: big.NewInt(1e18), ProverSteps: 5,
				Requests: map[string]int{"SnosRun": 3, "ProofCreation": 4}, StoredBytes: 100}
			if saved, waited := map[uint64]int64{252: 7, 253: -3}[i]; waited {
				ledger.FeeSaved = big.NewInt(saved)
			}
			if !settled.IsZero() {
				ledger.Pass("StateTransition", settled.Add(-time.Minute), settled)
			}
			span := batch.Span{StartBlock: i * 10, EndBlock: i*10 + 9, Reason: batch.BlockCount}
			err := batches.CreateAggregator(t.Context(), batch.AggregatorBatch{Span: span, Index: i,
				Snos: []batch.Span{span}, FirstSnos: i, Status: status, Ledger: ledger})
			err = errors.Join(err, batches.CreateSnos(t.Context(),
				batch.SnosBatch{Span: span, Index: i, Status: status, Ledger: ledger}))
			if err != nil {
				t.Fatal(err)
			}
		}
		yesterday := now.Add(-20 * time.Hour)
		add(1, batch.Archived, now.AddDate(0, 0, -9))
		for i := range uint64(250) { // several reads
			add(i+2, batch.Archived, yesterday)
		}
		add(252, batch.Completed, now.Add(-time.Hour))
		add(253, batch.Completed, now.Add(-time.Minute))
		add(254, batch.Closed, time.Time{})
		s := &admin.Service{Layer: l, Batches: batches, FeeUnit: "wei", Now: func() time.Time { return now }}
		got, err := s.Ledger(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		sum := func(day string, n int) admin.Sum {
			return admin.Sum{Day: day, Batches: n, Blocks: uint64(10 * n), GasUsed: uint64(10 * n),
				BlobGasUsed: uint64(20 * n), Blobs: 2 * n, ProverSteps: uint64(5 * n), Requests: 7 * n,
				StoredBytes: int64(100 * n), Fee: new(big.Int).Mul(big.NewInt(1e18), big.NewInt(int64(n))).String()}
		}
		want := admin.Sums{Unit: "wei", Days: []admin.Sum{sum("2026-03-10", 2), sum("2026-03-09", 250)},
			All: sum("", 252), Complete: true}
		want.Days[0].FeeSaved, want.All.FeeSaved = "4", "4"
		if d := cmp.Diff(want, got, cmpopts.IgnoreUnexported(admin.Sum{})); d != "" {
			t.Errorf("%s: wanted (-) and summed (+):\n%s", l, d)
		}
		if got, err := s.Ledger(t.Context(), 10); err != nil || got.All.Batches != 253 {
			t.Errorf("%s: ten days have %d batches, %v; want 253", l, got.All.Batches, err)
		}
		if got, err := s.Ledger(t.Context(), 1); err != nil || len(got.Days) != 1 {
			t.Errorf("%s: today has %d days, %v", l, len(got.Days), err)
		}
		if _, err := s.Ledger(t.Context(), 32); !errors.Is(err, admin.ErrInvalid) {
			t.Errorf("%s: 32 days: %v", l, err)
		}
	}
}
