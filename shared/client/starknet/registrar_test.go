package starknet_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/starknet"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	fakestarknet "github.com/madara-orchestrator/orchestrator/shared/dev/fake/starknet"
)

func TestRegistrar(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	facts := must(starknet.NewFacts(b.node, fakestarknet.RegistryAddress.String(), nil))(t)
	r := starknet.NewRegistrar(facts, b.wallet(t, registrar))
	names := []string{"0x" + strings.Repeat("0", 63) + "a", "0x" + strings.Repeat("0", 63) + "b"}
	for range 3 { // again is nothing
		for _, n := range names {
			if err := r.Register(ctx, n); err != nil {
				t.Fatal(err)
			}
		}
	}
	if ok := must(facts.Valid(ctx, names))(t); ok[0] || ok[1] {
		t.Errorf("valid before a block: %v", ok)
	}
	b.Mine(1)
	if ok := must(facts.Valid(ctx, names))(t); !ok[0] || !ok[1] {
		t.Errorf("valid after a block: %v", ok)
	}
	if a := must(b.wallet(t, registrar).Account(ctx, 0))(t); a.Latest != 2 {
		t.Errorf("%d transactions for two facts", a.Latest)
	}
	b.Reject("prices are too low")
	third := "0x" + strings.Repeat("0", 63) + "d"
	for range 4 {
		if err := r.Register(ctx, third); err != nil {
			t.Fatal(err)
		}
		b.Mine(1)
	}
	if ok := must(facts.Valid(ctx, []string{third}))(t); !ok[0] {
		t.Error("a rejected transaction was not replaced")
	}
	var revert *tx.RevertError
	if err := starknet.NewRegistrar(facts, b.wallet(t, thirdParty)).Register(ctx,
		"0x"+strings.Repeat("0", 63)+"c"); !errors.As(err, &revert) || revert.Code != "ONLY_REGISTRAR" {
		t.Errorf("by a third party: %v", err)
	}
	if err := r.Register(ctx, felt.FromUint64(1).String()); err == nil {
		t.Error("a short fact was taken")
	}
}
