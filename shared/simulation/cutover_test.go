package simulation_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/simulation"
)

// Case P6: the chain changes to a Starknet version for which the core contract must change, and the contract's owner
// takes 30 hours. The change is announced while batches of the old version are still to be settled; the first update of
// the new version waits and does not fail, with one alert and a reminder; it goes on by itself, and the all-clear
// comes.
func TestCutover(t *testing.T) {
	t.Parallel()
	for _, layer := range []stage.Layer{stage.L2, stage.L3} {
		t.Run(string(layer), func(t *testing.T) {
			t.Parallel()
			if err := cutover(layer); err != nil {
				t.Errorf("seed 1: %v", err) // as of the random faults, so that `make mutations` finds it
			}
		})
	}
}

func cutover(layer stage.Layer) error {
	ctx, n := context.Background(), blocks[layer]
	w, err := simulation.New(simulation.Config{
		Seed: 1, Layer: layer, Blocks: n, Limits: limits(), Cutover: uint64(n - 4),
		OwnerTakes: 30 * time.Hour, BlockTime: blockTime,
	})
	if err != nil {
		return err
	}
	announcedAt := uint64(0)
	for begin := w.Now(); len(announced(w)) == 0; {
		if err := step(ctx, w); err != nil {
			return err
		}
		if w.Now().Sub(begin) > 3*time.Hour {
			return fmt.Errorf("nothing is announced: %s", w.Describe(ctx))
		}
		s, err := w.L1.State(ctx, false)
		if err != nil {
			return err
		}
		announcedAt = s.Next()
	}
	if first := announced(w)[0]; first.Severity != alert.Warning ||
		!strings.Contains(first.Detail, "config hash to 0xc1 (it is 0xc0)") ||
		!strings.Contains(first.Detail, "program hash to 0xa1 (it is 0xa0)") || announcedAt >= uint64(n-4) {
		return fmt.Errorf("announced when the contract waits for block %d: %+v", announcedAt, first)
	}
	if err := finish(w, uint64(n-1)); err != nil {
		return err
	}
	var titles []string
	for _, a := range announced(w) {
		titles = append(titles, a.Title)
	}
	const waits = "Reminder: State updates of Starknet 0.14.3 wait for the core contract"
	want := []string{"The core contract must change for Starknet 0.14.3", waits, waits,
		"Resolved:" + waits[len("Reminder:"):]}
	if !slices.Equal(titles, want) {
		return fmt.Errorf("alerts %q, want %q", titles, want)
	}
	if n := w.Edges[simulation.Edge{From: job.LockedForProcessing, To: job.Failed}]; n > 0 {
		return fmt.Errorf("%d jobs failed, want them to wait", n)
	}
	return nil
}

// announced are the alerts about the core contract.
func announced(w *simulation.World) []alert.Alert {
	return slices.DeleteFunc(w.Alerts.Sent(),
		func(a alert.Alert) bool { return !strings.HasPrefix(a.Key, simulation.AwaitingContract) })
}
