// Package provers is the prover as a function is configured to use it.
package provers

import (
	"context"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/client/mockprover"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/settle"
)

// Prover returns the configured prover.
func Prover(ctx context.Context, p *cloud.Process) (proof.Prover, error) {
	switch kind := p.Config.Prover.Kind; kind {
	case "mock":
		return mock(ctx, p)
	default:
		return nil, fmt.Errorf("prover %q is not known", kind)
	}
}

// mock registers facts on the configured verifier, if there is one.
func mock(ctx context.Context, p *cloud.Process) (proof.Prover, error) {
	o := mockprover.Options{Proofs: p.Config.Prover.Proofs}
	if p.Config.Settlement.Verifier == "" {
		return mockprover.New(o), nil
	}
	node, err := settle.Node(p)
	if err != nil {
		return nil, err
	}
	facts, err := ethereum.NewFacts(node, p.Config.Settlement.Verifier)
	if err != nil {
		return nil, err
	}
	key, err := p.Secrets.Get(ctx, p.Config.Prover.KeySecret)
	if err != nil {
		return nil, err
	}
	signer, err := ethereum.NewKeySigner(key)
	if err != nil {
		return nil, fmt.Errorf("registrar: %w", err)
	}
	o.Registry = ethereum.NewRegistrar(facts, ethereum.NewWallet(node, signer, ethereum.SidecarAuto))
	return mockprover.New(o), nil
}
