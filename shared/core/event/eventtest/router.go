package eventtest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/event"
)

// RouterHarness is a router under test with its bus, and a target that it can send to.
type RouterHarness struct {
	event.Router
	Bus    event.Bus
	Target string // ARN
	// Received returns the events that arrived at the target since the last call, waiting for one; empty when none came
	// for a while.
	Received func(ctx context.Context) ([]event.Event, error)
	// Sends: the service sends also by a disabled rule. The emulator moto does.
	Sends bool
}

// TestRouter tests a router by the contract of event.Router. newHarness returns one without rules.
func TestRouter(t *testing.T, newHarness func(t *testing.T) RouterHarness) {
	t.Helper()
	for name, run := range map[string]func(*testing.T, context.Context, RouterHarness){
		"Routes": testRoutes, "Rules": testRules, "NoRule": testNoRule, "Invalid": testInvalidRule,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			run(t, ctx, newHarness(t))
		})
	}
}

func (h RouterHarness) put(t *testing.T, ctx context.Context, r event.Rule) {
	t.Helper()
	if err := h.Put(ctx, r); err != nil {
		t.Fatal(err)
	}
}

// arrive publishes an event of each of the types and wants those that are wanted to arrive.
func (h RouterHarness) arrive(t *testing.T, ctx context.Context, when string, want ...event.Type) {
	t.Helper()
	var es []event.Event
	for _, x := range []event.Type{event.JobChanged, event.BatchClosed, event.BatchSettled} {
		es = append(es, event.Event{Type: x, At: time.Unix(1, 0), Chain: "c"})
	}
	if err := h.Bus.Publish(ctx, es...); err != nil {
		t.Fatal(err)
	}
	var got []event.Type
	for len(got) < len(want) || len(got) == 0 && len(want) == 0 {
		some, err := h.Received(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range some {
			got = append(got, e.Type)
		}
		if len(some) == 0 {
			break
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v arrive, want %v", when, got, want)
	}
}

func testRoutes(t *testing.T, ctx context.Context, h RouterHarness) {
	r := event.Rule{Name: "batches", Types: []event.Type{event.BatchClosed, event.BatchSettled},
		Targets: []string{h.Target}}
	h.put(t, ctx, r)
	h.arrive(t, ctx, "two types", event.BatchClosed, event.BatchSettled)
	if err := h.Disable(ctx, r.Name); err != nil {
		t.Fatal(err)
	}
	if !h.Sends {
		h.arrive(t, ctx, "disabled")
	}
	if err := h.Enable(ctx, r.Name); err != nil {
		t.Fatal(err)
	}
	r.Types = nil
	h.put(t, ctx, r)
	h.arrive(t, ctx, "all types", event.JobChanged, event.BatchClosed, event.BatchSettled)
	if err := h.Delete(ctx, r.Name); err != nil {
		t.Fatal(err)
	}
	h.arrive(t, ctx, "deleted")
}

func testRules(t *testing.T, ctx context.Context, h RouterHarness) {
	is := func(want ...event.Rule) {
		t.Helper()
		got, err := h.Rules(ctx)
		if len(got)+len(want) == 0 && err == nil {
			return
		}
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("rules, %v (-want +got):\n%s", err, d)
		}
	}
	is()
	more := []string{h.Target, h.Target + "-1", h.Target + "-2"}
	a := event.Rule{Name: "a", Types: []event.Type{event.JobChanged}, Targets: more}
	b := event.Rule{Name: "b", Targets: more[:1], Disabled: true}
	h.put(t, ctx, b)
	h.put(t, ctx, a)
	is(a, b)
	a.Types, a.Targets = []event.Type{event.BatchSettled}, more[1:2] // fewer targets than before
	h.put(t, ctx, a)
	is(a, b)
	for range 2 {
		if err := errors.Join(h.Enable(ctx, "b"), h.Disable(ctx, "a")); err != nil {
			t.Fatal(err)
		}
	}
	a.Disabled, b.Disabled = true, false
	is(a, b)
	for range 2 {
		if err := h.Delete(ctx, "a"); err != nil {
			t.Fatal(err)
		}
	}
	is(b)
}

func testNoRule(t *testing.T, ctx context.Context, h RouterHarness) {
	for name, err := range map[string]error{"Enable": h.Enable(ctx, "none"), "Disable": h.Disable(ctx, "none")} {
		if !errors.Is(err, event.ErrNoRule) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func testInvalidRule(t *testing.T, ctx context.Context, h RouterHarness) {
	some := []string{h.Target}
	for name, r := range map[string]event.Rule{
		"no name": {Targets: some}, "long name": {Name: strings.Repeat("x", 65), Targets: some},
		"a space": {Name: "a b", Targets: some}, "no target": {Name: "a"},
		"other target": {Name: "a", Targets: []string{"x"}},
		"six targets":  {Name: "a", Targets: slices.Repeat(some, 6)},
		"no event":     {Name: "a", Targets: some, Types: []event.Type{"Dance"}},
	} {
		if err := h.Put(ctx, r); !errors.Is(err, event.ErrRule) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if rs, err := h.Rules(ctx); err != nil || len(rs) != 0 {
		t.Errorf("rules %+v, %v", rs, err)
	}
}
