package l1_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/blocks"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/l1"
)

// chain returns n generated blocks.
func chain(t *testing.T, n int) []blocks.Block {
	t.Helper()
	var out []blocks.Block
	var prev *blocks.Block
	for range n {
		b := blocks.Next(prev, time.Unix(1_700_000_000, 0))
		out, prev = append(out, b), &b
	}
	return out
}

func update(batch uint64, blocks []blocks.Block, blobs int) settlement.Update {
	first, last := blocks[0], blocks[len(blocks)-1]
	u := settlement.Update{
		Batch: batch, StartBlock: first.Header.Number, EndBlock: last.Header.Number,
		ProgramOutput: l1.ProgramOutput(first, last, blobs),
	}
	for range blobs {
		u.Blobs = append(u.Blobs, []byte("blob"))
	}
	return u
}

// encode encodes an update for the contract as it is.
func encode(t *testing.T, l *l1.Chain, u settlement.Update) (tx.Payload, error) {
	t.Helper()
	return l.Encode(t.Context(), u, must(l.State(t.Context(), false))(t), must(l.Config(t.Context()))(t))
}

func TestContract(t *testing.T) {
	t.Parallel()
	blocks := chain(t, 10)
	l := l1.New(nil, l1.Config{Facts: true})
	first := must(encode(t, l, update(1, blocks[:5], 2)))(t)
	var revert *tx.RevertError
	if _, err := l.Simulate(t.Context(), first); !errors.As(err, &revert) ||
		revert.Code != "NO_STATE_TRANSITION_PROOF" {
		t.Errorf("Simulate without a proof: %v", err)
	}
	l.RegisterFact(1)
	l.RegisterFact(2)
	l.MineEmpty(1)
	gas := must(l.Simulate(t.Context(), first))(t).Gas
	hash, err := put(t, l, first, 0, fees(4, 2))
	if err != nil {
		t.Fatal(err)
	}
	l.Mine()
	if s := phase(t, l, hash, tx.Included); !s.Success || s.GasUsed != gas {
		t.Errorf("status %+v, simulated gas %d", s, gas)
	}
	want := settlement.State{Settled: true, Block: 4, Root: blocks[4].Header.NewRoot, BlockHash: blocks[4].Header.Hash}
	if got := must(l.State(t.Context(), false))(t); got != want {
		t.Errorf("state %+v, want %+v", got, want)
	}
	if got := must(l.State(t.Context(), true))(t); got.Settled {
		t.Errorf("finalized state %+v", got)
	}
	// The same again, as a crash would send it, reverts and costs.
	hash, _ = put(t, l, first, 1, fees(4, 2))
	l.Mine()
	if s := phase(t, l, hash, tx.Included); s.Success || s.Revert == nil ||
		s.Revert.Code != "INVALID_PREV_BLOCK_NUMBER" {
		t.Errorf("status of the repeated update: %+v, %v", s, s.Revert)
	}
	l.Intrude(must(encode(t, l, update(2, blocks[5:], 0)))(t), false)
	l.Mine()
	if err := l.CheckHistory(); err != nil {
		t.Error(err)
	}
	if h := l.History(); len(h) != 2 || h[0].Update.Batch != 1 || h[0].Blobs != 2 || h[1].Update.EndBlock != 9 {
		t.Errorf("history %+v", h)
	}
	if _, err := l.Reorg(1, true); err != nil || len(l.History()) != 1 {
		t.Errorf("history after the reorg has %d updates, %v", len(l.History()), err)
	}
}

func TestContract_EncodeRefuses(t *testing.T) {
	t.Parallel()
	blocks := chain(t, 10)
	settled := settlement.State{Settled: true, Block: 4, Root: blocks[4].Header.NewRoot,
		BlockHash: blocks[4].Header.Hash}
	l := l1.New(nil,
		l1.Config{Initial: settled, Core: settlement.Config{ConfigHash: felt.Zero, ProgramHash: felt.FromUint64(9)}})
	for code, change := range map[string]func(*settlement.Update){
		"":                          func(*settlement.Update) {},
		"INVALID_PREV_BLOCK_NUMBER": func(u *settlement.Update) { *u = update(2, blocks[6:], 0) },
		"INVALID_PREVIOUS_ROOT":     func(u *settlement.Update) { u.ProgramOutput[0] = felt.FromUint64(1) },
		"INVALID_PREV_BLOCK_HASH":   func(u *settlement.Update) { u.ProgramOutput[4] = felt.FromUint64(1) },
		"INVALID_BLOCK_NUMBER":      func(u *settlement.Update) { u.EndBlock-- },
		"STARKNET_OUTPUT_TOO_SHORT": func(u *settlement.Update) { u.ProgramOutput = u.ProgramOutput[:5] },
		"INVALID_NUMBER_OF_KZG_PROOFS": func(u *settlement.Update) {
			u.ProgramOutput[8], u.ProgramOutput[11] = felt.FromUint64(1), felt.FromUint64(3)
		},
		"AGGREGATOR_MODE_INVALID_OS_PROGRAM_HASH": func(
			u *settlement.Update) {
			u.ProgramOutput[6] = felt.FromUint64(8)
		},
	} {
		u := update(2, blocks[5:], 0)
		change(&u)
		_, err := encode(t, l, u)
		var invalid *settlement.InvalidError
		if code == "" && err != nil || code != "" && (!errors.As(err, &invalid) || invalid.Code != code) {
			t.Errorf("Encode: %v, want %q", err, code)
		}
	}
	other := l1.New(nil, l1.Config{NotOperator: true})
	if _, err := encode(t, other, update(1, blocks[:5], 0)); err == nil ||
		!strings.Contains(err.Error(), "ONLY_OPERATOR") {
		t.Errorf("Encode of a wallet that is not an operator: %v", err)
	}
}

func TestContract_RevertsOnOtherGenesis(t *testing.T) {
	t.Parallel()
	l := l1.New(nil, l1.Config{Initial: settlement.State{Root: felt.FromUint64(77)}})
	p := must(encode(t, l, update(1, chain(t, 2), 0)))(t)
	var revert *tx.RevertError
	if _, err := l.Simulate(t.Context(), p); !errors.As(err, &revert) || revert.Code != "INVALID_PREVIOUS_ROOT" {
		t.Errorf("Simulate: %v", err)
	}
	if _, err := l.Simulate(t.Context(), tx.Payload{To: p.To, Data: []byte("?")}); !errors.As(err, &revert) {
		t.Errorf("Simulate of an unknown call: %v", err)
	}
}
