package settle

import (
	"cmp"
	"context"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/client/starknet"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/service/statetransition"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/setup/protocol"
)

type starknetLayer struct {
	nodes[*starknet.Node]
	p *cloud.Process
}

// starknetSlack is how many blocks a node may be behind another: blocks come every few seconds.
const starknetSlack = 5

func openStarknet(p *cloud.Process, urls []string) (Layer, error) {
	ns, err := open(p, p.Config.Settlement.ChainID, urls, starknetSlack, starknet.ErrWrongChain, starknet.Dial)
	if err != nil {
		return nil, err
	}
	return &starknetLayer{ns, p}, nil
}

// accounts are the account of a key on each node; nil: it is only watched.
func (l *starknetLayer) accounts(signer *starknet.KeySigner, address string) ([]*starknet.Wallet, error) {
	return each(l.nodes, func(_ int, n *starknet.Node) (*starknet.Wallet, error) {
		return starknet.NewWallet(n, signer, address, cmp.Or(l.p.Config.Settlement.FeeToken, starknet.STRK))
	})
}

// wallets are the wallet on each node, and the wallet of all.
func (l *starknetLayer) wallets(ctx context.Context) ([]*starknet.Wallet, setup.Wallet, error) {
	s := l.p.Config.Settlement
	key, err := walletKey(ctx, l.p, s)
	if err != nil {
		return nil, setup.Wallet{}, err
	}
	signer, err := starknet.NewKeySigner(key)
	if err != nil {
		return nil, setup.Wallet{}, err
	}
	ws, err := l.accounts(signer, s.Account)
	if err != nil {
		return nil, setup.Wallet{}, err
	}
	name := fmt.Sprintf("starknet/%s/%s", s.ChainID, ws[0].Address())
	return ws, setup.Wallet{Chain: chain(l.nodes, ws), Name: name, Policy: l.p.Config.TxPolicy(),
		DryRun: l.p.Config.DryRun}, nil
}

// Reader implements Layer.
func (l *starknetLayer) Reader() (settlement.Contract, error) { return l.core(nil) }

// core is the core contract for the wallet on each node; nil: for readers.
func (l *starknetLayer) core(ws []*starknet.Wallet) (settlement.Contract, error) {
	cs, err := each(l.nodes, func(i int, n *starknet.Node) (*starknet.Core, error) {
		return starknet.NewCore(n, l.p.Config.Settlement.Contract, at(ws, i))
	})
	if err != nil {
		return nil, err
	}
	return contract(l.nodes, cs), nil
}

// Watch implements Layer.
func (l *starknetLayer) Watch(context.Context) (settlement.Contract, setup.Wallet, error) {
	ws, err := l.accounts(nil, l.p.Config.Settlement.Account)
	if err != nil {
		return nil, setup.Wallet{}, err
	}
	c, err := l.core(ws)
	return c, setup.Wallet{Chain: chain(l.nodes, ws)}, err
}

// Contract implements Layer.
func (l *starknetLayer) Contract(ctx context.Context) (settlement.Contract, setup.Wallet, error) {
	ws, w, err := l.wallets(ctx)
	if err != nil {
		return nil, w, err
	}
	c, err := l.core(ws)
	return c, w, err
}

// Data implements Layer.
func (l *starknetLayer) Data(ctx context.Context) (da.Layer, setup.Wallet, error) {
	ws, w, err := l.wallets(ctx)
	if err != nil {
		return nil, w, err
	}
	s := l.p.Config.Settlement
	d, err := starknet.NewDA(cmp.Or(s.DataContract, ws[0].Address().String()), s.DataFunction)
	return d, w, err
}

// Codec implements Layer.
func (*starknetLayer) Codec() statetransition.Codec { return protocol.StarknetCodec() }

// Archive implements Layer: what is published in calldata is a part of the chain's own blocks.
func (l *starknetLayer) Archive(context.Context) (da.Archive, error) {
	as, err := each(l.nodes, func(_ int, n *starknet.Node) (*starknet.Archive, error) {
		return starknet.NewArchive(n), nil
	})
	return archive(l.nodes, as), err
}

// Facts implements Layer.
func (l *starknetLayer) Facts() (proof.FactChecker, error) {
	fs, err := each(l.nodes, l.facts)
	if err != nil {
		return nil, err
	}
	return facts(l.nodes, fs), nil
}

func (l *starknetLayer) facts(_ int, n *starknet.Node) (*starknet.Facts, error) {
	s := l.p.Config.Settlement
	core, err := starknet.NewCore(n, s.Contract, nil)
	if err != nil {
		return nil, err
	}
	return starknet.NewFacts(n, s.Verifier, core)
}

// Registrar implements Layer.
func (l *starknetLayer) Registrar(ctx context.Context) (proof.Registry, error) {
	key, err := l.p.Secrets.Get(ctx, l.p.Config.Prover.KeySecret)
	if err != nil {
		return nil, err
	}
	signer, err := starknet.NewKeySigner(key)
	if err != nil {
		return nil, fmt.Errorf("registrar: %w", err)
	}
	ws, err := l.accounts(signer, l.p.Config.Prover.Account)
	if err != nil {
		return nil, fmt.Errorf("registrar: %w", err)
	}
	rs, err := each(l.nodes, func(i int, n *starknet.Node) (*starknet.Registrar, error) {
		f, err := l.facts(i, n)
		if err != nil {
			return nil, err
		}
		return starknet.NewRegistrar(f, ws[i]), nil
	})
	if err != nil {
		return nil, err
	}
	return registrar(l.nodes, rs), nil
}
