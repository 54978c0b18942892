package appchain_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/client/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/block/blocktest"
	devappchain "github.com/madara-orchestrator/orchestrator/shared/dev/appchain"
)

func devChain(t *testing.T, o devappchain.Options) *devappchain.Chain {
	t.Helper()
	c, err := devappchain.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func open(t *testing.T, cfg appchain.Config, deps appchain.Deps) *appchain.Source {
	t.Helper()
	s, err := appchain.New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSource(t *testing.T) {
	t.Parallel()
	chain := devChain(t, devappchain.Options{Seed: 1, Blocks: 24, Versions: []devappchain.VersionFrom{
		{Block: 0, Version: "0.13.2"}, {Block: 6, Version: "0.13.5"}, {Block: 14, Version: "0.14.1"}}})
	for name, cfg := range map[string]appchain.Config{
		"Gateway":   {URL: chain.URL(), GatewayURL: chain.GatewayURL(), ChainID: chain.ChainID()},
		"Estimates": {URL: chain.URL()},
		"OneByOne":  {URL: chain.URL(), GatewayURL: chain.GatewayURL(), BatchSize: 1, Concurrency: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg.MaxRange = 100
			for _, c := range []*memoryCache{nil, newMemoryCache()} {
				deps := appchain.Deps{}
				kind := "Uncached"
				if c != nil {
					deps.Cache, kind = c, "Cached"
				}
				t.Run(kind, func(t *testing.T) {
					blocktest.TestSource(t, blocktest.Harness{
						Source: open(t, cfg, deps), ChainID: chain.ChainID(), First: 0, Last: 23,
						MaxRange: 100, Cancelable: c == nil,
						Messages: func(n uint64) block.Messages { m, _ := chain.Messages(n); return m },
					})
				})
			}
		})
	}
}

func TestHeadOfAnEmptyChain(t *testing.T) {
	t.Parallel()
	chain := devChain(t, devappchain.Options{})
	if _, err := open(t, appchain.Config{URL: chain.URL()}, appchain.Deps{}).Head(t.Context()); !errors.Is(err,
		block.ErrNotFound) {
		t.Errorf("Head = %v, want ErrNotFound", err)
	}
}

func TestHeads(t *testing.T) {
	t.Parallel()
	chain := devChain(t, devappchain.Options{Blocks: 2})
	s := open(t, appchain.Config{URL: chain.URL(), WebsocketURL: chain.WebsocketURL(), ChainID: chain.ChainID()},
		appchain.Deps{})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	got := make(chan block.Notice, 10)
	ended := make(chan error, 1)
	go func() { ended <- s.Heads(ctx, func(n block.Notice) { got <- n }) }()
	for h := (block.Header{}); h.Number < 5; {
		select {
		case n := <-got:
			h = *n.Head
			want, _ := s.Headers(ctx, h.Number, h.Number)
			want[0].Transactions = 0
			if d := cmp.Diff(want[0], h); d != "" {
				t.Errorf("announced header (-want +got):\n%s", d)
			}
		case <-time.After(20 * time.Millisecond): // until the subscription stands, however long that takes
			chain.Advance(1)
		case <-ctx.Done():
			t.Fatal("no head is announced")
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Heads ended with %v", err)
	}
}
