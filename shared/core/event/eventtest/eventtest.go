// Package eventtest is the conformance suite of event.Bus.
package eventtest

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/event"
)

// Harness is a bus under test and a subscriber of all its events.
type Harness struct {
	Bus event.Bus
	// Received returns the events that arrived since the last call, waiting for one; empty when none came for a while.
	Received func(ctx context.Context) ([]event.Event, error)
}

// TestBus tests a bus by the contract of event.Bus.
func TestBus(t *testing.T, newHarness func(t *testing.T) Harness) {
	t.Helper()
	run := func(name string, f func(*testing.T, context.Context, Harness)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			f(t, ctx, newHarness(t))
		})
	}
	run("Whole", func(t *testing.T, ctx context.Context, h Harness) {
		want := map[uint64]event.Event{}
		at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		types := []event.Type{event.JobChanged, event.BatchClosed, event.BatchSettled,
			event.StagePaused, event.StageResumed}
		var es []event.Event
		for i := range uint64(25) { // more than EventBridge takes in one request
			e := event.Event{Type: types[i%5], At: at, Chain: "c", JobID: "j", JobType: "SnosRun", Status: "Created",
				Batch: i + 1, TraceID: "t", Detail: map[string]string{"reason": "a \"b\"\nc"}}
			want[e.Batch] = e
			es = append(es, e)
		}
		if err := h.Bus.Ping(ctx); err != nil {
			t.Errorf("ping: %v", err)
		}
		if err := h.Bus.Publish(ctx, es...); err != nil {
			t.Fatal(err)
		}
		left := maps.Clone(want)
		for len(left) > 0 {
			got, err := h.Received(ctx)
			if err != nil || len(got) == 0 {
				t.Fatalf("%d of %d events did not arrive, %v", len(left), len(want), err)
			}
			for _, e := range got {
				e.At = e.At.UTC()
				if d := cmp.Diff(want[e.Batch], e); d != "" {
					t.Errorf("published (-) and received (+): %s", d)
				}
				delete(left, e.Batch)
			}
		}
	})
	run("None", func(t *testing.T, ctx context.Context, h Harness) {
		if err := h.Bus.Publish(ctx); err != nil {
			t.Errorf("to publish nothing: %v", err)
		}
	})
	run("Cancelled", func(t *testing.T, ctx context.Context, h Harness) {
		ended, cancel := context.WithCancel(ctx)
		cancel()
		if err := h.Bus.Publish(ended, event.Event{Type: event.BatchClosed, At: time.Now(), Chain: "c"}); err == nil {
			t.Error("an ended context is not an error")
		}
	})
}
