package starknet

import (
	"context"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/hash"
)

// DataEntrypoint is the function that NewDA calls by default. Every account of the standard SNIP-6 has it;
// OpenZeppelin's answers that a list that is not a signature is not valid, without failing.
const DataEntrypoint = "is_valid_signature"

// callWords is what a transaction's calldata holds beside a segment: the call's head, the segment's hash and length.
const callWords = 6

// MaxSegment is how many words one publication holds.
const MaxSegment = maxCalldata - callWords

// DA publishes DA segments in the calldata of transactions that do nothing else: a da.Layer. Readers find a segment by
// the calldata of the batch's transactions: each is a call with the arguments hash, number of words, words. A segment
// that is larger than MaxSegment is published in several, in the order of their nonces; each hash is of its own words.
type DA struct{ to, entrypoint string }

var _ da.Layer = (*DA)(nil)

// NewDA returns the layer whose transactions call a contract, such as the wallet's own account, with the arguments
// (felt, Array<felt252>). An empty entrypoint is DataEntrypoint.
func NewDA(to, entrypoint string) (*DA, error) {
	a, err := parseAddress("contract that data is published by", to)
	if err != nil {
		return nil, err
	}
	if entrypoint == "" {
		entrypoint = DataEntrypoint
	}
	return &DA{to: a.String(), entrypoint: entrypoint}, nil
}

// Name implements da.Layer.
func (*DA) Name() string { return "starknet" }

// MaxWords implements da.Layer.
func (*DA) MaxWords() int { return MaxSegment }

// Commit implements da.Layer: Poseidon over the words.
func (*DA) Commit(words []felt.Felt) da.Commitment {
	return da.Commitment{Hash: hash.PoseidonMany(words), Size: uint64(len(words))}
}

// Encode implements da.Layer. The commitment's Hash is Poseidon over the words.
func (d *DA) Encode(_ context.Context, x da.Data) (tx.Payload, da.Commitment, error) {
	if len(x.Words) == 0 {
		return tx.Payload{}, da.Commitment{}, fmt.Errorf("DA segment of batch %d is empty: there is nothing to publish",
			x.Batch)
	}
	if len(x.Words) > MaxSegment {
		return tx.Payload{}, da.Commitment{}, fmt.Errorf("batch %d has %d words, a transaction carries %d: %w",
			x.Batch, len(x.Words), MaxSegment, da.ErrTooLarge)
	}
	h := hash.PoseidonMany(x.Words)
	p := tx.Payload{To: d.to, Entrypoint: d.entrypoint, Data: felt.Concat(append([]felt.Felt{h}, span(x.Words)...))}
	return p, da.Commitment{Hash: h, Size: uint64(len(x.Words))}, nil
}
