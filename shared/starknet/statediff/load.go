package statediff

import (
	"encoding/binary"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// LoadAccumulator reads what MarshalBinary wrote. Its cost is in proportion to the batch, once per process.
func LoadAccumulator(b []byte) (*Accumulator, error) {
	r := &bytesReader{b: b}
	if form := r.take(1); r.err == nil && form[0] != saved {
		return nil, fmt.Errorf("saved accumulator has form %d, want %d", form[0], saved)
	}
	size := r.take(1)
	if r.err != nil {
		return nil, r.err
	}
	a, err := NewAccumulator(string(r.take(int(size[0]))))
	if err != nil {
		return nil, fmt.Errorf("saved accumulator: %w", err)
	}
	var s block.StateDiff
	for range r.count(felt.Bytes + 5) {
		r.contract(&s)
	}
	for range r.count(2 * felt.Bytes) {
		s.Declared = append(s.Declared, block.DeclaredClass{ClassHash: r.felt(), CompiledClassHash: r.felt()})
	}
	for range r.count(felt.Bytes) {
		a.guessed[r.felt()] = true
	}
	if r.err != nil {
		return nil, r.err
	}
	if len(r.b) > 0 {
		return nil, fmt.Errorf("saved accumulator has %d bytes too many", len(r.b))
	}
	return a, a.Add(block.StateUpdate{Diff: s})
}

type bytesReader struct {
	b   []byte
	err error
}

func (r *bytesReader) take(n int) []byte {
	if r.err == nil && n > len(r.b) {
		r.err = fmt.Errorf("saved accumulator ends %d bytes early", n-len(r.b))
	}
	if r.err != nil {
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *bytesReader) felt() felt.Felt {
	b := r.take(felt.Bytes)
	if r.err != nil {
		return felt.Zero
	}
	f, err := felt.FromBytes(b)
	if err != nil {
		r.err = fmt.Errorf("saved accumulator: %w", err)
	}
	return f
}

// count reads a number of things of at least size bytes.
func (r *bytesReader) count(size int) int {
	b := r.take(4)
	if r.err != nil {
		return 0
	}
	n := int(binary.BigEndian.Uint32(b))
	if n > len(r.b)/size {
		r.err = fmt.Errorf("saved accumulator claims %d items where %d bytes are left", n, len(r.b))
		return 0
	}
	return n
}

func (r *bytesReader) contract(s *block.StateDiff) {
	addr, flags := r.felt(), r.take(1)
	if r.err != nil {
		return
	}
	if flags[0]&1 != 0 {
		s.Replaced = append(s.Replaced, block.ReplacedClass{Address: addr, ClassHash: r.felt()})
	}
	if flags[0]&2 != 0 {
		s.Nonces = append(s.Nonces, block.NonceUpdate{Address: addr, Nonce: r.felt()})
	}
	c := block.ContractStorage{Address: addr}
	for range r.count(2 * felt.Bytes) {
		c.Entries = append(c.Entries, block.StorageEntry{Key: r.felt(), Value: r.felt()})
	}
	s.Storage = append(s.Storage, c)
}
