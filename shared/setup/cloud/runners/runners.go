// Package runners is the SNOS runner as a function is configured to use it.
package runners

import (
	"context"
	"fmt"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/batchrunner"
	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/grpcrunner"
	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/httprunner"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
)

// Runner returns the configured runner. Every task gets what the Starknet OS must know of the chain, from the settings.
func Runner(ctx context.Context, p *cloud.Process) (snos.Runner, error) {
	r, err := open(ctx, p)
	if err != nil {
		return nil, err
	}
	p.Check(metric.SnosRunner, r.Ping)
	s, c := p.Config.Snos, p.Config.Chain
	e := equipped{Runner: r, rpc: s.RPC, api: strings.TrimSuffix(s.Callback, "/"), chain: snos.Chain{
		ID: c.ID, FeeToken: c.FeeTokenAddress, EthFeeToken: c.EthFeeTokenAddress, PublicKeys: c.DAPublicKeys,
	}}
	// A run's variables on AWS Batch are shown to whoever may see the job: there the job definition names the secret.
	if s.RPCSecret != "" && s.Kind != config.BatchRunner {
		if e.rpc, err = p.Secrets.Get(ctx, s.RPCSecret); err != nil {
			return nil, err
		}
		if err := config.RPCRoot(e.rpc); err != nil {
			return nil, fmt.Errorf("secret %s, the URL of the node that SNOS reads: %w", s.RPCSecret, err)
		}
		e.hidden = e.rpc
	}
	return e, nil
}

// open returns the configured runner itself.
func open(ctx context.Context, p *cloud.Process) (snos.Runner, error) {
	s := p.Config.Snos
	secret := func(name string) (string, error) {
		if name == "" {
			return "", nil
		}
		return p.Secrets.Get(ctx, name)
	}
	token, err := secret(s.TokenSecret)
	if err != nil {
		return nil, err
	}
	switch s.Kind {
	case config.HTTPRunner:
		return httprunner.New(s.URL, token, 0)
	case config.GRPCRunner:
		authority, err := secret(s.CASecret)
		if err != nil {
			return nil, err
		}
		c := grpcrunner.Config{URL: s.URL, Token: token}
		if authority != "" {
			c.Authority = []byte(authority)
		}
		return grpcrunner.New(c)
	case config.BatchRunner:
		return batchrunner.New(p.AWS,
			batchrunner.Config{Queue: s.BatchQueue, Definition: s.BatchDefinition, Chain: p.Config.Chain.Name}), nil
	default:
		return nil, fmt.Errorf("SNOS runner %q is not known", s.Kind)
	}
}
