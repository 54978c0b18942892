package simulation_test

import (
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/simulation"
)

// Without a fault outside, a rewind at any step is carried out, all is batched and settled again, no function fails and
// nobody is alerted.
func TestRewind(t *testing.T) {
	t.Parallel()
	for _, layer := range []stage.Layer{stage.L2, stage.L3} {
		t.Run(string(layer), func(t *testing.T) {
			t.Parallel()
			discarded := 0
			for at := 5; at <= 155; at += 5 {
				w, err := simulation.New(simulation.Config{Seed: uint64(at), Layer: layer, Blocks: blocks[layer],
					Limits: limits(), RewindAt: at})
				if err != nil {
					t.Fatal(err)
				}
				if err := finish(w, uint64(blocks[layer]-1)); err != nil {
					t.Errorf("at step %d: %v\n%s", at, err, w.Story())
				}
				for _, f := range w.Faults {
					t.Errorf("at step %d a function returned: %v", at, f)
				}
				for _, a := range w.Alerts.Sent() {
					t.Errorf("at step %d operators were alerted: %s: %s", at, a.Title, a.Detail)
				}
				discarded += w.Discarded()
			}
			if discarded < 50 {
				t.Errorf("%d batches were discarded in all runs, want more to be under way", discarded)
			}
			t.Logf("%d batches were discarded", discarded)
		})
	}
}
