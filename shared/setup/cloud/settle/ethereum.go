package settle

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/beacon"
	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/client/kms"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/service/statetransition"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/setup/protocol"
)

type ethereumLayer struct {
	nodes[*ethereum.Node]
	p *cloud.Process
	s config.Settlement
	// prefix is what the names of its settings begin with.
	prefix string
	// name of a layer that only gets data; "": it is the settlement layer
	name string
}

// ethereumSlack is how many blocks a node may be behind another: a block takes seconds through the network.
const ethereumSlack = 2

func openEthereum(p *cloud.Process, s config.Settlement, urls []string) (*ethereumLayer, error) {
	ns, err := open(p, s.ChainID, urls, ethereumSlack, ethereum.ErrWrongChain, ethereum.Dial)
	if err != nil {
		return nil, err
	}
	return &ethereumLayer{nodes: ns, p: p, s: s, prefix: "SETTLEMENT_"}, nil
}

// wallets are the wallet on each node, and the wallet of all.
func (l *ethereumLayer) wallets(ctx context.Context) ([]*ethereum.Wallet, setup.Wallet, error) {
	s := l.s
	signer, err := l.signer(ctx)
	if err != nil {
		return nil, setup.Wallet{}, err
	}
	sidecar, err := ethereum.ParseSidecar(s.Sidecar)
	if err != nil {
		return nil, setup.Wallet{}, err
	}
	ws := l.accounts(signer, sidecar)
	a, err := ws[0].Address(ctx)
	if err != nil {
		return nil, setup.Wallet{}, err
	}
	if s.Address != "" && !strings.EqualFold(s.Address, a.Hex()) {
		return nil, setup.Wallet{}, fmt.Errorf("the wallet's key is of account %s, %sADDRESS says %s: "+
			"correct the one that is wrong", a.Hex(), l.prefix, s.Address)
	}
	return ws, setup.Wallet{Chain: chain(l.nodes, ws), Name: fmt.Sprintf("ethereum/%s/%s", s.ChainID, a.Hex()),
		Policy: s.TxPolicy(), DryRun: l.p.Config.DryRun, Layer: l.name}, nil
}

// accounts are the account of a key on each node.
func (l *ethereumLayer) accounts(s ethereum.Signer, form ethereum.Sidecar) []*ethereum.Wallet {
	ws := make([]*ethereum.Wallet, len(l.all))
	for i, n := range l.all {
		ws[i] = ethereum.NewWallet(n, s, form)
	}
	return ws
}

// signer is the wallet's key where it is configured to be: in KMS, a file or a secret.
func (l *ethereumLayer) signer(ctx context.Context) (ethereum.Signer, error) {
	if id := l.s.KMSKey; id != "" {
		return kms.New(l.p.AWS, id), nil
	}
	key, err := walletKey(ctx, l.p, l.s)
	if err != nil {
		return nil, err
	}
	return ethereum.NewKeySigner(key)
}

// Reader implements Layer.
func (l *ethereumLayer) Reader() (settlement.Contract, error) { return l.core(nil) }

// core is the core contract for the wallet on each node; nil: for readers.
func (l *ethereumLayer) core(ws []*ethereum.Wallet) (settlement.Contract, error) {
	cs, err := each(l.nodes, func(i int, n *ethereum.Node) (*ethereum.Core, error) {
		return ethereum.NewCore(n, l.s.Contract, at(ws, i))
	})
	if err != nil {
		return nil, err
	}
	return contract(l.nodes, cs), nil
}

// watched are the wallet's account on each node. With KMS it is asked for, else a setting names it.
func (l *ethereumLayer) watched(ctx context.Context) (ws []*ethereum.Wallet, err error) {
	var account ethereum.Watched
	if l.s.KMSKey != "" {
		account, err = kms.New(l.p.AWS, l.s.KMSKey).Address(ctx)
	} else {
		account, err = ethereum.NewWatched(l.s.Address)
	}
	if err != nil {
		return nil, err
	}
	return l.accounts(account, ethereum.SidecarAuto), nil
}

// Watch implements Layer.
func (l *ethereumLayer) Watch(ctx context.Context) (settlement.Contract, setup.Wallet, error) {
	ws, err := l.watched(ctx)
	if err != nil {
		return nil, setup.Wallet{}, err
	}
	c, err := l.core(ws)
	return c, setup.Wallet{Chain: chain(l.nodes, ws)}, err
}

// WatchData implements Data.
func (l *ethereumLayer) WatchData(ctx context.Context) (setup.Wallet, error) {
	ws, err := l.watched(ctx)
	if err != nil {
		return setup.Wallet{}, err
	}
	return setup.Wallet{Chain: chain(l.nodes, ws), Layer: l.name}, nil
}

// Contract implements Layer.
func (l *ethereumLayer) Contract(ctx context.Context) (settlement.Contract, setup.Wallet, error) {
	ws, w, err := l.wallets(ctx)
	if err != nil {
		return nil, w, err
	}
	c, err := l.core(ws)
	return c, w, err
}

// Data implements Layer.
func (l *ethereumLayer) Data(ctx context.Context) (da.Layer, setup.Wallet, error) {
	ws, w, err := l.wallets(ctx)
	if err != nil {
		return nil, w, err
	}
	address, err := ws[0].Address(ctx)
	if err != nil {
		return nil, w, err
	}
	d, err := ethereum.NewDA(address.Hex(), l.p.Config.Limits().Blobs)
	return d, w, err
}

// Codec implements Layer. What is published is validated where it can be read: an encrypted state diff can't.
func (l *ethereumLayer) Codec() statetransition.Codec {
	c := protocol.Codec()
	if len(l.p.Config.Chain.DAPublicKeys) == 0 {
		c.Validate = protocol.Validate
	}
	return c
}

// Archive implements Layer by a beacon node.
func (l *ethereumLayer) Archive(ctx context.Context) (da.Archive, error) {
	s := l.s
	if s.Beacon == "" && s.BeaconSecret == "" {
		return nil, nil
	}
	u, err := l.p.NodeURL(ctx, s.Beacon, s.BeaconSecret)
	if err != nil {
		return nil, err
	}
	return beacon.New(u, l.blockTime, beacon.Deps{Log: l.p.Log})
}

// blockTime asks the nodes in their order for the time of a block, until one knows it.
func (l *ethereumLayer) blockTime(ctx context.Context, hash string) (at time.Time, err error) {
	var errs []error
	for _, n := range l.all {
		if at, err = n.BlockTime(ctx, hash); err == nil && !at.IsZero() {
			return at, nil
		}
		errs = append(errs, err)
	}
	return time.Time{}, errors.Join(errs...)
}

// Facts implements Layer.
func (l *ethereumLayer) Facts() (proof.FactChecker, error) {
	fs, err := each(l.nodes, l.facts)
	if err != nil {
		return nil, err
	}
	return facts(l.nodes, fs), nil
}

func (l *ethereumLayer) facts(_ int, n *ethereum.Node) (*ethereum.Facts, error) {
	return ethereum.NewFacts(n, l.s.Verifier)
}

// Registrar implements Layer.
func (l *ethereumLayer) Registrar(ctx context.Context) (proof.Registry, error) {
	key, err := l.p.Secrets.Get(ctx, l.p.Config.Prover.KeySecret)
	if err != nil {
		return nil, err
	}
	signer, err := ethereum.NewKeySigner(key)
	if err != nil {
		return nil, fmt.Errorf("registrar: %w", err)
	}
	rs, err := each(l.nodes, func(i int, n *ethereum.Node) (*ethereum.Registrar, error) {
		f, err := l.facts(i, n)
		return ethereum.NewRegistrar(f, ethereum.NewWallet(n, signer, ethereum.SidecarAuto)), err
	})
	if err != nil {
		return nil, err
	}
	return registrar(l.nodes, rs), nil
}
