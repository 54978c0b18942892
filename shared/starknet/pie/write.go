package pie

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strconv"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// Segments of a PIE: the program's, the execution's, one a builtin, return fp, return pc.
const (
	programSegment = iota
	executionSegment
	builtinSegments // the first one
)

// currentVersion is the version of written PIEs.
const currentVersion = "1.1"

// Write writes a PIE with the program, output, pages and steps of p: the program's words and the output's are its
// memory, and its execution segment holds what main is called with and returns. Other builtins than the output are not
// used. It is complete for readers, but no run that could be proven. The bytes depend on p alone.
//
// It refuses what Read would: see ErrMalformed.
func Write(w io.Writer, p *PIE) error {
	if err := p.check(); err != nil {
		return fmt.Errorf("write PIE: %w", err)
	}
	z := zip.NewWriter(w)
	for _, f := range []struct {
		name    string
		content any
	}{
		{versionFile, map[string]string{"cairo_pie": currentVersion}},
		{metadataFile, p.metadata()},
		{additionalFile, p.additional()},
		{resourcesFile, p.resources()},
		{memoryFile, p.memory()},
	} {
		raw, ok := f.content.([]byte)
		if !ok {
			var err error
			if raw, err = json.Marshal(f.content); err != nil {
				return fmt.Errorf("write %s: %w", f.name, err)
			}
		}
		out, err := z.Create(f.name)
		if err == nil {
			_, err = out.Write(raw)
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", f.name, err)
		}
	}
	return z.Close()
}

// check refuses a PIE that Read would refuse.
func (p *PIE) check() error {
	d := DefaultLimits
	names := slices.Sorted(slices.Values(p.Program.Builtins))
	for _, b := range names {
		if _, err := felt.FromShortString(b); err != nil {
			return fmt.Errorf("builtin %.40q: %w", b, err)
		}
	}
	switch {
	case p.Program.Main >= uint64(len(p.Program.Data)):
		return fmt.Errorf("%w: main at %d in a program of %d words", ErrMalformed, p.Program.Main, len(p.Program.Data))
	case len(slices.Compact(slices.Clone(names))) != len(names) || !slices.Contains(names, outputBuiltin):
		return fmt.Errorf("%w: builtins %.200q, output must be one, and none be there twice",
			ErrMalformed, p.Program.Builtins)
	case p.Steps == 0 || p.Steps>>sizeBits != 0:
		return fmt.Errorf("%w: %d steps, want 1 to 2^%d-1", ErrMalformed, p.Steps, sizeBits)
	case len(p.Program.Data) > d.Program, len(p.Output) > d.Output, len(names) > d.Builtins, len(p.Pages) > d.Pages:
		return fmt.Errorf("%w: beyond what Read takes by default", ErrTooLarge)
	}
	if err := checkTopology(p.Pages, p.Tree, uint64(len(p.Output))); err != nil {
		return err
	}
	_, err := p.SharpFactOf(felt.Zero) // the tree fits the pages
	return err
}

// ordered is a JSON object whose keys keep their order: readers compare that of the builtins.
type ordered []struct {
	key   string
	value any
}

// MarshalJSON implements json.Marshaler.
func (o ordered) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for i, f := range o {
		key, err1 := json.Marshal(f.key)
		value, err2 := json.Marshal(f.value)
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("%s: %w %w", f.key, err1, err2)
		}
		b.WriteByte("{,"[min(i, 1)])
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	if len(o) == 0 {
		b.WriteByte('{')
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// executionWords is the size of the execution segment: the builtins' pointers, return fp and return pc with which main
// is called, and the builtins' pointers that it returns.
func (p *PIE) executionWords() int { return 2*len(p.Program.Builtins) + 2 }

// used is how many cells of its segment a builtin has used.
func (p *PIE) used(builtin string) int {
	if builtin == outputBuiltin {
		return len(p.Output)
	}
	return 0
}

func (p *PIE) metadata() any {
	seg := func(i, size int) map[string]int { return map[string]int{"index": i, "size": size} }
	data := make([]*big.Int, len(p.Program.Data))
	for i, f := range p.Program.Data {
		data[i] = f.Big()
	}
	builtins := ordered{}
	for i, b := range p.Program.Builtins {
		builtins = append(builtins, ordered{{b, seg(builtinSegments+i, p.used(b))}}...)
	}
	after := builtinSegments + len(builtins)
	return map[string]any{
		"program": map[string]any{"data": data, "builtins": p.Program.Builtins,
			"main": p.Program.Main, "prime": felt.Prime()},
		"program_segment":   seg(programSegment, len(data)),
		"execution_segment": seg(executionSegment, p.executionWords()),
		"ret_fp_segment":    seg(after, 0),
		"ret_pc_segment":    seg(after+1, 0),
		"builtin_segments":  builtins,
		"extra_segments":    []any{},
	}
}

func (p *PIE) additional() any {
	pages, attributes := map[string][2]uint64{}, map[string]any{}
	for i, g := range p.Pages {
		pages[strconv.Itoa(i+1)] = [2]uint64{g.Start, g.Size}
	}
	if p.Tree != nil {
		attributes["gps_fact_topology"] = p.Tree
	}
	return map[string]any{outputBuiltin + builtinSuffix: map[string]any{"pages": pages, "attributes": attributes}}
}

func (p *PIE) resources() any {
	counter := map[string]uint64{}
	for _, b := range p.Program.Builtins {
		counter[b+builtinSuffix] = uint64(p.used(b))
	}
	return map[string]any{"n_steps": p.Steps, "n_memory_holes": p.MemoryHoles, "builtin_instance_counter": counter}
}

func (p *PIE) memory() []byte {
	out := make([]byte, 0, (len(p.Program.Data)+len(p.Output)+p.executionWords())*cellBytes)
	cell := func(segment, offset int, value []byte) {
		out = binary.LittleEndian.AppendUint64(out, pointer(segment, offset))
		out = append(out, value...)
	}
	address := func(segment, offset int) []byte {
		b := make([]byte, felt.Bytes)
		binary.LittleEndian.PutUint64(b, pointer(segment, offset)&^relocatable)
		b[felt.Bytes-1] = 0x80
		return b
	}
	put := func(segment int, fs []felt.Felt) {
		for i, f := range fs {
			slices.Reverse(f[:])
			cell(segment, i, f[:])
		}
	}
	put(programSegment, p.Program.Data)
	n := len(p.Program.Builtins)
	for i, b := range p.Program.Builtins {
		cell(executionSegment, i, address(builtinSegments+i, 0))
		cell(executionSegment, n+2+i, address(builtinSegments+i, p.used(b)))
	}
	cell(executionSegment, n, address(builtinSegments+n, 0))
	cell(executionSegment, n+1, address(builtinSegments+n+1, 0))
	put(builtinSegments+slices.Index(p.Program.Builtins, outputBuiltin), p.Output)
	return out
}

func pointer(segment, offset int) uint64 {
	return relocatable | uint64(segment)<<offsetBits | uint64(offset)
}
