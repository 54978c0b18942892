// Package stateless is the stateless compression of DA segments (Starknet 0.13.5 and later): values go into buckets by
// their bit length, repeated ones become pointers, and everything is packed into 251-bit words. The format is that of
// cairo-lang's starkware/starknet/core/os/data_availability (compression.cairo, version 0).
package stateless

import (
	"errors"
	"fmt"
	"math/big"
	"math/bits"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

const (
	version    = 0
	wordBits   = 251 // bits that a packed word may use
	headerBits = 20  // of each number in the header
	// MaxWords is how many words one compression can hold: their number must fit the header.
	MaxWords = 1<<headerBits - 1
)

// bucketBits are the bit lengths of the buckets of unique values, widest first. A value goes into the narrowest that
// holds it. Index len(bucketBits) stands for a repeated value.
var bucketBits = [...]int{252, 125, 83, 62, 31, 15}

const (
	buckets  = len(bucketBits)
	repeated = buckets
)

// ErrMalformed says that words are not a compressed segment; the wrapping text says why.
var ErrMalformed = errors.New("malformed compressed segment")

// bucketOf returns the index of the narrowest bucket that holds v.
func bucketOf(v felt.Felt) int {
	n := bitLen(v)
	if v[0]&placeholderMark != 0 {
		n = PlaceholderBits
	}
	for i := buckets - 1; i > 0; i-- {
		if n <= bucketBits[i] {
			return i
		}
	}
	return 0
}

func bitLen(v felt.Felt) int {
	for i, b := range v {
		if b != 0 {
			return 8*(felt.Bytes-1-i) + bits.Len8(b)
		}
	}
	return 0
}

// perWord is how many numbers below bound one word holds.
func perWord(bound uint64) int {
	if bound <= 1 {
		return wordBits
	}
	return wordBits / bits.Len64(bound-1)
}

// perWordOfBits is how many values of n bits one word holds.
func perWordOfBits(n int) int { return max(wordBits/n, 1) }

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// Compress packs words. More than MaxWords is an error.
func Compress(words []felt.Felt) ([]felt.Felt, error) {
	if len(words) > MaxWords {
		return nil, fmt.Errorf("%d words, the compression holds at most %d", len(words), MaxWords)
	}
	var unique [buckets][]felt.Felt
	type place struct{ bucket, index int }
	seen := make(map[felt.Felt]place, len(words))
	index := make([]uint64, len(words))
	var again []place
	for i, w := range words {
		if p, ok := seen[w]; ok {
			index[i] = uint64(repeated)
			again = append(again, p)
			continue
		}
		b := bucketOf(w)
		seen[w] = place{b, len(unique[b])}
		unique[b] = append(unique[b], w)
		index[i] = uint64(b)
	}
	header := []uint64{version, uint64(len(words))}
	var offset [buckets]int
	total := 0
	for b, u := range unique {
		offset[b] = total
		total += len(u)
		header = append(header, uint64(len(u)))
	}
	header = append(header, uint64(len(again)))
	out := pack(nil, header, 1<<headerBits)
	for b, u := range unique {
		out = packValues(out, u, bucketBits[b])
	}
	pointers := make([]uint64, len(again))
	for i, p := range again {
		pointers[i] = uint64(offset[p.bucket] + p.index)
	}
	out = pack(out, pointers, uint64(total))
	return pack(out, index, uint64(buckets+1)), nil
}

// pack appends numbers below bound, the first in the lowest digit of base bound.
func pack(out []felt.Felt, nums []uint64, bound uint64) []felt.Felt {
	n := perWord(bound)
	base := new(big.Int).SetUint64(bound)
	for len(nums) > 0 {
		part := nums[:min(n, len(nums))]
		nums = nums[len(part):]
		acc := new(big.Int)
		for i := len(part) - 1; i >= 0; i-- {
			acc.Mul(acc, base)
			acc.Add(acc, new(big.Int).SetUint64(part[i]))
		}
		out = append(out, fromBig(acc))
	}
	return out
}

// packValues appends values of at most width bits, the first in the lowest bits.
func packValues(out, values []felt.Felt, width int) []felt.Felt {
	n := perWordOfBits(width)
	if n == 1 {
		return append(out, values...)
	}
	for len(values) > 0 {
		part := values[:min(n, len(values))]
		values = values[len(part):]
		acc := new(big.Int)
		for i := len(part) - 1; i >= 0; i-- {
			acc.Lsh(acc, uint(width))
			acc.Or(acc, part[i].Big())
		}
		out = append(out, fromBig(acc))
	}
	return out
}

// fromBig is for integers of at most 251 bits, all of which are felts.
func fromBig(n *big.Int) felt.Felt {
	var f felt.Felt
	n.FillBytes(f[:])
	return f
}
