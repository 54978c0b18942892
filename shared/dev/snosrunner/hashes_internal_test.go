package snosrunner

import (
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/starknet/osconfig"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/pie"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/version"
)

// What this repository computes of the fake programs and the development chain is what cairo-lang answered, at every
// version.
func TestHashes(t *testing.T) {
	t.Parallel()
	for _, v := range version.Known() {
		want, err := HashesOf(v)
		if err != nil {
			t.Error(err)
			continue
		}
		var got Hashes
		if got.OS, _, err = osProgram.hash(v); err != nil {
			t.Errorf("%s: %v", v, err)
		}
		aggregator, f, err := aggregatorProgram.hash(v)
		if err != nil {
			t.Errorf("%s: %v", v, err)
		}
		got.Aggregator = pie.AggregatorHash(aggregator, f)
		if got.Config, err = osconfig.Hash(v, DefaultConfig()); err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", v, got, err, want)
		}
	}
	if _, err := HashesOf("0.15.0"); err == nil {
		t.Error("there are hashes of a version that does not exist")
	}
}
