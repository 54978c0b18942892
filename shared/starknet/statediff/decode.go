package statediff

import (
	"errors"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/stateless"
)

// ErrMalformed says that words are not a state diff; the wrapping text says where.
var ErrMalformed = errors.New("malformed state diff")

// Decode reads a DA segment, such as the words of a batch's blobs, of a format. Zeros may follow it, as blobs are
// padded. With Aliases the diff's addresses and keys are aliases: see ResolveAliases. Before PackedWord every contract
// has a nonce, changed or not; from it on an unchanged nonce is nil.
func Decode(words []felt.Felt, f Format) (*Diff, error) {
	if f.Stateless {
		plain, rest, err := stateless.Decompress(words, stateless.MaxWords)
		if err != nil {
			return nil, err
		}
		if err := onlyZeros(rest); err != nil {
			return nil, err
		}
		words = plain
	}
	r := &reader{words: words}
	d := New()
	contracts := r.count("number of contracts", 2)
	for range contracts {
		r.contract(d, f)
	}
	for range r.count("number of classes", 2) {
		h, compiled := r.next("class"), r.next("class")
		if _, twice := d.Classes[h]; twice {
			r.fail("class %s is there twice", h)
		}
		d.Classes[h] = compiled
	}
	if r.err != nil {
		return nil, r.err
	}
	if f.Stateless && r.at < len(words) {
		return nil, fmt.Errorf("%w: %d words after it", ErrMalformed, len(words)-r.at)
	}
	return d, onlyZeros(words[r.at:])
}

func onlyZeros(rest []felt.Felt) error {
	for i, w := range rest {
		if !w.IsZero() {
			return fmt.Errorf("%w: word %d after it is %s, want 0", ErrMalformed, i, w)
		}
	}
	return nil
}

// reader takes words one by one and keeps the first fault.
type reader struct {
	words []felt.Felt
	at    int
	err   error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w at word %d: %s", ErrMalformed, r.at, fmt.Sprintf(format, args...))
	}
}

func (r *reader) next(what string) felt.Felt {
	if r.err == nil && r.at >= len(r.words) {
		r.fail("ends within %s", what)
	}
	if r.err != nil {
		return felt.Zero
	}
	r.at++
	return r.words[r.at-1]
}

// count reads a number of things that take at least size words each, so that a lie costs nothing.
func (r *reader) count(what string, size int) int {
	w := r.next(what)
	n, ok := w.Uint64()
	return r.fits(what, n, ok, size)
}

func (r *reader) fits(what string, n uint64, ok bool, size int) int {
	if left := len(r.words) - r.at; r.err == nil && (!ok || n > uint64(left/size)) {
		r.fail("%s is %d where %d words are left", what, n, left)
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

func (r *reader) contract(d *Diff, f Format) {
	a, w := r.next("contract"), r.next("contract")
	if r.err != nil {
		return
	}
	nonce, writes, class, err := f.readWord(w)
	if err != nil {
		r.err = err
		return
	}
	if d.Contracts[a] != nil {
		r.fail("contract %s is there twice", a)
	}
	c := d.contract(a)
	if !nonce.IsZero() || !f.PackedWord {
		c.Nonce = &nonce
	}
	if class {
		h := r.next("class hash")
		c.Class = &h
	}
	for range r.fits("number of writes", writes, true, 2) {
		k, v := r.next("write"), r.next("write")
		if _, twice := c.Storage[k]; twice {
			r.fail("key %s of contract %s is there twice", k, a)
		}
		c.Storage[k] = v
	}
}
