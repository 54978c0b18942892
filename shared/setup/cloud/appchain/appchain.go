// Package appchain is the app chain's source as a function is configured to read it.
package appchain

import (
	"context"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/client/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/client/lru"
	"github.com/madara-orchestrator/orchestrator/shared/client/redis"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/appchain/direct"
)

// Source returns the chain's source. What it reads and never changes is kept in the process's memory, and behind that
// in Redis where one is configured. It asks for the secrets that hold URLs, and nothing else.
func Source(ctx context.Context, p *cloud.Process) (*appchain.Source, error) {
	c, r := p.Config.Chain, p.Config.Redis
	nodes, err := direct.Config(ctx, p)
	if err != nil {
		return nil, err
	}
	h := p.Config.Heads
	socket := h.Websocket
	if h.WebsocketSecret != "" {
		if socket, err = p.Secrets.Get(ctx, h.WebsocketSecret); err != nil {
			return nil, err
		}
		if err := config.CheckWebsocket(socket); err != nil {
			return nil, fmt.Errorf("secret %s: %w", h.WebsocketSecret, err)
		}
	}
	store := r.URL
	if r.URLSecret != "" {
		if store, err = p.Secrets.Get(ctx, r.URLSecret); err != nil {
			return nil, err
		}
	}
	kept := lru.Config{Bytes: p.CacheBytes}
	if store != "" {
		cache, err := redis.New(store, c.Name)
		if err != nil && r.URLSecret != "" {
			err = fmt.Errorf("secret %s: %w", r.URLSecret, err)
		}
		if err != nil {
			return nil, err
		}
		kept.Behind = cache
		p.OnClose(cache.Close)
		p.Check(metric.Cache, cache.Ping)
	}
	nodes.WebsocketURL = socket
	return appchain.New(nodes, appchain.Deps{Log: p.Log, Cache: lru.New(kept)})
}
