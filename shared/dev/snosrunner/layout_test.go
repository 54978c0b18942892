package snosrunner_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/dev/snosrunner"
)

func anyFelt(t *rapid.T, name string) felt.Felt {
	return felt.FromUint64(rapid.Uint64().Draw(t, name))
}

func list[T any](t *rapid.T, name string, one func() T) []T {
	var out []T
	for range rapid.IntRange(0, 3).Draw(t, name) {
		out = append(out, one())
	}
	return out
}

func TestDiffRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := func() felt.Felt { return anyFelt(t, "felt") }
		in := snosrunner.Diff{Version: rapid.StringMatching(`0\.1[34]\.[0-9]`).Draw(t, "version"),
			Diff: block.StateDiff{
				Storage: list(t, "contracts", func() block.ContractStorage {
					return block.ContractStorage{Address: f(), Entries: list(t, "entries", func() block.StorageEntry {
						return block.StorageEntry{Key: f(), Value: f()}
					})}
				}),
				Deployed: list(t, "deployed",
					func() block.DeployedContract { return block.DeployedContract{Address: f(), ClassHash: f()} }),
				Replaced: list(t, "replaced",
					func() block.ReplacedClass { return block.ReplacedClass{Address: f(), ClassHash: f()} }),
				Nonces: list(t, "nonces",
					func() block.NonceUpdate { return block.NonceUpdate{Address: f(), Nonce: f()} }),
				Declared: list(t, "declared", func() block.DeclaredClass {
					return block.DeclaredClass{ClassHash: f(), CompiledClassHash: f()}
				}),
				DeprecatedDeclared: list(t, "deprecated", f),
				MigratedCompiledHash: list(t, "migrated", func() block.MigratedClass {
					return block.MigratedClass{ClassHash: f(), CompiledClassHash: f()}
				}),
			}}
		words, err := snosrunner.EncodeDiff(nil, in)
		if err != nil {
			t.Fatal(err)
		}
		out, err := snosrunner.DecodeDiff(words)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(in, out); d != "" {
			t.Errorf("round trip (-in +out):\n%s", d)
		}
		for _, cut := range []int{0, 1, len(words) / 2, len(words) - 1} {
			if _, err := snosrunner.DecodeDiff(words[:cut]); !errors.Is(err, snosrunner.ErrOutput) {
				t.Errorf("%d of %d words are taken: %v", cut, len(words), err)
			}
		}
		if _, err := snosrunner.DecodeDiff(append(words, felt.Zero)); !errors.Is(err, snosrunner.ErrOutput) {
			t.Errorf("an extra word is taken: %v", err)
		}
	})
}

func FuzzDecodeDiff(f *testing.F) {
	words, err := snosrunner.EncodeDiff(nil, snosrunner.Diff{Version: "0.13.5", Diff: block.StateDiff{
		Storage: []block.ContractStorage{{Entries: []block.StorageEntry{{}}}}, Nonces: []block.NonceUpdate{{}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(felt.Concat(words))
	f.Fuzz(func(t *testing.T, b []byte) {
		words, err := felt.Split(b)
		if err != nil {
			return
		}
		d, err := snosrunner.DecodeDiff(words)
		if err != nil {
			if !errors.Is(err, snosrunner.ErrOutput) {
				t.Errorf("decoder returned %v", err)
			}
			return
		}
		again, err := snosrunner.EncodeDiff(nil, d)
		if err != nil || cmp.Diff(words, again) != "" {
			t.Errorf("what is read writes otherwise: %v", err)
		}
	})
}
