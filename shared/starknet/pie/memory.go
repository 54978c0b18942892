package pie

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// Layout of memory.bin (cairo-lang, vm/memory_dict.py and relocatable.py): cells of an 8-byte address and a 32-byte
// value, both little-endian; a set top bit marks a relocatable one, segment*2^47 + offset.
const (
	addressBytes = 8
	cellBytes    = addressBytes + felt.Bytes
	offsetBits   = 47
	segmentBits  = 16
	relocatable  = 1 << 63
)

// words are those of a segment as they are found in memory.
type words struct {
	what  string
	felts []felt.Felt
	seen  []bool
	found int
}

func newWords(what string, n uint64) *words {
	return &words{what: what, felts: make([]felt.Felt, n), seen: make([]bool, n)}
}

// put takes the word at an offset from its bytes in memory.
func (w *words) put(at uint64, v felt.Felt, plain bool) error {
	switch {
	case !plain:
		return fmt.Errorf("%s word %d is an address", w.what, at)
	case w.seen[at]:
		return fmt.Errorf("%s word %d is there twice", w.what, at)
	}
	w.felts[at], w.seen[at] = v, true
	w.found++
	return nil
}

func (w *words) complete() error {
	if w.found != len(w.felts) {
		return fmt.Errorf("%w: %s: %d of %d %s words are there",
			ErrMalformed, memoryFile, w.found, len(w.felts), w.what)
	}
	return nil
}

// readMemory takes the output's words from memory and checks that the program's are those of the metadata and that
// every address is within its segment: a prover would find that out only after the PIE was sent.
func (p *PIE) readMemory(z *archive, m *metadata, l Limits) error {
	f, err := z.open(memoryFile, l.Memory)
	if err != nil {
		return err
	}
	defer f.Close()
	program, out, outIndex := newWords("program", uint64(len(p.Program.Data))), newWords("output",
		m.output().Size), m.output().Index
	r := bufio.NewReaderSize(f, 1<<16)
	var cell [cellBytes]byte
	for ; ; p.MemoryCells++ {
		if _, err := io.ReadFull(r, cell[:]); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return malformed(fmt.Errorf("cell %d: %w", p.MemoryCells, err), memoryFile)
		}
		if p.MemoryCells == l.Cells {
			return fmt.Errorf("%w: %s has more than %d cells", ErrTooLarge, memoryFile, l.Cells)
		}
		index, at, err := m.address(binary.LittleEndian.Uint64(cell[:]))
		var v felt.Felt
		plain := true
		if err == nil {
			v, plain, err = m.value(cell[addressBytes:])
		}
		switch {
		case err != nil:
		case index == programSegment:
			err = program.put(at, v, plain)
		case index == outIndex:
			err = out.put(at, v, plain)
		}
		if err != nil {
			return malformed(fmt.Errorf("cell %d: %w", p.MemoryCells, err), memoryFile)
		}
	}
	if err := errors.Join(program.complete(), out.complete()); err != nil {
		return err
	}
	if !slices.Equal(program.felts, p.Program.Data) {
		return fmt.Errorf("%w: the program in %s is not that of %s", ErrMalformed, memoryFile, metadataFile)
	}
	p.Output = out.felts
	return nil
}

// address splits a cell's address.
func (m *metadata) address(a uint64) (index, at uint64, err error) {
	if a&relocatable == 0 {
		return 0, 0, errors.New("its address is not relocatable")
	}
	index, at = a&^relocatable>>offsetBits, a&(1<<offsetBits-1)
	size, ok := m.sizes[index]
	if !ok || at >= size {
		return 0, 0, fmt.Errorf("address %d:%d is in no segment", index, at)
	}
	return index, at, nil
}

// value reads a cell's value: a felt, or an address (plain is false) in a known segment. It reverses le.
func (m *metadata) value(le []byte) (v felt.Felt, plain bool, err error) {
	slices.Reverse(le)
	if le[0]>>7 == 0 {
		v, err = felt.FromBytes(le)
		return v, true, err
	}
	// Bits above those of the segment's number must be 0, beside the mark.
	le[0] &^= 0x80
	for _, b := range le[:felt.Bytes-addressBytes] {
		if b != 0 {
			return v, false, errors.New("its value is neither a felt nor an address")
		}
	}
	a := binary.BigEndian.Uint64(le[felt.Bytes-addressBytes:])
	if _, ok := m.sizes[a>>offsetBits]; !ok {
		return v, false, fmt.Errorf("its value is an address in segment %d, which there is not", a>>offsetBits)
	}
	return v, false, nil
}
