// Package atlantic is Atlantic as a function is configured to use it. The function that serves its webhooks links this
// alone, and so no wallet.
package atlantic

import (
	"context"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/client/atlantic"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	apicontroller "github.com/madara-orchestrator/orchestrator/shared/controller/api"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
)

// Config is Atlantic's configuration with an API key.
func Config(c config.Config, key string) atlantic.Config {
	out := c.Prover.Atlantic.Config
	out.URL, out.APIKey, out.Settlement = c.Prover.URL, key, atlantic.Ethereum
	if c.Chain.Layer == stage.L3 {
		out.Settlement = atlantic.Starknet
	}
	out.Aggregator = atlantic.AggregatorParams{
		ChainID: c.Chain.ID, FeeToken: c.Chain.FeeTokenAddress, PublicKeys: c.Chain.DAPublicKeys,
	}
	return out
}

// Prover returns Atlantic as configured.
func Prover(ctx context.Context, p *cloud.Process) (*atlantic.Prover, error) {
	key, err := p.Secrets.Get(ctx, p.Config.Prover.KeySecret)
	if err != nil {
		return nil, err
	}
	return atlantic.New(Config(p.Config, key), atlantic.Deps{Log: p.Log})
}

// Hook reads Atlantic's webhooks.
func Hook(ctx context.Context, p *cloud.Process) (apicontroller.ProverHook, error) {
	secret, err := p.Secrets.Get(ctx, p.Config.Prover.Atlantic.HookSecret)
	if err != nil {
		return nil, err
	}
	prover, err := Prover(ctx, p)
	if err != nil {
		return nil, err
	}
	return HookOf(prover, secret), nil
}

// HookOf reads the webhooks of a prover whose URL carries secret.
func HookOf(prover *atlantic.Prover, secret string) apicontroller.ProverHook {
	return func(ctx context.Context, token string, body []byte) ([]string, error) {
		hint, err := atlantic.ParseHook(secret, token, body)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", apicontroller.ErrBadHook, err)
		}
		return prover.Tasks(ctx, hint)
	}
}
