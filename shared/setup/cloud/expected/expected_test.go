package expected_test

import (
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/expected"
)

// The programs of a version are those of the newest entry that is not above it; the config hash is computed. The config
// hashes are those of Starknet's own test network: osconfig's tests say where they come from.
func TestNeeds(t *testing.T) {
	t.Parallel()
	c := config.Config{
		Chain: config.Chain{
			ID:                 "SN_SEPOLIA",
			FeeTokenAddress:    "0x4718f5a0fc34cc1af16a1cdee98ffb20c31f5cd61d6ab07201858f4287c938d",
			EthFeeTokenAddress: "0x49d36570d4e46f48e99674bd3fcc84644ddd6b96f7c741b1562b82f9e004dc7",
		},
		Settlement: config.Settlement{ProgramHashes: []string{"0.14.4=0x44/0x4a", "0.14.2=0x42/0x2a"}},
	}
	needs, err := expected.Needs(c)
	if err != nil {
		t.Fatal(err)
	}
	f := felt.FromUint64
	got := map[string]settlement.Needs{}
	for version, want := range map[string]settlement.Needs{
		"0.14.1": {}, "0.14.2": {ProgramHash: f(0x42), AggregatorProgramHash: f(0x2a)},
		"0.14.3": {ProgramHash: f(0x42), AggregatorProgramHash: f(0x2a)},
		"0.14.4": {ProgramHash: f(0x44), AggregatorProgramHash: f(0x4a)},
	} {
		n, err := needs(version)
		got[version] = n
		if err != nil || n.ProgramHash != want.ProgramHash || n.AggregatorProgramHash != want.AggregatorProgramHash ||
			n.ConfigHash.IsZero() {
			t.Errorf("%s: %+v, %v, want %+v", version, n, err, want)
		}
	}
	if got["0.14.1"].ConfigHash != got["0.14.2"].ConfigHash || got["0.14.2"].ConfigHash == got["0.14.3"].ConfigHash ||
		got["0.14.3"].ConfigHash != got["0.14.4"].ConfigHash {
		t.Errorf("the config hash changes once, at 0.14.3: %+v", got)
	}
	if _, err := needs("0.99.0"); err == nil {
		t.Error("an unknown version has needs")
	}
	for _, bad := range []string{"0.14.3", "0.14.3=", "=0x1", "0.14=0x1/0x2", "0.14.3=0x1/0x0", "0.14.3=0x0/0x1",
		"0.14.3=1/x", "0.14.3=0x1/0x2/0x3"} {
		c.Settlement.ProgramHashes = []string{bad}
		if _, err := expected.Needs(c); err == nil || !strings.Contains(err.Error(), "SETTLEMENT_PROGRAM_HASHES") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
