package config

import (
	"reflect"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// Kinds of data availability of an L3.
const (
	SettlementDA = "settlement"
	EthereumDA   = "ethereum"
	NoDA         = "none"
)

// DA is where an L3's data are published; from RPC on with DA_KIND ethereum only, and as the settlement layer's.
type DA struct {
	// L3: where state diffs are published. settlement: on the settlement layer, by its wallet. ethereum: in blobs on
	// Ethereum, by a wallet of its own. none: nowhere; a state update then names data that nobody has published, and
	// nobody can rebuild the chain's state from the settlement layer.
	Kind string `env:"KIND" envDefault:"settlement"`
	// Compares each batch's DA segment with the chain's own state updates before a transaction is signed; a difference
	// fails the job and names contract, key and both values. On an L2 SETTLEMENT_BEACON does so too, as far as the
	// node can show what it takes; with this setting the job waits for a node that can. It reads each block's state
	// update again, and of each changed address and slot the alias, unless the batch gives it: some hundred to
	// thousand storage reads, in requests of many. The node must have the state of these blocks, and Madara's must be
	// asked by JSON-RPC 0.10.2. Encrypted segments (CHAIN_DA_PUBLIC_KEYS) are not compared.
	Compare bool `env:"COMPARE"`
	// URLs of Ethereum nodes (JSON-RPC), 1 to 5 with commas between them, in the order in which they are preferred.
	// Give it or RPC_SECRET.
	RPC []string `env:"RPC" url:"service" example:"https://ethereum-sepolia.example"`
	// The secret that is those URLs, if one holds a key.
	RPCSecret string `env:"RPC_SECRET" secret:"data" example:"mychain/da-node"`
	// URL of a beacon node's API: blobs are read back once they are final. Unset: they are not.
	Beacon string `env:"BEACON" url:"service" example:"https://beacon.example"`
	// The secret that is that URL, if it holds a key.
	BeaconSecret string `env:"BEACON_SECRET" secret:"data" example:"mychain/da-beacon"`
	// Chain id of that Ethereum, decimal. Required.
	ChainID string `env:"CHAIN_ID" example:"11155111"`
	// The secret that is the private key of the wallet that publishes. Give it, KEY_FILE or KMS_KEY.
	KeySecret string `env:"KEY_SECRET" secret:"datawallet" example:"mychain/da-wallet"`
	// File that holds that private key.
	KeyFile string `env:"KEY_FILE" set:"stack" example:"/run/da-wallet.key"`
	// Id of the KMS key (secp256k1) that signs.
	KMSKey string `env:"KMS_KEY" set:"stack" example:"alias/mychain-da-wallet"`
	// Without KMS: the account of that key, which the API shows and watches without reading the key.
	Address string `env:"ADDRESS" example:"0x0000000000000000000000000000000000000004"`
	// Form of blob sidecars: auto, v0 or v1. Unset: auto.
	Sidecar string `env:"SIDECAR" example:"v1"`
	// Most that the wallet's transactions on their way may cost together. If a new transaction would exceed it, its job
	// waits; if one transaction alone exceeds it, operators are alerted.
	FeeCap string `env:"FEE_CAP" unit:"wei" example:"20000000000000000"`
	// Least tip for a unit of gas. Unset: 0.2 gwei.
	MinTip string `env:"MIN_TIP" unit:"wei" example:"1000000000"`
	// Highest gas limit that the chain takes of a transaction; 0: the default (2^24).
	GasCap uint64 `env:"GAS_CAP" unit:"gas" example:"16777216"`
	// Blocks after which a transaction counts as confirmed; 0: the default.
	Confirmations uint64 `env:"CONFIRMATIONS" unit:"blocks" example:"6"`
	// Time after which a pending transaction is replaced at higher fees; 0: the default.
	ReplaceAfter time.Duration `env:"REPLACE_AFTER" unit:"duration" example:"5m"`
	// Transactions of the wallet that may wait for a block at a time.
	InFlight int `env:"IN_FLIGHT" envDefault:"4" unit:"transactions" example:"8"`
	// Blobs that they may carry together, no more than a block takes; 0: the default (9).
	BlockBlobs int `env:"BLOCK_BLOBS" unit:"blobs" example:"15"`
}

// Layer is the layer of DA_KIND ethereum with its wallet, in the form of a settlement layer that has no contract.
func (d DA) Layer() Settlement {
	return Settlement{
		Kind: EthereumLayer, RPC: d.RPC, RPCSecret: d.RPCSecret, Beacon: d.Beacon, BeaconSecret: d.BeaconSecret,
		ChainID: d.ChainID, KeySecret: d.KeySecret, KeyFile: d.KeyFile, KMSKey: d.KMSKey, Address: d.Address,
		Sidecar: d.Sidecar, FeeCap: d.FeeCap, MinTip: d.MinTip, GasCap: d.GasCap, Confirmations: d.Confirmations,
		ReplaceAfter: d.ReplaceAfter, InFlight: d.InFlight, BlockBlobs: d.BlockBlobs,
	}
}

// Name names the layer of its own that data are published on, in documents; "" where there is none.
func (d DA) Name() string {
	if d.Kind != EthereumDA {
		return ""
	}
	return EthereumLayer + "/" + d.ChainID
}

// Compares says whether DA segments are compared with the chain's state updates before they are published.
func (c Config) Compares() bool {
	if c.Chain.Layer == stage.L2 {
		return c.DA.Compare || c.Settlement.Beacon+c.Settlement.BeaconSecret != ""
	}
	return c.DA.Compare && c.DA.Kind != NoDA
}

// dataFaults checks where data are published.
func (c Config) dataFaults(f *faultList) {
	d := c.DA
	f.oneOf("DA_KIND", d.Kind, SettlementDA, EthereumDA, NoDA)
	f.check(d.Kind == SettlementDA || c.Chain.Layer != stage.L2, "DA_KIND",
		"%s: an l2's state updates carry their data in blobs, so that it is %s", d.Kind, SettlementDA)
	if d.Kind == EthereumDA {
		s := d.Layer()
		s.walletFaults(f, "DA_")
		s.ethereumFaults(f, "DA_")
		f.check(c.Settlement.Kind != EthereumLayer || c.Settlement.ChainID != d.ChainID, "DA_KIND",
			"the settlement layer is the same Ethereum: use %s, whose wallet publishes there", SettlementDA)
		return
	}
	each(reflect.ValueOf(d), "", func(s Setting, v reflect.Value) {
		if s.Name == "KIND" || s.Name == "IN_FLIGHT" || s.Name == "COMPARE" {
			return
		}
		f.check(v.IsZero(), "DA_"+s.Name, "means nothing with DA_KIND %s", d.Kind)
	})
}
