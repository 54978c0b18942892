package pie_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/pie"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/starknettest"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/version"
)

// Facts of the recorded PIEs. A verifier registers aggregatorFact (cairo-lang's get_cairo_pie_fact_info with
// aggregator=True, see oracle_test.go); unprefixedFact is that of the same words under the program's own hash, which no
// contract asks for.
const (
	fibonacciFact  = "0xca15503f02f8406b599cb220879e842394f5cf2cef753f3ee430647b5981b782"
	unprefixedFact = "0x33e3f396ba1ff4214ea52123d74dae13dbdc75991af79c92eccaae10924fdac5"
	aggregatorFact = "0xb6be6ad95464b997583ebf8440ee57deb7bd8e1b57c4e4d5d411f81cf411e9be"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func parse(raw []byte, l pie.Limits) (*pie.PIE, error) {
	return pie.Read(bytes.NewReader(raw), int64(len(raw)), l)
}

func read(t testing.TB, raw []byte) *pie.PIE {
	t.Helper()
	p, err := parse(raw, pie.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFibonacci(t *testing.T) {
	t.Parallel()
	p := read(t, starknettest.Read(t, "pie", "fibonacci.zip"))
	f, err := p.SharpFact(version.Pedersen)
	if err != nil || f.String() != fibonacciFact {
		t.Fatalf("fact %s, %v", f, err)
	}
	if p.Version != "1.1" || p.Steps != 72 || p.MemoryCells != 90 || p.Instances["output"] != 1 ||
		!slices.Equal(p.Output, felts(89)) {
		t.Errorf("got %+v", p)
	}
	if _, _, ok, err := p.DataHash(); ok || err != nil {
		t.Errorf("data hash of an output of one page: %v, %v", ok, err)
	}
}

func TestAggregator(t *testing.T) {
	t.Parallel()
	p := read(t, starknettest.Read(t, "aggregator_1", "aggregator_pie.zip"))
	f, err := p.AggregatorFact(version.Pedersen)
	if err != nil || f.String() != aggregatorFact {
		t.Fatalf("fact %s, %v", f, err)
	}
	own := must(p.Program.Hash(version.Pedersen))
	if f, err := p.AggregatorFactOf(own); err != nil || f.String() != unprefixedFact {
		t.Errorf("fact under the program's own hash %s, %v", f, err)
	}
	if f, err := p.SharpFactOf(own); err != nil || f.String() == aggregatorFact {
		t.Errorf("fact of the whole output %s, %v", f, err)
	}
	words, err := output.UpdateWords(p.Output)
	if err != nil {
		t.Fatal(err)
	}
	var want []felt.Felt
	if err := json.Unmarshal(starknettest.Read(t, "aggregator_1", "program_output.json"), &want); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(words, want) {
		t.Errorf("state update has %d words, want %d", len(words), len(want))
	}
	if p.Steps != 150542 || p.MemoryHoles != 27 || p.MemoryCells != 148999 || p.Instances["range_check"] != 10077 {
		t.Errorf("%d steps, %d holes, %d cells, %v", p.Steps, p.MemoryHoles, p.MemoryCells, p.Instances)
	}
}

func felts(ns ...uint64) []felt.Felt {
	out := make([]felt.Felt, len(ns))
	for i, n := range ns {
		out[i] = felt.FromUint64(n)
	}
	return out
}

func sample() *pie.PIE {
	return &pie.PIE{
		Program: pie.Program{Data: []felt.Felt{felt.FromUint64(1), felt.MinusOne()},
			Builtins: []string{"output"}, Main: 0},
		Output: []felt.Felt{felt.FromUint64(7), felt.Zero, felt.MinusOne()}, Steps: 99,
	}
}

// paged has several builtins, none of them in alphabetical order, and an output of three pages.
func paged() *pie.PIE {
	p := sample()
	p.Program = pie.Program{Data: felts(1, 2, 3), Builtins: []string{"pedersen", "output", "bitwise"}, Main: 2}
	p.Output = felts(1, 2, 3, 4, 5, 6)
	p.Pages = []pie.Page{{Start: 3, Size: 2}, {Start: 5, Size: 1}}
	p.Tree = []int{1, 0, 2, 2, 0, 2}
	return p
}

func written(t testing.TB, p *pie.PIE) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := pie.Write(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// zipped makes a zip of p with one file replaced; nil removes it.
func zipped(t testing.TB, p *pie.PIE, name string, content []byte) []byte {
	t.Helper()
	raw := written(t, p)
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range must(zip.NewReader(bytes.NewReader(raw), int64(len(raw)))).File {
		c := must(io.ReadAll(must(f.Open())))
		if f.Name == name {
			c = content
		}
		if c != nil {
			must(must(w.Create(f.Name)).Write(c))
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// contents returns one file of a PIE.
func contents(t testing.TB, raw []byte, name string) []byte {
	t.Helper()
	f, err := must(zip.NewReader(bytes.NewReader(raw), int64(len(raw)))).Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return must(io.ReadAll(f))
}
