package ethereum

import (
	"errors"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/madara-orchestrator/orchestrator/shared/starknet/blob"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/kzg"
)

// A signed transaction is kept with its proofs and read back with them; damaged bytes are seen, and what release 0.1
// kept is read.
func TestKeptProofs(t *testing.T) {
	t.Parallel()
	raw := []byte{3, 1, 2}
	list := make([]kzg.Proof, kzg.Cells)
	list[7][0] = 9
	kept := withProofs(raw, SidecarV1, list)
	gotRaw, p, err := unpack(kept)
	if err != nil || !slices.Equal(gotRaw, raw) || p.form != SidecarV1 || !slices.Equal(p.list, list) {
		t.Fatalf("read back %x, %s with %d proofs, %v", gotRaw, p.form, len(p.list), err)
	}
	if gotRaw, p, err := unpack(raw); err != nil || !slices.Equal(gotRaw, raw) || p.form != "" {
		t.Errorf("without proofs: %x, %q, %v", gotRaw, p.form, err)
	}
	for name, damaged := range map[string][]byte{
		"cut": kept[:len(kept)-1], "longer": append(slices.Clone(kept), 0),
		"only the mark": kept[:1], "no proofs": kept[:9],
		"a length beyond the end": {withProofsMark, 0xff, 0xff, 0xff, 0xff, 3},
		"an unknown form":         {withProofsMark, 0, 0, 0, 1, 3, 7, 1},
	} {
		if _, _, err := unpack(damaged); !errors.Is(err, errKept) {
			t.Errorf("%s: %v, want %v", name, err, errKept)
		}
	}
}

// What is kept is sent: nothing is proven again, unless the node wants the other form.
func TestKeptProofsAreSent(t *testing.T) {
	t.Parallel()
	var b blob.Blob
	b[31] = 1
	cs, err := commitAll([]blob.Blob{b})
	if err != nil {
		t.Fatal(err)
	}
	x := types.NewTx(&types.BlobTx{
		ChainID: new(uint256.Int), GasTipCap: new(uint256.Int), GasFeeCap: new(uint256.Int), Value: new(uint256.Int),
		BlobFeeCap: new(uint256.Int), BlobHashes: versionedHashes(cs),
	})
	kept := proofs{form: SidecarV1, list: make([]kzg.Proof, kzg.Cells)}
	kept.list[0][0] = 0xaa // no proof that would be computed
	full, err := withSidecar(x, [][]byte{b[:]}, SidecarV1, kept)
	if err != nil || full.BlobTxSidecar().Proofs[0][0] != 0xaa {
		t.Fatalf("the kept proofs are not sent: %v", err)
	}
	want, err := blobProofs([][]byte{b[:]}, SidecarV0)
	if err != nil {
		t.Fatal(err)
	}
	full, err = withSidecar(x, [][]byte{b[:]}, SidecarV0, kept)
	if err != nil || len(full.BlobTxSidecar().Proofs) != 1 || kzg.Proof(full.BlobTxSidecar().Proofs[0]) != want[0] {
		t.Errorf("in the other form: %v", err)
	}
	kept.list = kept.list[:3]
	if _, err := withSidecar(x, [][]byte{b[:]}, SidecarV1, kept); !errors.Is(err, errKept) {
		t.Errorf("too few proofs: %v", err)
	}
}
