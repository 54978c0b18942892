// Package block describes what the orchestrator reads of an app chain: headers, state updates, bouncer weights and
// messages, and the port that brings them.
package block

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// Header is what identifies a block and decides how it may be batched.
type Header struct {
	Number          uint64
	Hash            felt.Felt
	ParentHash      felt.Felt
	NewRoot         felt.Felt // global state root after the block
	Timestamp       time.Time
	StarknetVersion string // such as "0.13.5"
	Transactions    int
}

// StateUpdate is what a block, or a run of blocks squashed into one, changed in the state.
type StateUpdate struct {
	Number    uint64 // the last block it covers
	BlockHash felt.Felt
	OldRoot   felt.Felt
	NewRoot   felt.Felt
	Diff      StateDiff
}

// StateDiff holds the changes of a state update in the sections of starknet_getStateUpdate. Sections keep the order in
// which they were read; encodings sort.
type StateDiff struct {
	Storage              []ContractStorage
	Deployed             []DeployedContract
	Replaced             []ReplacedClass
	Nonces               []NonceUpdate
	Declared             []DeclaredClass
	DeprecatedDeclared   []felt.Felt
	MigratedCompiledHash []MigratedClass // since Starknet 0.14.1
}

// ContractStorage lists the storage slots of one contract that a block wrote.
type ContractStorage struct {
	Address felt.Felt
	Entries []StorageEntry
}

// StorageEntry is one written slot.
type StorageEntry struct{ Key, Value felt.Felt }

// DeployedContract is a contract that a block created.
type DeployedContract struct{ Address, ClassHash felt.Felt }

// ReplacedClass is a contract whose class a block replaced.
type ReplacedClass struct{ Address, ClassHash felt.Felt }

// NonceUpdate is a contract's nonce after the block.
type NonceUpdate struct{ Address, Nonce felt.Felt }

// DeclaredClass is a Sierra class that a block declared.
type DeclaredClass struct{ ClassHash, CompiledClassHash felt.Felt }

// MigratedClass is a class whose compiled class hash was migrated to the newer hash function.
type MigratedClass struct{ ClassHash, CompiledClassHash felt.Felt }

// Weights are a block's bouncer weights: what it costs to run, prove and settle it, as the sequencer measured
// (starkware-libs/sequencer, blockifier/src/bouncer.rs, BouncerWeights).
type Weights struct {
	L1Gas                uint64 // gas that the block's messages take on the settlement layer
	MessageSegmentLength uint64 // felts of messages in the program output
	NEvents              uint64
	StateDiffSize        uint64 // felts
	SierraGas            uint64
	NTxs                 uint64
	ProvingGas           uint64
	ReceiptL2Gas         uint64 // L2 gas of the receipts
}

// Add returns the sum of two weights. ok is false when a field overflows; the sum then is not to be used.
func (w Weights) Add(v Weights) (sum Weights, ok bool) {
	ok = true
	add := func(a, b uint64) uint64 {
		if a+b < a {
			ok = false
		}
		return a + b
	}
	sum = Weights{
		L1Gas: add(w.L1Gas, v.L1Gas), MessageSegmentLength: add(w.MessageSegmentLength, v.MessageSegmentLength),
		NEvents: add(w.NEvents, v.NEvents), StateDiffSize: add(w.StateDiffSize, v.StateDiffSize),
		SierraGas: add(w.SierraGas, v.SierraGas), NTxs: add(w.NTxs, v.NTxs),
		ProvingGas:   add(w.ProvingGas, v.ProvingGas),
		ReceiptL2Gas: add(w.ReceiptL2Gas, v.ReceiptL2Gas),
	}
	return sum, ok
}

// Exceeds names the first field of w that is above the limit, or returns "". A limit of 0 means none.
func (w Weights) Exceeds(limit Weights) string {
	for _, f := range []struct {
		name       string
		have, most uint64
	}{
		{"proving_gas", w.ProvingGas, limit.ProvingGas},
		{"sierra_gas", w.SierraGas, limit.SierraGas},
		{"l1_gas", w.L1Gas, limit.L1Gas},
		{"message_segment_length", w.MessageSegmentLength, limit.MessageSegmentLength},
		{"state_diff_size", w.StateDiffSize, limit.StateDiffSize},
		{"n_events", w.NEvents, limit.NEvents},
		{"n_txs", w.NTxs, limit.NTxs},
		{"receipt_l2_gas", w.ReceiptL2Gas, limit.ReceiptL2Gas},
	} {
		if f.most != 0 && f.have > f.most {
			return f.name
		}
	}
	return ""
}

// MessageToL1 is a message that the app chain sends to its settlement layer.
type MessageToL1 struct {
	From    felt.Felt // sending contract on the app chain
	To      felt.Felt // address on the settlement layer
	Payload []felt.Felt
}

// MessageToL2 is a message from the settlement layer that a block consumed.
type MessageToL2 struct {
	From     felt.Felt // address on the settlement layer
	To       felt.Felt // contract on the app chain
	Nonce    felt.Felt
	Selector felt.Felt
	Payload  []felt.Felt
}

// Messages are a block's messages both ways, in the order of its transactions.
type Messages struct {
	ToL1 []MessageToL1
	ToL2 []MessageToL2
}

var (
	// ErrNotFound says that the node has no such block (yet), contract or class.
	ErrNotFound = errors.New("not found on the app chain")
	// ErrMalformed says that the node answered something that cannot be right: a broken encoding, another block than
	// asked for, a gap in the roots. Asking again later or elsewhere may help; it is never a reason to fail a job.
	ErrMalformed = errors.New("malformed answer from the app chain's node")
	// ErrTooMuch says that the blocks asked for hold more than fits into memory: ask for fewer at once.
	ErrTooMuch = errors.New("the blocks hold more than can be read at once")
	// ErrWrongChain says that the node serves another chain than the configured one.
	ErrWrongChain = errors.New("node serves another chain")
)

// Source reads an app chain. Implementations are safe for concurrent use, retry what is worth retrying within the
// context's deadline, and check that an answer is for the block that was asked for. They return ErrNotFound,
// ErrMalformed or ErrWrongChain where those apply and wrapped transport errors otherwise.
type Source interface {
	// ChainID returns the chain's id as a short string, such as "SN_SEPOLIA".
	ChainID(ctx context.Context) (string, error)
	// Head returns the number of the newest accepted block; ErrNotFound while there is none.
	Head(ctx context.Context) (uint64, error)
	// Headers returns the headers of from..to (inclusive), in order, none missing.
	Headers(ctx context.Context, from, to uint64) ([]Header, error)
	// HeadersNow is Headers as a node answers it now, whatever the source remembers: a chain may be reverted. It
	// decides whether blocks are of one history.
	HeadersNow(ctx context.Context, from, to uint64) ([]Header, error)
	// Forget drops what the source remembers of from..to: those blocks were reverted, or a node answered wrongly.
	Forget(ctx context.Context, from, to uint64)
	// StateUpdates returns the state updates of from..to (inclusive), in order, none missing.
	StateUpdates(ctx context.Context, from, to uint64) ([]StateUpdate, error)
	// Weights returns the bouncer weights of from..to (inclusive), in order, none missing.
	Weights(ctx context.Context, from, to uint64) ([]Weights, error)
	// Messages returns the messages of from..to (inclusive), in order, none missing.
	Messages(ctx context.Context, from, to uint64) ([]Messages, error)
	// Nonces returns the contracts' nonces after block at; a contract that does not exist has nonce 0.
	Nonces(ctx context.Context, at uint64, contracts []felt.Felt) ([]felt.Felt, error)
	// Storage returns the values of slots after block at; what was never written is 0.
	Storage(ctx context.Context, at uint64, slots []Slot) ([]felt.Felt, error)
}

// Now is a source whose Headers are those of HeadersNow.
func Now(s Source) Source { return asked{s} }

type asked struct{ Source }

// Headers implements Source.
func (a asked) Headers(ctx context.Context, from, to uint64) ([]Header, error) {
	return a.HeadersNow(ctx, from, to)
}

// Slot names one storage slot.
type Slot struct{ Contract, Key felt.Felt }

// CheckRange returns an error when from..to is not a range of at most most blocks. Sources use it to refuse calls that
// would ask a node for an unbounded answer.
func CheckRange(from, to uint64, most int) error {
	if to < from || to-from >= uint64(most) {
		return fmt.Errorf("blocks %d..%d: want 1 to %d blocks in ascending order", from, to, most)
	}
	return nil
}
