package snosrunner

import (
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/starknet/pie"
)

// What this repository computes of the fake programs is what cairo-lang answered.
func TestHashes(t *testing.T) {
	t.Parallel()
	if got := osProgram.hash(); got != OSProgramHash() {
		t.Errorf("OS %s, want %s", got, OSProgramHash())
	}
	if got := pie.AggregatorHash(aggregatorProgram.hash()); got != AggregatorProgramHash() {
		t.Errorf("aggregator with prefix %s, want %s", got, AggregatorProgramHash())
	}
}
