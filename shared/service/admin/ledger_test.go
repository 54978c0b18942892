package admin_test

import (
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
)

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
