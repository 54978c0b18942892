// Package settlement describes the contract that keeps an app chain's state on its settlement layer.
package settlement

import (
	"context"
	"errors"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// State is what the contract holds.
type State struct {
	// Settled is false before the first update; Block, Root and BlockHash then hold nothing of use.
	Settled   bool
	Block     uint64 // last settled block
	Root      felt.Felt
	BlockHash felt.Felt
}

// Next returns the number of the first block that is not settled.
func (s State) Next() uint64 {
	if !s.Settled {
		return 0
	}
	return s.Block + 1
}

// Words of a state update's program output (Starknet core contract, "Output.sol"; piltover reads the same).
const (
	wordNewRoot  = 1
	wordNewBlock = 3
	wordNewHash  = 5
	headerWords  = 10
)

// After is the state that an update leaves the contract in, as its program output says.
func After(words []felt.Felt) (State, error) {
	if len(words) < headerWords {
		return State{}, fmt.Errorf("program output has %d words, at least %d", len(words), headerWords)
	}
	n, ok := words[wordNewBlock].Uint64()
	if !ok {
		return State{}, fmt.Errorf("program output ends at block %s", words[wordNewBlock])
	}
	return State{Settled: true, Block: n, Root: words[wordNewRoot], BlockHash: words[wordNewHash]}, nil
}

// Config is what the contract was set up with. Fields that a contract does not have are zero.
type Config struct {
	ProgramHash           felt.Felt
	AggregatorProgramHash felt.Felt
	ConfigHash            felt.Felt
	// BootloaderHash and LayoutBridgeHash are the programs that wrap SNOS on its way to Starknet.
	BootloaderHash   felt.Felt
	LayoutBridgeHash felt.Felt
	Operator         bool // whether the configured wallet may update the state
}

// Update is what one batch brings to the contract.
type Update struct {
	Batch      uint64
	StartBlock uint64
	EndBlock   uint64
	// ProgramOutput is the state update's words, without an aggregator's input header and without trailing zeros.
	ProgramOutput []felt.Felt
	// Blobs are the batch's data availability blobs, 131,072 bytes each, in order; Ethereum in KZG mode.
	Blobs [][]byte
	// Segment is the DA segment that Blobs encode; empty without one.
	Segment []felt.Felt
	// BridgeOutput is the layout bridge's output; Starknet only.
	BridgeOutput []felt.Felt
	// DataHash and DataSize name data that was published elsewhere; they go with updateState and, where the contract
	// takes them, with piltover's update_state.
	DataHash felt.Felt
	DataSize uint64
}

// InvalidError says that an update is wrong in itself, so that the contract would reject it: nothing is sent.
type InvalidError struct {
	Refusal tx.Refusal
	// Code is the contract's own word for the fault, such as INVALID_PREVIOUS_ROOT.
	Code string
	// Detail gives the values that differ.
	Detail string
}

// Error gives code and detail.
func (e *InvalidError) Error() string {
	return fmt.Sprintf("state update would be rejected with %s: %s", e.Code, e.Detail)
}

// ErrNotConfigured says that the address holds no core contract.
var ErrNotConfigured = errors.New("no core contract at the configured address")

// Contract reads the core contract and encodes calls of it. It sends nothing: what Encode returns goes through the
// transaction lifecycle of package tx. Safe for concurrent use.
type Contract interface {
	// State returns what is settled as of the newest block; with finalized, as of the newest finalized one.
	State(ctx context.Context, finalized bool) (State, error)
	// Config returns what the contract was set up with.
	Config(ctx context.Context) (Config, error)
	// Encode checks the update for all that can be known without sending it (KZG proofs, z and y, block numbers, roots,
	// hashes against the given state and config) and returns the call. A fault is an *InvalidError.
	Encode(ctx context.Context, u Update, s State, c Config) (tx.Payload, error)
}
