package pie

import (
	"archive/zip"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"slices"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// Segments of a written PIE.
const (
	programSegment = iota
	executionSegment
	outputSegment
	retFPSegment
	retPCSegment
)

// Write writes a PIE with the program, output and steps of p: the program's words and the output's are its memory, and its
// execution segment holds what main is called with. The bytes depend on p alone. Programs may use the output builtin only.
func Write(w io.Writer, p *PIE) error {
	if !slices.Equal(p.Program.Builtins, []string{"output"}) {
		return fmt.Errorf("write PIE: builtins %q, only [\"output\"] can be written", p.Program.Builtins)
	}
	if len(p.Pages) > 0 {
		return fmt.Errorf("write PIE: output of %d pages, only one can be written", len(p.Pages)+1)
	}
	n := uint64(len(p.Output))
	z := zip.NewWriter(w)
	files := []struct {
		name string
		v    any
	}{
		{"version.json", map[string]string{"cairo_pie": "1.1"}},
		{"metadata.json", p.metadata()},
		{"additional_data.json", map[string]any{"output_builtin": map[string]any{"pages": map[string]any{}, "attributes": map[string]any{}}}},
		{"execution_resources.json", map[string]any{
			"n_steps": p.Steps, "n_memory_holes": 0, "builtin_instance_counter": map[string]uint64{"output_builtin": n},
		}},
	}
	for _, f := range files {
		out, err := z.Create(f.name)
		if err != nil {
			return fmt.Errorf("write PIE: %w", err)
		}
		if err := json.NewEncoder(out).Encode(f.v); err != nil {
			return fmt.Errorf("write %s: %w", f.name, err)
		}
	}
	out, err := z.Create("memory.bin")
	if err != nil {
		return fmt.Errorf("write PIE: %w", err)
	}
	if _, err := out.Write(p.memory()); err != nil {
		return fmt.Errorf("write memory.bin: %w", err)
	}
	return z.Close()
}

// executionWords is the size of the execution segment: output pointer, return fp, return pc, the returned output pointer.
const executionWords = 4

func (p *PIE) metadata() any {
	seg := func(i, size int) map[string]int { return map[string]int{"index": i, "size": size} }
	data := make([]*big.Int, len(p.Program.Data))
	for i, f := range p.Program.Data {
		data[i] = f.Big()
	}
	return map[string]any{
		"program":           map[string]any{"data": data, "builtins": p.Program.Builtins, "main": p.Program.Main, "prime": felt.Prime()},
		"program_segment":   seg(programSegment, len(p.Program.Data)),
		"execution_segment": seg(executionSegment, executionWords),
		"ret_fp_segment":    seg(retFPSegment, 0),
		"ret_pc_segment":    seg(retPCSegment, 0),
		"builtin_segments":  map[string]any{"output": seg(outputSegment, len(p.Output))},
		"extra_segments":    []any{},
	}
}

func (p *PIE) memory() []byte {
	out := make([]byte, 0, (len(p.Program.Data)+len(p.Output)+executionWords)*cellBytes)
	cell := func(segment, offset uint64, value []byte) {
		out = binary.LittleEndian.AppendUint64(out, relocatable|segment<<offsetBits|offset)
		out = append(out, value...)
	}
	plain := func(f felt.Felt) []byte {
		b := f[:]
		slices.Reverse(b)
		return b
	}
	pointer := func(segment, offset uint64) []byte {
		b := make([]byte, felt.Bytes)
		binary.LittleEndian.PutUint64(b, segment<<offsetBits|offset)
		b[felt.Bytes-1] = 0x80
		return b
	}
	for i, f := range p.Program.Data {
		cell(programSegment, uint64(i), plain(f))
	}
	cell(executionSegment, 0, pointer(outputSegment, 0))
	cell(executionSegment, 1, pointer(retFPSegment, 0))
	cell(executionSegment, 2, pointer(retPCSegment, 0))
	cell(executionSegment, 3, pointer(outputSegment, uint64(len(p.Output))))
	for i, f := range p.Output {
		cell(outputSegment, uint64(i), plain(f))
	}
	return out
}
