package pie_test

import (
	"math/rand/v2"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/dev/snosrunner"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/hash"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/version"
)

// Lists of felts around every boundary of the encoding have cairo-lang's hashes.
func TestOracleHashes(t *testing.T) {
	t.Parallel()
	o := startOracle(t)
	r := rand.New(rand.NewPCG(5, 6))
	edges := []felt.Felt{
		felt.Zero, felt.FromUint64(1), felt.FromUint64(1<<31 - 1), felt.FromUint64(1 << 32),
		felt.FromUint64(1<<63 - 1), felt.FromUint64(1 << 63),
		felt.FromUint64(1<<64 - 1), felt.MustHex("0x10000000000000000"), felt.MinusOne(),
	}
	for i := range 120 {
		list := make([]felt.Felt, r.IntN(40))
		for k := range list {
			list[k] = edges[r.IntN(len(edges))]
		}
		if want := o.ask(map[string]any{"blake": list}).Program; hash.Blake2s(list).String() != want {
			t.Errorf("list %d %v: Blake2s %s, cairo-lang's %s", i, list, hash.Blake2s(list), want)
		}
		if want := o.ask(map[string]any{"elements": list}).Program; hash.PedersenArray(list).String() != want {
			t.Errorf("list %d %v: Pedersen %s, cairo-lang's %s", i, list, hash.PedersenArray(list), want)
		}
	}
}

// The constants that development contracts and fakes are set up with are what cairo-lang answers.
func TestOracleFakes(t *testing.T) {
	t.Parallel()
	o := startOracle(t)
	short := func(s string) felt.Felt { return must(felt.FromShortString(s)) }
	chain, token, eth := short(snosrunner.ChainID), felt.MustHex(
		snosrunner.FeeToken), felt.MustHex(snosrunner.EthFeeToken)
	for _, v := range version.Known() {
		got := must(snosrunner.HashesOf(v))
		function, config := "pedersen", map[string]any{
			"elements": []felt.Felt{short("StarknetOsConfig3"), chain, token}}
		switch {
		case v == "0.14.3" || v == "0.14.4":
			function, config = "blake", map[string]any{"blake": []felt.Felt{short("StarknetOsConfig4"), chain, token}}
		case v < "0.14":
			config = map[string]any{"elements": []felt.Felt{short("StarknetOsConfig2"), chain, eth, token}}
		}
		want := snosrunner.Hashes{
			OS: felt.MustHex(
				o.ask(map[string]string{"program": "ORCHESTRATOR_DEV_OS_1", "function": function}).Program),
			Aggregator: felt.MustHex(o.ask(
				map[string]string{"program": "ORCHESTRATOR_DEV_AGGREGATOR_1", "function": function}).AggregatorProgram),
			Config: felt.MustHex(o.ask(config).Program),
		}
		if got != want {
			t.Errorf("Starknet %s: %+v, cairo-lang's are %+v", v, got, want)
		}
	}
}
