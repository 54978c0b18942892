package stateless

import (
	"fmt"
	"math/big"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// Decompress is the inverse of Compress. Words after the compressed segment are returned as rest: a blob pads with
// zeros. The result never has more than most words, whatever the header claims.
func Decompress(words []felt.Felt, most int) (out, rest []felt.Felt, err error) {
	r := &reader{words: words}
	header := r.numbers(2+buckets+1, 1<<headerBits)
	if r.err != nil {
		return nil, nil, r.err
	}
	if header[0] != version {
		return nil, nil, fmt.Errorf("%w: version %d, want %d", ErrMalformed, header[0], version)
	}
	n, counts, again := int(header[1]), header[2:2+buckets], int(header[2+buckets])
	total := 0
	for _, c := range counts {
		total += int(c)
	}
	if n > most {
		return nil, nil, fmt.Errorf("%w: %d words, at most %d are taken", ErrMalformed, n, most)
	}
	if total+again != n {
		return nil, nil, fmt.Errorf("%w: %d unique and %d repeated values for %d words", ErrMalformed, total, again, n)
	}
	unique := make([]felt.Felt, 0, min(total, len(words)*wordBits/bucketBits[buckets-1]))
	var next [buckets]int
	for b, c := range counts {
		next[b] = len(unique)
		unique = r.values(unique, int(c), bucketBits[b])
	}
	pointers := r.numbers(again, uint64(total))
	index := r.numbers(n, uint64(buckets+1))
	if r.err != nil {
		return nil, nil, r.err
	}
	return assemble(unique, pointers, index, next, r.words)
}

// assemble puts the values in their order. next is where each bucket begins among the unique values.
func assemble(unique []felt.Felt, pointers, index []uint64, next [buckets]int,
	rest []felt.Felt) (out, after []felt.Felt, err error) {
	var end [buckets]int
	for b := range end {
		end[b] = len(unique)
		if b+1 < buckets {
			end[b] = next[b+1]
		}
	}
	out = make([]felt.Felt, 0, len(index))
	for i, b := range index {
		switch {
		case b == uint64(repeated) && len(pointers) > 0:
			out = append(out, unique[pointers[0]])
			pointers = pointers[1:]
		case b < uint64(repeated) && next[b] < end[b]:
			out = append(out, unique[next[b]])
			next[b]++
		default:
			return nil, nil, fmt.Errorf("%w: word %d is of bucket %d, which has no value left", ErrMalformed, i, b)
		}
	}
	return out, rest, nil
}

// reader takes packed words off a list and keeps the first fault.
type reader struct {
	words []felt.Felt
	err   error
}

func (r *reader) take(n int) []felt.Felt {
	if r.err == nil && n > len(r.words) {
		r.err = fmt.Errorf("%w: ends %d words early", ErrMalformed, n-len(r.words))
	}
	if r.err != nil {
		return nil
	}
	out := r.words[:n]
	r.words = r.words[n:]
	return out
}

// numbers reads n numbers below bound.
func (r *reader) numbers(n int, bound uint64) []uint64 {
	per := perWord(bound)
	packed := r.take(ceilDiv(n, per))
	if r.err != nil || n == 0 {
		return nil
	}
	if bound == 0 {
		r.err = fmt.Errorf("%w: repeated values without unique ones", ErrMalformed)
		return nil
	}
	out := make([]uint64, 0, n)
	base, digit := new(big.Int).SetUint64(bound), new(big.Int)
	for _, w := range packed {
		acc := w.Big()
		for range min(per, n-len(out)) {
			acc.DivMod(acc, base, digit)
			out = append(out, digit.Uint64())
		}
		if acc.Sign() != 0 {
			r.err = fmt.Errorf("%w: word %s holds more than its numbers", ErrMalformed, w)
			return nil
		}
	}
	return out
}

// values reads n values of at most width bits.
func (r *reader) values(out []felt.Felt, n, width int) []felt.Felt {
	per := perWordOfBits(width)
	packed := r.take(ceilDiv(n, per))
	if per == 1 {
		return append(out, packed...)
	}
	mask := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(width)), big.NewInt(1))
	for _, w := range packed {
		acc := w.Big()
		for range min(per, n) {
			out = append(out, fromBig(new(big.Int).And(acc, mask)))
			acc.Rsh(acc, uint(width))
			n--
		}
		if acc.Sign() != 0 && r.err == nil {
			r.err = fmt.Errorf("%w: word %s holds more than its values", ErrMalformed, w)
		}
	}
	return out
}
