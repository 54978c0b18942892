package setup_test

import (
	"context"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/l1"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
)

// check is that of the fake's core contract and wallet.
func check(app setup.App, chain versions, chainOfWallet *l1.Chain) admin.Check {
	return setup.ContractsCheck(app.Contracts("0xc0de", "wei", chain,
		func(context.Context) (settlement.Contract, setup.Wallet, error) {
			return chainOfWallet, setup.Wallet{Chain: chainOfWallet}, nil
		}))
}

// versions is a chain whose blocks have these Starknet versions.
type versions []string

func (v versions) Head(context.Context) (uint64, error) {
	if len(v) == 0 {
		return 0, block.ErrNotFound
	}
	return uint64(len(v) - 1), nil
}

func (v versions) Headers(_ context.Context, from, to uint64) (hs []block.Header, err error) {
	for n := from; n <= to; n++ {
		hs = append(hs, block.Header{Number: n, StarknetVersion: v[n]})
	}
	return hs, nil
}

// The check reports what the core contract holds, what is expected at the version of the next block to settle, and what
// must be done before anything can settle.
func TestContractsCheck(t *testing.T) {
	t.Parallel()
	hash := func(v string) (settlement.Needs, error) {
		switch v {
		case "0.14.2":
			return settlement.Needs{ConfigHash: felt.FromUint64(2)}, nil
		case "0.14.3":
			return settlement.Needs{ConfigHash: felt.FromUint64(3)}, nil
		case "0.14.4":
			return settlement.Needs{ConfigHash: felt.FromUint64(3), ProgramHash: felt.FromUint64(40)}, nil
		}
		return settlement.Needs{}, errors.New("version " + v + " is not known")
	}
	settled := settlement.State{Settled: true, Block: 0}
	for name, tt := range map[string]struct {
		chain    versions
		state    settlement.State
		contract uint64
		hash     func(string) (settlement.Needs, error)
		detail   string
		fault    string
	}{
		"equal": {versions{"0.14.2", "0.14.2"}, settled, 2, hash, "config hash 0x2 (right)", ""},
		"cutover": {versions{"0.14.2", "0.14.3"}, settled, 2, hash, "config hash 0x2 (wrong)",
			"config hash: the core contract has 0x2, want 0x3 for block 1 of Starknet 0.14.3"},
		"before cutover":  {versions{"0.14.2", "0.14.2", "0.14.3"}, settled, 2, hash, "config hash 0x2 (right)", ""},
		"nothing settled": {versions{"0.14.2"}, settlement.State{}, 2, hash, "nothing is settled", ""},
		"all is settled":  {versions{"0.14.2"}, settled, 2, hash, "config hash 0x2 (right)", ""},
		"no block yet":    {nil, settlement.State{}, 2, hash, "config hash 0x2 (unknown)", ""},
		"unknown version": {versions{"0.15.0"}, settlement.State{}, 2, hash, "config hash 0x2 (wrong)",
			"version 0.15.0 is not known"},
		"it is not asked": {versions{"0.14.2"}, settlement.State{}, 9, nil, "config hash 0x9 (unknown)", ""},
		"another program": {versions{"0.14.4"}, settlement.State{}, 3, hash, "program hash 0x0 (wrong)",
			"want 0x28 for block 0 of Starknet 0.14.4. The contract's owner must set it"},
		"another contract": {versions{"0.14.2"}, settlement.State{}, 9, hash,
			"config hash 0x9 (wrong)", "CHAIN_FEE_TOKEN_ADDRESS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l1 := l1.New(nil,
				l1.Config{Initial: tt.state, Core: settlement.Config{ConfigHash: felt.FromUint64(tt.contract)}})
			detail, err := check(setup.App{Needs: tt.hash}, tt.chain, l1).Look(t.Context())
			if !strings.Contains(detail, tt.detail) || (err == nil) != (tt.fault == "") ||
				err != nil && !strings.Contains(err.Error(), tt.fault) {
				t.Errorf("%q, %v; want %q and %q", detail, err, tt.detail, tt.fault)
			}
		})
	}
}

// It reports address and balance of the wallet, and what must be done before it can settle.
func TestContractsCheck_Wallet(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		config l1.Config
		detail string
		fault  string
	}{
		"can settle": {l1.Config{Wallet: "0xa", Balance: big.NewInt(5)}, "0xa holds 5 wei", ""},
		"no operator": {l1.Config{Wallet: "0xa", NotOperator: true}, "0xa holds ",
			"must register the wallet as an operator: 0xa"},
		"empty": {l1.Config{Wallet: "0xa", Balance: new(big.Int)}, "0xa holds 0 wei", "Send funds"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			detail, err := check(setup.App{}, versions{"0.14.2"}, l1.New(nil, tt.config)).Look(t.Context())
			if !strings.Contains(detail, tt.detail) || (err == nil) != (tt.fault == "") ||
				err != nil && !strings.Contains(err.Error(), tt.fault) {
				t.Errorf("%q, %v; want %q and %q", detail, err, tt.detail, tt.fault)
			}
		})
	}
	closed := errors.New("no key")
	check := setup.ContractsCheck(setup.App{}.Contracts("0xc0de", "wei", versions{},
		func(context.Context) (settlement.Contract, setup.Wallet, error) { return nil, setup.Wallet{}, closed }))
	if _, err := check.Look(t.Context()); !errors.Is(err, closed) {
		t.Errorf("got %v, want %v", err, closed)
	}
}
