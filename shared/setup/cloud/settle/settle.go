// Package settle is the settlement layer as a function is configured to use it.
package settle

import (
	"context"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/client/kms"
	"github.com/madara-orchestrator/orchestrator/shared/client/secrets"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
)

// Node returns the settlement layer's node.
func Node(p *cloud.Process) (*ethereum.Node, error) {
	return ethereum.Dial(p.Config.Settlement.RPC, p.Config.Settlement.ChainID)
}

// Wallet returns the wallet that settles.
func Wallet(ctx context.Context, p *cloud.Process, n *ethereum.Node) (*ethereum.Wallet, setup.Wallet, error) {
	s := p.Config.Settlement
	signer, err := signer(ctx, p)
	if err != nil {
		return nil, setup.Wallet{}, err
	}
	sidecar, err := ethereum.ParseSidecar(s.Sidecar)
	if err != nil {
		return nil, setup.Wallet{}, err
	}
	w := ethereum.NewWallet(n, signer, sidecar)
	a, err := w.Address(ctx)
	if err != nil {
		return nil, setup.Wallet{}, err
	}
	name := fmt.Sprintf("ethereum/%s/%s", s.ChainID, a.Hex())
	return w, setup.Wallet{Chain: w, Name: name, Policy: p.Config.TxPolicy(), DryRun: p.Config.DryRun}, nil
}

// signer is the wallet's key where it is configured to be: in KMS, a file or a secret.
func signer(ctx context.Context, p *cloud.Process) (ethereum.Signer, error) {
	s := p.Config.Settlement
	if s.KMSKey != "" {
		return kms.New(p.AWS, s.KMSKey), nil
	}
	name := s.KeySecret
	if s.KeyFile != "" {
		name = secrets.FilePrefix + s.KeyFile
	}
	key, err := p.Secrets.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	return ethereum.NewKeySigner(key)
}
