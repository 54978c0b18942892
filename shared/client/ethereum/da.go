package ethereum

import (
	"context"
	"errors"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/blob"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/hash"
)

// MaxBlobs is the default of how many blobs one transaction may carry: Osaka's limit (EIP-7594).
const MaxBlobs = 6

// DA publishes DA segments as blobs of transactions that do nothing else: a da.Layer.
type DA struct {
	to       string
	maxBlobs int
}

var _ da.Layer = (*DA)(nil)

// NewDA returns the layer whose transactions go to an address, such as the wallet's own. maxBlobs 0 is MaxBlobs.
func NewDA(to string, maxBlobs int) (*DA, error) {
	a, err := parseAddress("address of data transactions", to)
	if err != nil {
		return nil, err
	}
	if maxBlobs == 0 {
		maxBlobs = MaxBlobs
	}
	if maxBlobs < 0 || maxBlobs > blob.MaxBlobs {
		return nil, fmt.Errorf("%d blobs in a transaction: want 1 to %d", maxBlobs, blob.MaxBlobs)
	}
	return &DA{to: a.Hex(), maxBlobs: maxBlobs}, nil
}

// Name implements da.Layer.
func (*DA) Name() string { return "ethereum" }

// MaxWords implements da.Layer.
func (d *DA) MaxWords() int { return d.maxBlobs * blob.Words }

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
	blobs, err := blob.FromWords(x.Words)
	if errors.Is(err, blob.ErrTooMany) {
		return tx.Payload{}, da.Commitment{}, fmt.Errorf("batch %d: %w: %w", x.Batch, da.ErrTooLarge, err)
	}
	if err != nil {
		return tx.Payload{}, da.Commitment{}, fmt.Errorf("encode DA segment of batch %d: %w", x.Batch, err)
	}
	if len(blobs) > d.maxBlobs {
		return tx.Payload{}, da.Commitment{}, fmt.Errorf("batch %d needs %d blobs, a transaction carries %d: %w",
			x.Batch, len(blobs), d.maxBlobs, da.ErrTooLarge)
	}
	p := tx.Payload{To: d.to}
	for i := range blobs {
		p.Blobs = append(p.Blobs, blobs[i][:])
	}
	cs, err := commitments(p.Blobs)
	if err != nil {
		return tx.Payload{}, da.Commitment{}, err
	}
	c := d.Commit(x.Words)
	for _, h := range versionedHashes(cs) {
		c.VersionedHashes = append(c.VersionedHashes, h.Hex())
	}
	return p, c, nil
}
