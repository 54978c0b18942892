package memory_test

import (
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/block/blocktest"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

func TestBlocks(t *testing.T) {
	t.Parallel()
	b := memory.NewBlocks(nil, "SN_MEMORY")
	if err := b.Grow(30, newClock().Now(), time.Second); err != nil {
		t.Fatal(err)
	}
	blocktest.TestSource(t, blocktest.Harness{Source: b, ChainID: "SN_MEMORY", Last: 29, MaxRange: memory.MaxBlockRange, Cancelable: true})
}

func TestBlocks_Messages(t *testing.T) {
	t.Parallel()
	b := memory.NewBlocks(nil, "SN_MEMORY")
	messages := block.Messages{ToL1: []block.MessageToL1{{From: felt.FromUint64(1), Payload: []felt.Felt{felt.FromUint64(2)}}}}
	var prev *memory.BlockData
	for range 3 {
		d := memory.NextBlock(prev, newClock().Now())
		d.Messages = messages
		if err := b.Add(d); err != nil {
			t.Fatal(err)
		}
		prev = &d
	}
	blocktest.TestSource(t, blocktest.Harness{
		Source: b, ChainID: "SN_MEMORY", Last: 2, Cancelable: true, Messages: func(uint64) block.Messages { return messages },
	})
}

func TestBlocks_GrowingHead(t *testing.T) {
	t.Parallel()
	env, c := faulty(memory.Rule{Method: "Head", Nth: 2, Fault: memory.Fault{Kind: memory.Stale}})
	b := memory.NewBlocks(env, "SN_MEMORY")
	if err := b.Grow(2, c.Now(), time.Second); err != nil {
		t.Fatal(err)
	}
	for i, want := range []uint64{1, 0, 1} {
		if got := must(b.Head(t.Context()))(t); got != want {
			t.Errorf("head %d is %d, want %d", i, got, want)
		}
	}
	first := memory.NextBlock(nil, c.Now())
	if err := b.Add(memory.NextBlock(&first, c.Now())); err == nil {
		t.Error("a block that does not follow was added")
	}
	got := must(b.StateUpdates(t.Context(), 0, 0))(t)
	got[0].Diff.Storage[0].Entries[0].Value = felt.FromUint64(99)
	if again := must(b.StateUpdates(t.Context(), 0, 0))(t); again[0].Diff.Storage[0].Entries[0].Value == felt.FromUint64(99) {
		t.Error("a caller changed the chain")
	}
}
