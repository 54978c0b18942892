package main

import (
	"context"

	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/provers"
)

func wire(ctx context.Context, p *cloud.Process) (any, error) {
	core, err := p.Core(ctx)
	if err != nil {
		return nil, err
	}
	prover, err := provers.Prover(ctx, p)
	if err != nil {
		return nil, err
	}
	return core.ProofRegistration(prover).Handle, nil
}
