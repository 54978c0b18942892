// Package settle is the settlement layer as a function is configured to use it: Ethereum or Starknet.
package settle

import (
	"context"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/client/secrets"
	"github.com/madara-orchestrator/orchestrator/shared/client/starknet"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/service/statetransition"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
)

// Publisher is a layer that gets a chain's data.
type Publisher interface {
	// Nodes asks every node; the detail says how each of several stands. The error says that none can be used.
	Nodes(ctx context.Context) (detail string, err error)
	// Data is data availability of its own on this layer, with the wallet that publishes.
	Data(ctx context.Context) (da.Layer, setup.Wallet, error)
	// Archive reads back what was published on this layer; nil: nothing is configured that could.
	Archive(ctx context.Context) (da.Archive, error)
}

// Own is a layer of its own that gets a chain's data.
type Own interface {
	Publisher
	// WatchData is the account of the wallet that publishes, for those who look at it and can't sign.
	WatchData(ctx context.Context) (setup.Wallet, error)
}

// Layer is a settlement layer. Nothing is asked of its nodes before it is used.
type Layer interface {
	// Reader is the core contract for those who only read it.
	Reader() (settlement.Contract, error)
	// Contract is the core contract, with the wallet that may update it.
	Contract(ctx context.Context) (settlement.Contract, setup.Wallet, error)
	// Watch is the core contract, with the wallet's account for those who look at it and can't sign.
	Watch(ctx context.Context) (settlement.Contract, setup.Wallet, error)
	Publisher
	// Codec encodes state updates for the contract.
	Codec() statetransition.Codec
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
		return openEthereum(p, p.Config.Settlement, urls)
	case config.StarknetLayer:
		return openStarknet(p, urls)
	default:
		return nil, fmt.Errorf("settlement layer %q is not known", kind)
	}
}

// OpenOwn returns the layer of its own that the chain's data are published on; nil: there is none.
func OpenOwn(ctx context.Context, p *cloud.Process) (Own, error) {
	if p.Config.DA.Kind != config.EthereumDA {
		return nil, nil
	}
	s := p.Config.DA.Layer()
	urls, err := p.NodeURLs(ctx, s.Nodes(), s.RPCSecret)
	if err != nil {
		return nil, err
	}
	l, err := openEthereum(p, s, urls)
	if err != nil {
		return nil, err
	}
	l.prefix, l.name = "DA_", p.Config.DA.Name()
	return l, nil
}

// OpenData returns the layer that gets the chain's data: one of its own, or the settlement layer.
func OpenData(ctx context.Context, p *cloud.Process) (Publisher, error) {
	own, err := OpenOwn(ctx, p)
	if err != nil || own != nil {
		return own, err
	}
	return Open(ctx, p)
}

// Commit is what a state update takes of data that nobody publishes: the same as of those that are published.
func Commit(words []felt.Felt) da.Commitment { return new(starknet.DA).Commit(words) }

// walletKey is the wallet's key where it is configured to be: a secret or a file.
func walletKey(ctx context.Context, p *cloud.Process, s config.Settlement) (string, error) {
	if s.KeyFile != "" {
		return p.Secrets.Get(ctx, secrets.FilePrefix+s.KeyFile)
	}
	return p.Secrets.Get(ctx, s.KeySecret)
}
