package blocks_test

import (
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault/faulttest"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/block/blocktest"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/blocks"
)

func TestBlocks(t *testing.T) {
	t.Parallel()
	b := blocks.New(nil, "SN_MEMORY")
	if err := b.Grow(30, faulttest.NewClock().Now(), time.Second); err != nil {
		t.Fatal(err)
	}
	blocktest.TestSource(t,
		blocktest.Harness{Source: b, ChainID: "SN_MEMORY", Last: 29, MaxRange: blocks.MaxRange, Cancelable: true})
}

func TestBlocks_Messages(t *testing.T) {
	t.Parallel()
	b := blocks.New(nil, "SN_MEMORY")
	messages := block.Messages{
		ToL1: []block.MessageToL1{{From: felt.FromUint64(1), Payload: []felt.Felt{felt.FromUint64(2)}}}}
	var prev *blocks.Block
	for range 3 {
		d := blocks.Next(prev, faulttest.NewClock().Now())
		d.Messages = messages
		if err := b.Add(d); err != nil {
			t.Fatal(err)
		}
		prev = &d
	}
	blocktest.TestSource(t, blocktest.Harness{
		Source: b, ChainID: "SN_MEMORY", Last: 2, Cancelable: true,
		Messages: func(uint64) block.Messages { return messages },
	})
}

func TestBlocks_GrowingHead(t *testing.T) {
	t.Parallel()
	env, c := faulttest.Env(fault.Rule{Method: "Head", Nth: 2, Fault: fault.Fault{Kind: fault.Stale}})
	b := blocks.New(env, "SN_MEMORY")
	if err := b.Grow(2, c.Now(), time.Second); err != nil {
		t.Fatal(err)
	}
	for i, want := range []uint64{1, 0, 1} {
		if got := faulttest.Must(b.Head(t.Context()))(t); got != want {
			t.Errorf("head %d is %d, want %d", i, got, want)
		}
	}
	first := blocks.Next(nil, c.Now())
	if err := b.Add(blocks.Next(&first, c.Now())); err == nil {
		t.Error("a block that does not follow was added")
	}
	got := faulttest.Must(b.StateUpdates(t.Context(), 0, 0))(t)
	got[0].Diff.Storage[0].Entries[0].Value = felt.FromUint64(99)
	if again := faulttest.Must(b.StateUpdates(t.Context(), 0, 0))(
		t); again[0].Diff.Storage[0].Entries[0].Value == felt.FromUint64(99) {
		t.Error("a caller changed the chain")
	}
}
