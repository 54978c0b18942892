package timing_test

import (
	"errors"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/service/timing"
)

// every are the intervals of the settings.
func every() map[stage.Name]time.Duration {
	return map[stage.Name]time.Duration{stage.SnosRun: 5 * time.Minute, stage.Reconcile: time.Minute,
		stage.StorageCleanup: time.Hour}
}

func newKeeper(t *testing.T, rules *fault.Rules) (*timing.Keeper, *memory.Scheduler, *memory.Controls) {
	t.Helper()
	timers, control := memory.NewScheduler(&fault.Env{Hook: rules}), memory.NewControls(nil)
	for n, d := range every() {
		if err := timers.Create(t.Context(),
			schedule.Timer{Name: string(n), Every: d, Target: "trigger", Input: string(n)}); err != nil {
			t.Fatal(err)
		}
	}
	return &timing.Keeper{Scheduler: timers, Control: control, Every: every()}, timers, control
}

func fires(t *testing.T, timers *memory.Scheduler, want ...stage.Name) {
	t.Helper()
	is := map[stage.Name]bool{}
	for _, n := range want {
		is[n] = true
	}
	for n := range every() {
		if timers.Fires(string(n)) != is[n] {
			t.Errorf("%s fires: %t, want %t", n, !is[n], is[n])
		}
	}
}

// A paused stage's schedule is disabled and a resumed one's enabled, whoever changed it; Reconcile's fires on.
func TestPauses(t *testing.T) {
	t.Parallel()
	k, timers, control := newKeeper(t, fault.NewRules())
	run := func() {
		t.Helper()
		if err := k.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	run()
	fires(t, timers, stage.SnosRun, stage.Reconcile, stage.StorageCleanup)
	for _, n := range []stage.Name{stage.SnosRun, stage.Reconcile} {
		if err := control.Pause(t.Context(), schedule.Pause{Stage: n}); err != nil {
			t.Fatal(err)
		}
	}
	run()
	fires(t, timers, stage.Reconcile, stage.StorageCleanup)
	for _, n := range []stage.Name{stage.SnosRun, stage.StorageCleanup} { // somebody, in the console
		if err := errors.Join(timers.Enable(t.Context(), string(stage.SnosRun)),
			timers.Disable(t.Context(), string(stage.StorageCleanup))); err != nil {
			t.Fatal(n, err)
		}
	}
	run()
	fires(t, timers, stage.Reconcile, stage.StorageCleanup)
	if err := control.Resume(t.Context(), stage.SnosRun); err != nil {
		t.Fatal(err)
	}
	run()
	fires(t, timers, stage.SnosRun, stage.Reconcile, stage.StorageCleanup)
}

// An interval that differs from the settings is corrected; target and input stay.
func TestIntervals(t *testing.T) {
	t.Parallel()
	k, timers, _ := newKeeper(t, fault.NewRules())
	k.Every[stage.SnosRun] = 10 * time.Minute
	if err := k.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := schedule.Timer{Name: string(stage.SnosRun), Every: 10 * time.Minute, Target: "trigger",
		Input: string(stage.SnosRun)}
	if got, err := timers.Get(t.Context(), string(stage.SnosRun)); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
}

// One schedule that is not there, or can't be changed, keeps no other from being corrected.
func TestOneFails(t *testing.T) {
	t.Parallel()
	rules := fault.NewRules()
	k, timers, control := newKeeper(t, rules)
	for n := range every() {
		if err := control.Pause(t.Context(), schedule.Pause{Stage: n}); err != nil {
			t.Fatal(err)
		}
	}
	if err := timers.Delete(t.Context(), string(stage.Reconcile)); err != nil {
		t.Fatal(err)
	}
	rules.Add(fault.Rule{Component: "scheduler", Method: "Disable", Key: string(stage.SnosRun),
		Fault: fault.Fault{Kind: fault.FailBefore}, Times: 1})
	if err := k.Run(t.Context()); !errors.Is(err, schedule.ErrNoTimer) || !errors.Is(err, fault.ErrInjected) {
		t.Errorf("%v", err)
	}
	fires(t, timers, stage.SnosRun)
	if err := k.Run(t.Context()); !errors.Is(err, schedule.ErrNoTimer) {
		t.Errorf("%v", err)
	}
	fires(t, timers)
}
