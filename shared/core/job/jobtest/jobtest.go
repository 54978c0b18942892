// Package jobtest is the conformance suite of job.Store.
package jobtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/pace"
)

// start is the time of the suite: whole milliseconds, which is what stores must keep.
var start = time.Date(2026, 3, 4, 5, 6, 7, 8e6, time.UTC)

// TestStore tests a store by the contract of job.Store. newStore returns an empty one.
func TestStore(t *testing.T, newStore func(t *testing.T) job.Store) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(*testing.T, context.Context, job.Store)
	}{
		{"KeepsEveryField", testRoundTrip}, {"CreateOnce", testCreateOnce}, {"NotFound", testNotFound},
		{"UpdateIsCompareAndSet", testUpdate}, {"OneOfManyWritersWins", testRace},
		{"DeleteIsCompareAndSet", testDelete}, {"AnEarlierEpochGivesWay", testEpoch},
		{"OneOfManyCreatorsWins", testCreateRace},
		{"Due", testDue}, {"List", testList}, {"Count", testCount}, {"Ping", testPing}, {"HonoursContext", testContext},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			c.run(t, ctx, newStore(t))
		})
	}
}

// New returns the job of the suite for a batch.
func New(internal uint64, m job.Metadata) job.Job {
	return job.New(fmt.Sprintf("%032x", internal+1), internal, m, "0123456789abcdef0123456789abcdef", start)
}

func create(t *testing.T, ctx context.Context, s job.Store, j job.Job) job.Job {
	t.Helper()
	if err := s.Create(ctx, j); err != nil {
		t.Fatalf("create: %v", err)
	}
	return j
}

func same(t *testing.T, got, want job.Job) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("job differs (-want +got):\n%s", d)
	}
}

func testRoundTrip(t *testing.T, ctx context.Context, s job.Store) {
	for i, m := range []job.Metadata{
		&job.SnosRunMeta{StartBlock: 1, EndBlock: 9, TaskID: "task"}, &job.ProofCreationMeta{Fact: "0x12"},
		&job.ProofRegistrationMeta{},
		&job.DataSubmissionMeta{}, &job.AggregatorMeta{FirstSnos: 3, LastSnos: 5},
		&job.StateTransitionMeta{StartBlock: 4, EndBlock: 7, DASegmentKey: "k"},
	} {
		j := New(uint64(i), m)
		j.ExternalID, j.Failures = "ext", []job.Failure{{At: start, Reason: "it rained"}}
		j.Lease = job.Lease{Owner: "me", ExpiresAt: start.Add(time.Hour)}
		j.Wait = job.Wait{Work: "SnosRun", Size: 4, Since: start, Asked: start.Add(time.Minute), Reported: true,
			Expect: pace.Window{From: time.Minute, To: time.Hour, Reported: true}}
		j.StartedAt, j.Generation, j.Attempts.Transient = start.Add(time.Second), 7, 3
		create(t, ctx, s, j)
		got, err := s.Get(ctx, j.ID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, j)
		if got, err = s.Find(ctx, j.Type, j.Batch); err != nil {
			t.Fatal(err)
		}
		same(t, got, j)
	}
}

func testCreateOnce(t *testing.T, ctx context.Context, s job.Store) {
	j := create(t, ctx, s, New(1, &job.SnosRunMeta{}))
	if err := s.Create(ctx, j); !errors.Is(err, job.ErrExists) {
		t.Errorf("same job: %v", err)
	}
	other := j
	other.ID = "ffffffffffffffffffffffffffffffff"
	if err := s.Create(ctx, other); !errors.Is(err, job.ErrExists) {
		t.Errorf("another id for the same type and batch: %v", err)
	}
}

func testNotFound(t *testing.T, ctx context.Context, s job.Store) {
	if _, err := s.Get(ctx, "nothing"); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("Get: %v", err)
	}
	if _, err := s.Find(ctx, job.SnosRun, 1); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("Find: %v", err)
	}
	if _, err := s.Update(ctx, New(1, &job.SnosRunMeta{})); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("Update: %v", err)
	}
}

func testUpdate(t *testing.T, ctx context.Context, s job.Store) {
	j := create(t, ctx, s, New(1, &job.SnosRunMeta{}))
	j.ExternalID = "first"
	next, err := s.Update(ctx, j)
	if err != nil || next.Version != j.Version+1 {
		t.Fatalf("version %d, %v", next.Version, err)
	}
	j.ExternalID = "second"
	if _, err := s.Update(ctx, j); !errors.Is(err, job.ErrConflict) {
		t.Errorf("an old version was taken: %v", err)
	}
	got, err := s.Get(ctx, j.ID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, next)
}

// writers race in these many.
const writers = 12

func testRace(t *testing.T, ctx context.Context, s job.Store) {
	j := create(t, ctx, s, New(1, &job.SnosRunMeta{}))
	for round := range 5 {
		var won atomic.Int64
		var next job.Job
		var wg sync.WaitGroup
		for w := range writers {
			wg.Add(1)
			go func() {
				defer wg.Done()
				mine := j
				mine.ExternalID = fmt.Sprint(w)
				got, err := s.Update(ctx, mine)
				switch {
				case err == nil:
					won.Add(1)
					next = got
				case !errors.Is(err, job.ErrConflict):
					t.Errorf("writer %d: %v", w, err)
				}
			}()
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Fatalf("round %d: %d of %d writers won", round, won.Load(), writers)
		}
		j = next
	}
}

func testCreateRace(t *testing.T, ctx context.Context, s job.Store) {
	var won atomic.Int64
	var wg sync.WaitGroup
	for w := range writers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			j := New(9, &job.ProofCreationMeta{})
			j.ID = fmt.Sprintf("%032x", 100+w)
			if err := s.Create(ctx, j); err == nil {
				won.Add(1)
			} else if !errors.Is(err, job.ErrExists) {
				t.Errorf("creator %d: %v", w, err)
			}
		}()
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d of %d creators won", won.Load(), writers)
	}
}

func testDue(t *testing.T, ctx context.Context, s job.Store) {
	for i := range uint64(6) {
		j := New(i, &job.SnosRunMeta{})
		j.DueAt = start.Add(time.Duration(10-i) * time.Second)
		if i == 3 {
			j.Status, j.NextAction, j.DueAt = job.Completed, job.None, time.Time{}
		}
		create(t, ctx, s, j)
	}
	js, err := s.Due(ctx, start.Add(9*time.Second), 3)
	if err != nil || len(js) != 3 {
		t.Fatalf("%d jobs, %v", len(js), err)
	}
	for i, want := range []uint64{5, 4, 2} {
		if js[i].Batch != want {
			t.Errorf("job %d is %d, want %d: the longest overdue comes first", i, js[i].Batch, want)
		}
	}
	if js, err = s.Due(ctx, start, 10); err != nil || len(js) != 0 {
		t.Errorf("%d jobs are due before any is, %v", len(js), err)
	}
	other := New(60, &job.AggregatorMeta{})
	other.DueAt = start.Add(9 * time.Second)
	create(t, ctx, s, other)
	js, err = s.Due(ctx, start.Add(9*time.Second), 1, job.StateTransition, job.SnosRun)
	if err != nil || len(js) != 1 || js[0].ID != other.ID {
		t.Errorf("the only job of another type is %+v, %v: those that are left out take its place", js, err)
	}
	if js, err = s.Due(ctx, start.Add(time.Hour), 10, job.Aggregator, job.SnosRun); err != nil || len(js) != 0 {
		t.Errorf("%d jobs of types that are left out, %v", len(js), err)
	}
}

func testList(t *testing.T, ctx context.Context, s job.Store) {
	for i := range uint64(12) {
		j := New(i, &job.SnosRunMeta{})
		j.Status = []job.Status{job.Created, job.Completed, job.Failed}[i%3]
		create(t, ctx, s, j)
	}
	other := New(50, &job.AggregatorMeta{})
	create(t, ctx, s, other)
	for _, tt := range []struct {
		name string
		f    job.Filter
		want []uint64
	}{
		{"all", job.Filter{Type: job.SnosRun, Limit: 100}, []uint64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
		{"limit", job.Filter{Type: job.SnosRun, Limit: 2}, []uint64{0, 1}},
		{"descending", job.Filter{Type: job.SnosRun, Limit: 3, Order: job.Descending}, []uint64{11, 10, 9}},
		{"range", job.Filter{Type: job.SnosRun, From: 3, To: 5, Limit: 9}, []uint64{3, 4, 5}},
		{"status", job.Filter{Type: job.SnosRun, Statuses: []job.Status{job.Failed}, Limit: 9}, []uint64{2, 5, 8, 11}},
		{"statuses", job.Filter{Type: job.SnosRun, Statuses: []job.Status{job.Failed, job.Created}, From: 1, Limit: 4},
			[]uint64{2, 3, 5, 6}},
		{"statuses descending", job.Filter{Type: job.SnosRun, Statuses: []job.Status{job.Failed, job.Created},
			Order: job.Descending, Limit: 3}, []uint64{11, 9, 8}},
		{"none", job.Filter{Type: job.DataSubmission, Limit: 9}, nil},
	} {
		js, err := s.List(ctx, tt.f)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		var got []uint64
		for _, j := range js {
			got = append(got, j.Batch)
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

func testCount(t *testing.T, ctx context.Context, s job.Store) {
	for i := range uint64(5) {
		create(t, ctx, s, New(i, &job.SnosRunMeta{}))
	}
	got, err := s.Count(ctx, job.SnosRun, []job.Status{job.Created, job.Failed}, 4)
	if err != nil || got[job.Created] != 4 || got[job.Failed] != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func testPing(t *testing.T, ctx context.Context, s job.Store) {
	if err := s.Ping(ctx); err != nil {
		t.Error(err)
	}
}

func testContext(t *testing.T, ctx context.Context, s job.Store) {
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.Create(ended, New(1, &job.SnosRunMeta{})); err == nil {
		t.Error("Create with an ended context succeeded")
	}
	if _, err := s.Get(ended, "x"); err == nil || errors.Is(err, job.ErrNotFound) {
		t.Errorf("Get with an ended context: %v", err)
	}
}

func testDelete(t *testing.T, ctx context.Context, s job.Store) {
	j := create(t, ctx, s, New(1, &job.SnosRunMeta{}))
	if err := s.Delete(ctx, New(2, &job.SnosRunMeta{})); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("a job that is not there: %v", err)
	}
	now, err := s.Update(ctx, j)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(ctx, j); !errors.Is(err, job.ErrConflict) {
		t.Errorf("an old version was deleted: %v", err)
	}
	if err := s.Delete(ctx, now); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Update(ctx, now); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("a deleted job was written: %v", err)
	}
	if due, err := s.Due(ctx, start.Add(time.Hour), 10); err != nil || len(due) != 0 {
		t.Errorf("a deleted job is due: %v, %v", due, err)
	}
	if js, err := s.List(ctx, job.Filter{Type: job.SnosRun, Limit: 10}); err != nil || len(js) != 0 {
		t.Errorf("a deleted job is listed: %v, %v", js, err)
	}
	create(t, ctx, s, New(1, &job.SnosRunMeta{})) // its place is free
}

func testEpoch(t *testing.T, ctx context.Context, s job.Store) {
	old := create(t, ctx, s, New(1, &job.SnosRunMeta{}))
	next := job.New("ffffffffffffffffffffffffffffffff", 1, &job.SnosRunMeta{EndBlock: 4}, "t", start).InEpoch(2)
	create(t, ctx, s, next)
	if _, err := s.Get(ctx, old.ID); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("the job of the earlier epoch: %v", err)
	}
	if _, err := s.Update(ctx, old); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("the job of the earlier epoch was written: %v", err)
	}
	got, err := s.Find(ctx, job.SnosRun, 1)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, next)
	for _, epoch := range []uint64{0, 1, 2} {
		if err := s.Create(ctx, old.InEpoch(epoch)); !errors.Is(err, job.ErrExists) {
			t.Errorf("a job of epoch %d took the place of one of epoch 2: %v", epoch, err)
		}
	}
}
