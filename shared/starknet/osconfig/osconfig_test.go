package osconfig_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/osconfig"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/starknettest"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/version"
)

// Addresses of the fee tokens on Starknet.
var (
	strk = felt.MustHex("0x04718f5a0fc34cc1af16a1cdee98ffb20c31f5cd61d6ab07201858f4287c938d")
	eth  = felt.MustHex("0x049d36570d4e46f48e99674bd3fcc84644ddd6b96f7c741b1562b82f9e004dc7")
	keys = []felt.Felt{
		felt.MustHex("0x411494b501a98abd8262b0da1351e17899a0c4ef23dd2f96fec5ba847310b20"),
		felt.MustHex("0x1ef15c18599971b7beced415a40f0c7deacfd9b0d1819e03d723d8bc943cfca"),
	}
)

// Every recorded output of the OS of 0.14.4 has the hash of its configuration.
func TestRecorded(t *testing.T) {
	t.Parallel()
	encrypted := 0
	for _, r := range starknettest.OSRuns(t) {
		got, err := osconfig.Hash("0.14.4",
			osconfig.Config{ChainID: r.ChainID, FeeToken: r.FeeToken, PublicKeys: r.PublicKeys})
		if want := r.Output[output.ConfigHashAt]; err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", r.Name, got, err, want)
		}
		if len(r.PublicKeys) > 0 {
			encrypted++
		}
	}
	if encrypted < 4 {
		t.Errorf("%d outputs with public keys: the test shows little of them", encrypted)
	}
}

// The value of Sepolia at 0.13.5 stands in the calldata of transaction 8373665 there; those of 0.14.0 to 0.14.2 without
// keys are public (starknet.js and others compute them for these chains); the others are what PyPI cairo-lang 0.14.3a3
// answers for the formulas (compute_hash_on_elements, calculate_blake2s_hash_from_felt252s).
func TestHash(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		chain, version string
		keys           []felt.Felt
		want           string
	}{
		{"SN_SEPOLIA", "0.13.5", nil, "0x504fa6e5eb930c0d8329d4a77d98391f2730dab8516600aeaf733a6123432"},
		{"SN_SEPOLIA", "0.14.0", nil, "0x1b9900f77ff5923183a7795fcfbb54ed76917bc1ddd4160cc77fa96e36cf8c5"},
		{"SN_SEPOLIA", "0.14.2", nil, "0x1b9900f77ff5923183a7795fcfbb54ed76917bc1ddd4160cc77fa96e36cf8c5"},
		{"SN_MAIN", "0.14.1", nil, "0x70c7b342f93155315d1cb2da7a4e13a3c2430f51fb5696c1b224c3da5508dfb"},
		{"MADARA_DEVNET", "0.14.2", keys, "0x5d820a949a92fd47ea99f3dcc54885e3191743815c444bfc5d2dadb716c228f"},
		{"MADARA_DEVNET", "0.14.3", nil, "0x6201acad862458cef8b8050c4605012f317d3330c2f775f0714f69e3f98fb5e"},
		{"MADARA_DEVNET", "0.14.4", keys, "0x3790ef728caf26de2ce73480d156e964b393e1353b12c752ec229f53300430"},
		{"0x4d41444152415f4445564e4554", "0.14.4", keys,
			"0x3790ef728caf26de2ce73480d156e964b393e1353b12c752ec229f53300430"},
	} {
		id, err := osconfig.ParseChainID(tt.chain)
		if err != nil {
			t.Fatal(err)
		}
		got, err := osconfig.Hash(tt.version,
			osconfig.Config{ChainID: id, FeeToken: strk, EthFeeToken: eth, PublicKeys: tt.keys})
		if err != nil || got != felt.MustHex(tt.want) {
			t.Errorf("%s at %s with %d keys: %s, %v, want %s", tt.chain, tt.version, len(tt.keys), got, err, tt.want)
		}
	}
}

// Configurations without a hash are refused with what is missing.
func TestRefused(t *testing.T) {
	t.Parallel()
	id := felt.FromUint64(1)
	for name, tt := range map[string]struct {
		version string
		config  osconfig.Config
		want    error
		says    string
	}{
		"no chain id": {"0.14.4", osconfig.Config{FeeToken: strk}, osconfig.ErrConfig, "chain id is missing"},
		"no fee token": {"0.14.4", osconfig.Config{ChainID: id}, osconfig.ErrConfig,
			"fee token's address is missing"},
		"no ETH token": {"0.13.5", osconfig.Config{ChainID: id, FeeToken: strk},
			osconfig.ErrConfig, "before Starknet 0.14.0"},
		"keys too early": {"0.14.0", osconfig.Config{ChainID: id, FeeToken: strk, PublicKeys: keys},
			osconfig.ErrConfig, "0.14.1 is the first"},
		"another version": {"0.15.0", osconfig.Config{ChainID: id, FeeToken: strk},
			version.ErrUnknown, "deploy a release"},
		"no version": {"new", osconfig.Config{ChainID: id, FeeToken: strk},
			version.ErrMalformed, "not a Starknet version"},
	} {
		if h, err := osconfig.Hash(tt.version, tt.config); !errors.Is(err, tt.want) ||
			!strings.Contains(err.Error(), tt.says) || !h.IsZero() {
			t.Errorf("%s: %s, %v", name, h, err)
		}
	}
	for _, s := range []string{"0x", "0xzz", "a chain id of more than thirty-one characters", "SN_SEPÖLIA", "SN\nX"} {
		if id, err := osconfig.ParseChainID(s); err == nil {
			t.Errorf("%q is taken as %s", s, id)
		}
	}
}

func FuzzParseChainID(f *testing.F) {
	for _, s := range []string{"SN_MAIN", "0x534e5f4d41494e", "", "0x", "\x00", "MADARA_DEVNET"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := osconfig.ParseChainID(s)
		if err != nil {
			return
		}
		if again, err := osconfig.ParseChainID(id.String()); err != nil || again != id {
			t.Errorf("%q is %s, which is read as %s, %v", s, id, again, err)
		}
	})
}
