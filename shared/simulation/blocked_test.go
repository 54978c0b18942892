package simulation_test

import (
	"context"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/simulation"
)

// A batch whose proof is refused for good holds back what comes after it and nothing before: lower batches settle,
// later ones are proven and wait, and operators are alerted.
func TestFailedJobHoldsBackOnlyWhatFollows(t *testing.T) {
	t.Parallel()
	const refused = 3 // of the batches that settle: one that is neither the first nor the last
	for layer, settles := range map[stage.Layer]proof.Kind{stage.L2: proof.Aggregation, stage.L3: proof.Child} {
		t.Run(string(layer), func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			w, err := simulation.New(simulation.Config{Seed: 3, Layer: layer, Blocks: blocks[layer], Limits: limits()})
			if err != nil {
				t.Fatal(err)
			}
			stage := map[stage.Layer]job.Type{stage.L2: job.Aggregator, stage.L3: job.ProofCreation}[layer]
			count := func(jt job.Type, s job.Status) int {
				n, err := w.Jobs.Count(ctx, jt, []job.Status{s}, 100)
				if err != nil {
					t.Fatal(err)
				}
				return n[s]
			}
			for steps := 0; count(stage, job.Failed) < 1 || count(job.StateTransition, job.Completed) < refused-1 ||
				count(stage, job.Completed) < 4; steps++ {
				if steps == 60_000 {
					t.Fatalf("no end: %s", w.Describe(ctx))
				}
				for _, p := range w.Prover.Tasks() {
					if p.Request.Kind == settles && p.Request.Batch == refused && p.State == proof.InProgress {
						w.Prover.Reject(p.ID, "refused for good")
					}
				}
				// without Check: the refused proof is asked for again and again, as it should be
				if err := w.Step(ctx); err != nil {
					t.Fatal(err)
				}
			}
			if n := count(job.StateTransition, job.Completed); n != refused-1 {
				t.Errorf("%d batches are settled, want the %d before the refused one", n, refused-1)
			}
			if err := w.L1.CheckHistory(); err != nil {
				t.Error(err)
			}
			if len(w.Alerts.Sent()) == 0 {
				t.Error("nobody was alerted")
			}
		})
	}
}
