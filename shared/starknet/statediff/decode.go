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
	r := felt.NewReader(words, ErrMalformed)
	d := New()
	contracts := r.Count("number of contracts", 2)
	for range contracts {
		readContract(r, d, f)
	}
	for range r.Count("number of classes", 2) {
		h, compiled := r.Next("class"), r.Next("class")
		if _, twice := d.Classes[h]; twice {
			r.Fail("class %s is there twice", h)
		}
		d.Classes[h] = compiled
	}
	if r.Err() != nil {
		return nil, r.Err()
	}
	if f.Stateless && r.Left() > 0 {
		return nil, fmt.Errorf("%w: %d words after it", ErrMalformed, r.Left())
	}
	return d, onlyZeros(r.Rest())
}

func onlyZeros(rest []felt.Felt) error {
	for i, w := range rest {
		if !w.IsZero() {
			return fmt.Errorf("%w: word %d after it is %s, want 0", ErrMalformed, i, w)
		}
	}
	return nil
}

func readContract(r *felt.Reader, d *Diff, f Format) {
	a, w := r.Next("contract"), r.Next("contract")
	if r.Err() != nil {
		return
	}
	nonce, writes, class, err := f.readWord(w)
	if err != nil {
		r.Keep(err)
		return
	}
	if d.Contracts[a] != nil {
		r.Fail("contract %s is there twice", a)
	}
	c := d.contract(a)
	if !nonce.IsZero() || !f.PackedWord {
		c.Nonce = &nonce
	}
	if class {
		h := r.Next("class hash")
		c.Class = &h
	}
	for range r.Fits("number of writes", writes, 2) {
		k, v := r.Next("write"), r.Next("write")
		if _, twice := c.Storage[k]; twice {
			r.Fail("key %s of contract %s is there twice", k, a)
		}
		c.Storage[k] = v
	}
}
