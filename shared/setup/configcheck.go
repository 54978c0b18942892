package setup

import (
	"context"
	"errors"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
)

// Headers is what the check of the configuration reads of the app chain.
type Headers interface {
	Head(ctx context.Context) (uint64, error)
	Headers(ctx context.Context, from, to uint64) ([]block.Header, error)
}

// Contract is what the check of the configuration reads of the core contract.
type Contract interface {
	State(ctx context.Context, finalized bool) (settlement.State, error)
	Config(ctx context.Context) (settlement.Config, error)
}

// ConfigCheck reports which config hash the settings have at the Starknet version of the next block to settle, and
// which one the core contract has. It is not ready where they differ, or where none can be computed.
func (c App) ConfigCheck(chain Headers, contract Contract) admin.Check {
	return admin.Check{Name: "config hash", Look: func(ctx context.Context) (string, error) {
		if c.Needs == nil {
			return "not compared", nil
		}
		return configDetail(ctx, chain, contract, c.Needs)
	}}
}

func configDetail(ctx context.Context, chain Headers, contract Contract,
	needs func(string) (settlement.Needs, error)) (string, error) {
	k, err := contract.Config(ctx)
	if err != nil {
		return "", fmt.Errorf("read the core contract's configuration: %w", err)
	}
	found := "the core contract has " + k.ConfigHash.String()
	s, err := contract.State(ctx, false)
	if err != nil {
		return found, fmt.Errorf("read the core contract: %w", err)
	}
	head, err := chain.Head(ctx)
	if errors.Is(err, block.ErrNotFound) {
		return found + "; the app chain has no block yet, whose Starknet version decides which one it needs", nil
	}
	if err != nil {
		return found, fmt.Errorf("read the app chain's head: %w", err)
	}
	next := min(s.Next(), head)
	headers, err := chain.Headers(ctx, next, next)
	if err != nil || len(headers) != 1 {
		return found, fmt.Errorf("read block %d of the app chain: %w", next, err)
	}
	n, err := needs(headers[0].StarknetVersion)
	if err != nil {
		return found, fmt.Errorf("config hash for block %d: %w", next, err)
	}
	want := n.ConfigHash
	detail := fmt.Sprintf("expected %s for block %d of Starknet %s; %s", want, next, headers[0].StarknetVersion, found)
	if k.ConfigHash != want {
		return detail, fmt.Errorf("the core contract's config hash is %s, the settings have %s (Starknet %s): set "+
			"CHAIN_ID, CHAIN_FEE_TOKEN_ADDRESS and "+
			"CHAIN_DA_PUBLIC_KEYS to what the chain runs with, or let the contract's owner change it", k.ConfigHash,
			want, headers[0].StarknetVersion)
	}
	if changes := k.Changes(n); len(changes) > 0 {
		return detail, fmt.Errorf("block %d of Starknet %s needs another program on the core contract: its owner "+
			"must set %s, or correct "+
			"SETTLEMENT_PROGRAM_HASHES", next, headers[0].StarknetVersion, settlement.Describe(changes))
	}
	return detail, nil
}
