package pie_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/pie"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/version"
)

var fuzzLimits = pie.Limits{JSON: 1 << 16, Memory: 1 << 16, Output: 100}

// check holds of whatever was read: errors are of the two kinds, and what was accepted can be written and read again.
func check(t *testing.T, raw []byte) {
	t.Helper()
	p, err := parse(raw, fuzzLimits)
	if err != nil {
		if !errors.Is(err, pie.ErrMalformed) && !errors.Is(err, pie.ErrTooLarge) {
			t.Fatalf("error of no kind: %v", err)
		}
		return
	}
	_, _ = p.AggregatorFact(version.Pedersen)
	fact, err := p.SharpFact(version.Pedersen)
	if err != nil {
		if !errors.Is(err, pie.ErrMalformed) {
			t.Fatal(err)
		}
		return
	}
	again := read(t, written(t, p))
	if d := cmp.Diff(p, again, found, cmpopts.EquateEmpty()); d != "" ||
		must(again.SharpFact(version.Pedersen)) != fact {
		t.Fatal("written and read again it is another: ", d)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(written(f, sample()))
	f.Add(written(f, paged()))
	f.Fuzz(check)
}

// FuzzFile replaces one file of a PIE: a whole zip rarely keeps its checksums when it is changed.
func FuzzFile(f *testing.F) {
	names := []string{"version.json", "metadata.json", "additional_data.json", "execution_resources.json", "memory.bin"}
	for i, name := range names {
		f.Add(byte(i), contents(f, written(f, paged()), name))
	}
	f.Fuzz(func(t *testing.T, file byte, content []byte) {
		check(t, zipped(t, paged(), names[int(file)%len(names)], append([]byte{}, content...)))
	})
}

func FuzzNewFact(f *testing.F) {
	f.Add([]byte{3}, []byte{})
	f.Add([]byte{1, 2}, []byte{2, 2})
	f.Add([]byte{1, 1, 1}, []byte{1, 0, 2, 2, 0, 2})
	f.Fuzz(func(t *testing.T, sizes, tree []byte) {
		var pages []uint64
		var pairs []int
		n := 0
		for _, s := range sizes {
			pages, n = append(pages, uint64(s)), n+int(s)
		}
		for _, b := range tree {
			pairs = append(pairs, int(int8(b)))
		}
		if _, err := pie.NewFact(felt.Zero, make([]felt.Felt, n), pages, pairs); err != nil &&
			!errors.Is(err, pie.ErrMalformed) {
			t.Fatalf("error of no kind: %v", err)
		}
		if _, err := pie.NewFact(felt.Zero, make([]felt.Felt, n+1), append(bytes64(pages), 0), pairs); err == nil {
			t.Fatal("a word on no page is left out")
		}
	})
}

func bytes64(p []uint64) []uint64 { return append([]uint64{}, p...) }

// BenchmarkRead compares reading a PIE with unpacking its memory only, which no reader can do without.
func BenchmarkRead(b *testing.B) {
	p := sample()
	p.Output = make([]felt.Felt, 100_000)
	raw := written(b, p)
	b.Run("unpack", func(b *testing.B) {
		for b.Loop() {
			contents(b, raw, "memory.bin")
		}
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			read(b, raw)
		}
	})
}
