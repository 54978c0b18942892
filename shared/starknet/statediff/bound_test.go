package statediff_test

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/starknettest"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/statediff"
)

// weighed is a block's weight state_diff_size as the sequencer counts it while it executes transactions
// (starkware-libs/sequencer, blockifier, get_onchain_data_segment_length): what the OS itself writes afterwards, the
// hash of an old block (contract 1) and aliases (contract 2), is not in it.
func weighed(d block.StateDiff) block.Weights {
	touched := map[felt.Felt]bool{}
	size := 2 * (len(d.Declared) + len(d.MigratedCompiledHash))
	for _, c := range d.Storage {
		if c.Address == felt.FromUint64(1) || c.Address == statediff.AliasContract {
			continue
		}
		touched[c.Address] = true
		size += 2 * len(c.Entries)
	}
	for _, c := range d.Deployed {
		touched[c.Address] = true
		size++
	}
	for _, c := range d.Replaced {
		touched[c.Address] = true
		size++
	}
	for _, c := range d.Nonces {
		touched[c.Address] = true
	}
	return block.Weights{StateDiffSize: uint64(size + 2*len(touched))}
}

// bounded checks after each block of a batch that its words are at most those by the weights. It returns how many times
// as large the bound is in the end.
func bounded(t *testing.T, version string, us []block.StateUpdate) float64 {
	t.Helper()
	a, err := statediff.NewAccumulator(version)
	if err != nil {
		t.Fatal(err)
	}
	most := batch.FirstDAWords
	for i, u := range us {
		if err := a.Add(u); err != nil {
			t.Fatal(err)
		}
		w := weighed(u.Diff)
		if most += batch.DAWordsAtMost(w); a.Words() > most {
			t.Fatalf("%d blocks, the last of size %d: %d words, by weights at most %d", i+1, w.StateDiffSize, a.Words(),
				most)
		}
	}
	return float64(most) / float64(a.Words())
}

// Real blocks never have more DA words than their weights say: 500 of Sepolia as one batch and each alone, and three of
// the mainnet in the encoding before 0.13.3.
func TestWeightsBoundRealWords(t *testing.T) {
	t.Parallel()
	all := updates(t)
	t.Logf("500 blocks: the bound is %.2f times the words", bounded(t, "0.13.5", all))
	t.Logf("10 blocks: the bound is %.2f times the words", bounded(t, "0.13.5", all[:10]))
	for _, u := range all {
		bounded(t, "0.13.5", []block.StateUpdate{u})
	}
	for _, n := range []uint64{178, 631861, 640641} {
		u, err := appchain.ParseStateUpdate(n, starknettest.Read(t, "state_update", strconv.FormatUint(n, 10)+".json"))
		if err != nil {
			t.Fatal(err)
		}
		bounded(t, "0.13.1", []block.StateUpdate{u})
	}
}

// The worst that a block can be for the bound: every address and key is new and gets an alias, and no value repeats.
func TestWeightsBoundNewKeys(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	next, closest := uint64(128), math.Inf(1)
	for range 60 {
		aliases := block.ContractStorage{Address: statediff.AliasContract}
		wide := func() felt.Felt {
			f := felt.FromUint64(rng.Uint64())
			for i := 1; i < 24; i++ {
				f[i] = byte(rng.Uint32())
			}
			return f
		}
		fresh := func() felt.Felt {
			f := wide()
			aliases.Entries = append(aliases.Entries, block.StorageEntry{Key: f, Value: felt.FromUint64(next)})
			next++
			return f
		}
		var us []block.StateUpdate
		for n := range uint64(1 + rng.IntN(5)) {
			aliases.Entries = nil
			d := block.StateDiff{Storage: []block.ContractStorage{{Address: felt.FromUint64(1),
				Entries: []block.StorageEntry{{Key: felt.FromUint64(n + 1), Value: wide()}}}}}
			for range rng.IntN(4) {
				c := block.ContractStorage{Address: fresh()}
				for range rng.IntN(120) {
					c.Entries = append(c.Entries, block.StorageEntry{Key: fresh(), Value: wide()})
				}
				d.Storage = append(d.Storage, c)
				d.Deployed = append(d.Deployed, block.DeployedContract{Address: c.Address, ClassHash: wide()})
			}
			for range rng.IntN(3) {
				d.Declared = append(d.Declared, block.DeclaredClass{ClassHash: wide(), CompiledClassHash: wide()})
			}
			aliases.Entries = append(aliases.Entries, block.StorageEntry{Value: felt.FromUint64(next)})
			d.Storage = append(d.Storage, aliases)
			us = append(us, block.StateUpdate{Number: n, Diff: d})
		}
		closest = min(closest, bounded(t, "0.14.0", us))
	}
	if closest > 1.25 {
		t.Errorf("the bound is at least %.2f times the words of the worst blocks, want at most 1.25", closest)
	}
}
