package alerttest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
)

// TestStore checks a store against the contract of alert.Store. newStore returns one without reports.
func TestStore(t *testing.T, newStore func(t *testing.T) alert.Store) {
	t.Helper()
	for name, run := range map[string]func(*testing.T, context.Context, alert.Store){
		"RoundTrip": storeRoundTrip, "Versions": storeVersions, "Open": storeOpen, "OneWriterWins": storeRace,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			run(t, ctx, newStore(t))
		})
	}
}

func storeRoundTrip(t *testing.T, ctx context.Context, s alert.Store) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	if _, err := s.Get(ctx, "a/b"); !errors.Is(err, alert.ErrNotFound) {
		t.Errorf("Get of nothing: %v, want ErrNotFound", err)
	}
	for _, r := range []alert.Report{
		{Key: "a/b"},
		{
			Key: "a/c", Severity: alert.Critical, Title: "t", Detail: "d\nü", Since: at, SeenAt: at.Add(time.Second),
			ReportedAt: at.Add(time.Minute), ClaimedUntil: at.Add(time.Hour),
			Jobs: []alert.Job{{ID: "x", Type: "SnosRun", Batch: 7}, {ID: "y"}},
		},
	} {
		saved, err := s.Save(ctx, r)
		r.Version = 1
		if err != nil || cmp.Diff(r, saved, cmpopts.EquateEmpty()) != "" {
			t.Fatalf("Save: %v\n%s", err, cmp.Diff(r, saved))
		}
		got, err := s.Get(ctx, r.Key)
		if err != nil || cmp.Diff(r, got, cmpopts.EquateEmpty()) != "" {
			t.Fatalf("Get: %v\n%s", err, cmp.Diff(r, got))
		}
		if len(got.Jobs) > 0 { // what a caller changes is its own
			got.Jobs[0].ID, saved.Jobs[0].ID = "changed", "changed"
			if again, err := s.Get(ctx, r.Key); err != nil || again.Jobs[0].ID != "x" {
				t.Errorf("a caller changed what is stored: %+v, %v", again, err)
			}
		}
	}
}

func storeVersions(t *testing.T, ctx context.Context, s alert.Store) {
	first, err := s.Save(ctx, alert.Report{Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Save(ctx, alert.Report{Key: "k"}); !errors.Is(err, alert.ErrConflict) {
		t.Errorf("a second first version: %v, want ErrConflict", err)
	}
	second, err := s.Save(ctx, first)
	if err != nil || second.Version != 2 {
		t.Fatalf("version %d, %v; want 2", second.Version, err)
	}
	if _, err := s.Save(ctx, first); !errors.Is(err, alert.ErrConflict) {
		t.Errorf("Save of an old version: %v, want ErrConflict", err)
	}
	if err := s.Delete(ctx, first); !errors.Is(err, alert.ErrConflict) {
		t.Errorf("Delete of an old version: %v, want ErrConflict", err)
	}
	if err := s.Delete(ctx, second); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(ctx, "k"); !errors.Is(err, alert.ErrNotFound) {
		t.Errorf("Get of a deleted report: %v, want ErrNotFound", err)
	}
	if err := s.Delete(ctx, second); !errors.Is(err, alert.ErrConflict) {
		t.Errorf("Delete again: %v, want ErrConflict", err)
	}
	if _, err := s.Save(ctx, second); !errors.Is(err, alert.ErrConflict) {
		t.Errorf("Save of a deleted report: %v, want ErrConflict", err)
	}
	if again, err := s.Save(ctx, alert.Report{Key: "k"}); err != nil || again.Version != 1 {
		t.Errorf("after a deletion version %d, %v; want 1", again.Version, err)
	}
}

func storeOpen(t *testing.T, ctx context.Context, s alert.Store) {
	for _, k := range []string{"b/2", "a/1", "b/10", "b", "b/1", "c/1"} {
		if _, err := s.Save(ctx, alert.Report{Key: k}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		prefix string
		limit  int
		want   []string
	}{
		{"b/", 10, []string{"b/1", "b/10", "b/2"}}, {"b/", 2, []string{"b/1", "b/10"}}, {"d", 10, nil},
		{"b/10", 10, []string{"b/10"}},
		{"", 10, []string{"a/1", "b", "b/1", "b/10", "b/2", "c/1"}},
	} {
		got, err := s.Open(ctx, tt.prefix, tt.limit)
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, r := range got {
			keys = append(keys, r.Key)
		}
		if d := cmp.Diff(tt.want, keys); d != "" {
			t.Errorf("Open(%q, %d) (-want +got):\n%s", tt.prefix, tt.limit, d)
		}
	}
}

func storeRace(t *testing.T, ctx context.Context, s alert.Store) {
	r, err := s.Save(ctx, alert.Report{Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	var won atomic.Int32
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			mine := r
			mine.Title = fmt.Sprint(i)
			switch _, err := s.Save(ctx, mine); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, alert.ErrConflict):
				t.Errorf("Save beside others: %v", err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d of 8 writers of one version won, want 1", won.Load())
	}
}
