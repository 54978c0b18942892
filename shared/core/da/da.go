// Package da is data availability as a job of its own: what an L3 or a chain with another DA layer publishes before
// its state update.
package da

import (
	"context"
	"errors"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// Data is one batch's DA segment.
type Data struct {
	Batch      uint64
	StartBlock uint64
	EndBlock   uint64
	Words      []felt.Felt
}

// Commitment is what a later reader needs to find and check published data.
type Commitment struct {
	// Hash and Size go into the state update where the contract takes them (onchain_data_hash, onchain_data_size in
	// words).
	Hash felt.Felt
	Size uint64
	// VersionedHashes name the blobs on Ethereum, in order.
	VersionedHashes []string
}

// ErrTooLarge says that the data does not fit in one publication of this layer: batch limits are wrong.
var ErrTooLarge = errors.New("data does not fit in one publication")

// Layer encodes DA segments for one data availability layer. It sends nothing: the payload goes through the
// transaction lifecycle of package tx. Safe for concurrent use.
type Layer interface {
	// Name is the layer's name, such as "ethereum" or "starknet".
	Name() string
	// MaxWords is how many words one publication carries.
	MaxWords() int
	// Commit returns hash and size of a whole segment, however many publications carry it.
	Commit(words []felt.Felt) Commitment
	// Encode returns the transaction that publishes data and the commitment that stands for it. ErrTooLarge where the
	// layer can't take it in one.
	Encode(ctx context.Context, d Data) (tx.Payload, Commitment, error)
}
