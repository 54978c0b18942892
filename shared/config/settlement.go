package config

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// Kinds of settlement layers.
const (
	EthereumLayer = "ethereum"
	StarknetLayer = "starknet"
)

// Settlement is the settlement layer and the wallet.
type Settlement struct {
	// ethereum, or starknet for an L3 on the core contract piltover.
	Kind string `env:"KIND" envDefault:"ethereum"`
	// URLs of the settlement layer's nodes (JSON-RPC; on Starknet of API 0.9 or later), 1 to 5 with commas between
	// them, in the order in which they are preferred. Where one fails or lags, the next one is asked; a transaction is
	// offered to all. Give it or RPC_SECRET.
	RPC []string `env:"RPC" url:"service" example:"https://ethereum-sepolia.example,https://backup.example"`
	// The secret that is those URLs, if one holds a key.
	RPCSecret string `env:"RPC_SECRET" secret:"layer,facts" example:"mychain/ethereum-node"`
	// Ethereum: URL of a beacon node's API. Blobs are read back once they are final; they are kept for 18 days. On an
	// L2 a state update is decoded and compared first too, as with DA_COMPARE. Unset: neither.
	Beacon string `env:"BEACON" url:"service" example:"https://beacon.example"`
	// The secret that is that URL, if it holds a key.
	BeaconSecret string `env:"BEACON_SECRET" secret:"layer" example:"mychain/beacon-node"`
	// Chain id of the settlement layer: decimal on Ethereum, a short string on Starknet. Required.
	ChainID string `env:"CHAIN_ID" example:"11155111"`
	// Address of the core contract. Required.
	Contract string `env:"CONTRACT" example:"0x0000000000000000000000000000000000000001"`
	// Program hashes that the core contract must hold from a Starknet version on: VERSION=PROGRAM, on an L2
	// VERSION=PROGRAM/AGGREGATOR (program hash of SNOS, aggregator program hash with its prefix), with commas between
	// them. They are announced and waited for when the chain's version changes. If unset, only the config hash is
	// announced and waited for.
	ProgramHashes []string `env:"PROGRAM_HASHES" example:"0.14.3=0x1a2…/0x3b4…,0.14.4=0x5c6…/0x3b4…"`
	// URL of a block explorer to which a transaction's hash is appended: the API and the status page link transactions
	// there. Unset: no links.
	Explorer string `env:"EXPLORER" example:"https://sepolia.etherscan.io/tx/"`
	// Address of the fact registry.
	Verifier string `env:"VERIFIER" example:"0x0000000000000000000000000000000000000002"`
	// The secret that is the wallet's private key. Give it, KEY_FILE or KMS_KEY.
	KeySecret string `env:"KEY_SECRET" secret:"wallet" example:"mychain/wallet"`
	// File that holds the wallet's private key.
	KeyFile string `env:"KEY_FILE" set:"stack" example:"/run/wallet.key"`
	// Id of the KMS key (secp256k1) that signs. Ethereum only.
	KMSKey string `env:"KMS_KEY" set:"stack" example:"alias/mychain-wallet"`
	// Ethereum, without KMS: the account of the wallet's key, which the API shows and watches without reading the key.
	Address string `env:"ADDRESS" example:"0x0000000000000000000000000000000000000003"`
	// Starknet: the account contract that the key controls.
	Account string `env:"ACCOUNT" example:"0xacc1"`
	// Starknet: contract of the token that pays fees. Unset: STRK.
	FeeToken string `env:"FEE_TOKEN" example:"0x4718f5…"`
	// Starknet: contract that publications call. Unset: the account.
	DataContract string `env:"DATA_CONTRACT" example:"0xda7a"`
	// Starknet: its function (felt, Array<felt252>). Unset: is_valid_signature.
	DataFunction string `env:"DATA_FUNCTION" example:"publish"`
	// Ethereum: form of blob sidecars: auto, v0 or v1. Unset: auto.
	Sidecar string `env:"SIDECAR" example:"v1"`
	// Most that the wallet's transactions on their way may cost together. If a new transaction would exceed it, its job
	// waits; if one transaction alone exceeds it, operators are alerted.
	FeeCap string `env:"FEE_CAP" unit:"wei, on Starknet fri" example:"20000000000000000"`
	// Least tip for a unit of gas. Unset: 0.2 gwei, on Starknet 1 fri.
	MinTip string `env:"MIN_TIP" unit:"wei, on Starknet fri" example:"1000000000"`
	// Highest gas limit that the chain takes of a transaction; 0: the default (2^24 on Ethereum).
	GasCap uint64 `env:"GAS_CAP" unit:"gas" example:"16777216"`
	// Blocks after which a transaction counts as confirmed; 0: the default.
	Confirmations uint64 `env:"CONFIRMATIONS" unit:"blocks" example:"6"`
	// Time after which a pending transaction is replaced at higher fees; 0: the default.
	ReplaceAfter time.Duration `env:"REPLACE_AFTER" unit:"duration" example:"5m"`
	// Transactions of the wallet that may wait for a block at a time; 1: batches settle one after another. At most 16,
	// which is what geth's blob pool holds of an account.
	InFlight int `env:"IN_FLIGHT" envDefault:"4" unit:"transactions" example:"8"`
	// Ethereum: blobs that they may carry together, no more than a block takes; 0: the default (9).
	BlockBlobs int `env:"BLOCK_BLOBS" unit:"blobs" example:"15"`
	// Ethereum: settle while fees are low: at or below this percentile (1 to 99) of the base and blob fees of the last
	// 24 hours. All batches behind wait too. 0: at once.
	FeeTarget int `env:"FEE_TARGET" unit:"percentile" example:"30"`
	// With FEE_TARGET: age, from when the batch was opened, at which a batch is settled whatever fees are.
	FeePatience time.Duration `env:"FEE_PATIENCE" unit:"duration" example:"6h"`
	// Batch whose state update is the first one: an aggregator batch on an L2, a SNOS batch on an L3.
	FirstBatch uint64 `env:"FIRST_BATCH" envDefault:"1" unit:"batch"`
}

// MaxNodes is how many nodes of the settlement layer there may be.
const MaxNodes = 5

// Nodes are the URLs of RPC.
func (s Settlement) Nodes() []string { return SplitURLs(strings.Join(s.RPC, ",")) }

// Programs are the program hashes that the core contract must hold from a Starknet version on.
type Programs struct {
	From       string // the Starknet version
	Program    felt.Felt
	Aggregator felt.Felt // 0 where the contract has none
}

// Programs reads PROGRAM_HASHES.
func (s Settlement) Programs() ([]Programs, error) {
	var out []Programs
	for _, text := range s.ProgramHashes {
		from, hashes, ok := strings.Cut(text, "=")
		program, aggregator, both := strings.Cut(hashes, "/")
		p := Programs{From: from}
		var err, aerr error
		p.Program, err = felt.FromHex(program)
		if both {
			p.Aggregator, aerr = felt.FromHex(aggregator)
		}
		if !ok || !versionPattern.MatchString(from) || err != nil || aerr != nil || p.Program.IsZero() ||
			both && p.Aggregator.IsZero() {
			return nil, fmt.Errorf("%.200q: want a Starknet version and one or two felts in hex, such as "+
				"0.14.3=0x1a2…/0x3b4…", text)
		}
		out = append(out, p)
	}
	return out, nil
}

var versionPattern = regexp.MustCompile(`^\d{1,3}\.\d{1,3}\.\d{1,3}$`)

var ethereumAddress = regexp.MustCompile(`^0x[0-9a-fA-F]{40}$`)

// FeeUnit is the smallest unit of a kind of settlement layer's coin, in which fees and balances are counted.
func FeeUnit(kind string) string {
	if kind == StarknetLayer {
		return "fri"
	}
	return "wei"
}

// feeFaults checks when a batch waits for lower fees.
func (s Settlement) feeFaults(f *faultList) {
	f.check(s.FeeTarget >= 0 && s.FeeTarget <= 99, "SETTLEMENT_FEE_TARGET", "%d: want a percentile, 1 to 99, or 0",
		s.FeeTarget)
	f.check(s.FeeTarget == 0 || s.FeePatience > 0, "SETTLEMENT_FEE_PATIENCE",
		"missing: the age at which a batch is settled whatever fees are, such as 6h")
	f.check(s.FeeTarget != 0 || s.FeePatience == 0, "SETTLEMENT_FEE_PATIENCE",
		"means nothing without SETTLEMENT_FEE_TARGET")
}

// ethereumFaults checks what a wallet on Ethereum needs, whose settings begin with prefix.
func (s Settlement) ethereumFaults(f *faultList, prefix string) {
	f.check(s.KMSKey != "" || s.Address != "", prefix+"ADDRESS",
		"missing: the account of the wallet's key, which the API shows and watches without reading the key")
	f.check(s.KMSKey == "" || s.Address == "", prefix+"ADDRESS", "means nothing with %sKMS_KEY: KMS gives the address",
		prefix)
	f.check(strings.Trim(s.ChainID, "0123456789") == "", prefix+"CHAIN_ID",
		"%.40q: want Ethereum's chain id in decimal, such as 1", s.ChainID)
	f.check(s.Address == "" || ethereumAddress.MatchString(s.Address), prefix+"ADDRESS",
		"%.80q: want an Ethereum address, 0x and 40 hex digits", s.Address)
}

// kindFaults checks what only one kind of settlement layer has.
func (s Settlement) kindFaults(f *faultList, layer stage.Layer) {
	f.oneOf("SETTLEMENT_KIND", s.Kind, EthereumLayer, StarknetLayer)
	ps, err := s.Programs()
	f.check(err == nil, "SETTLEMENT_PROGRAM_HASHES", "%v", err)
	for _, p := range ps {
		f.check((layer == stage.L2) == !p.Aggregator.IsZero(), "SETTLEMENT_PROGRAM_HASHES",
			"%s: an l2 has two hashes, PROGRAM/AGGREGATOR; an l3 one", p.From)
	}
	only := []struct{ name, value string }{
		{"SETTLEMENT_ACCOUNT", s.Account}, {"SETTLEMENT_FEE_TOKEN", s.FeeToken},
		{"SETTLEMENT_DATA_CONTRACT", s.DataContract}, {"SETTLEMENT_DATA_FUNCTION", s.DataFunction},
	}
	if s.Kind != StarknetLayer {
		s.ethereumFaults(f, "SETTLEMENT_")
		for _, o := range only {
			f.check(o.value == "", o.name, "means nothing with SETTLEMENT_KIND %s", s.Kind)
		}
		for name, a := range map[string]string{"SETTLEMENT_CONTRACT": s.Contract, "SETTLEMENT_VERIFIER": s.Verifier} {
			f.check(a == "" || ethereumAddress.MatchString(a), name,
				"%.80q: want an Ethereum address, 0x and 40 hex digits", a)
		}
		return
	}
	f.check(s.Address == "", "SETTLEMENT_ADDRESS", "means nothing on Starknet, where SETTLEMENT_ACCOUNT is the wallet")
	f.check(layer == stage.L3, "SETTLEMENT_KIND", "starknet, but an l2 settles on Ethereum: its updates carry blobs")
	f.check(len(s.ChainID) <= 31 && (s.ChainID == "" || strings.Trim(s.ChainID, "0123456789") != ""),
		"SETTLEMENT_CHAIN_ID", "%q: want a short string such as SN_MAIN", s.ChainID)
	f.check(s.Account != "", "SETTLEMENT_ACCOUNT", "missing: the account contract that sends the transactions")
	f.check(s.KMSKey == "", "SETTLEMENT_KMS_KEY", "KMS has no keys of the STARK curve: use SETTLEMENT_KEY_SECRET")
	f.check(s.Sidecar == "", "SETTLEMENT_SIDECAR", "means nothing on Starknet, which takes no blobs")
	f.check(s.BlockBlobs == 0, "SETTLEMENT_BLOCK_BLOBS", "means nothing on Starknet, which takes no blobs")
	f.check(s.FeeTarget == 0, "SETTLEMENT_FEE_TARGET", "means nothing on Starknet, whose nodes give no history of fees")
	for name, a := range map[string]string{
		"SETTLEMENT_CONTRACT": s.Contract, "SETTLEMENT_VERIFIER": s.Verifier, "SETTLEMENT_ACCOUNT": s.Account,
		"SETTLEMENT_FEE_TOKEN":     s.FeeToken,
		"SETTLEMENT_DATA_CONTRACT": s.DataContract,
	} {
		_, err := felt.FromHex(a)
		f.check(a == "" || err == nil && strings.HasPrefix(a, "0x"), name, "%.80q: want a Starknet address in hex", a)
	}
}
