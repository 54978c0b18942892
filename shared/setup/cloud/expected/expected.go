// Package expected is what the chain's settings say that outputs and the core contract must have.
package expected

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/osconfig"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/version"
)

// ConfigHash returns what computes the config hash at a Starknet version: the config hash of Needs.
func ConfigHash(c config.Chain) (func(starknetVersion string) (felt.Felt, error), error) {
	var o osconfig.Config
	var err error
	if o.ChainID, err = osconfig.ParseChainID(c.ID); err != nil {
		return nil, fmt.Errorf("CHAIN_ID: %w", err)
	}
	if o.FeeToken, err = felt.FromHex(c.FeeTokenAddress); err != nil {
		return nil, fmt.Errorf("CHAIN_FEE_TOKEN_ADDRESS: %w", err)
	}
	if o.EthFeeToken, err = felt.FromHex(c.EthFeeTokenAddress); err != nil {
		return nil, fmt.Errorf("CHAIN_ETH_FEE_TOKEN_ADDRESS: %w", err)
	}
	for _, text := range c.DAPublicKeys {
		k, err := felt.FromHex(text)
		if err != nil {
			return nil, fmt.Errorf("CHAIN_DA_PUBLIC_KEYS: %w", err)
		}
		o.PublicKeys = append(o.PublicKeys, k)
	}
	return func(starknetVersion string) (felt.Felt, error) { return osconfig.Hash(starknetVersion, o) }, nil
}

// Needs returns what the core contract must hold at a Starknet version: setup.App's Needs.
func Needs(c config.Config) (func(starknetVersion string) (settlement.Needs, error), error) {
	configHash, err := ConfigHash(c.Chain)
	if err != nil {
		return nil, err
	}
	programs, err := c.Settlement.Programs()
	if err != nil {
		return nil, fmt.Errorf("SETTLEMENT_PROGRAM_HASHES: %w", err)
	}
	from := make([]version.Version, len(programs))
	for i, p := range programs {
		if from[i], err = version.Parse(p.From); err != nil {
			return nil, fmt.Errorf("SETTLEMENT_PROGRAM_HASHES: %w", err)
		}
	}
	return func(starknetVersion string) (settlement.Needs, error) {
		n := settlement.Needs{}
		v, err := version.Check(starknetVersion)
		if err != nil {
			return n, err
		}
		if n.ConfigHash, err = configHash(starknetVersion); err != nil {
			return n, err
		}
		newest := -1
		for i := range programs { // in any order
			if !v.Before(from[i]) && (newest < 0 || from[newest].Before(from[i])) {
				newest = i
			}
		}
		if newest >= 0 {
			n.ProgramHash, n.AggregatorProgramHash = programs[newest].Program, programs[newest].Aggregator
		}
		return n, nil
	}, nil
}

// Versions with different formulas of the config hash that a chain may run today: the last one with Pedersen, the
// newest one with Blake2s.
const (
	beforeBlake = "0.14.2"
	withBlake   = "0.14.4"
)

// Log says at the start of a function which config hashes the settings have and which one the core contract has. A
// contract that can't be read is logged too: it does not keep the function from starting.
func Log(ctx context.Context, log *slog.Logger, contract settlement.Contract,
	needs func(string) (settlement.Needs, error)) {
	found, err := contract.Config(ctx)
	if err != nil {
		log.WarnContext(ctx, "the core contract's configuration can't be read", "error", err)
		return
	}
	attrs := []any{"found", found.ConfigHash.String()}
	equal := false
	for _, v := range []string{beforeBlake, withBlake} {
		n, err := needs(v)
		want := n.ConfigHash
		if err != nil {
			attrs = append(attrs, "expected_"+v, err.Error())
			continue
		}
		attrs = append(attrs, "expected_"+v, want.String())
		equal = equal || want == found.ConfigHash
	}
	if !equal {
		log.WarnContext(ctx, "the core contract has none of the config hashes that the settings have: CHAIN_ID, "+
			"CHAIN_FEE_TOKEN_ADDRESS or "+
			"CHAIN_DA_PUBLIC_KEYS differ from what it was set up with", attrs...)
		return
	}
	log.InfoContext(ctx, "config hash", attrs...)
}
