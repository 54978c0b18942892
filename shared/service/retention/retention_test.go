package retention_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/history"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/service/retention"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const (
	old  = 5 // units that are due
	all  = old + retention.KeepUnits
	snos = 2                   // SNOS batches of a unit of an L2
	age  = 60 * 24 * time.Hour // of the documents
)

// world is the worker on ports in memory.
type world struct {
	*retention.Keeper
	t         *testing.T
	jobs      *memory.Jobs
	batches   *memory.Batches
	history   *memory.History
	artifacts *memory.Artifacts
}

// newWorld has all units archived, old ones of them not among the newest; calls go through the hook.
func newWorld(t *testing.T, l stage.Layer, hook fault.Hook) *world {
	t.Helper()
	e := &fault.Env{Now: func() time.Time { return start.Add(age) }}
	w := &world{t: t, jobs: memory.NewJobs(e), batches: memory.NewBatches(e), artifacts: memory.NewArtifacts(e)}
	w.history = memory.NewHistory(e, w.jobs, w.batches)
	w.Keeper = &retention.Keeper{Layer: l, Jobs: w.jobs, Batches: w.batches, History: w.history,
		Artifacts: w.artifacts, After: age, Now: e.Now}
	for i := range uint64(all) {
		w.unit(i + 1)
	}
	e.Hook = hook
	return w
}

func (w *world) unit(i uint64) {
	w.t.Helper()
	ledger := batch.Ledger{GasUsed: 10, Blobs: 1, Fee: big.NewInt(100), FeeSaved: big.NewInt(-1),
		Requests: map[string]int{"SnosRun": 2}, StoredBytes: 7}
	var errs []error
	create := func(m job.Metadata, index uint64) {
		j := job.New(fmt.Sprintf("%016x%016x", len(m.JobType()), index), index, m, "t", start)
		j.Status, j.NextAction, j.DueAt = job.Completed, job.None, time.Time{}
		errs = append(errs, w.jobs.Create(w.t.Context(), j))
	}
	snosBatch := func(index uint64, b batch.SnosBatch) {
		b.Index, b.Span = index, batch.Span{StartBlock: 10 * index, EndBlock: 10*index + 9}
		b.UpdatedAt = start
		errs = append(errs, w.batches.CreateSnos(w.t.Context(), b))
		create(&job.SnosRunMeta{EndBlock: b.EndBlock, TaskID: "t"}, index)
		create(&job.ProofCreationMeta{}, index)
	}
	if w.Layer == stage.L3 {
		snosBatch(i, batch.SnosBatch{Status: batch.Archived, Ledger: ledger})
		create(&job.StateTransitionMeta{Finalized: true}, i)
	} else {
		first := snos*(i-1) + 1
		var spans []batch.Span
		for x := range uint64(snos) {
			snosBatch(first+x, batch.SnosBatch{Aggregator: i, Status: batch.Proven})
			spans = append(spans, batch.Span{StartBlock: 10 * (first + x), EndBlock: 10*(first+x) + 9})
		}
		errs = append(errs, w.batches.CreateAggregator(w.t.Context(), batch.AggregatorBatch{Index: i, FirstSnos: first,
			Snos: spans, Span: batch.Span{StartBlock: spans[0].StartBlock, EndBlock: spans[snos-1].EndBlock},
			Status: batch.Archived, Ledger: ledger, UpdatedAt: start}))
		create(&job.AggregatorMeta{}, i)
		create(&job.StateTransitionMeta{Finalized: true}, i)
	}
	if err := errors.Join(errs...); err != nil {
		w.t.Fatal(err)
	}
}

// moved wants the old units in files and totals, and nothing of them in the database; all others are there.
func (w *world) moved() {
	w.t.Helper()
	each, jobs := uint64(snos), uint64(2*snos+2)
	if w.Layer == stage.L3 {
		each, jobs = 1, 3
	}
	totals, err := w.history.Totals(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	var counted uint64
	for _, n := range totals.Jobs {
		counted += n
	}
	if totals.Through != old || totals.Units != old || totals.Snos != old*each || totals.Blocks != 10*old*each ||
		counted != old*jobs || totals.GasUsed != 10*old || totals.Fee.Int64() != 100*old ||
		totals.FeeSaved.Int64() != -old || totals.Requests != 2*old || totals.StoredBytes != 7*old {
		w.t.Errorf("totals %+v", totals)
	}
	for i := range uint64(all) {
		b, err := artifact.ReadAll(w.t.Context(), w.artifacts, artifact.HistoryKey(i+1), 1<<20)
		if i >= old {
			if !errors.Is(err, artifact.ErrNotFound) {
				w.t.Errorf("unit %d is exported: %v", i+1, err)
			}
			continue
		}
		u, rerr := history.Read(bytes.NewReader(b))
		if err != nil || rerr != nil || u.Index != i+1 || uint64(len(u.Snos)) != each || uint64(len(u.Jobs)) != jobs {
			w.t.Errorf("file of unit %d: %v, %v, %d SNOS batches, %d jobs", i+1, err, rerr, len(u.Snos), len(u.Jobs))
		}
	}
	left, err := w.batches.SnosRange(w.t.Context(), 0, 1000)
	if err != nil || uint64(len(left)) != each*retention.KeepUnits || left[0].Index != old*each+1 {
		w.t.Errorf("%d SNOS batches are left from %d on, %v", len(left), left[0].Index, err)
	}
	for _, t := range []job.Type{job.SnosRun, job.StateTransition} {
		js, err := w.jobs.List(w.t.Context(), job.Filter{Type: t, Limit: 1000})
		if err != nil || len(js) < retention.KeepUnits || js[0].Batch <= old {
			w.t.Errorf("%d %s jobs are left, %v", len(js), t, err)
		}
	}
}

func TestMoves(t *testing.T) {
	t.Parallel()
	for _, l := range []stage.Layer{stage.L2, stage.L3} {
		w := newWorld(t, l, nil)
		for range 2 { // again changes nothing
			if err := w.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.moved()
		}
	}
}

// A crash at any call, before or after its effect, loses nothing and counts nothing twice.
func TestCrashes(t *testing.T) {
	t.Parallel()
	for _, l := range []stage.Layer{stage.L2, stage.L3} {
		crashes := 0
		for call, done := 1, false; !done; call++ {
			for _, after := range []bool{false, true} {
				c := fault.NewCrash(call, after)
				w := newWorld(t, l, c)
				if err := w.Run(t.Context()); err == nil {
					done = true
				} else {
					crashes++
				}
				c.Restart()
				if err := w.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				w.moved()
				if t.Failed() {
					t.Fatalf("%s, crash at call %d, its effect there: %t", l, call, after)
				}
			}
		}
		if crashes < 40 {
			t.Errorf("%s: %d crashes", l, crashes)
		}
	}
}

// What may still change stays, and what is behind it.
func TestWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stage.L2, nil)
	j, err := w.jobs.Find(t.Context(), job.SnosRun, 5) // of unit 3
	if err != nil {
		t.Fatal(err)
	}
	j.NextAction, j.DueAt = job.Verify, start
	watched, err := w.jobs.Update(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	through := func(want uint64) {
		t.Helper()
		if err := w.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, err := w.history.Totals(t.Context()); err != nil || got.Through != want {
			t.Errorf("moved through unit %d, %v; want %d", got.Through, err, want)
		}
	}
	w.After++
	through(0)
	w.After--
	through(2)
	watched.NextAction, watched.DueAt = job.None, time.Time{}
	if _, err := w.jobs.Update(t.Context(), watched); err != nil {
		t.Fatal(err)
	}
	through(old)
}

// The next state update looks at the settled batch before it. However many batches wait behind it, the newest settled
// ones stay.
func TestSettledStayBelowABacklog(t *testing.T) {
	t.Parallel()
	for _, l := range []stage.Layer{stage.L2, stage.L3} {
		w := newWorld(t, l, nil)
		for i := range uint64(2 * retention.KeepUnits) {
			w.waiting(all + 1 + i)
		}
		if err := w.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		got, err := w.history.Totals(t.Context())
		if err != nil || got.Through != old {
			t.Errorf("%s: moved through unit %d, %v; want %d", l, got.Through, err, old)
		}
	}
}

// waiting is a closed batch that nothing was done for.
func (w *world) waiting(i uint64) {
	w.t.Helper()
	span := batch.Span{StartBlock: 20 * i, EndBlock: 20*i + 19}
	var err error
	if w.Layer == stage.L3 {
		err = w.batches.CreateSnos(w.t.Context(), batch.SnosBatch{Index: i, Span: span, Status: batch.Closed})
	} else {
		err = w.batches.CreateAggregator(w.t.Context(), batch.AggregatorBatch{Index: i, FirstSnos: snos*(i-1) + 1,
			Snos: []batch.Span{span}, Span: span, Status: batch.Closed})
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// Two runs at the same time move each unit once.
func TestTwoRuns(t *testing.T) {
	t.Parallel()
	for range 20 {
		w := newWorld(t, stage.L2, nil)
		errs := make(chan error, 2)
		for range 2 {
			go func() { errs <- w.Run(t.Context()) }()
		}
		if err := errors.Join(<-errs, <-errs); err != nil {
			t.Fatal(err)
		}
		w.moved()
	}
}

// A file gives back what was exported, to the last field.
func TestReadsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stage.L2, nil)
	snosBatches, err := w.batches.SnosRange(t.Context(), 1, 2)
	a, aerr := w.batches.Aggregator(t.Context(), 1)
	j, jerr := w.jobs.Find(t.Context(), job.SnosRun, 1)
	if err := errors.Join(err, aerr, jerr); err != nil {
		t.Fatal(err)
	}
	j.Failures = []job.Failure{{At: start, Reason: "why"}}
	want := history.Unit{Index: 1, Aggregator: &a, Snos: snosBatches, Jobs: []job.Job{j}}
	b, err := history.Export(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := history.Read(bytes.NewReader(b))
	same := cmp.Comparer(func(a, b *big.Int) bool {
		return a == nil && b == nil || a != nil && b != nil && a.Cmp(b) == 0
	})
	if d := cmp.Diff(want, got, same); err != nil || d != "" {
		t.Errorf("read back, %v (-want +got):\n%s", err, d)
	}
}
