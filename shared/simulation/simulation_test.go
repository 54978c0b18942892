package simulation_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/simulation"
)

func limits() batch.Limits {
	l := batch.DefaultLimits()
	l.SnosBlocks, l.Blocks = 3, 8
	l.SnosAge, l.Age = 5*time.Minute, 10*time.Minute
	return l
}

// settle runs a world until everything is settled for good and archived.
func settle(t *testing.T, w *simulation.World, last uint64) {
	t.Helper()
	ctx := context.Background()
	for range 200_000 {
		if err := w.Step(ctx); err != nil {
			t.Fatal(err)
		}
		if done, err := w.Done(ctx, last); err != nil {
			t.Fatal(err)
		} else if done {
			return
		}
	}
	t.Fatalf("not settled after %d steps, %v: %s", w.Steps, w.Now(), w.Describe(ctx))
}

func TestHappyPath(t *testing.T) {
	t.Parallel()
	for _, layer := range []stage.Layer{stage.L2, stage.L3} {
		for seed := range uint64(5) {
			t.Run(fmt.Sprintf("%s/seed %d", layer, seed), func(t *testing.T) {
				t.Parallel()
				w, err := simulation.New(simulation.Config{Seed: seed, Layer: layer, Blocks: 30, Limits: limits(),
					NoDelay: seed == 4})
				if err != nil {
					t.Fatal(err)
				}
				settle(t, w, 29)
				if err := w.L1.CheckHistory(); err != nil {
					t.Error(err)
				}
				for _, f := range w.Faults {
					t.Errorf("without a fault outside, a function returned: %v", f)
				}
				for _, a := range w.Alerts.Sent() {
					t.Errorf("without a fault outside, operators were alerted: %s: %s", a.Title, a.Detail)
				}
				failed, err := w.Jobs.Count(context.Background(), job.StateTransition, []job.Status{job.Failed}, 10)
				if err != nil || failed[job.Failed] != 0 {
					t.Errorf("%d failed jobs, %v", failed[job.Failed], err)
				}
			})
		}
	}
}
