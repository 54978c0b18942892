package setup_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/l1"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
)

// versions is a chain whose blocks have these Starknet versions.
type versions []string

func (v versions) Head(context.Context) (uint64, error) {
	if len(v) == 0 {
		return 0, block.ErrNotFound
	}
	return uint64(len(v) - 1), nil
}

func (v versions) Headers(_ context.Context, from, _ uint64) ([]block.Header, error) {
	return []block.Header{{Number: from, StarknetVersion: v[from]}}, nil
}

// The check reports the expected config hash at the version of the next block to settle, and the one that is found.
func TestConfigCheck(t *testing.T) {
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
		"equal": {versions{"0.14.2", "0.14.2"}, settled, 2, hash,
			"expected 0x2 for block 1 of Starknet 0.14.2; the core contract has 0x2", ""},
		"cutover": {versions{"0.14.2", "0.14.3"}, settled, 2, hash, "expected 0x3 for block 1",
			"config hash is 0x2, the settings have 0x3 (Starknet 0.14.3)"},
		"before cutover":  {versions{"0.14.2", "0.14.2", "0.14.3"}, settled, 2, hash, "expected 0x2 for block 1", ""},
		"nothing settled": {versions{"0.14.2"}, settlement.State{}, 2, hash, "expected 0x2 for block 0", ""},
		"all is settled":  {versions{"0.14.2"}, settled, 2, hash, "expected 0x2 for block 0", ""},
		"no block yet":    {nil, settlement.State{}, 2, hash, "no block yet", ""},
		"unknown version": {versions{"0.15.0"}, settlement.State{}, 2, hash, "the core contract has 0x2",
			"version 0.15.0 is not known"},
		"it is not asked": {versions{"0.14.2"}, settlement.State{}, 9, nil, "not compared", ""},
		"another program": {versions{"0.14.4"}, settlement.State{}, 3, hash, "expected 0x3",
			"must set program hash to 0x28 (it is 0x0)"},
		"another contract": {versions{"0.14.2"}, settlement.State{}, 9, hash,
			"expected 0x2", "CHAIN_FEE_TOKEN_ADDRESS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l1 := l1.New(nil,
				l1.Config{Initial: tt.state, Core: settlement.Config{ConfigHash: felt.FromUint64(tt.contract)}})
			check := setup.App{Needs: tt.hash}.ConfigCheck(tt.chain, l1)
			detail, err := check.Look(t.Context())
			if !strings.Contains(detail, tt.detail) || (err == nil) != (tt.fault == "") ||
				err != nil && !strings.Contains(err.Error(), tt.fault) {
				t.Errorf("%q, %v; want %q and %q", detail, err, tt.detail, tt.fault)
			}
		})
	}
}
