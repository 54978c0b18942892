// Package hash holds Starknet's hash functions over felts. The arithmetic is juno's and gnark-crypto's; here are only
// the types of this project.
package hash

import (
	"golang.org/x/crypto/sha3"

	"github.com/NethermindEth/juno/core/crypto"
	junofelt "github.com/NethermindEth/juno/core/felt"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

func in(f felt.Felt) *junofelt.Felt {
	return new(junofelt.Felt).SetBytes(f[:])
}

func ins(fs []felt.Felt) []*junofelt.Felt {
	out := make([]*junofelt.Felt, len(fs))
	for i := range fs {
		out[i] = in(fs[i])
	}
	return out
}

// Pedersen is the Pedersen hash of two felts.
func Pedersen(a, b felt.Felt) felt.Felt { r := crypto.Pedersen(in(a), in(b)); return r.Bytes() }

// PedersenArray is the Pedersen hash of a list, with its length hashed last.
func PedersenArray(fs []felt.Felt) felt.Felt { r := crypto.PedersenArray(ins(fs)...); return r.Bytes() }

// Poseidon is the Poseidon (Hades) hash of two felts.
func Poseidon(a, b felt.Felt) felt.Felt { r := crypto.Poseidon(in(a), in(b)); return r.Bytes() }

// PoseidonMany is the Poseidon hash of a list.
func PoseidonMany(fs []felt.Felt) felt.Felt { r := crypto.PoseidonArray(ins(fs)...); return r.Bytes() }

// Keccak256 is Ethereum's hash of a byte string.
func Keccak256(b ...[]byte) [32]byte {
	h := sha3.NewLegacyKeccak256()
	for _, p := range b {
		h.Write(p)
	}
	var out [32]byte
	h.Sum(out[:0])
	return out
}

// StarknetKeccak is the low 250 bits of Keccak256.
func StarknetKeccak(b []byte) felt.Felt {
	h := Keccak256(b)
	h[0] &= 0x03
	return h
}

// Selector is the selector of an entry point's name.
func Selector(name string) felt.Felt { return StarknetKeccak([]byte(name)) }
