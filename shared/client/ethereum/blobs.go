package ethereum

import (
	"crypto/sha256"
	"fmt"
	"sync"

	"github.com/ethereum/go-ethereum/common"

	"github.com/madara-orchestrator/orchestrator/shared/starknet/blob"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/kzg"
)

// asBlobs checks the lengths of raw blobs and copies them.
func asBlobs(raw [][]byte) ([]blob.Blob, error) {
	if len(raw) > blob.MaxBlobs {
		return nil, fmt.Errorf("%d blobs, at most %d", len(raw), blob.MaxBlobs)
	}
	out := make([]blob.Blob, len(raw))
	for i, b := range raw {
		if len(b) != blob.Size {
			return nil, fmt.Errorf("blob %d has %d bytes, want %d", i, len(b), blob.Size)
		}
		copy(out[i][:], b)
	}
	return out, nil
}

// known remembers commitments: encoding, simulating, signing and sending one update asks for the same ones.
var known = commitmentCache{byHash: map[[32]byte]kzg.Commitment{}}

// commitmentCache maps the SHA-256 of blobs to their commitments. Safe for concurrent use.
type commitmentCache struct {
	mu     sync.Mutex
	byHash map[[32]byte]kzg.Commitment
}

// maxKnown bounds the cache; a full cache is emptied.
const maxKnown = 256

func (c *commitmentCache) commit(b *blob.Blob) (kzg.Commitment, error) {
	h := sha256.Sum256(b[:])
	c.mu.Lock()
	have, ok := c.byHash[h]
	c.mu.Unlock()
	if ok {
		return have, nil
	}
	made, err := kzg.Commit(b)
	if err != nil {
		return made, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.byHash) >= maxKnown {
		clear(c.byHash)
	}
	c.byHash[h] = made
	return made, nil
}

// commitAll returns the commitments of blobs.
func commitAll(blobs []blob.Blob) ([]kzg.Commitment, error) {
	out := make([]kzg.Commitment, len(blobs))
	err := kzg.Parallel(len(blobs), func(i int) (err error) { out[i], err = known.commit(&blobs[i]); return err })
	return out, err
}

// commitments are the commitments of raw blobs.
func commitments(raw [][]byte) ([]kzg.Commitment, error) {
	blobs, err := asBlobs(raw)
	if err != nil {
		return nil, err
	}
	return commitAll(blobs)
}

func versionedHashes(cs []kzg.Commitment) []common.Hash {
	out := make([]common.Hash, len(cs))
	for i, c := range cs {
		out[i] = kzg.VersionedHash(c)
	}
	return out
}
