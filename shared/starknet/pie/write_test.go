package pie_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/hash"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/pie"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/version"
)

// found are the fields that Read finds and Write makes up.
var found = cmpopts.IgnoreFields(pie.PIE{}, "Version", "Instances", "MemoryCells")

func TestWriteRead(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]*pie.PIE{"one page": sample(), "three pages": paged(), "no output": {
		Program: sample().Program, Steps: 1,
	}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw := written(t, want)
			if !bytes.Equal(raw, written(t, want)) {
				t.Error("written twice it has other bytes")
			}
			got := read(t, raw)
			if d := cmp.Diff(want, got, found, cmpopts.EquateEmpty()); d != "" {
				t.Error(d)
			}
			if a, b := must(want.SharpFact(version.Pedersen)), must(got.SharpFact(version.Pedersen)); a != b {
				t.Errorf("fact %s, want %s", b, a)
			}
			n := 2*len(want.Program.Builtins) + 2 + len(want.Program.Data) + len(want.Output)
			if got.Version != "1.1" || got.MemoryCells != int64(n) ||
				got.Instances["output"] != uint64(len(want.Output)) {
				t.Errorf("version %s, %d cells, instances %v", got.Version, got.MemoryCells, got.Instances)
			}
			if again, err := pie.ReadStream(onlyReader{bytes.NewReader(raw)}, t.TempDir(), pie.Limits{}); err != nil ||
				!cmp.Equal(got, again) {
				t.Errorf("from a stream: %+v, %v", again, err)
			}
		})
	}
}

// onlyReader hides all but Read.
type onlyReader struct{ io.Reader }

func TestOnePageFact(t *testing.T) {
	t.Parallel()
	p := sample()
	if f := must(p.SharpFact(version.Pedersen)); f != pie.PageFact(must(p.Program.Hash(version.Pedersen)), p.Output) {
		t.Errorf("the fact of one page %s is not PageFact", f)
	}
	p.Tree = []int{1, 1} // a parent over one page
	if f := must(p.SharpFact(version.Pedersen)); f == pie.PageFact(must(p.Program.Hash(version.Pedersen)), p.Output) {
		t.Error("the tree over one page is left out")
	}
}

// What cairo-lang finds in paged (testdata/oracle.py): also where it is not installed, these facts are held.
func TestPagedFacts(t *testing.T) {
	t.Parallel()
	p := paged()
	own := must(p.Program.Hash(version.Pedersen))
	if want := felt.MustHex("0x6c10906885102f38b1394ddf25ed66b6d7b0496f96e8ae8a2acc5f7163d3aab"); own != want {
		t.Errorf("program hash %s, want %s", own, want)
	}
	if f, err := p.SharpFact(version.Pedersen); err != nil ||
		f.String() != "0x6f23e275609ced98e0bca51212a7fb29b4432db4bb3cc04c663e4ff38c9e9464" {
		t.Errorf("fact %s, %v", f, err)
	}
	f, err := p.AggregatorFactOf(pie.AggregatorHash(own, version.Pedersen)) // one input of two words
	if err != nil || f.String() != "0x688eb4507256b71d194afa2b5ce27e5ba932e27f326c82d07c126b22b9561fdc" {
		t.Errorf("aggregator fact %s, %v", f, err)
	}
	bootloader := felt.MustHex("0x5ab580b04e3532b6b18f81cfa654a05e29dd8e2352d88df1e765a84072db07")
	want := hash.PoseidonMany(
		[]felt.Felt{bootloader, felt.MustHex("0xf50993f0797e4cc05734a47daeb214fde2d444ef6619a7c1f7c8e0924feb0b")})
	if f := pie.StarknetFact(p.Output); f != want {
		t.Errorf("Starknet fact %s, want %s", f, want)
	}
}

func TestDataHash(t *testing.T) {
	t.Parallel()
	p := paged()
	data, size, ok, err := p.DataHash()
	if err != nil || !ok || size != 3 {
		t.Fatalf("%d words, %v, %v", size, ok, err)
	}
	// Two pages of the data are a node over them, so they are another hash than one page of it.
	p.Pages, p.Tree = []pie.Page{{Start: 3, Size: 3}}, []int{2, 2}
	one, size, ok, err := p.DataHash()
	if err != nil || !ok || size != 3 || one == data {
		t.Errorf("%d words, %v, %v", size, ok, err)
	}
	p.Pages, p.Tree = []pie.Page{{Start: 3, Size: 2}, {Start: 5, Size: 1}}, []int{3, 3}
	if _, _, ok, err := p.DataHash(); ok || err != nil {
		t.Errorf("data hash of three parts: %v, %v", ok, err)
	}
}

func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*pie.PIE){
		"no program":          func(p *pie.PIE) { p.Program.Data = nil },
		"main after the end":  func(p *pie.PIE) { p.Program.Main = 2 },
		"no output builtin":   func(p *pie.PIE) { p.Program.Builtins = []string{"pedersen"} },
		"a builtin twice":     func(p *pie.PIE) { p.Program.Builtins = []string{"output", "output"} },
		"no steps":            func(p *pie.PIE) { p.Steps = 0 },
		"too many steps":      func(p *pie.PIE) { p.Steps = 1 << 30 },
		"pages without tree":  func(p *pie.PIE) { p.Pages = []pie.Page{{Start: 1, Size: 2}} },
		"pages beyond output": func(p *pie.PIE) { p.Pages, p.Tree = []pie.Page{{Start: 1, Size: 3}}, []int{2, 2} },
		"a tree of two roots": func(p *pie.PIE) { p.Pages, p.Tree = []pie.Page{{Start: 1, Size: 2}}, []int{2, 0} },
		"an odd tree":         func(p *pie.PIE) { p.Tree = []int{1} },
	} {
		p := sample()
		change(p)
		if err := pie.Write(io.Discard, p); !errors.Is(err, pie.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p := sample()
	p.Program.Builtins = append(p.Program.Builtins, strings.Repeat("x", 32))
	if err := pie.Write(io.Discard, p); !errors.Is(err, felt.ErrInvalid) {
		t.Errorf("a long builtin: %v", err)
	}
	if err := pie.Write(failing{}, sample()); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a writer that fails: %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestTopology(t *testing.T) {
	t.Parallel()
	words := felts(1, 2, 3)
	for _, tree := range [][]int{{2, 2}, {1, 0, 1, 2}, {2, 2, 0, 1}} {
		if _, err := pie.NewFact(felt.Zero, words, []uint64{1, 2}, tree); err != nil {
			t.Error(err)
		}
	}
	for name, tt := range map[string]struct {
		pages []uint64
		tree  []int
	}{
		"odd tree":           {[]uint64{1, 2}, []int{2}},
		"too many pages":     {[]uint64{1, 2}, []int{3, 2}},
		"too many nodes":     {[]uint64{1, 2}, []int{2, 3}},
		"negative":           {[]uint64{1, 2}, []int{-1, 2}},
		"two roots":          {[]uint64{1, 2}, []int{2, 0}},
		"words left":         {[]uint64{1, 1}, []int{2, 2}},
		"page over words":    {[]uint64{1, 1 << 63}, []int{2, 2}},
		"pages without tree": {[]uint64{1, 2}, nil},
		"empty tree":         {[]uint64{3}, []int{}},
	} {
		if _, err := pie.NewFact(felt.Zero, words, tt.pages, tt.tree); !errors.Is(err, pie.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An aggregator's inputs are words of the main page only.
func TestAggregatorPages(t *testing.T) {
	t.Parallel()
	p := sample()
	p.Output = felts(2, 2, 10, 1, 7, 8, 9) // two inputs of 2 and 1 words, their sizes included; then 7, 8 | 9
	p.Pages, p.Tree = []pie.Page{{Start: 6, Size: 1}}, []int{2, 2}
	h := must(p.Program.Hash(version.Pedersen))
	want := must(pie.NewFact(pie.AggregatorHash(h, version.Pedersen), felts(7, 8, 9), []uint64{2, 1}, []int{2, 2}))
	if got, err := p.AggregatorFact(version.Pedersen); err != nil || got != want {
		t.Errorf("fact %s, %v, want %s", got, err, want)
	}
	p.Pages = []pie.Page{{Start: 3, Size: 4}}
	if _, err := p.AggregatorFact(version.Pedersen); !errors.Is(err, pie.ErrMalformed) ||
		!strings.Contains(err.Error(), "inputs are 4 words") {
		t.Errorf("inputs beyond the main page: %v", err)
	}
	if _, err := sample().AggregatorFact(version.Pedersen); err == nil {
		t.Error("an output that is neither an update nor an aggregator's has an aggregator fact")
	}
}
