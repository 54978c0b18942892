package scheduletest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
)

// SchedulerHarness is a scheduler under test, and a target and role that it takes.
type SchedulerHarness struct {
	schedule.Scheduler
	Target, Role string
}

// TestScheduler tests a scheduler by the contract of schedule.Scheduler. newHarness returns one without timers.
func TestScheduler(t *testing.T, newHarness func(t *testing.T) SchedulerHarness) {
	t.Helper()
	for name, run := range map[string]func(*testing.T, context.Context, SchedulerHarness){
		"Timers": testTimers, "EnableAndDisable": testEnable, "NoTimer": testNoTimer, "Invalid": testInvalidTimer,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			run(t, ctx, newHarness(t))
		})
	}
}

// timer is one of the harness's.
func (h SchedulerHarness) timer(name string, every time.Duration) schedule.Timer {
	return schedule.Timer{Name: name, Every: every, Target: h.Target, Role: h.Role, Input: `{"stage":"` + name + `"}`}
}

func (h SchedulerHarness) list(t *testing.T, ctx context.Context, want ...string) {
	t.Helper()
	got, err := h.List(ctx)
	if err != nil || len(got)+len(want) > 0 && !cmp.Equal(want, got) {
		t.Errorf("timers %q, %v; want %q", got, err, want)
	}
}

func (h SchedulerHarness) is(t *testing.T, ctx context.Context, want schedule.Timer) {
	t.Helper()
	got, err := h.Get(ctx, want.Name)
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("timer, %v (-want +got):\n%s", err, d)
	}
}

func testTimers(t *testing.T, ctx context.Context, h SchedulerHarness) {
	h.list(t, ctx)
	minute, day := h.timer("SnosRun", time.Minute), h.timer("Reconcile", 24*time.Hour)
	other := h.timer("SnosRun", 5*time.Minute)
	for _, x := range []schedule.Timer{minute, day, other} { // the last one is there already
		if err := h.Create(ctx, x); err != nil {
			t.Fatal(err)
		}
	}
	h.list(t, ctx, "Reconcile", "SnosRun")
	h.is(t, ctx, minute)
	h.is(t, ctx, day)
	other.Input = "else"
	if err := h.Update(ctx, other); err != nil {
		t.Fatal(err)
	}
	h.is(t, ctx, other)
	for range 2 {
		if err := h.Delete(ctx, "SnosRun"); err != nil {
			t.Fatal(err)
		}
	}
	h.list(t, ctx, "Reconcile")
	h.is(t, ctx, day)
}

func testEnable(t *testing.T, ctx context.Context, h SchedulerHarness) {
	x := h.timer("SnosRun", 7*time.Minute)
	x.Disabled = true
	if err := h.Create(ctx, x); err != nil {
		t.Fatal(err)
	}
	h.is(t, ctx, x)
	x.Every = 8 * time.Minute
	changed := x
	changed.Disabled = false
	if err := h.Update(ctx, changed); err != nil { // stays disabled
		t.Fatal(err)
	}
	h.is(t, ctx, x)
	for _, disabled := range []bool{false, false, true, true, false} {
		f := h.Enable
		if disabled {
			f = h.Disable
		}
		if err := f(ctx, x.Name); err != nil {
			t.Fatal(err)
		}
		x.Disabled = disabled
		h.is(t, ctx, x)
	}
}

func testNoTimer(t *testing.T, ctx context.Context, h SchedulerHarness) {
	_, err := h.Get(ctx, "none")
	for name, err := range map[string]error{"Get": err, "Enable": h.Enable(ctx, "none"),
		"Disable": h.Disable(ctx, "none"), "Update": h.Update(ctx, h.timer("none", time.Minute))} {
		if !errors.Is(err, schedule.ErrNoTimer) {
			t.Errorf("%s: %v", name, err)
		}
	}
	h.list(t, ctx)
}

func testInvalidTimer(t *testing.T, ctx context.Context, h SchedulerHarness) {
	for _, every := range []time.Duration{-time.Minute, 0, time.Second, 90 * time.Second, 25 * time.Hour} {
		x := h.timer("x", every)
		if err := h.Create(ctx, x); !errors.Is(err, schedule.ErrTimer) {
			t.Errorf("create every %s: %v", every, err)
		}
		if err := h.Update(ctx, x); !errors.Is(err, schedule.ErrTimer) {
			t.Errorf("update every %s: %v", every, err)
		}
	}
	x := h.timer("x", time.Minute)
	x.Target = ""
	if err := h.Create(ctx, x); !errors.Is(err, schedule.ErrTimer) {
		t.Errorf("without a target: %v", err)
	}
	h.list(t, ctx)
}
