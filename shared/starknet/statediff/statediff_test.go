package statediff_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/statediff"
)

// The DA words that protocol.md lists.
func TestWords(t *testing.T) {
	t.Parallel()
	class := felt.FromUint64(0xc1a55)
	tests := []struct {
		class  bool
		nonce  uint64
		writes int
		packed bool
		want   string
	}{
		{true, 20, 255, true, "21503"},
		{true, 1000, 256, true, "73786976294838206465025"},
		{false, 15, 2025, true, "1106804644422573105060"},
		{true, 1, 0, false, "340282366920938463481821351505477763072"},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			t.Parallel()
			nonce := felt.FromUint64(tt.nonce)
			c := &statediff.Contract{Nonce: &nonce, Storage: map[felt.Felt]felt.Felt{}}
			if tt.class {
				c.Class = &class
			}
			for i := range tt.writes {
				c.Storage[felt.FromUint64(uint64(i))] = felt.FromUint64(1)
			}
			d := statediff.New()
			d.Contracts[felt.FromUint64(9)] = c
			words, err := statediff.Words(d, statediff.Format{PackedWord: tt.packed}, nil)
			if err != nil || words[2].Big().String() != tt.want {
				t.Fatalf("got %s, %v, want %s", words[2].Big(), err, tt.want)
			}
		})
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	tests := map[string]statediff.Format{
		"0.13.1":   {},
		"0.13.2.1": {},
		"0.13.3":   {PackedWord: true},
		"0.13.4":   {PackedWord: true, Aliases: true},
		"0.13.5":   {PackedWord: true, Aliases: true, Stateless: true},
		"0.14.1":   {PackedWord: true, Aliases: true, Stateless: true},
		"0.14.2":   {PackedWord: true, Aliases: true, Stateless: true},
	}
	for v, want := range tests {
		if got, err := statediff.FormatOf(v); err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", v, got, err, want)
		}
	}
	for _, v := range []string{"", "0.13", "0.13.0", "0.12.3", "0.14.1.2", "0.14.99", "0.15.0", "1.0.0",
		"0.13.x", "0.13.5.1.1", "0.13.-5"} {
		if _, err := statediff.FormatOf(v); err == nil {
			t.Errorf("%q is taken", v)
		}
	}
}

func TestNonceOfMoreThan64Bits(t *testing.T) {
	t.Parallel()
	n := felt.MinusOne()
	d := statediff.New()
	d.Contracts[felt.FromUint64(1000)] = &statediff.Contract{Nonce: &n}
	if _, err := statediff.Words(d, statediff.Format{PackedWord: true}, nil); err == nil {
		t.Error("it was encoded")
	}
}

func TestMissingAlias(t *testing.T) {
	t.Parallel()
	d := statediff.Squash(block.StateUpdate{Diff: block.StateDiff{Storage: []block.ContractStorage{
		{Address: felt.FromUint64(1000),
			Entries: []block.StorageEntry{{Key: felt.FromUint64(5), Value: felt.FromUint64(1)}}},
		{Address: felt.FromUint64(1),
			Entries: []block.StorageEntry{{Key: felt.FromUint64(5000), Value: felt.FromUint64(1)}}},
	}}})
	if got := d.AliasKeys(); !slices.Equal(got, []felt.Felt{felt.FromUint64(1000)}) {
		t.Errorf("aliases wanted of %v", got)
	}
	if _, err := d.WithAliases(nil); !errors.Is(err, statediff.ErrNoAlias) {
		t.Errorf("got %v", err)
	}
	a, err := d.WithAliases(map[felt.Felt]felt.Felt{felt.FromUint64(1000): felt.FromUint64(130)})
	if err != nil || a.Contracts[felt.FromUint64(130)] == nil || len(a.Contracts[felt.FromUint64(1)].Storage) != 1 {
		t.Errorf("got %+v, %v", a, err)
	}
}

// small is a felt of few values, so that blocks touch the same things.
func small(from, to int) *rapid.Generator[felt.Felt] {
	return rapid.Custom(
		func(t *rapid.T) felt.Felt { return felt.FromUint64(uint64(rapid.IntRange(from, to).Draw(t, "n"))) })
}

func genUpdate() *rapid.Generator[block.StateUpdate] {
	return rapid.Custom(func(t *rapid.T) block.StateUpdate {
		var d block.StateDiff
		for range rapid.IntRange(0, 4).Draw(t, "contracts") {
			c := block.ContractStorage{Address: small(1000, 1005).Draw(t, "address")}
			for range rapid.IntRange(1, 5).Draw(t, "writes") {
				c.Entries = append(c.Entries,
					block.StorageEntry{Key: small(0, 300).Draw(t, "key"), Value: small(0, 1<<40).Draw(t, "value")})
			}
			d.Storage = append(d.Storage, c)
		}
		for range rapid.IntRange(0, 2).Draw(t, "nonces") {
			d.Nonces = append(d.Nonces, block.NonceUpdate{Address: small(1000, 1008).Draw(t, "address"),
				Nonce: small(1, 1<<30).Draw(t, "nonce")})
		}
		for range rapid.IntRange(0, 1).Draw(t, "deployed") {
			d.Deployed = append(d.Deployed, block.DeployedContract{Address: small(1000, 1010).Draw(t, "address"),
				ClassHash: small(1, 9).Draw(t, "class")})
		}
		for range rapid.IntRange(0, 1).Draw(t, "declared") {
			d.Declared = append(d.Declared, block.DeclaredClass{ClassHash: small(1, 9).Draw(t, "class"),
				CompiledClassHash: small(1, 9).Draw(t, "compiled")})
		}
		return block.StateUpdate{Diff: d}
	})
}

var versions = []string{"0.13.1", "0.13.3", "0.13.4", "0.13.5", "0.14.1", "0.14.2"}

func TestDecodeIsInverse(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f, err := statediff.FormatOf(rapid.SampledFrom(versions).Draw(t, "version"))
		if err != nil {
			t.Fatal(err)
		}
		d := statediff.Squash(rapid.SliceOfN(genUpdate(), 0, 6).Draw(t, "updates")...)
		r := reads(d, f)
		words, err := statediff.Encode(d, f, r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := statediff.Decode(append(words, felt.Zero, felt.Zero), f)
		if err != nil {
			t.Fatal(err)
		}
		known := map[felt.Felt]felt.Felt{}
		for k, a := range r.Aliases {
			known[a] = k
		}
		again, err := statediff.Encode(got.ResolveAliases(known), f, r)
		if err != nil || !slices.Equal(again, words) {
			t.Fatalf("not the same when encoded again: %v", err)
		}
	})
}

// reads makes up what a chain would answer.
func reads(d *statediff.Diff, f statediff.Format) statediff.Reads {
	r := statediff.Reads{Aliases: map[felt.Felt]felt.Felt{}, Nonces: map[felt.Felt]felt.Felt{}}
	if f.Aliases {
		for i, k := range d.AliasKeys() {
			r.Aliases[k] = felt.FromUint64(uint64(1<<20 + i))
		}
	}
	if !f.PackedWord {
		for i, k := range d.MissingNonces() {
			r.Nonces[k] = felt.FromUint64(uint64(i))
		}
	}
	return r
}

func TestAccumulatorIsNeverBelow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		version := rapid.SampledFrom(versions).Draw(t, "version")
		f, err := statediff.FormatOf(version)
		if err != nil {
			t.Fatal(err)
		}
		a, err := statediff.NewAccumulator(version)
		if err != nil {
			t.Fatal(err)
		}
		var us []block.StateUpdate
		for range rapid.IntRange(0, 8).Draw(t, "blocks") {
			u := genUpdate().Draw(t, "update")
			us = append(us, u)
			if err := a.Add(u); err != nil {
				t.Fatal(err)
			}
			if rapid.Bool().Draw(t, "saved") {
				b, err := a.MarshalBinary()
				if err != nil {
					t.Fatal(err)
				}
				words := a.Words()
				if a, err = statediff.LoadAccumulator(b); err != nil || a.Words() != words {
					t.Fatalf("loaded again: %v", err)
				}
			}
		}
		d := statediff.Squash(us...)
		words, err := statediff.Encode(d, f, reads(d, f))
		if err != nil {
			t.Fatal(err)
		}
		got := a.Words()
		if got < len(words) || got > len(words)+8 || !f.Aliases && got != len(words) {
			t.Fatalf("%s: estimated %d words, it takes %d", version, got, len(words))
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, v := range versions {
		format, err := statediff.FormatOf(v)
		if err != nil {
			f.Fatal(err)
		}
		d := statediff.Squash(block.StateUpdate{Diff: block.StateDiff{
			Nonces: []block.NonceUpdate{{Address: felt.FromUint64(20), Nonce: felt.FromUint64(3)}}}})
		words, err := statediff.Encode(d, format, statediff.Reads{})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(v, felt.Concat(words))
	}
	f.Fuzz(func(t *testing.T, version string, raw []byte) {
		format, err := statediff.FormatOf(version)
		if err != nil {
			return
		}
		words, err := felt.Split(raw)
		if err != nil {
			return
		}
		d, err := statediff.Decode(words, format)
		if err != nil {
			return
		}
		if _, err := statediff.Words(d, format, nil); err != nil {
			t.Fatalf("decoded but not encoded again: %v", err)
		}
	})
}

func FuzzLoadAccumulator(f *testing.F) {
	a, err := statediff.NewAccumulator("0.13.5")
	if err != nil {
		f.Fatal(err)
	}
	if err := a.Add(block.StateUpdate{Diff: block.StateDiff{
		Nonces: []block.NonceUpdate{{Address: felt.FromUint64(2000), Nonce: felt.FromUint64(3)}}}}); err != nil {
		f.Fatal(err)
	}
	b, err := a.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := statediff.LoadAccumulator(raw)
		if err == nil && a.Words() < 2 {
			t.Fatalf("%d words", a.Words())
		}
	})
}

// BenchmarkAdd adds one block to a batch that has 1, 100 and 1,000: the cost stays the same.
func BenchmarkAdd(b *testing.B) {
	one := func(n int) block.StateUpdate {
		var d block.StateDiff
		for i := range 20 {
			c := block.ContractStorage{Address: felt.FromUint64(uint64(1000 + (n*7+i)%5000))}
			for k := range 5 {
				c.Entries = append(c.Entries, block.StorageEntry{Key: felt.FromUint64(uint64(n*5 + k + 1000)),
					Value: felt.FromUint64(uint64(n*1000 + i))})
			}
			d.Storage = append(d.Storage, c)
		}
		return block.StateUpdate{Number: uint64(n), Diff: d}
	}
	for _, size := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("blocks=%d", size), func(b *testing.B) {
			a, err := statediff.NewAccumulator("0.13.5")
			if err != nil {
				b.Fatal(err)
			}
			for n := range size {
				if err := a.Add(one(n)); err != nil {
					b.Fatal(err)
				}
			}
			last := one(size)
			b.ResetTimer()
			for b.Loop() {
				if err := a.Add(last); err != nil {
					b.Fatal(err)
				}
				if a.Words() == 0 {
					b.Fatal("no words")
				}
			}
		})
	}
}
