package main

import (
	"context"

	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
)

func wire(ctx context.Context, p *cloud.Process) (any, error) {
	core, err := p.Core(ctx)
	if err != nil {
		return nil, err
	}
	return core.DeadLetters().Handle, nil
}
