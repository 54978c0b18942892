package cleanup_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric/metrictest"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/service/cleanup"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// world is the worker on ports in memory.
type world struct {
	*cleanup.Cleaner
	t         *testing.T
	jobs      *memory.Jobs
	batches   *memory.Batches
	artifacts *memory.Artifacts
}

func newWorld(t *testing.T, l stage.Layer) *world {
	t.Helper()
	w := &world{t: t, jobs: memory.NewJobs(nil), batches: memory.NewBatches(nil), artifacts: memory.NewArtifacts(nil)}
	w.Cleaner = &cleanup.Cleaner{
		Layer: l, Jobs: w.jobs, Batches: w.batches, Artifacts: w.artifacts, Now: func() time.Time { return now },
	}
	return w
}

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) put(keys ...string) {
	w.t.Helper()
	for _, k := range keys {
		w.check(w.artifacts.Put(w.t.Context(), k, strings.NewReader("x")))
	}
}

// job stores a completed job of a batch; watched ones have a next action.
func (w *world) job(index uint64, m job.Metadata, watched bool) string {
	w.t.Helper()
	j := job.New(fmt.Sprintf("%030x%02d", index, len(m.JobType())), index, m, "", now)
	j.Status, j.NextAction = job.Completed, job.None
	if watched {
		j.NextAction = job.Verify
	}
	w.check(w.jobs.Create(w.t.Context(), j))
	return j.ID
}

// expiring are the keys that are tagged, sorted.
func (w *world) expiring() []string {
	w.t.Helper()
	infos, err := w.artifacts.List(w.t.Context(), "", "", 1000)
	w.check(err)
	out := []string{}
	for _, i := range infos {
		if w.artifacts.Expires(i.Key) {
			out = append(out, i.Key)
		}
	}
	slices.Sort(out)
	return out
}

// The artifacts of an aggregator batch, of its SNOS batches and of its transactions expire once its state update is
// final; those of other batches stay.
func TestAggregatorBatches(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status    batch.Status
		finalized bool
		watched   bool
		cleaned   bool
	}{
		"final":           {batch.Completed, true, false, true},
		"watched":         {batch.Completed, false, true, false},
		"not final":       {batch.Completed, false, false, false},
		"not settled":     {batch.InStateTransition, true, false, false},
		"cleaned already": {batch.Archived, true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, stage.L2)
			b := batch.AggregatorBatch{Index: 2, FirstSnos: 4, Snos: make([]batch.Span, 2),
				Status: tt.status, Version: 1}
			w.check(w.batches.CreateAggregator(t.Context(), b))
			id := w.job(2, &job.StateTransitionMeta{Finalized: tt.finalized}, tt.watched)
			mine := []string{
				artifact.AggregatorKey(2, 0, artifact.PIE), artifact.SNOSKey(4, 0, artifact.PIE),
				artifact.SNOSKey(5, 0, artifact.Proof),
				artifact.TransactionKey(id, "0x1"),
			}
			w.put(mine...)
			w.put(artifact.AggregatorKey(1, 0, artifact.PIE), artifact.AggregatorKey(20, 0, artifact.PIE),
				artifact.SNOSKey(3, 0, artifact.PIE),
				artifact.SNOSKey(6, 0, artifact.PIE), artifact.TransactionKey("other", "0x1"))
			w.check(w.Run(t.Context()))
			slices.Sort(mine)
			want, status := []string{}, tt.status
			if tt.cleaned {
				want, status = mine, batch.Archived
			}
			if d := cmp.Diff(want, w.expiring()); d != "" {
				t.Errorf("keys that expire, wanted (-) and got (+):\n%s", d)
			}
			if got, err := w.batches.Aggregator(t.Context(), 2); err != nil || got.Status != status {
				t.Errorf("the batch is %s, %v, want %s", got.Status, err, status)
			}
		})
	}
}

// A SNOS batch of an L3 waits for its publication too.
func TestSnosBatches(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ watched, cleaned bool }{
		"publication final": {false, true}, "publication watched": {true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, stage.L3)
			w.check(w.batches.CreateSnos(t.Context(), batch.SnosBatch{Index: 3, Status: batch.Completed, Version: 1}))
			update := w.job(3, &job.StateTransitionMeta{Finalized: true}, false)
			publication := w.job(3, &job.DataSubmissionMeta{}, tt.watched)
			want := []string{
				artifact.SNOSKey(3, 0, artifact.PIE), artifact.TransactionKey(update, "0x1"),
				artifact.TransactionKey(publication, "0x2"),
			}
			w.put(want...)
			w.check(w.Run(t.Context()))
			slices.Sort(want)
			if !tt.cleaned {
				want = []string{}
			}
			if d := cmp.Diff(want, w.expiring()); d != "" {
				t.Errorf("keys that expire, wanted (-) and got (+):\n%s", d)
			}
		})
	}
}

// elsewhere is a store in which another run archives each batch just before this one, or that is down.
type elsewhere struct {
	*memory.Batches
	err error
}

// UpdateSnos implements batch.SnosStore.
func (e *elsewhere) UpdateSnos(context.Context, batch.SnosBatch) (batch.SnosBatch, error) {
	return batch.SnosBatch{}, e.err
}

// UpdateAggregator implements batch.AggregatorStore.
func (e *elsewhere) UpdateAggregator(context.Context, batch.AggregatorBatch) (batch.AggregatorBatch, error) {
	return batch.AggregatorBatch{}, e.err
}

// A batch's bytes are measured once, by the run that has archived it, however often it was cleaned up before.
func TestBytesAreMeasuredOnce(t *testing.T) {
	t.Parallel()
	down := errors.New("no primary")
	for _, l := range []stage.Layer{stage.L2, stage.L3} {
		w := newWorld(t, l)
		w.check(w.batches.CreateAggregator(t.Context(), batch.AggregatorBatch{Index: 1, FirstSnos: 1,
			Snos: make([]batch.Span, 1), Status: batch.Completed, Version: 1}))
		w.check(w.batches.CreateSnos(t.Context(), batch.SnosBatch{Index: 1, Status: batch.Completed, Version: 1}))
		w.job(1, &job.StateTransitionMeta{Finalized: true}, false)
		w.job(1, &job.DataSubmissionMeta{}, false)
		w.put(artifact.SNOSKey(1, 0, artifact.PIE), artifact.AggregatorKey(1, 0, artifact.PIE))
		var r metrictest.Recorder
		ctx := metric.With(t.Context(), &r)
		for _, err := range []error{down, batch.ErrConflict} {
			w.Cleaner.Batches = &elsewhere{w.batches, err}
			if got := w.Run(ctx); errors.Is(got, down) != errors.Is(err, down) {
				t.Errorf("%s: %v", l, got)
			}
		}
		if vs := r.Of(metric.StoredBytes); len(vs) > 0 {
			t.Errorf("%s: measured %v, archived nothing", l, vs)
		}
		w.Cleaner.Batches = w.batches
		w.check(w.Run(ctx))
		w.check(w.Run(ctx))
		if vs := r.Of(metric.StoredBytes); len(vs) != 1 || vs[0].Value != 2 {
			t.Errorf("%s: measured %v, want 2 bytes once", l, vs)
		}
	}
}

// A batch of more keys than one listing has is tagged to its end, and a batch that is not final holds back those after
// it.
func TestManyKeysAndOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stage.L3)
	for n := uint64(1); n <= 3; n++ {
		w.check(w.batches.CreateSnos(t.Context(), batch.SnosBatch{Index: n, Status: batch.Completed, Version: 1}))
		w.job(n, &job.StateTransitionMeta{Finalized: n != 2}, false)
		w.job(n, &job.DataSubmissionMeta{}, false)
	}
	for i := range 1100 {
		w.put(fmt.Sprintf("%sfile%04d", artifact.SNOSPrefix(1, 0), i))
	}
	w.put(artifact.SNOSKey(2, 0, artifact.PIE), artifact.SNOSKey(3, 0, artifact.PIE))
	w.check(w.Run(t.Context()))
	if n := len(w.expiring()); n != 1000 { // the first page of the test's own listing
		t.Errorf("%d of the first 1000 keys expire", n)
	}
	if last := fmt.Sprintf("%sfile1099", artifact.SNOSPrefix(1, 0)); !w.artifacts.Expires(last) {
		t.Error("the last key of the first batch does not expire")
	}
	for _, n := range []uint64{2, 3} {
		if w.artifacts.Expires(artifact.SNOSKey(n, 0, artifact.PIE)) {
			t.Errorf("SNOS batch %d was cleaned up, SNOS batch 2 is not final", n)
		}
	}
}
