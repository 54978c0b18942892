package stateless_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/starknettest"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/stateless"
)

func genFelt() *rapid.Generator[felt.Felt] {
	return rapid.Custom(func(t *rapid.T) felt.Felt {
		var f felt.Felt
		n := rapid.IntRange(0, 31).Draw(t, "bytes")
		copy(f[32-n:], rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "digits"))
		return f
	})
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		pool := rapid.SliceOfN(genFelt(), 1, 60).Draw(t, "pool")
		words := rapid.SliceOfN(rapid.SampledFrom(pool), 0, 400).Draw(t, "words")
		packed, err := stateless.Compress(words)
		if err != nil {
			t.Fatal(err)
		}
		padding := make([]felt.Felt, rapid.IntRange(0, 3).Draw(t, "padding"))
		got, rest, err := stateless.Decompress(append(slices.Clone(packed), padding...), len(words))
		if err != nil || !slices.Equal(got, words) || len(rest) != len(padding) {
			t.Fatalf("got %d words (want %d), %d left (want %d), %v",
				len(got), len(words), len(rest), len(padding), err)
		}
		c := stateless.NewCounter()
		for _, w := range words {
			c.Add(w)
		}
		c.Add(felt.FromUint64(12345))
		c.Remove(felt.FromUint64(12345))
		if c.Compressed() != len(packed) {
			t.Fatalf("counter says %d words, it takes %d", c.Compressed(), len(packed))
		}
	})
}

// A real segment of Sepolia: decompressing and compressing again gives the same words.
func TestSepoliaSegment(t *testing.T) {
	t.Parallel()
	var segment []felt.Felt
	starknettest.ReadTarJSON(t, "stateless_compressed_state_update.json", &segment, "batch_8373665", "8373665.tar.gz")
	words, rest, err := stateless.Decompress(segment, stateless.MaxWords)
	if err != nil {
		t.Fatal(err)
	}
	again, err := stateless.Compress(words)
	if err != nil || !slices.Equal(again, segment[:len(segment)-len(rest)]) {
		t.Fatalf("compressed again it has %d words, want %d; %v", len(again), len(segment)-len(rest), err)
	}
	if len(rest) > 0 {
		t.Errorf("%d words are left", len(rest))
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	packed, err := stateless.Compress(slices.Repeat([]felt.Felt{felt.FromUint64(7)}, 1000))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := stateless.Decompress(packed, 999); err == nil {
		t.Error("1000 words were taken where 999 are allowed")
	}
	for i := range packed {
		if _, _, err := stateless.Decompress(packed[:i], 1000); err == nil {
			t.Errorf("the first %d of %d words were taken", i, len(packed))
		}
	}
	if _, err := stateless.Compress(make([]felt.Felt, stateless.MaxWords+1)); err == nil {
		t.Error("more than MaxWords words were taken")
	}
}

func FuzzDecompress(f *testing.F) {
	packed, _ := stateless.Compress(
		[]felt.Felt{felt.FromUint64(1), felt.MinusOne(), felt.FromUint64(1), felt.FromUint64(1 << 40)})
	f.Add(felt.Concat(packed))
	f.Add(felt.Concat(append(packed, felt.Zero)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		words, err := felt.Split(raw)
		if err != nil {
			return
		}
		got, _, err := stateless.Decompress(words, 1<<12)
		if err != nil {
			return
		}
		if len(got) > 1<<12 {
			t.Fatalf("%d words", len(got))
		}
		packed, err := stateless.Compress(got)
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := stateless.Decompress(packed, 1<<12)
		if err != nil || !slices.Equal(again, got) {
			t.Fatalf("not the same after compressing again: %v", err)
		}
	})
}
