// Package runners is the SNOS runner as a function is configured to use it.
package runners

import (
	"context"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/batchrunner"
	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/grpcrunner"
	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/httprunner"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
)

// Runner returns the configured runner.
func Runner(ctx context.Context, p *cloud.Process) (snos.Runner, error) {
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
		return batchrunner.New(p.AWS, batchrunner.Config{Queue: s.BatchQueue, Definition: s.BatchDefinition, Chain: p.Config.Chain.Name}), nil
	default:
		return nil, fmt.Errorf("SNOS runner %q is not known", s.Kind)
	}
}
