package hash

import (
	"encoding/binary"
	"math/big"
	"slices"

	"golang.org/x/crypto/blake2s"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// small is the bound below which Blake2s takes a felt as two 32-bit words instead of eight: 2^63.
const small = 1 << 63

// Blake2s is the Blake2s hash of a list of felts as Starknet encodes them: the 32-bit words of each, the highest first
// and each little-endian; a felt below 2^63 has two words, any other one eight with bit 255 set. The digest is a
// little-endian number modulo the field's prime (cairo-lang 0.14.3a3, common/cairo_blake2s/blake2s_utils.py,
// calculate_blake2s_hash_from_felt252s with encode).
func Blake2s(fs []felt.Felt) felt.Felt {
	data := make([]byte, 0, 32*len(fs))
	for _, f := range fs {
		start := 0
		if n, ok := f.Uint64(); ok && n < small {
			start = 24
		}
		for i := start; i < 32; i += 4 {
			w := binary.BigEndian.Uint32(f[i:])
			if i == 0 {
				w |= 1 << 31
			}
			data = binary.LittleEndian.AppendUint32(data, w)
		}
	}
	return digest(data)
}

// Blake2sPlain is the Blake2s hash of a list of felts, each as its 32 bytes little-endian: what masks encrypted state
// diffs. The digest is read as that of Blake2s (the same function of cairo-lang without encode, with little_endian;
// recorded segments of 0.14.4 open with it alone).
func Blake2sPlain(fs []felt.Felt) felt.Felt {
	data := make([]byte, 0, 32*len(fs))
	for _, f := range fs {
		slices.Reverse(f[:])
		data = append(data, f[:]...)
	}
	return digest(data)
}

// digest is the Blake2s hash of bytes as a felt.
func digest(data []byte) felt.Felt {
	sum := blake2s.Sum256(data)
	slices.Reverse(sum[:])
	n := new(big.Int).SetBytes(sum[:])
	var out felt.Felt
	n.Mod(n, felt.Prime()).FillBytes(out[:])
	return out
}
