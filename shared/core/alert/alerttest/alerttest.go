// Package alerttest holds the conformance suites of alert.Notifier and alert.Store.
package alerttest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
)

// Harness is a notifier under test and what reads its alerts.
type Harness struct {
	Notifier alert.Notifier
	// Received returns the alerts that arrived since the last call, waiting for one; empty when none came for a while.
	Received func(ctx context.Context) ([]alert.Alert, error)
}

// TestNotifier checks a notifier against the contract of alert.Notifier.
func TestNotifier(t *testing.T, newHarness func(t *testing.T) Harness) {
	t.Helper()
	for name, a := range map[string]alert.Alert{
		"whole": {
			Severity: alert.Critical, Key: "job/1", Title: "A job failed", Detail: "Why.\nWhat to do: \"fix\" it.",
			Jobs: []alert.Job{{ID: "j", Type: "SnosRun", Batch: 7}, {ID: "i"}},
			At:   time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		},
		"all-clear": {Severity: alert.Resolved, Key: "k", Title: "t", Detail: "d",
			At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		"little": {Severity: alert.Warning, Key: "k", Title: "t", At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		"unwelcome": {Severity: alert.Warning, Key: "k", Title: "ünïcode\n\x01" + strings.Repeat("x", 300),
			Detail: strings.Repeat("ö", 5000), At: time.Unix(1, 0).UTC()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			h := newHarness(t)
			if err := h.Notifier.Ping(ctx); err != nil {
				t.Errorf("ping: %v", err)
			}
			if err := h.Notifier.Notify(ctx, a); err != nil {
				t.Fatal(err)
			}
			got, err := h.Received(ctx)
			if err != nil || len(got) != 1 {
				t.Fatalf("%d alerts arrived, %v", len(got), err)
			}
			if d := cmp.Diff(strip(a), strip(got[0])); d != "" {
				t.Errorf("sent (-) and received (+): %s", d)
			}
		})
	}
	t.Run("Many", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		many(t, ctx, newHarness(t))
	})
	t.Run("Cancelled", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := newHarness(t).Notifier.Notify(ctx,
			alert.Alert{Severity: alert.Warning, Key: "k", Title: "t"}); err == nil {
			t.Error("an ended context is not an error: the caller would take the alert for sent")
		}
	})
}

// many sends from many goroutines, each cause twice.
func many(t *testing.T, ctx context.Context, h Harness) {
	const n = 12
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if err := h.Notifier.Notify(ctx,
				alert.Alert{Severity: alert.Warning, Key: fmt.Sprintf("k%d", i/2), Title: "t"}); err != nil {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	all.Wait()
	keys := map[string]bool{}
	for len(keys) < n/2 {
		as, err := h.Received(ctx)
		if err != nil || len(as) == 0 {
			t.Fatalf("%d of %d causes arrived, %v", len(keys), n/2, err)
		}
		for _, a := range as {
			keys[a.Key] = true
		}
	}
}

// strip takes from a title what a service may replace: characters that no line of text has.
func strip(a alert.Alert) alert.Alert {
	a.Title = strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, a.Title)
	a.At = a.At.UTC()
	return a
}
