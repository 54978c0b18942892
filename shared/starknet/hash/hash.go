// Package hash holds Starknet's hash functions over felts. The arithmetic of the field and of the curve is
// gnark-crypto's. Tables are made when they are needed first: a function that starts does not wait for them.
package hash

import (
	"golang.org/x/crypto/sha3"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

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
