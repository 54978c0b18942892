// Package appchain is the app chain's source as a function is configured to read it.
package appchain

import (
	"github.com/madara-orchestrator/orchestrator/shared/client/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/client/redis"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
)

// Source returns the chain's source, with a Redis cache where one is configured. It makes no request.
func Source(p *cloud.Process) (*appchain.Source, error) {
	c := p.Config.Chain
	deps := appchain.Deps{Log: p.Log}
	if p.Config.Redis.URL != "" {
		cache, err := redis.New(p.Config.Redis.URL, c.Name)
		if err != nil {
			return nil, err
		}
		deps.Cache = cache
	}
	return appchain.New(appchain.Config{
		URL: c.RPC, BackupURL: c.BackupRPC, GatewayURL: c.FeederGateway, ChainID: c.ID, EmptyProvingGas: p.Config.Batch.EmptyGas,
	}, deps)
}
