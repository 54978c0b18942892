// Package pacetest is the conformance suite of pace.Store.
package pacetest

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/pace"
)

// TestStore tests a store by the contract of pace.Store. newStore returns an empty one.
func TestStore(t *testing.T, newStore func(t *testing.T) pace.Store) {
	t.Helper()
	sample := func(n int) pace.Sample {
		return pace.Sample{
			After: time.Duration(n) * time.Second, By: time.Duration(n+1) * time.Second, Reported: n%2 == 0}
	}
	read := func(t *testing.T, s pace.Store, k pace.Kind) []pace.Sample {
		t.Helper()
		got, err := s.Summary(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		return got.Samples
	}
	add := func(t *testing.T, s pace.Store, k pace.Kind, x pace.Sample) {
		t.Helper()
		if err := s.Add(t.Context(), k, x); err != nil {
			t.Fatal(err)
		}
	}
	run := pace.Kind{Work: "SnosRun", Size: 4}
	t.Run("EachKindItsOwn", func(t *testing.T) {
		t.Parallel()
		s := newStore(t)
		if got := read(t, s, run); len(got) != 0 {
			t.Errorf("an empty store knows %v", got)
		}
		add(t, s, run, sample(1))
		add(t, s, pace.Kind{Work: "SnosRun", Size: 5}, sample(2))
		add(t, s, pace.Kind{Work: "Aggregator/run", Size: 4}, sample(3))
		add(t, s, run, sample(4))
		if d := cmp.Diff([]pace.Sample{sample(1), sample(4)}, read(t, s, run)); d != "" {
			t.Error(d)
		}
	})
	t.Run("TheNewestAreKept", func(t *testing.T) {
		t.Parallel()
		s := newStore(t)
		var want []pace.Sample
		for n := range 2 * pace.Kept {
			add(t, s, run, sample(n))
			want = append(want, sample(n))
		}
		if d := cmp.Diff(want[pace.Kept:], read(t, s, run)); d != "" {
			t.Error(d)
		}
	})
	t.Run("NonsenseIsDropped", func(t *testing.T) {
		t.Parallel()
		s := newStore(t)
		add(t, s, run, pace.Sample{After: 2, By: 1})
		add(t, s, run, pace.Sample{After: -1, By: 1})
		add(t, s, run, pace.Sample{})
		if got := read(t, s, run); len(got) != 0 {
			t.Errorf("kept %v", got)
		}
	})
	t.Run("ManyAtOnce", func(t *testing.T) {
		t.Parallel()
		s := newStore(t)
		add(t, s, run, sample(1))
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if err := s.Add(t.Context(), run, sample(7)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := read(t, s, run); len(got) != 9 {
			t.Errorf("%d samples, want 9", len(got))
		}
	})
}
