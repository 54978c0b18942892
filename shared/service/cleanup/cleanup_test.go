package cleanup_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/budget"
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

// final stores completed batches from 1 on whose state updates are final, with one object each.
func (w *world) final(n uint64) {
	w.t.Helper()
	for i := uint64(1); i <= n; i++ {
		w.job(i, &job.StateTransitionMeta{Finalized: true}, false)
		w.job(i, &job.DataSubmissionMeta{}, false)
		w.check(w.batches.CreateSnos(w.t.Context(), batch.SnosBatch{Index: i, Status: batch.Completed, Version: 1}))
		w.check(w.batches.CreateAggregator(w.t.Context(), batch.AggregatorBatch{Index: i, FirstSnos: i,
			Snos: make([]batch.Span, 1), Status: batch.Completed, Version: 1}))
		w.put(artifact.SNOSKey(i, 0, artifact.PIE))
	}
}

// archived is how many batches that settle are archived. Their objects expire, and no other batch's.
func (w *world) archived() (n int) {
	w.t.Helper()
	snos, err := w.batches.ListSnos(w.t.Context(), batch.Archived, 0, 1000)
	w.check(err)
	aggregators, err := w.batches.ListAggregators(w.t.Context(), batch.Archived, 0, 1000)
	w.check(err)
	if n = len(snos); w.Layer == stage.L2 {
		n = len(aggregators)
	}
	if expiring := len(w.expiring()); expiring != n || len(snos)+len(aggregators) != n {
		w.t.Errorf("%d objects expire, %d SNOS batches and %d aggregator batches are archived", expiring, len(snos),
			len(aggregators))
	}
	return n
}

// A run cleans up however many batches wait, as far as there is time, and then asks for another run.
func TestBacklog(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		each     time.Duration // between two looks at the clock
		conflict bool          // another run archives the last of the batches meanwhile
		archived int
		woken    []stage.Name
	}{
		"all":     {0, false, 65, nil},
		"time":    {budget.Most / 50, false, 0, []stage.Name{stage.StorageCleanup}},
		"another": {0, true, 65, nil},
	} {
		for _, l := range []stage.Layer{stage.L2, stage.L3} {
			for _, atOnce := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/%t", name, l, atOnce), func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, l)
					w.final(65)
					var woken []stage.Name
					clock := now
					w.AtOnce = atOnce
					w.Wake = func(_ context.Context, ns ...stage.Name) { woken = append(woken, ns...) }
					w.Now = func() time.Time { clock = clock.Add(tt.each); return clock }
					if tt.conflict {
						w.Cleaner.Batches = &raced{w.batches, 65}
					}
					w.check(w.Run(t.Context()))
					switch n := w.archived(); {
					case tt.each == 0 && n != tt.archived:
						t.Errorf("%d batches are archived, want %d", n, tt.archived)
					case tt.each != 0 && (n < 5 || n > 25):
						t.Errorf("%d batches are archived in the time for about 20", n)
					}
					if !slices.Equal(woken, tt.woken) {
						t.Errorf("woken %v, want %v", woken, tt.woken)
					}
					for runs := 1; len(woken) > 0; runs++ {
						if woken = nil; runs > 20 {
							t.Fatal("runs without end")
						}
						w.check(w.Run(t.Context()))
					}
					if n := w.archived(); n != 65 {
						t.Errorf("%d batches are archived in the end, want 65", n)
					}
				})
			}
		}
	}
}

// raced is a store in which another run archives one batch just before this one.
type raced struct {
	*memory.Batches
	index uint64
}

// UpdateSnos implements batch.SnosStore.
func (r *raced) UpdateSnos(ctx context.Context, b batch.SnosBatch) (batch.SnosBatch, error) {
	if b.Index == r.index {
		_, _ = r.Batches.UpdateSnos(ctx, b)
	}
	return r.Batches.UpdateSnos(ctx, b)
}

// UpdateAggregator implements batch.AggregatorStore.
func (r *raced) UpdateAggregator(ctx context.Context, b batch.AggregatorBatch) (batch.AggregatorBatch, error) {
	if b.Index == r.index {
		_, _ = r.Batches.UpdateAggregator(ctx, b)
	}
	return r.Batches.UpdateAggregator(ctx, b)
}

// busy is a store whose first eight tags wait for one another, or whose every tag fails.
type busy struct {
	*memory.Artifacts
	err  error
	all  chan struct{}
	mu   sync.Mutex
	tags int
}

// Tag implements artifact.Store.
func (b *busy) Tag(ctx context.Context, key string, tags map[string]string) error {
	b.mu.Lock()
	b.tags++
	if b.tags == 8 {
		close(b.all)
	}
	b.mu.Unlock()
	if b.err != nil {
		return b.err
	}
	select {
	case <-b.all:
	case <-ctx.Done():
		return ctx.Err()
	}
	return b.Artifacts.Tag(ctx, key, tags)
}

// Several objects of a batch are tagged at a time. An error ends the run, and the batch is not archived.
func TestObjectsAtOnce(t *testing.T) {
	t.Parallel()
	for _, fails := range []error{nil, errors.New("SlowDown")} {
		w := newWorld(t, stage.L3)
		w.final(1)
		for i := range 40 {
			w.put(fmt.Sprintf("%sfile%02d", artifact.SNOSPrefix(1, 0), i))
		}
		store := &busy{Artifacts: w.artifacts, err: fails, all: make(chan struct{})}
		w.AtOnce, w.Artifacts = true, store
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		if err := w.Run(ctx); !errors.Is(err, fails) {
			t.Errorf("%v, want %v", err, fails)
		}
		want, status := 41, batch.Archived
		if fails != nil {
			want, status = 16, batch.Completed // each of the eight had one on its way at most
		}
		if got, err := w.batches.Snos(t.Context(), 1); err != nil || got.Status != status {
			t.Errorf("the batch is %s, %v", got.Status, err)
		}
		if store.tags > want || fails == nil && len(w.expiring()) != want {
			t.Errorf("%d tags, %d objects expire, want %d", store.tags, len(w.expiring()), want)
		}
	}
}
