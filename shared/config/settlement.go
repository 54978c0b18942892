package config

import (
	"regexp"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// Kinds of settlement layers.
const (
	EthereumLayer = "ethereum"
	StarknetLayer = "starknet"
)

var ethereumAddress = regexp.MustCompile(`^0x[0-9a-fA-F]{40}$`)

// kindFaults checks what only one kind of settlement layer has.
func (s Settlement) kindFaults(f *faultList, layer stage.Layer) {
	f.oneOf("SETTLEMENT_KIND", s.Kind, EthereumLayer, StarknetLayer)
	only := []struct{ name, value string }{
		{"SETTLEMENT_ACCOUNT", s.Account}, {"SETTLEMENT_ARGUMENTS", s.Arguments}, {"SETTLEMENT_FEE_TOKEN", s.FeeToken},
		{"SETTLEMENT_DATA_CONTRACT", s.DataContract}, {"SETTLEMENT_DATA_FUNCTION", s.DataFunction},
	}
	if s.Kind != StarknetLayer {
		f.check(s.KMSKey != "" || s.Address != "", "SETTLEMENT_ADDRESS",
			"missing: the account of the wallet's key, which the API shows and watches without reading the key")
		f.check(s.KMSKey == "" || s.Address == "", "SETTLEMENT_ADDRESS", "means nothing with SETTLEMENT_KMS_KEY: KMS gives the address")
		for _, o := range only {
			f.check(o.value == "", o.name, "means nothing with SETTLEMENT_KIND %s", s.Kind)
		}
		f.check(strings.Trim(s.ChainID, "0123456789") == "", "SETTLEMENT_CHAIN_ID", "%.40q: want Ethereum's chain id in decimal, such as 1", s.ChainID)
		for name, a := range map[string]string{
			"SETTLEMENT_CONTRACT": s.Contract, "SETTLEMENT_VERIFIER": s.Verifier, "SETTLEMENT_ADDRESS": s.Address,
		} {
			f.check(a == "" || ethereumAddress.MatchString(a), name, "%.80q: want an Ethereum address, 0x and 40 hex digits", a)
		}
		return
	}
	f.check(s.Address == "", "SETTLEMENT_ADDRESS", "means nothing on Starknet, where SETTLEMENT_ACCOUNT is the wallet")
	f.check(layer == stage.L3, "SETTLEMENT_KIND", "starknet, but an l2 settles on Ethereum: its updates carry blobs")
	f.check(len(s.ChainID) <= 31 && (s.ChainID == "" || strings.Trim(s.ChainID, "0123456789") != ""), "SETTLEMENT_CHAIN_ID", "%q: want a short string such as SN_MAIN", s.ChainID)
	f.check(s.Account != "", "SETTLEMENT_ACCOUNT", "missing: the account contract that sends the transactions")
	f.check(s.KMSKey == "", "SETTLEMENT_KMS_KEY", "KMS has no keys of the STARK curve: use SETTLEMENT_KEY_SECRET")
	f.check(s.Sidecar == "", "SETTLEMENT_SIDECAR", "means nothing on Starknet, which takes no blobs")
	f.oneOf("SETTLEMENT_ARGUMENTS", s.Arguments, "", "data", "outputs")
	for name, a := range map[string]string{
		"SETTLEMENT_CONTRACT": s.Contract, "SETTLEMENT_VERIFIER": s.Verifier, "SETTLEMENT_ACCOUNT": s.Account, "SETTLEMENT_FEE_TOKEN": s.FeeToken,
		"SETTLEMENT_DATA_CONTRACT": s.DataContract,
	} {
		_, err := felt.FromHex(a)
		f.check(a == "" || err == nil && strings.HasPrefix(a, "0x"), name, "%.80q: want a Starknet address in hex", a)
	}
}
