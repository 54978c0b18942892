package main

import (
	"context"

	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/expected"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/runners"
)

func wire(ctx context.Context, p *cloud.Process) (any, error) {
	core, err := p.Core(ctx)
	if err != nil {
		return nil, err
	}
	runner, err := runners.Runner(ctx, p)
	if err != nil {
		return nil, err
	}
	if core.Needs, err = expected.Needs(p.Config); err != nil {
		return nil, err
	}
	return core.SnosRun(runner).Handle, nil
}
