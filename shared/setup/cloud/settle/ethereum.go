package settle

import (
	"context"
	"fmt"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/client/kms"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/service/statetransition"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/setup/protocol"
)

type ethereumLayer struct {
	*ethereum.Node
	p *cloud.Process
}

func openEthereum(p *cloud.Process, url string) (Layer, error) {
	n, err := ethereum.Dial(url, p.Config.Settlement.ChainID)
	if err != nil {
		return nil, err
	}
	return &ethereumLayer{n, p}, nil
}

func (l *ethereumLayer) wallet(ctx context.Context) (*ethereum.Wallet, setup.Wallet, error) {
	s := l.p.Config.Settlement
	signer, err := l.signer(ctx)
	if err != nil {
		return nil, setup.Wallet{}, err
	}
	sidecar, err := ethereum.ParseSidecar(s.Sidecar)
	if err != nil {
		return nil, setup.Wallet{}, err
	}
	w := ethereum.NewWallet(l.Node, signer, sidecar)
	a, err := w.Address(ctx)
	if err != nil {
		return nil, setup.Wallet{}, err
	}
	if s.Address != "" && !strings.EqualFold(s.Address, a.Hex()) {
		return nil, setup.Wallet{}, fmt.Errorf("the wallet's key is of account %s, SETTLEMENT_ADDRESS says %s: "+
			"correct the one that is wrong", a.Hex(), s.Address)
	}
	name := fmt.Sprintf("ethereum/%s/%s", s.ChainID, a.Hex())
	return w, setup.Wallet{Chain: w, Name: name, Policy: l.p.Config.TxPolicy(), DryRun: l.p.Config.DryRun}, nil
}

// signer is the wallet's key where it is configured to be: in KMS, a file or a secret.
func (l *ethereumLayer) signer(ctx context.Context) (ethereum.Signer, error) {
	if id := l.p.Config.Settlement.KMSKey; id != "" {
		return kms.New(l.p.AWS, id), nil
	}
	key, err := walletKey(ctx, l.p)
	if err != nil {
		return nil, err
	}
	return ethereum.NewKeySigner(key)
}

// Reader implements Layer.
func (l *ethereumLayer) Reader() (settlement.Contract, error) {
	return ethereum.NewCore(l.Node, l.p.Config.Settlement.Contract, nil)
}

// Watch implements Layer. With KMS the account is asked for, else SETTLEMENT_ADDRESS names it.
func (l *ethereumLayer) Watch(ctx context.Context) (settlement.Contract, setup.Wallet, error) {
	s := l.p.Config.Settlement
	var account ethereum.Watched
	var err error
	if s.KMSKey != "" {
		account, err = kms.New(l.p.AWS, s.KMSKey).Address(ctx)
	} else {
		account, err = ethereum.NewWatched(s.Address)
	}
	if err != nil {
		return nil, setup.Wallet{}, err
	}
	w := ethereum.NewWallet(l.Node, account, ethereum.SidecarAuto)
	c, err := ethereum.NewCore(l.Node, s.Contract, w)
	return c, setup.Wallet{Chain: w}, err
}

// Contract implements Layer.
func (l *ethereumLayer) Contract(ctx context.Context) (settlement.Contract, setup.Wallet, error) {
	account, w, err := l.wallet(ctx)
	if err != nil {
		return nil, w, err
	}
	c, err := ethereum.NewCore(l.Node, l.p.Config.Settlement.Contract, account)
	return c, w, err
}

// Data implements Layer.
func (l *ethereumLayer) Data(ctx context.Context) (da.Layer, setup.Wallet, error) {
	account, w, err := l.wallet(ctx)
	if err != nil {
		return nil, w, err
	}
	address, err := account.Address(ctx)
	if err != nil {
		return nil, w, err
	}
	d, err := ethereum.NewDA(address.Hex(), l.p.Config.Limits().Blobs)
	return d, w, err
}

// Codec implements Layer.
func (*ethereumLayer) Codec() statetransition.Codec { return protocol.Codec() }

// Facts implements Layer.
func (l *ethereumLayer) Facts() (proof.FactChecker, error) { return l.facts() }

func (l *ethereumLayer) facts() (*ethereum.Facts, error) {
	return ethereum.NewFacts(l.Node, l.p.Config.Settlement.Verifier)
}

// Registrar implements Layer.
func (l *ethereumLayer) Registrar(ctx context.Context) (Registrar, error) {
	facts, err := l.facts()
	if err != nil {
		return nil, err
	}
	key, err := l.p.Secrets.Get(ctx, l.p.Config.Prover.KeySecret)
	if err != nil {
		return nil, err
	}
	signer, err := ethereum.NewKeySigner(key)
	if err != nil {
		return nil, fmt.Errorf("registrar: %w", err)
	}
	return ethereum.NewRegistrar(facts, ethereum.NewWallet(l.Node, signer, ethereum.SidecarAuto)), nil
}
