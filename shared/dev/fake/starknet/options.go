// Package starknet is a fake of Starknet as a settlement layer: a JSON-RPC node of API 0.9 on loopback, without Cairo.
// It checks what Starknet checks of an invoke transaction of version 3 (hash, signature, nonce, bounds, balance,
// calldata's length), has a pool with fee escalation and blocks, and runs five kinds of contracts written in Go:
// accounts, the fee token, a core contract with piltover's checks in piltover's order, a fact registry, and a sink.
// Calls that fail are reported as nodes report them. Faults strike by script: those of package fake by method name, and
// Reject, Drop, Reorg, Lag and Answer.
package starknet

import (
	"math/big"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// Account is an account contract that the chain begins with.
type Account struct {
	Address, PublicKey felt.Felt
	Balance            *big.Int // fri
}

// Core is how the core contract is set up.
type Core struct {
	Owner     felt.Felt
	Operators []felt.Felt
	// Settled is false before the first update; then Block is not read.
	Settled         bool
	Block           uint64
	Root, BlockHash felt.Felt
	// Program info: the programs' hashes and the configuration's.
	Bootloader, Config, Snos, LayoutBridge felt.Felt
	// Messages were sent to the app chain and wait to be consumed.
	Messages []block.MessageToL2
	// Form is what the contract takes and answers; "" is DataForm.
	Form Form
}

// Options says how the chain is. The zero value has chain id SN_FAKE, no accounts, and makes blocks by Mine only.
type Options struct {
	ChainID       string
	Accounts      []Account
	Core          Core
	Registrar     felt.Felt     // who may register facts; zero: anybody
	BlockInterval time.Duration // 0: blocks are made by Mine
	// L1Lag is how many blocks below the newest are not accepted on L1; 0: blocks are accepted by AcceptOnL1 only.
	L1Lag uint64
	// Latency is how long every request takes at least, as over a network.
	Latency time.Duration
	// APIVersion is what starknet_specVersion says; "" is 0.9.0.
	APIVersion string
}

// Addresses of the contracts that every chain has.
var (
	// TokenAddress is STRK's, as on Starknet.
	TokenAddress    = felt.MustHex("0x04718f5a0fc34cc1af16a1cdee98ffb20c31f5cd61d6ab07201858f4287c938d")
	CoreAddress     = felt.MustHex("0xc0de0001")
	RegistryAddress = felt.MustHex("0xc0de0002")
	// SinkAddress takes any arguments at "take" and fails at "fail".
	SinkAddress = felt.MustHex("0xc0de0003")
)

// Prices of the first block, in fri. Those of L2 gas are about what Starknet asks.
var (
	l2Price   = big.NewInt(3_000_000_000)
	l1Price   = big.NewInt(20_000_000_000_000)
	dataPrice = big.NewInt(10_000)
)

// Gas that calls take. The figures are simple, their size is about that of real calls.
const (
	baseGas      = 1_000_000 // validation and call
	gasPerFelt   = 5_120     // of calldata (Starknet documentation, "Gas and transaction fees")
	baseDataGas  = 128
	dataGasSlot  = 64
	maxCalldata  = 5_000
	maxL2Gas     = 1_000_000_000
	maxBody      = 4 << 20
	escalation   = 110 // percent of price and tip that a replacement must reach
	maxPool      = 1_000
	securityBits = 96
)
