package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/kzg"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
)

// blobProof is what is printed of one blob. Point and Y are absent where the proof is a blob proof.
type blobProof struct {
	Commitment    bytesHex    `json:"commitment"`
	Halves        []felt.Felt `json:"commitment_low_high"` // as the program output has them
	VersionedHash bytesHex    `json:"versioned_hash"`
	Point         bytesHex    `json:"point,omitempty"`
	Y             bytesHex    `json:"y,omitempty"`
	Proof         bytesHex    `json:"proof"`
}

// scalar reads up to 32 bytes in hex. That they are below the BLS12-381 scalar order is checked where they are used.
func scalar(s string) (p [32]byte, err error) {
	digits := strings.TrimPrefix(s, "0x")
	if len(digits)%2 == 1 {
		digits = "0" + digits
	}
	b, err := hex.DecodeString(digits)
	if err != nil || len(b) > len(p) || len(b) == 0 {
		return p, errors.New("want 1 to 64 hex digits")
	}
	copy(p[len(p)-len(b):], b)
	return p, nil
}

func kzgProve(c *call) error {
	var path string
	var point [32]byte
	var at bool
	c.fileFlag(&path, "blob", "blobs in hex, one a line")
	c.flags.Func("point", "`0x..` where to prove the blobs' values; without it the proof is that of EIP-4844's "+
		"sidecars", func(s string) (err error) {
		at = true
		point, err = scalar(s)
		return err
	})
	if _, err := c.parse(0); err != nil {
		return err
	}
	if err := need([2]string{"blob", path}); err != nil {
		return err
	}
	blobs, err := c.readBlobs(path)
	if err != nil {
		return err
	}
	proofs := make([]blobProof, len(blobs))
	err = kzg.Parallel(len(blobs), func(i int) error {
		com, err := kzg.Commit(&blobs[i])
		if err != nil {
			return err
		}
		low, high := output.SplitCommitment(com)
		hash := kzg.VersionedHash(com)
		p := blobProof{Commitment: com[:], Halves: []felt.Felt{low, high}, VersionedHash: hash[:]}
		var proof kzg.Proof
		if at {
			var y [32]byte
			proof, y, err = kzg.ProofAt(&blobs[i], point)
			p.Point, p.Y = point[:], y[:]
		} else {
			proof, err = kzg.BlobProof(&blobs[i], com)
		}
		p.Proof = proof[:]
		proofs[i] = p
		return err
	})
	if err != nil {
		return fmt.Errorf("prove: %w", err)
	}
	var rows [][]string
	for i, p := range proofs {
		rows = append(rows, []string{"blob", strconv.Itoa(i)}, []string{"commitment", p.Commitment.String()},
			[]string{"commitment low", p.Halves[0].String()}, []string{"commitment high", p.Halves[1].String()},
			[]string{"versioned hash", p.VersionedHash.String()})
		if at {
			rows = append(rows, []string{"point", p.Point.String()}, []string{"y", p.Y.String()})
		}
		rows = append(rows, []string{"proof", p.Proof.String()})
	}
	return c.print(proofs, rows)
}
