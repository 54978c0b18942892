package main

import (
	"context"

	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/settle"
	"github.com/madara-orchestrator/orchestrator/shared/setup/protocol"
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
	contract, err := ethereum.NewCore(node, p.Config.Settlement.Contract, account)
	if err != nil {
		return nil, err
	}
	return core.StateTransition(contract, wallet, protocol.Codec()).Handle, nil
}
