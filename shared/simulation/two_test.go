package simulation_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/simulation"
)

// Two orchestrators that were started for one chain by mistake, each with a database of its own and both with the
// wallet, settle each batch once between them: who comes too late finds it settled.
func TestTwoOrchestrators(t *testing.T) {
	t.Parallel()
	for _, layer := range []stage.Layer{stage.L2, stage.L3} {
		for seed := range uint64(5) {
			t.Run(fmt.Sprintf("%s/seed %d", layer, seed), func(t *testing.T) {
				t.Parallel()
				ctx := context.Background()
				last := uint64(blocks[layer] - 1)
				c := simulation.Config{Seed: seed, Layer: layer, Blocks: blocks[layer], Limits: limits()}
				first, err := simulation.New(c)
				if err != nil {
					t.Fatal(err)
				}
				c.Seed, c.Beside = seed+100, first
				second, err := simulation.New(c)
				if err != nil {
					t.Fatal(err)
				}
				r := rand.New(rand.NewPCG(seed, 2))
				both := []*simulation.World{first, second}
				for done := 0; done < 2; {
					if first.Steps+second.Steps > 200_000 {
						t.Fatalf("no end:\n%s\n%s", first.Describe(ctx), second.Describe(ctx))
					}
					if err := first.Meet(second); err != nil {
						t.Fatal(err)
					}
					if err := step(ctx, both[r.IntN(2)]); err != nil {
						t.Fatal(err)
					}
					done = 0
					for _, w := range both {
						if ok, err := w.Done(ctx, last); err != nil {
							t.Fatal(err)
						} else if ok {
							done++
						}
					}
				}
				for _, w := range both {
					if err := judge(ctx, w); err != nil {
						t.Error(err)
					}
				}
				if n := len(first.L1.History()); n < 4 {
					t.Errorf("only %d batches", n)
				}
			})
		}
	}
}
