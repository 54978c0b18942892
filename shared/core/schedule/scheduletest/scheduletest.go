// Package scheduletest is the conformance suite of schedule.Control.
package scheduletest

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
)

// TestControl tests a control by the contract of schedule.Control. newControl returns one without pauses.
func TestControl(t *testing.T, newControl func(t *testing.T) schedule.Control) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	c := newControl(t)
	list := func(want ...schedule.Pause) {
		t.Helper()
		got, err := c.Pauses(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(got)+len(want) > 0 {
			if d := cmp.Diff(schedule.Pauses(want), got); d != "" {
				t.Errorf("pauses (-want +got):\n%s", d)
			}
		}
	}
	list()
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	first := schedule.Pause{Stage: "SnosRun", Since: at, By: "ann", Reason: "prover is down"}
	second := schedule.Pause{Stage: "StateTransition", Since: at, By: "bob"}
	for _, p := range []schedule.Pause{second, first, {Stage: "SnosRun", Since: at.Add(time.Hour), By: "eve"}} {
		if err := c.Pause(ctx, p); err != nil {
			t.Fatal(err)
		}
	}
	list(first, second)
	for range 2 {
		if err := c.Resume(ctx, "SnosRun"); err != nil {
			t.Fatal(err)
		}
	}
	list(second)
}
