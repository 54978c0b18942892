package memory_test

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault/faulttest"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/lock"
)

// TestJobs_IndexesFollowWrites compares listings with a plain walk over all jobs.
func TestJobs_IndexesFollowWrites(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), faulttest.NewClock()
	s := memory.NewJobs(&fault.Env{Now: c.Now})
	for i := range 40 {
		j := job.New(fmt.Sprintf("%032x", i), uint64(i*7%40), &job.AggregatorMeta{}, "",
			c.Now().Add(time.Duration(i*3%40)*time.Second))
		if err := s.Create(ctx, j); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			must(s.Update(ctx, j.FailedPermanently(c.Now(), errors.New("no"))))(t)
		}
	}
	half := must(s.List(ctx, job.Filter{Type: job.Aggregator, Statuses: []job.Status{job.Failed}, From: 4, To: 30,
		Order: job.Descending, Limit: 5}))(t)
	var got []uint64
	for _, j := range half {
		got = append(got, j.Batch)
	}
	if d := cmp.Diff([]uint64{30, 28, 26, 24, 22}, got); d != "" {
		t.Errorf("List (-want +got):\n%s", d)
	}
	if all := must(s.List(ctx, job.Filter{Type: job.Aggregator, Limit: 100}))(t); len(all) != 40 ||
		all[39].Batch != 39 {
		t.Errorf("List of all has %d jobs", len(all))
	}
	due := must(s.Due(ctx, c.Now().Add(20*time.Second), 100))(t)
	for i, j := range due {
		if j.NextAction == job.None || i > 0 && j.DueAt.Before(due[i-1].DueAt) {
			t.Errorf("due job %d is %s, due %v", i, j.Status, j.DueAt)
		}
	}
	counts := must(s.Count(ctx, job.Aggregator, []job.Status{job.Created, job.Failed, job.Completed}, 15))(t)
	if d := cmp.Diff(map[job.Status]int{job.Created: 15, job.Failed: 15, job.Completed: 0}, counts); d != "" {
		t.Errorf("Count (-want +got):\n%s", d)
	}
}

func TestJobs_CopiesInAndOut(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), faulttest.NewClock()
	s := memory.NewJobs(nil)
	j := newJob(c.Now())
	if err := s.Create(ctx, j); err != nil {
		t.Fatal(err)
	}
	j.Metadata.(*job.SnosRunMeta).TaskID = "changed after Create"
	got := must(s.Get(ctx, jobID))(t)
	got.Metadata.(*job.SnosRunMeta).TaskID = "changed after Get"
	updated := must(s.Update(ctx, got))(t)
	updated.Metadata.(*job.SnosRunMeta).TaskID = "changed after Update"
	if now := must(s.Get(ctx, jobID))(t); now.Metadata.(*job.SnosRunMeta).TaskID != "changed after Get" {
		t.Errorf("stored task is %q", now.Metadata.(*job.SnosRunMeta).TaskID)
	}
	if _, err := s.Update(ctx, got); !errors.Is(err, job.ErrConflict) {
		t.Errorf("Update at an old version: %v", err)
	}
}

func TestBatches(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := memory.NewBatches(nil)
	for i := uint64(1); i <= 5; i++ {
		b := batch.AggregatorBatch{Index: i, Status: batch.Open, Version: 1, Fence: i, Snos: make([]batch.Span, 1)}
		b.StartBlock, b.EndBlock = i*10, i*10+8
		b.Ledger.Fee = big.NewInt(int64(i))
		if err := s.CreateAggregator(ctx, b); err != nil {
			t.Fatal(err)
		}
	}
	b := must(s.AggregatorOfBlock(ctx, 28))(t)
	if b.Index != 2 {
		t.Errorf("block 28 is in batch %d", b.Index)
	}
	if _, err := s.AggregatorOfBlock(ctx, 29); !errors.Is(err, batch.ErrNotFound) {
		t.Errorf("block 29: %v", err)
	}
	b.Status, b.EndBlock = batch.Closed, 29
	b.Ledger.Fee.SetInt64(77)
	b = must(s.UpdateAggregator(ctx, b))(t)
	if again := must(s.AggregatorOfBlock(ctx, 29))(t); again.Version != 2 || again.Ledger.Fee.Int64() != 77 {
		t.Errorf("stored %+v", again)
	}
	b.Snos[0].EndBlock = 99
	b.Fence = 1
	if _, err := s.UpdateAggregator(ctx, b); !errors.Is(err, batch.ErrFenced) {
		t.Errorf("Update under an old lease: %v", err)
	}
	b.Fence, b.Version = 9, 1
	if _, err := s.UpdateAggregator(ctx, b); !errors.Is(err, batch.ErrConflict) {
		t.Errorf("Update at an old version: %v", err)
	}
	if open := must(s.ListAggregators(ctx, batch.Open, 1, 3))(t); len(open) != 3 || open[1].Index != 3 {
		t.Errorf("open batches %+v", open)
	}
	if last := must(s.LastAggregator(ctx))(t); last.Index != 5 {
		t.Errorf("last is %d", last.Index)
	}
	if _, err := s.LastSnos(ctx); !errors.Is(err, batch.ErrNotFound) {
		t.Errorf("last of none: %v", err)
	}
}

func TestLocks(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), faulttest.NewClock()
	s := memory.NewLocks(&fault.Env{Now: c.Now})
	a := must(s.Acquire(ctx, "l", "a", time.Minute))(t)
	if _, err := s.Acquire(ctx, "l", "b", time.Minute); !errors.Is(err, lock.ErrHeld) {
		t.Errorf("Acquire of a held lease: %v", err)
	}
	c.Advance(time.Minute)
	if _, err := s.Renew(ctx, a, time.Minute); !errors.Is(err, lock.ErrLost) {
		t.Errorf("Renew of a lease that ran out: %v", err)
	}
	b := must(s.Acquire(ctx, "l", "b", time.Minute))(t)
	if b.Fence <= a.Fence {
		t.Errorf("fence %d after %d", b.Fence, a.Fence)
	}
	if err := s.Release(ctx, a); err != nil {
		t.Error(err)
	}
	b = must(s.Renew(ctx, b, time.Hour))(t)
	if err := s.Release(ctx, b); err != nil {
		t.Error(err)
	}
	if again := must(s.Acquire(ctx, "l", "a", time.Minute))(t); again.Fence <= b.Fence {
		t.Errorf("fence %d after %d", again.Fence, b.Fence)
	}
}

func TestArtifacts_Expire(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), faulttest.NewClock()
	s := memory.NewArtifacts(&fault.Env{Now: c.Now})
	s.ExpireAfter = time.Hour
	for _, key := range []string{"b", "a", "keep"} {
		if err := s.Put(ctx, key, strings.NewReader(key)); err != nil {
			t.Fatal(err)
		}
		if key != "keep" {
			if err := s.Tag(ctx, key, map[string]string{artifact.TagExpire: artifact.TagExpireValue}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if gone := s.Expire(); len(gone) != 0 {
		t.Errorf("expired at once: %v", gone)
	}
	c.Advance(time.Hour)
	if d := cmp.Diff([]string{"a", "b"}, s.Expire()); d != "" {
		t.Errorf("expired (-want +got):\n%s", d)
	}
	if _, err := s.Get(ctx, "a"); !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("Get of an expired object: %v", err)
	}
	if left := must(s.List(ctx, "", "", 10))(t); len(left) != 1 || left[0].Key != "keep" {
		t.Errorf("left: %+v", left)
	}
}

func TestEvents_Copies(t *testing.T) {
	t.Parallel()
	s := memory.NewEvents(nil)
	detail := map[string]string{"k": "v"}
	if err := s.Publish(t.Context(), event.Event{Type: event.BatchClosed, Detail: detail}); err != nil {
		t.Fatal(err)
	}
	detail["k"] = "changed"
	s.Published()[0].Detail["k"] = "changed too"
	if got := s.Published()[0].Detail["k"]; got != "v" {
		t.Errorf("published detail is %q", got)
	}
}
