package ethereum

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto/kzg4844"

	"github.com/madara-orchestrator/orchestrator/shared/starknet/kzg"
)

// proofs are the proofs of a sidecar's form, as they are kept with a signed transaction: the cell proofs of one blob
// take a third of a second to compute.
type proofs struct {
	form Sidecar // "": none are kept
	list []kzg.Proof
}

// A signed blob transaction is kept as: withProofsMark, length of the transaction (4 bytes, big-endian), the
// transaction, the form (0 or 1), the proofs in a row. Releases up to 0.1 kept the transaction alone, which begins with
// its type, 3.
const (
	withProofsMark = 0xb1
	lengthBytes    = 4
)

// withProofs is a signed transaction with the proofs of its blobs.
func withProofs(raw []byte, form Sidecar, list []kzg.Proof) []byte {
	out := binary.BigEndian.AppendUint32([]byte{withProofsMark}, uint32(len(raw)))
	out = append(out, raw...)
	if form == SidecarV0 {
		out = append(out, types.BlobSidecarVersion0)
	} else {
		out = append(out, types.BlobSidecarVersion1)
	}
	for _, p := range list {
		out = append(out, p[:]...)
	}
	return out
}

// errKept says that the bytes of a kept transaction are not those that were written.
var errKept = errors.New("the kept bytes are damaged")

// unpack takes a kept transaction apart.
func unpack(kept []byte) (raw []byte, p proofs, err error) {
	if len(kept) == 0 || kept[0] != withProofsMark {
		return kept, p, nil
	}
	rest := kept[1:]
	if len(rest) < lengthBytes {
		return nil, p, errKept
	}
	n := uint64(binary.BigEndian.Uint32(rest))
	if rest = rest[lengthBytes:]; uint64(len(rest)) <= n {
		return nil, p, errKept
	}
	raw, rest = rest[:n], rest[n:]
	switch rest[0] {
	case types.BlobSidecarVersion0:
		p.form = SidecarV0
	case types.BlobSidecarVersion1:
		p.form = SidecarV1
	default:
		return nil, p, errKept
	}
	rest = rest[1:]
	size := len(kzg.Proof{})
	if len(rest) == 0 || len(rest)%size != 0 {
		return nil, p, errKept
	}
	for ; len(rest) > 0; rest = rest[size:] {
		p.list = append(p.list, kzg.Proof(rest[:size]))
	}
	return raw, p, nil
}

// blobProofs are the proofs of raw blobs in a form: one a blob in V0, one a cell in V1.
func blobProofs(raw [][]byte, form Sidecar) ([]kzg.Proof, error) {
	blobs, err := asBlobs(raw)
	if err != nil {
		return nil, err
	}
	cs, err := commitAll(blobs)
	if err != nil {
		return nil, err
	}
	each := make([][]kzg.Proof, len(blobs))
	err = kzg.Parallel(len(blobs), func(i int) (err error) {
		if form == SidecarV0 {
			var p kzg.Proof
			p, err = kzg.BlobProof(&blobs[i], cs[i])
			each[i] = []kzg.Proof{p}
			return err
		}
		each[i], err = kzg.CellProofs(&blobs[i])
		return err
	})
	return slices.Concat(each...), err
}

// withSidecar puts the blobs to a signed blob transaction, with the kept proofs where they are of the form.
func withSidecar(t *types.Transaction, raw [][]byte, form Sidecar, kept proofs) (*types.Transaction, error) {
	blobs, err := asBlobs(raw)
	if err != nil {
		return nil, err
	}
	cs, err := commitAll(blobs)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(versionedHashes(cs), t.BlobHashes()) {
		return nil, errors.New("the blobs are not those that were signed")
	}
	version, each := types.BlobSidecarVersion1, kzg.Cells
	if form == SidecarV0 {
		version, each = types.BlobSidecarVersion0, 1
	}
	list := kept.list
	if kept.form != form {
		if list, err = blobProofs(raw, form); err != nil {
			return nil, err
		}
	}
	if len(list) != each*len(blobs) {
		return nil, fmt.Errorf("%d proofs are kept for %d blobs: %w", len(list), len(blobs), errKept)
	}
	var bs []kzg4844.Blob
	var commits []kzg4844.Commitment
	all := make([]kzg4844.Proof, len(list))
	for i := range blobs {
		bs, commits = append(bs, kzg4844.Blob(blobs[i])), append(commits, kzg4844.Commitment(cs[i]))
	}
	for i, p := range list {
		all[i] = kzg4844.Proof(p)
	}
	return t.WithBlobTxSidecar(types.NewBlobTxSidecar(version, bs, commits, all)), nil
}
