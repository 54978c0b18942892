package stage_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// Every stage with jobs must be woken by an earlier one or by batching; otherwise it waits for its schedule.
func TestEveryStageWithJobsIsWoken(t *testing.T) {
	t.Parallel()
	for _, l := range []stage.Layer{stage.L2, stage.L3} {
		woken := map[stage.Name]bool{}
		for _, n := range stage.Names() {
			for _, w := range l.Wakes(n) {
				if !l.Has(w) {
					t.Errorf("%s: %s wakes %s, which the layer does not have", l, n, w)
				}
				woken[w] = true
			}
		}
		for _, n := range stage.WithJobs() {
			if l.Has(n) && !woken[n] {
				t.Errorf("%s: nothing wakes %s", l, n)
			}
		}
	}
}

func TestWakes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		layer stage.Layer
		after stage.Name
		want  []stage.Name
	}{
		{stage.L2, stage.ProofCreation, []stage.Name{stage.Aggregator}},
		{stage.L3, stage.ProofCreation, []stage.Name{stage.ProofRegistration}},
		{stage.L2, stage.Aggregator, []stage.Name{stage.StateTransition}},
		{stage.L3, stage.DataSubmission, []stage.Name{stage.StateTransition}},
		{stage.L2, stage.Reconcile, nil},
		{stage.L2, "nonsense", nil},
	} {
		if got := tt.layer.Wakes(tt.after); !slices.Equal(got, tt.want) {
			t.Errorf("%s: after %s: woken %v, want %v", tt.layer, tt.after, got, tt.want)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, n := range stage.Names() {
		if got, err := stage.Parse(string(n)); err != nil || got != n {
			t.Errorf("%s: %s, %v", n, got, err)
		}
	}
	old := map[string]stage.Name{
		"Snos": stage.SnosRun, "Proving": stage.ProofCreation, "UpdateState": stage.StateTransition,
	}
	for was, want := range old {
		if got, err := stage.Parse(was); err != nil || got != want {
			t.Errorf("%s of release 0.1: %s, %v, want %s", was, got, err, want)
		}
	}
	if _, err := stage.Parse("nonsense"); err == nil || !strings.Contains(err.Error(), "StateTransition") {
		t.Errorf("error %v, want one that lists the stages", err)
	}
}
