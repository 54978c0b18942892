// Package settle is the settlement layer as a function is configured to use it: Ethereum or Starknet.
package settle

import (
	"context"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/client/secrets"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/service/statetransition"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
)

// Layer is a settlement layer. Nothing is asked of its nodes before it is used.
type Layer interface {
	// Nodes asks every node; the detail says how each of several stands. The error says that none can be used.
	Nodes(ctx context.Context) (detail string, err error)
	// Reader is the core contract for those who only read it.
	Reader() (settlement.Contract, error)
	// Contract is the core contract, with the wallet that may update it.
	Contract(ctx context.Context) (settlement.Contract, setup.Wallet, error)
	// Watch is the core contract, with the wallet's account for those who look at it and can't sign.
	Watch(ctx context.Context) (settlement.Contract, setup.Wallet, error)
	// Data is data availability of its own on this layer, with the wallet that publishes.
	Data(ctx context.Context) (da.Layer, setup.Wallet, error)
	// Codec encodes state updates for the contract.
	Codec() statetransition.Codec
	// Archive reads back what was published on this layer; nil: nothing is configured that could.
	Archive(ctx context.Context) (da.Archive, error)
	// Facts is the configured fact registry.
	Facts() (proof.FactChecker, error)
	// Registrar registers facts on a development registry with the account of the mock prover's key.
	Registrar(ctx context.Context) (proof.Registry, error)
}

// Open returns the configured settlement layer. It asks for the secret that holds the nodes' URLs, where there is one.
func Open(ctx context.Context, p *cloud.Process) (Layer, error) {
	urls, err := p.NodeURLs(ctx, p.Config.Settlement.Nodes(), p.Config.Settlement.RPCSecret)
	if err != nil {
		return nil, err
	}
	switch kind := p.Config.Settlement.Kind; kind {
	case config.EthereumLayer:
		return openEthereum(p, urls)
	case config.StarknetLayer:
		return openStarknet(p, urls)
	default:
		return nil, fmt.Errorf("settlement layer %q is not known", kind)
	}
}

// walletKey is the wallet's key where it is configured to be: a secret or a file.
func walletKey(ctx context.Context, p *cloud.Process) (string, error) {
	s := p.Config.Settlement
	if s.KeyFile != "" {
		return p.Secrets.Get(ctx, secrets.FilePrefix+s.KeyFile)
	}
	return p.Secrets.Get(ctx, s.KeySecret)
}
