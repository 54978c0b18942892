package main

import (
	"context"

	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/appchain"
)

func wire(ctx context.Context, p *cloud.Process) (any, error) {
	core, err := p.Wakeups(ctx)
	if err != nil {
		return nil, err
	}
	source, err := appchain.Source(ctx, p)
	if err != nil {
		return nil, err
	}
	return core.Heads(source).Handle, nil
}
