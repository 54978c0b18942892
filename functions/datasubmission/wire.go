package main

import (
	"context"

	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/compare"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/settle"
)

func wire(ctx context.Context, p *cloud.Process) (any, error) {
	core, err := p.Core(ctx)
	if err != nil {
		return nil, err
	}
	if p.Config.DA.Kind == config.NoDA {
		return core.NoData(settle.Commit).Handle, nil
	}
	layer, err := settle.OpenData(ctx, p)
	if err != nil {
		return nil, err
	}
	data, wallet, err := layer.Data(ctx)
	if err != nil {
		return nil, err
	}
	archive, err := layer.Archive(ctx)
	if err != nil {
		return nil, err
	}
	compared, err := compare.Open(ctx, p)
	if err != nil {
		return nil, err
	}
	return core.DataSubmission(setup.Publishing{Layer: data, Wallet: wallet, Archive: archive,
		Compare: compared}).Handle, nil
}
