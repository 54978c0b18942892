package statediff

import (
	"encoding/binary"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/stateless"
)

// Accumulator is the state diff of an open batch with the size of its encoding. Adding a block costs in proportion to
// that block, whatever the batch holds.
//
// Words is exact except for what would have to be read from the chain: writes of the value that a slot had before count
// although they will be dropped, nonces that must be read count as 64-bit numbers of their own, and an alias that was
// given before the batch counts as a 31-bit number of its own. So it is never below the size that Encode will find.
type Accumulator struct {
	version string
	format  Format
	diff    *Diff
	counter *stateless.Counter
	guessed map[felt.Felt]bool // keys whose alias is not known
}

// aliasSlack covers the rounding that may go the other way when a guessed alias turns out shorter or repeated: one word
// in each of the last bucket and the pointers, and one more in the bucket above.
const aliasSlack = 3

// NewAccumulator returns the accumulator of no blocks for a Starknet version.
func NewAccumulator(version string) (*Accumulator, error) {
	f, err := FormatOf(version)
	if err != nil {
		return nil, err
	}
	a := &Accumulator{version: version, format: f, diff: New(), counter: stateless.NewCounter(),
		guessed: map[felt.Felt]bool{}}
	a.counter.Add(felt.Zero) // number of contracts
	a.counter.Add(felt.Zero) // number of classes
	return a, nil
}

// Add takes in the next block. After an error the accumulator is not to be used.
func (a *Accumulator) Add(u block.StateUpdate) error {
	touched := New()
	touched.Add(u.Diff)
	contracts, classes := len(a.diff.Contracts), len(a.diff.Classes)
	// New aliases first: other contracts' keys then count with them.
	order := touched.Addresses()
	for i, addr := range order {
		if addr == AliasContract {
			order[0], order[i] = order[i], order[0]
		}
	}
	for _, addr := range order {
		if err := a.merge(addr, touched.Contracts[addr]); err != nil {
			return fmt.Errorf("block %d, contract %s: %w", u.Number, addr, err)
		}
	}
	for h, compiled := range touched.Classes {
		if old, ok := a.diff.Classes[h]; ok {
			a.counter.Remove(old)
		} else {
			a.counter.Add(h)
		}
		a.counter.Add(compiled)
		a.diff.Classes[h] = compiled
	}
	a.recount(contracts, len(a.diff.Contracts))
	a.recount(classes, len(a.diff.Classes))
	return nil
}

func (a *Accumulator) recount(before, after int) {
	a.counter.Remove(felt.FromUint64(uint64(before)))
	a.counter.Add(felt.FromUint64(uint64(after)))
}

// merge lays the changes of one contract over what is there, and counts the difference.
func (a *Accumulator) merge(addr felt.Felt, with *Contract) error {
	to := a.diff.Contracts[addr]
	if to == nil {
		to = &Contract{Storage: map[felt.Felt]felt.Felt{}}
		a.diff.Contracts[addr] = to
		a.counter.Add(a.key(addr))
	} else {
		w, err := a.word(to)
		if err != nil {
			return err
		}
		a.counter.Remove(w)
	}
	if with.Class != nil {
		if to.Class != nil {
			a.counter.Remove(*to.Class)
		}
		a.counter.Add(*with.Class)
		to.Class = with.Class
	}
	if with.Nonce != nil {
		to.Nonce = with.Nonce
	}
	plain := addr.Cmp(lastPlainContract) <= 0
	for k, v := range with.Storage {
		if old, ok := to.Storage[k]; ok {
			a.counter.Remove(old)
		} else if plain {
			a.counter.Add(k)
		} else {
			a.counter.Add(a.key(k))
		}
		a.counter.Add(v)
		to.Storage[k] = v
	}
	w, err := a.word(to)
	if err != nil {
		return err
	}
	a.counter.Add(w)
	return nil
}

// word is the contract's DA word, with the longest nonce where it would have to be read.
func (a *Accumulator) word(c *Contract) (felt.Felt, error) {
	nonce := felt.Zero
	switch {
	case c.Nonce != nil:
		nonce = *c.Nonce
	case !a.format.PackedWord:
		nonce = felt.FromUint64(1<<64 - 1)
	}
	return a.format.word(nonce, len(c.Storage), c.Class != nil)
}

// key is what stands for an address or key in the encoding.
func (a *Accumulator) key(f felt.Felt) felt.Felt {
	if !a.format.Aliases || !needsAlias(f) {
		return f
	}
	if c := a.diff.Contracts[AliasContract]; c != nil && !a.guessed[f] {
		if alias, ok := c.Storage[f]; ok {
			return alias
		}
	}
	a.guessed[f] = true
	return stateless.Placeholder(f)
}

// Words is the number of DA words of the batch so far.
func (a *Accumulator) Words() int {
	if !a.format.Stateless {
		return a.counter.Words()
	}
	n := a.counter.Compressed()
	if len(a.guessed) > 0 {
		n += aliasSlack
	}
	return n
}

// Diff returns the squashed diff. It stays the accumulator's: do not change it.
func (a *Accumulator) Diff() *Diff { return a.diff }

// Version is the Starknet version that the batch is encoded for.
func (a *Accumulator) Version() string { return a.version }

// saved is the version of the saved form.
const saved = 1

// MarshalBinary returns the accumulator's state for LoadAccumulator: a byte with the form's version, the Starknet
// version with its length in a byte, and the diff's uncompressed words.
func (a *Accumulator) MarshalBinary() ([]byte, error) {
	out := append([]byte{saved, byte(len(a.version))}, a.version...)
	d := a.diff
	put := func(fs ...felt.Felt) {
		for _, f := range fs {
			out = append(out, f[:]...)
		}
	}
	out = binary.BigEndian.AppendUint32(out, uint32(len(d.Contracts)))
	for _, addr := range d.Addresses() {
		c := d.Contracts[addr]
		flags := byte(0)
		if c.Class != nil {
			flags |= 1
		}
		if c.Nonce != nil {
			flags |= 2
		}
		put(addr)
		out = append(out, flags)
		if c.Class != nil {
			put(*c.Class)
		}
		if c.Nonce != nil {
			put(*c.Nonce)
		}
		out = binary.BigEndian.AppendUint32(out, uint32(len(c.Storage)))
		for _, k := range sorted(c.Storage) {
			put(k, c.Storage[k])
		}
	}
	out = binary.BigEndian.AppendUint32(out, uint32(len(d.Classes)))
	for _, h := range sorted(d.Classes) {
		put(h, d.Classes[h])
	}
	keys := sorted(a.guessed)
	out = binary.BigEndian.AppendUint32(out, uint32(len(keys)))
	put(keys...)
	return out, nil
}
