package snosrunner_test

import (
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/blocks"
	"github.com/madara-orchestrator/orchestrator/shared/dev/snosrunner"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/statediff"
)

// Case P10: a chain that allots no aliases (starknet-devnet 0.8.1) is run all the same. The aliases that two batches
// give are those that the OS would give: in order of the blocks, each key once, the counter at key 0.
func TestAliasesAreAllotted(t *testing.T) {
	t.Parallel()
	src := blocks.New(nil, "SN_DEV")
	var prev *blocks.Block
	for i := range 6 {
		b := blocks.Next(prev, time.Unix(int64(i), 0))
		b.Header.StarknetVersion = "0.14.2"
		if err := src.Add(b); err != nil {
			t.Fatal(err)
		}
		prev = &b
	}
	store := memory.NewArtifacts(nil)
	r, err := snosrunner.New(snosrunner.Options{Source: src, Artifacts: store, Calldata: true})
	if err != nil {
		t.Fatal(err)
	}
	given := map[felt.Felt]felt.Felt{}
	next := uint64(128)
	for n, span := range [][2]uint64{{0, 2}, {3, 5}} {
		task := snos.Task{
			ID:           []string{"a", "b"}[n],
			Kind:         snos.Run,
			Batch:        uint64(n + 1),
			StartBlock:   span[0],
			EndBlock:     span[1],
			OutputPrefix: artifact.SNOSPrefix(uint64(n+1), 0),
		}
		run(t, r, task)
		d, err := statediff.Decode(words(t, store, task.OutputPrefix+artifact.DASegment), must(t, "0.14.2"))
		if err != nil {
			t.Fatal(err)
		}
		c := d.Contracts[statediff.AliasContract]
		if c == nil || len(c.Storage) < 4 {
			t.Fatalf("batch %d: aliases %+v", n+1, c)
		}
		next += uint64(len(c.Storage) - 1)
		if got := c.Storage[felt.Zero]; got != felt.FromUint64(next) {
			t.Errorf("batch %d: the counter is %s, want %d", n+1, got, next)
		}
		for k, v := range c.Storage {
			if k.IsZero() {
				continue
			}
			if old, twice := given[k]; twice {
				t.Errorf("key %s has alias %s and again %s", k, old, v)
			}
			given[k] = v
		}
	}
	// Block 0 writes keys 1 and 0x200 of contract 0x100: the larger key first in line, then the address.
	if given[felt.FromUint64(0x200)] != felt.FromUint64(128) || given[felt.FromUint64(0x100)] != felt.FromUint64(129) {
		t.Errorf("aliases of block 0: %v", given)
	}
}

func must(t *testing.T, version string) statediff.Format {
	t.Helper()
	f, err := statediff.FormatOf(version)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
