package simulation_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
	"github.com/madara-orchestrator/orchestrator/shared/simulation"
)

// coverage is what many runs have gone through.
type coverage struct {
	layers   map[stage.Layer]bool
	strikes  map[simulation.Strike]int
	edges    map[simulation.Edge]int
	crashes  int
	timeouts int
	retried  int
	slowest  time.Duration // from the last fault until all was settled
}

func newCoverage() *coverage {
	return &coverage{layers: map[stage.Layer]bool{}, strikes: map[simulation.Strike]int{},
		edges: map[simulation.Edge]int{}}
}

func (c *coverage) add(layer stage.Layer, w *simulation.World, took time.Duration) {
	c.layers[layer] = true
	c.slowest = max(c.slowest, took)
	for k, n := range w.Injected {
		c.strikes[k] += n
	}
	for k, n := range w.Edges {
		c.edges[k] += n
	}
	c.crashes += w.Crashes
	c.timeouts += w.Timeouts
	c.retried += w.Retried
}

// report prints what was gone through, and with enough seeds of both layers wants all of it: every edge of the state
// machine, and every kind of fault at every stage.
func (c *coverage) report(t *testing.T, seeds int) {
	t.Helper()
	kinds, functions := map[string]int{}, map[string]bool{}
	total := 0
	for k, n := range c.strikes {
		kinds[k.Kind] += n
		total += n
		functions[k.Function] = true
	}
	t.Logf("%d seeds a layer, %d faults: %d processes ended, %d out of time, %d jobs retried by the operator; all "+
		"settled %s after the last fault at the latest",
		seeds, total, c.crashes, c.timeouts, c.retried, c.slowest.Round(time.Second))
	columns := slices.Sorted(maps.Keys(functions))
	var b strings.Builder
	fmt.Fprintf(&b, "%-30s", "")
	for _, f := range columns {
		fmt.Fprintf(&b, "%18s", f)
	}
	var missed []string
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		fmt.Fprintf(&b, "\n%-30s", k)
		for _, f := range columns {
			n := c.strikes[simulation.Strike{Kind: k, Function: f}]
			fmt.Fprintf(&b, "%18d", n)
			anywhere := c.strikes[simulation.Strike{Kind: k, Function: "outside"}] > 0
			if strings.HasPrefix(k, "rewind") { // a command, which matters most where transactions are signed
				anywhere = k != "rewind" || f != resource.FnStateTransition
			}
			if n == 0 && f != "outside" && !anywhere {
				missed = append(missed, k+" at "+f)
			}
		}
	}
	t.Log("faults by kind and function\n" + b.String())
	b.Reset()
	for _, e := range job.Edges {
		n := c.edges[simulation.Edge{From: e.From, To: e.To}]
		fmt.Fprintf(&b, "\n%-22s %-22s %8d  %s", e.From, e.To, n, e.Cause)
		if n == 0 {
			missed = append(missed, fmt.Sprintf("%s to %s", e.From, e.To))
		}
	}
	t.Log("transitions of jobs" + b.String())
	if seeds >= 100 && len(c.layers) == 2 && len(missed) > 0 && !t.Failed() {
		t.Errorf("never seen: %s", strings.Join(missed, "; "))
	}
}
