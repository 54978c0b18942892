package pie_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/pie"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/starknettest"
)

func read(t *testing.T, b []byte) *pie.PIE {
	t.Helper()
	p, err := pie.Read(bytes.NewReader(b), int64(len(b)), pie.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFibonacci(t *testing.T) {
	t.Parallel()
	p := read(t, starknettest.Read(t, "pie", "fibonacci.zip"))
	f, err := p.SharpFact()
	if err != nil || f.String() != "0xca15503f02f8406b599cb220879e842394f5cf2cef753f3ee430647b5981b782" {
		t.Fatalf("fact %s, %v", f, err)
	}
	if p.Steps != 72 || len(p.Output) != 1 {
		t.Errorf("%d steps, %d words", p.Steps, len(p.Output))
	}
}

func TestAggregator(t *testing.T) {
	t.Parallel()
	p := read(t, starknettest.Read(t, "aggregator_1", "aggregator_pie.zip"))
	f, err := p.AggregatorFact()
	if err != nil || f.String() != "0x33e3f396ba1ff4214ea52123d74dae13dbdc75991af79c92eccaae10924fdac5" {
		t.Fatalf("fact %s, %v", f, err)
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
}

func sample() *pie.PIE {
	return &pie.PIE{
		Program: pie.Program{Data: []felt.Felt{felt.FromUint64(1), felt.MinusOne()}, Builtins: []string{"output"}, Main: 0},
		Output:  []felt.Felt{felt.FromUint64(7), felt.Zero, felt.MinusOne()}, Steps: 99,
	}
}

func written(t testing.TB, p *pie.PIE) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := pie.Write(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWriteRead(t *testing.T) {
	t.Parallel()
	want := sample()
	raw := written(t, want)
	if !bytes.Equal(raw, written(t, want)) {
		t.Error("written twice it has other bytes")
	}
	got := read(t, raw)
	a, err1 := got.SharpFact()
	b, err2 := want.SharpFact()
	if err := errors.Join(err1, err2); err != nil || a != b || !slices.Equal(got.Output, want.Output) || got.Steps != want.Steps {
		t.Errorf("got %+v, %v", got, err)
	}
	if a != pie.PageFact(must(want.Program.Hash()), want.Output) {
		t.Error("the fact of one page is not PageFact")
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// zipped makes a zip of the sample with one file replaced; nil removes it.
func zipped(t *testing.T, name string, content []byte) []byte {
	t.Helper()
	raw := written(t, sample())
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range z.File {
		if f.Name == name && content == nil {
			continue
		}
		out := must(w.Create(f.Name))
		if f.Name == name {
			must(out.Write(content))
			continue
		}
		in := must(f.Open())
		buf := new(bytes.Buffer)
		must(buf.ReadFrom(in))
		must(out.Write(buf.Bytes()))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		file    string
		content []byte
		want    string
	}{
		"no metadata":          {"metadata.json", nil, "no metadata.json"},
		"metadata is no JSON":  {"metadata.json", []byte("{"), "metadata.json"},
		"another prime":        {"metadata.json", []byte(`{"program":{"prime":17}}`), "prime"},
		"a long number":        {"metadata.json", []byte(`{"program":{"prime":` + strings.Repeat("9", 200) + `}}`), "number of 200 digits"},
		"half a cell":          {"memory.bin", make([]byte, 41), "memory.bin"},
		"plain address":        {"memory.bin", make([]byte, 40), "relocatable"},
		"no memory":            {"memory.bin", []byte{}, "0 of 3 output words"},
		"pages without a tree": {"additional_data.json", []byte(`{"output_builtin":{"pages":{"1":[1,1],"2":[2,1]},"attributes":{}}}`), "fact topology"},
		"pages with a gap":     {"additional_data.json", []byte(`{"output_builtin":{"pages":{"1":[1,1],"2":[3,1]},"attributes":{"gps_fact_topology":[3,3]}}}`), "the next begins at 3"},
		"pages by other names": {"additional_data.json", []byte(`{"output_builtin":{"pages":{"7":[0,1]},"attributes":{}}}`), "none of number 1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw := zipped(t, tt.file, tt.content)
			_, err := pie.Read(bytes.NewReader(raw), int64(len(raw)), pie.Limits{})
			if !errors.Is(err, pie.ErrMalformed) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want it to say %q", err, tt.want)
			}
		})
	}
	if _, err := pie.Read(bytes.NewReader([]byte("PK")), 2, pie.Limits{}); !errors.Is(err, pie.ErrMalformed) {
		t.Errorf("no zip: %v", err)
	}
}

// A few kilobytes that unpack to much more are refused, also where the directory does not own up to it.
func TestZipBomb(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"memory.bin", "metadata.json", "additional_data.json"} {
		raw := zipped(t, file, bytes.Repeat([]byte(" "), 4<<20))
		if _, err := pie.Read(bytes.NewReader(raw), int64(len(raw)), pie.Limits{JSON: 1 << 20, Memory: 1 << 20}); !errors.Is(err, pie.ErrTooLarge) {
			t.Errorf("%s of 4 MB: %v", file, err)
		}
	}
	raw := written(t, sample())
	if _, err := pie.Read(bytes.NewReader(raw), int64(len(raw)), pie.Limits{Output: 2}); !errors.Is(err, pie.ErrTooLarge) {
		t.Errorf("output of 3 words where 2 are allowed: %v", err)
	}
}

func TestTopology(t *testing.T) {
	t.Parallel()
	words := []felt.Felt{felt.FromUint64(1), felt.FromUint64(2), felt.FromUint64(3)}
	if _, err := pie.NewFact(felt.Zero, words, []uint64{1, 2}, []int{2, 2}); err != nil {
		t.Error(err)
	}
	for name, tt := range map[string]struct {
		pages []uint64
		tree  []int
	}{
		"odd tree":        {[]uint64{1, 2}, []int{2}},
		"too many pages":  {[]uint64{1, 2}, []int{3, 2}},
		"negative":        {[]uint64{1, 2}, []int{-1, 2}},
		"two roots":       {[]uint64{1, 2}, []int{2, 0}},
		"words left":      {[]uint64{1, 1}, []int{2, 2}},
		"page over words": {[]uint64{1, 1 << 63}, []int{2, 2}},
	} {
		if _, err := pie.NewFact(felt.Zero, words, tt.pages, tt.tree); !errors.Is(err, pie.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(written(f, sample()))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := pie.Read(bytes.NewReader(raw), int64(len(raw)), pie.Limits{JSON: 1 << 16, Memory: 1 << 16, Output: 100})
		if err == nil {
			_, _ = p.SharpFact()
			_, _ = p.AggregatorFact()
		}
	})
}
