// Package settlementtest is the conformance suite of settlement.Contract.
package settlementtest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// Harness is a contract under test that waits for one update.
type Harness struct {
	Contract settlement.Contract
	// Before is what the contract holds, which has settled blocks; Update leads from it to After, and its proof is
	// registered.
	Before, After settlement.State
	Update        settlement.Update
	// Send has a transaction with the payload included, and says whether it succeeded.
	Send func(t *testing.T, p tx.Payload) bool
	// Simulate runs the payload, after transactions that wait for a block, without sending it.
	Simulate func(t *testing.T, p tx.Payload, before ...tx.Signed) error
	// Sign signs a transaction with the payload for the wallet's next nonce and sends nothing.
	Sign func(t *testing.T, p tx.Payload) tx.Signed
	// Finalize makes everything that is included final.
	Finalize func()
}

// TestContract tests a contract by the contract of settlement.Contract.
func TestContract(t *testing.T, newHarness func(t *testing.T) Harness) {
	t.Helper()
	for _, c := range []struct {
		name string
		rule func(t *testing.T, h Harness)
	}{{"SettlesOnce", settlesOnce}, {"SimulatesOnThoseThatWait", simulatesOnOthers}, {"Refuses", refuses}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.rule(t, newHarness(t))
		})
	}
}

func state(t *testing.T, h Harness, finalized bool) settlement.State {
	t.Helper()
	s, err := h.Contract.State(t.Context(), finalized)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func config(t *testing.T, h Harness) settlement.Config {
	t.Helper()
	c, err := h.Contract.Config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// settlesOnce sends an update, and the same once more.
func settlesOnce(t *testing.T, h Harness) {
	if got := state(t, h, false); got != h.Before {
		t.Fatalf("state %+v, want %+v", got, h.Before)
	}
	c := config(t, h)
	if !c.Operator {
		t.Error("the wallet is not an operator")
	}
	p, err := h.Contract.Encode(t.Context(), h.Update, h.Before, c)
	if err != nil {
		t.Fatal(err)
	}
	again, err := h.Contract.Encode(t.Context(), h.Update, h.Before, c)
	if d := cmp.Diff(p, again); d != "" || err != nil {
		t.Errorf("the same update, first (-) and again (+): %s, %v", d, err)
	}
	if err := h.Simulate(t, p); err != nil {
		t.Fatalf("simulation: %v", err)
	}
	if got := state(t, h, false); got != h.Before {
		t.Errorf("to encode and simulate changed the state to %+v", got)
	}
	if !h.Send(t, p) {
		t.Fatal("the update was reverted")
	}
	if got := state(t, h, false); got != h.After {
		t.Errorf("state %+v, want %+v", got, h.After)
	}
	if got := state(t, h, true); got == h.After {
		t.Error("the update is final at once")
	}
	h.Finalize()
	if got := state(t, h, true); got != h.After {
		t.Errorf("final state %+v, want %+v", got, h.After)
	}
	var revert *tx.RevertError
	if err := h.Simulate(t, p); !errors.As(err, &revert) || revert.Code == "" {
		t.Errorf("the same update again: %v, want a revert with its code", err)
	}
	if h.Send(t, p) {
		t.Error("the same update was taken twice")
	}
	if got := state(t, h, false); got != h.After {
		t.Errorf("afterwards the state is %+v", got)
	}
}

// simulatesOnOthers simulates an update on top of one that waits.
func simulatesOnOthers(t *testing.T, h Harness) {
	p, err := h.Contract.Encode(t.Context(), h.Update, h.Before, config(t, h))
	if err != nil {
		t.Fatal(err)
	}
	signed := h.Sign(t, p)
	var revert *tx.RevertError
	if err := h.Simulate(t, p, signed); !errors.As(err, &revert) || revert.Refusal != tx.NotYet {
		t.Errorf("the same update after itself: %v, want a refusal because of the block number", err)
	}
	if err := h.Simulate(t, p); err != nil {
		t.Errorf("alone: %v", err)
	}
	if got := state(t, h, false); got != h.Before {
		t.Errorf("to simulate changed the state to %+v", got)
	}
}

// refuses encodes updates that the contract would revert.
func refuses(t *testing.T, h Harness) {
	c := config(t, h)
	for name, change := range map[string]func(*settlement.Update, *settlement.State){
		"another root": func(_ *settlement.Update, s *settlement.State) { s.Root = felt.FromUint64(666) },
		"another block": func(_ *settlement.Update, s *settlement.State) {
			s.Settled, s.Block = true, h.After.Block+5
		},
		"an output cut off": func(u *settlement.Update, _ *settlement.State) {
			u.ProgramOutput = u.ProgramOutput[:5]
		},
		"no output":          func(u *settlement.Update, _ *settlement.State) { u.ProgramOutput = nil },
		"other blocks asked": func(u *settlement.Update, _ *settlement.State) { u.EndBlock += 3 },
	} {
		u, s := h.Update, h.Before
		change(&u, &s)
		var invalid *settlement.InvalidError
		if _, err := h.Contract.Encode(t.Context(), u, s, c); !errors.As(err, &invalid) || invalid.Code == "" {
			t.Errorf("%s: %v, want an InvalidError with the contract's code", name, err)
		}
	}
	if got := state(t, h, false); got != h.Before {
		t.Errorf("the state is %+v", got)
	}
}
