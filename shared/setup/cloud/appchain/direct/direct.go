// Package direct is the app chain's source without anything that is kept of it, for functions that compare with the
// chain: what was remembered proves nothing, and they link no cache.
package direct

import (
	"context"

	"github.com/madara-orchestrator/orchestrator/shared/client/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
)

// Config is how the chain's nodes are asked. It asks for the secrets that hold their URLs, and nothing else.
func Config(ctx context.Context, p *cloud.Process) (appchain.Config, error) {
	c := p.Config.Chain
	node, err := p.NodeURL(ctx, c.RPC, c.RPCSecret)
	if err != nil {
		return appchain.Config{}, err
	}
	backup, err := p.NodeURL(ctx, c.BackupRPC, c.BackupRPCSecret)
	if err != nil {
		return appchain.Config{}, err
	}
	return appchain.Config{URL: node, BackupURL: backup, GatewayURL: c.FeederGateway, ChainID: c.ID,
		EmptyProvingGas: p.Config.Batch.EmptyGas}, nil
}

// Source returns the chain's source; every read asks a node.
func Source(ctx context.Context, p *cloud.Process) (*appchain.Source, error) {
	c, err := Config(ctx, p)
	if err != nil {
		return nil, err
	}
	return appchain.New(c, appchain.Deps{Log: p.Log})
}
