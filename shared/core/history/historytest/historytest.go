// Package historytest is the conformance suite of history.Store.
package historytest

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/history"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
)

// Stores are a history.Store and the stores whose documents it removes.
type Stores struct {
	history.Store
	Jobs    job.Store
	Batches batch.Store
}

var bigInts = cmp.Comparer(func(a, b *big.Int) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Cmp(b) == 0
})

// TestStore tests a store by the contract of history.Store. newStores returns empty ones.
func TestStore(t *testing.T, newStores func(t *testing.T) Stores) {
	t.Helper()
	for name, run := range map[string]func(*testing.T, context.Context, Stores){
		"Totals": testTotals, "OneOfManyCounts": testCountRace, "RemovesJobs": testRemoveJobs,
		"RemovesBatches": testRemoveBatches,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			run(t, ctx, newStores(t))
		})
	}
}

func testTotals(t *testing.T, ctx context.Context, s Stores) {
	is := func(want history.Totals) {
		t.Helper()
		got, err := s.Totals(ctx)
		if d := cmp.Diff(want, got, bigInts); err != nil || d != "" {
			t.Errorf("totals, %v (-want +got):\n%s", err, d)
		}
	}
	is(history.Totals{})
	wei, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	want := history.Totals{Through: 3, Units: 3, Snos: 6, Blocks: 60, Jobs: map[job.Type]uint64{job.SnosRun: 6},
		GasUsed: 1, DataGasUsed: 2, Blobs: 3, Fee: wei, FeeSaved: big.NewInt(-5), DataFee: wei,
		ProverSteps: 4, Requests: 5, StoredBytes: 6}
	stored, err := s.Count(ctx, want)
	want.Version = 1
	if d := cmp.Diff(want, stored, bigInts); err != nil || d != "" {
		t.Errorf("counted, %v (-want +got):\n%s", err, d)
	}
	is(want)
	for _, old := range []uint64{0, 2} {
		other := want
		other.Version, other.Through = old, 9
		if _, err := s.Count(ctx, other); !errors.Is(err, history.ErrConflict) {
			t.Errorf("count at version %d: %v", old, err)
		}
	}
	is(want)
	want.Through = 4
	if _, err := s.Count(ctx, want); err != nil {
		t.Fatal(err)
	}
	want.Version = 2
	is(want)
}

func testCountRace(t *testing.T, ctx context.Context, s Stores) {
	for round := range uint64(3) {
		var won atomic.Int64
		var wg sync.WaitGroup
		for range 8 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				_, err := s.Count(ctx, history.Totals{Through: round + 1, Units: round + 1, Version: round})
				if err == nil {
					won.Add(1)
				} else if !errors.Is(err, history.ErrConflict) {
					t.Error(err)
				}
			}()
		}
		wg.Wait()
		if got, err := s.Totals(ctx); won.Load() != 1 || err != nil || got.Through != round+1 {
			t.Errorf("round %d: %d writers won, %+v, %v", round, won.Load(), got, err)
		}
	}
}

// Job is a completed job of the suite.
func Job(m job.Metadata, index uint64) job.Job {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	j := job.New(fmt.Sprintf("%016x%016x", len(m.JobType()), index), index, m, "t", at)
	j.Status, j.NextAction, j.DueAt = job.Completed, job.None, time.Time{}
	return j
}

func testRemoveJobs(t *testing.T, ctx context.Context, s Stores) {
	for i := range uint64(6) {
		if err := errors.Join(s.Jobs.Create(ctx, Job(&job.SnosRunMeta{}, i+1)),
			s.Jobs.Create(ctx, Job(&job.ProofCreationMeta{}, i+1))); err != nil {
			t.Fatal(err)
		}
	}
	watched, err := s.Jobs.Find(ctx, job.SnosRun, 3)
	if err != nil {
		t.Fatal(err)
	}
	watched.NextAction, watched.DueAt = job.Verify, watched.CreatedAt
	if _, err := s.Jobs.Update(ctx, watched); err != nil {
		t.Fatal(err)
	}
	failed, err := s.Jobs.Find(ctx, job.SnosRun, 4)
	if err != nil {
		t.Fatal(err)
	}
	failed.Status = job.Failed
	if _, err := s.Jobs.Update(ctx, failed); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.RemoveJobs(ctx, job.SnosRun, 2, 5); err != nil {
			t.Fatal(err)
		}
	}
	left := func(of job.Type) (out []uint64) {
		js, err := s.Jobs.List(ctx, job.Filter{Type: of, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range js {
			out = append(out, j.Batch)
		}
		return out
	}
	if got := left(job.SnosRun); !cmp.Equal(got, []uint64{1, 3, 4, 6}) {
		t.Errorf("jobs of batches %v are left, want 1, 3 (watched), 4 (failed), 6", got)
	}
	if got := left(job.ProofCreation); len(got) != 6 {
		t.Errorf("of another type %v are left", got)
	}
	n, err := s.Jobs.Count(ctx, job.SnosRun, []job.Status{job.Completed}, 100)
	if err != nil || n[job.Completed] != 3 {
		t.Errorf("%d completed jobs are counted, %v", n[job.Completed], err)
	}
	if _, err := s.Jobs.Find(ctx, job.SnosRun, 2); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("a removed job: %v", err)
	}
}

func testRemoveBatches(t *testing.T, ctx context.Context, s Stores) {
	for i := range uint64(4) {
		span := batch.Span{StartBlock: 10 * i, EndBlock: 10*i + 9}
		if err := errors.Join(
			s.Batches.CreateSnos(ctx, batch.SnosBatch{Index: i + 1, Span: span, Status: batch.Proven}),
			s.Batches.CreateAggregator(ctx, batch.AggregatorBatch{Index: i + 1, FirstSnos: i + 1, Span: span,
				Snos: []batch.Span{span}, Status: batch.Archived})); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := errors.Join(s.RemoveSnos(ctx, 1, 2), s.RemoveAggregator(ctx, 1)); err != nil {
			t.Fatal(err)
		}
	}
	snos, err := s.Batches.SnosRange(ctx, 1, 10)
	as, aerr := s.Batches.ListAggregators(ctx, batch.Archived, 0, 10)
	if err != nil || aerr != nil || len(snos) != 2 || snos[0].Index != 3 || len(as) != 3 || as[0].Index != 2 {
		t.Errorf("left are %+v, %v, %+v, %v", snos, err, as, aerr)
	}
	if _, err := s.Batches.SnosOfBlock(ctx, 5); !errors.Is(err, batch.ErrNotFound) {
		t.Errorf("a block of a removed batch: %v", err)
	}
	if b, err := s.Batches.AggregatorOfBlock(ctx, 15); err != nil || b.Index != 2 {
		t.Errorf("a block of a batch that is left: %+v, %v", b, err)
	}
	if b, err := s.Batches.LastSnos(ctx); err != nil || b.Index != 4 {
		t.Errorf("the last: %+v, %v", b, err)
	}
}
