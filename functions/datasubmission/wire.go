package main

import (
	"context"

	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/settle"
)

func wire(ctx context.Context, p *cloud.Process) (any, error) {
	core, err := p.Core(ctx)
	if err != nil {
		return nil, err
	}
	node, err := settle.Node(p)
	if err != nil {
		return nil, err
	}
	account, wallet, err := settle.Wallet(ctx, p, node)
	if err != nil {
		return nil, err
	}
	address, err := account.Address(ctx)
	if err != nil {
		return nil, err
	}
	layer, err := ethereum.NewDA(address.Hex(), p.Config.Limits().Blobs)
	if err != nil {
		return nil, err
	}
	return core.DataSubmission(layer, wallet).Handle, nil
}
