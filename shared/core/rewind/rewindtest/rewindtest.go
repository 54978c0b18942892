// Package rewindtest is the conformance suite of rewind.Store.
package rewindtest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/rewind"
)

var start = time.Date(2026, 3, 4, 5, 6, 7, 8e6, time.UTC)

// TestStore tests a store by the contract of rewind.Store. newStore returns an empty one.
func TestStore(t *testing.T, newStore func(t *testing.T) rewind.Store) {
	t.Helper()
	for name, run := range map[string]func(*testing.T, context.Context, rewind.Store){
		"EmptyAtFirst": testEmpty, "KeepsEveryField": testFields, "PutIsCompareAndSet": testPut,
		"OneOfManyWritersWins": testRace,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			run(t, ctx, newStore(t))
		})
	}
}

func full() rewind.State {
	return rewind.State{Rewinds: []rewind.Rewind{
		{Epoch: 1, From: 7, FromSnos: 31, Asked: 5, By: "me", Reason: "why", At: start, Dead: []string{"0x1", "0x2"},
			Gone: 8, Discarded: 3, Note: "note", DoneAt: start.Add(time.Minute)},
		{Epoch: 2, From: 4, FromSnos: 4, Asked: 4, At: start},
	}}
}

func testEmpty(t *testing.T, ctx context.Context, s rewind.Store) {
	got, err := s.Get(ctx)
	if err != nil || len(got.Rewinds) != 0 || got.Version != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

func testFields(t *testing.T, ctx context.Context, s rewind.Store) {
	want := full()
	put, err := s.Put(ctx, want)
	if err != nil {
		t.Fatal(err)
	}
	want.Version = 1
	got, err := s.Get(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, have := range []rewind.State{put, got} {
		if d := cmp.Diff(want, have); d != "" {
			t.Errorf("record differs (-want +got):\n%s", d)
		}
	}
	got.Rewinds[0].Dead[0] = "changed"
	if again, err := s.Get(ctx); err != nil || again.Rewinds[0].Dead[0] != "0x1" {
		t.Errorf("what a caller changes is stored: %+v, %v", again, err)
	}
}

func testPut(t *testing.T, ctx context.Context, s rewind.Store) {
	first, err := s.Put(ctx, full())
	if err != nil {
		t.Fatal(err)
	}
	for name, version := range map[string]uint64{"a record where there is one": 0, "a later version": 2} {
		stale := full()
		stale.Version = version
		if _, err := s.Put(ctx, stale); !errors.Is(err, rewind.ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Put(ctx, first); err != nil {
		t.Error(err)
	}
	if _, err := s.Put(ctx, first); !errors.Is(err, rewind.ErrConflict) {
		t.Errorf("an old version was taken: %v", err)
	}
}

func testRace(t *testing.T, ctx context.Context, s rewind.Store) {
	for round := range uint64(2) { // the first record, and a change of it
		var won atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				x := full()
				x.Version = round
				switch _, err := s.Put(ctx, x); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, rewind.ErrConflict):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := won.Load(); n != 1 {
			t.Errorf("round %d: %d writers won", round, n)
		}
	}
}
