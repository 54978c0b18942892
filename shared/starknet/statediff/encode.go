package statediff

import (
	"errors"
	"fmt"
	"math/big"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/stateless"
)

// Reads are what the encoding of a diff must know of the chain beside the diff.
type Reads struct {
	// Aliases of AliasKeys; formats with Aliases.
	Aliases map[felt.Felt]felt.Felt
	// Nonces of MissingNonces; formats without PackedWord.
	Nonces map[felt.Felt]felt.Felt
}

// Encode returns the DA segment of a squashed diff in a format: aliases, words and stateless compression as it has
// them. Without stateless compression the result is what stands in the blobs of that time. d is not changed.
func Encode(d *Diff, f Format, r Reads) ([]felt.Felt, error) {
	if f.Aliases {
		var err error
		if d, err = d.WithAliases(r.Aliases); err != nil {
			return nil, err
		}
	}
	words, err := Words(d, f, r.Nonces)
	if err != nil || !f.Stateless {
		return words, err
	}
	return stateless.Compress(words)
}

// ErrNonceMissing says that a format without PackedWord was not given the nonce of a contract that MissingNonces names.
var ErrNonceMissing = errors.New("its nonce is missing: read those of MissingNonces")

// Words returns the uncompressed words of a diff: the number of contracts; by ascending address the address, the DA
// word, the class hash where it changed and the writes by ascending key; the number of classes and these by ascending
// hash. nonces serve formats without PackedWord.
func Words(d *Diff, f Format, nonces map[felt.Felt]felt.Felt) ([]felt.Felt, error) {
	out := make([]felt.Felt, 0, d.size())
	out = append(out, felt.FromUint64(uint64(len(d.Contracts))))
	for _, a := range d.Addresses() {
		c := d.Contracts[a]
		nonce := felt.Zero
		if c.Nonce != nil {
			nonce = *c.Nonce
		} else if !f.PackedWord && a.Cmp(lastSystemContract) > 0 {
			var ok bool
			if nonce, ok = nonces[a]; !ok {
				return nil, fmt.Errorf("contract %s: %w", a, ErrNonceMissing)
			}
		}
		w, err := f.word(nonce, len(c.Storage), c.Class != nil)
		if err != nil {
			return nil, fmt.Errorf("contract %s: %w", a, err)
		}
		out = append(out, a, w)
		if c.Class != nil {
			out = append(out, *c.Class)
		}
		for _, k := range sorted(c.Storage) {
			out = append(out, k, c.Storage[k])
		}
	}
	out = append(out, felt.FromUint64(uint64(len(d.Classes))))
	for _, h := range sorted(d.Classes) {
		out = append(out, h, d.Classes[h])
	}
	return out, nil
}

// size is the number of words.
func (d *Diff) size() int {
	n := 2 + 2*len(d.Classes)
	for _, c := range d.Contracts {
		n += c.size()
	}
	return n
}

func (c *Contract) size() int {
	n := 2 + 2*len(c.Storage)
	if c.Class != nil {
		n++
	}
	return n
}

const (
	shortWrites = 256 // number of writes from which the packed word has its long form
	longBits    = 64  // of the number of writes in the long form and before 0.13.3
	nonceBits   = 64
)

// word is a contract's DA word: nonce, number of writes and whether the class changed.
//
// Packed: nonce<<10 | writes<<2 | 2 | class below 256 writes, else nonce<<66 | writes<<2 | class.
// Before: class<<128 | nonce<<64 | writes.
func (f Format) word(nonce felt.Felt, writes int, class bool) (felt.Felt, error) {
	n, ok := nonce.Uint64()
	if !ok {
		return felt.Zero, fmt.Errorf("nonce %s has more than %d bits", nonce, nonceBits)
	}
	flag := uint(0)
	if class {
		flag = 1
	}
	acc := new(big.Int).SetUint64(n)
	low := func(bits uint, v uint64) {
		acc.Lsh(acc, bits)
		acc.Or(acc, new(big.Int).SetUint64(v))
	}
	switch {
	case !f.PackedWord:
		low(longBits, uint64(writes))
		if class {
			acc.SetBit(acc, longBits+nonceBits, 1)
		}
	case writes < shortWrites:
		low(10, uint64(writes)<<2|2|uint64(flag))
	default:
		low(longBits, uint64(writes))
		low(2, uint64(flag))
	}
	var w felt.Felt
	acc.FillBytes(w[:])
	return w, nil
}

// readWord is the inverse of word.
func (f Format) readWord(w felt.Felt) (nonce felt.Felt, writes uint64, class bool, err error) {
	n := w.Big()
	cut := func(bits uint) *big.Int {
		low := new(big.Int).And(n, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), bits), big.NewInt(1)))
		n.Rsh(n, bits)
		return low
	}
	if f.PackedWord {
		class = cut(1).Sign() != 0
		if cut(1).Sign() != 0 {
			writes = cut(8).Uint64()
		} else if writes = cut(longBits).Uint64(); writes < shortWrites {
			return nonce, 0, false, fmt.Errorf("%w: DA word %s has the long form for %d writes",
				ErrMalformed, w, writes)
		}
	} else {
		writes = cut(longBits).Uint64()
		nonce, err = felt.FromBig(cut(nonceBits))
		class = cut(1).Sign() != 0
		if err != nil || n.Sign() != 0 {
			return nonce, 0, false, fmt.Errorf("%w: DA word %s has more than %d bits",
				ErrMalformed, w, longBits+nonceBits+1)
		}
		return nonce, writes, class, nil
	}
	if n.BitLen() > nonceBits {
		return nonce, 0, false, fmt.Errorf("%w: DA word %s has a nonce of more than %d bits",
			ErrMalformed, w, nonceBits)
	}
	nonce, err = felt.FromBig(n)
	return nonce, writes, class, err
}
