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
	*starknet.Node
	p *cloud.Process
}

func openStarknet(p *cloud.Process, url string) (Layer, error) {
	n, err := starknet.Dial(url, p.Config.Settlement.ChainID)
	if err != nil {
		return nil, err
	}
	return &starknetLayer{n, p}, nil
}

func (l *starknetLayer) account(key, address string) (*starknet.Wallet, error) {
	signer, err := starknet.NewKeySigner(key)
	if err != nil {
		return nil, err
	}
	return starknet.NewWallet(l.Node, signer, address, cmp.Or(l.p.Config.Settlement.FeeToken, starknet.STRK))
}

func (l *starknetLayer) wallet(ctx context.Context) (*starknet.Wallet, setup.Wallet, error) {
	s := l.p.Config.Settlement
	key, err := walletKey(ctx, l.p)
	if err != nil {
		return nil, setup.Wallet{}, err
	}
	w, err := l.account(key, s.Account)
	if err != nil {
		return nil, setup.Wallet{}, err
	}
	name := fmt.Sprintf("starknet/%s/%s", s.ChainID, w.Address())
	return w, setup.Wallet{Chain: w, Name: name, Policy: l.p.Config.TxPolicy(), DryRun: l.p.Config.DryRun}, nil
}

// Reader implements Layer.
func (l *starknetLayer) Reader() (settlement.Contract, error) { return l.core(nil) }

func (l *starknetLayer) core(w *starknet.Wallet) (*starknet.Core, error) {
	s := l.p.Config.Settlement
	return starknet.NewCore(l.Node, s.Contract, w)
}

// Watch implements Layer.
func (l *starknetLayer) Watch(context.Context) (settlement.Contract, setup.Wallet, error) {
	s := l.p.Config.Settlement
	w, err := starknet.NewWallet(l.Node, nil, s.Account, cmp.Or(s.FeeToken, starknet.STRK))
	if err != nil {
		return nil, setup.Wallet{}, err
	}
	c, err := l.core(w)
	return c, setup.Wallet{Chain: w}, err
}

// Contract implements Layer.
func (l *starknetLayer) Contract(ctx context.Context) (settlement.Contract, setup.Wallet, error) {
	account, w, err := l.wallet(ctx)
	if err != nil {
		return nil, w, err
	}
	c, err := l.core(account)
	return c, w, err
}

// Data implements Layer.
func (l *starknetLayer) Data(ctx context.Context) (da.Layer, setup.Wallet, error) {
	account, w, err := l.wallet(ctx)
	if err != nil {
		return nil, w, err
	}
	s := l.p.Config.Settlement
	d, err := starknet.NewDA(cmp.Or(s.DataContract, account.Address().String()), s.DataFunction)
	return d, w, err
}

// Codec implements Layer.
func (*starknetLayer) Codec() statetransition.Codec { return protocol.StarknetCodec() }

// Facts implements Layer.
func (l *starknetLayer) Facts() (proof.FactChecker, error) { return l.facts() }

func (l *starknetLayer) facts() (*starknet.Facts, error) {
	core, err := l.core(nil)
	if err != nil {
		return nil, err
	}
	return starknet.NewFacts(l.Node, l.p.Config.Settlement.Verifier, core)
}

// Registrar implements Layer.
func (l *starknetLayer) Registrar(ctx context.Context) (Registrar, error) {
	facts, err := l.facts()
	if err != nil {
		return nil, err
	}
	key, err := l.p.Secrets.Get(ctx, l.p.Config.Prover.KeySecret)
	if err != nil {
		return nil, err
	}
	w, err := l.account(key, l.p.Config.Prover.Account)
	if err != nil {
		return nil, fmt.Errorf("registrar: %w", err)
	}
	return starknet.NewRegistrar(facts, w), nil
}
