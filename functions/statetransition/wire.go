package main

import (
	"context"

	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/compare"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/expected"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/settle"
)

func wire(ctx context.Context, p *cloud.Process) (any, error) {
	core, err := p.Core(ctx)
	if err != nil {
		return nil, err
	}
	layer, err := settle.Open(ctx, p)
	if err != nil {
		return nil, err
	}
	contract, wallet, err := layer.Contract(ctx)
	if err != nil {
		return nil, err
	}
	if core.Needs, err = expected.Needs(p.Config); err != nil {
		return nil, err
	}
	go expected.Log(context.WithoutCancel(ctx), p.Log, contract, core.Needs) // the first answer does not wait for it
	var archive da.Archive
	codec := layer.Codec()
	if p.Config.Chain.Layer == stage.L2 { // on an L3 other transactions publish
		if archive, err = layer.Archive(ctx); err != nil {
			return nil, err
		}
		if codec.Compare, err = compare.Open(ctx, p); err != nil {
			return nil, err
		}
	}
	return core.StateTransitionReading(contract, wallet, codec, archive).Handle, nil
}
