package main

import (
	"fmt"
	"time"

	l2 "github.com/madara-orchestrator/orchestrator/shared/client/starknet"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	fakestarknet "github.com/madara-orchestrator/orchestrator/shared/dev/fake/starknet"
	"github.com/madara-orchestrator/orchestrator/shared/dev/stack"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
	"github.com/madara-orchestrator/orchestrator/shared/setup/protocol"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/pie"
)

// fact makes the fact that the core contract on Starknet asks for, of SNOS' program hash and output; nil for
// Ethereum's.
func (o options) fact() func(program felt.Felt, words []felt.Felt) pie.Fact {
	if o.settle == starknetLayer {
		return stack.StarknetFact(fakestarknet.Form(o.contract))
	}
	return nil
}

// startStarknet starts the fake of Starknet with the contracts on it.
func startStarknet(o options, a *appChain) (*settlementLayer, error) {
	s, err := stack.StartStarknet(
		stack.StarknetOptions{Version: a.version, BlockInterval: o.blockTime, Latency: o.latency,
			Before: fakestarknet.Core{
				Settled: a.before.settled, Block: a.before.block, Root: a.before.root,
				BlockHash: a.before.hash, Messages: a.messages, Form: fakestarknet.Form(o.contract),
			}})
	if err != nil {
		return nil, err
	}
	if o.started != nil {
		o.started(s.Server)
	}
	l, err := starknetClients(s)
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return l, nil
}

// starknetClients are the clients of the fake's contracts.
func starknetClients(s *stack.Starknet) (*settlementLayer, error) {
	wallet, err := s.Wallet(stack.StarknetOperator)
	if err != nil {
		return nil, err
	}
	core, err := s.Contract(wallet)
	if err != nil {
		return nil, err
	}
	facts, err := s.Facts()
	if err != nil {
		return nil, err
	}
	registrar, err := s.Registrar()
	if err != nil {
		return nil, err
	}
	layer, err := l2.NewDA(stack.StarknetOperator.String(), "")
	if err != nil {
		return nil, err
	}
	policy := tx.StarknetPolicy()
	policy.ReplaceAfter = 20 * time.Second
	return &settlementLayer{
		contract: core, address: fakestarknet.CoreAddress.String(),
		wallet: setup.Wallet{Chain: wallet, Name: "starknet/" + stack.StarknetOperator.String(),
			Policy: policy}, da: layer, archive: s.Archive(),
		registry: registrar, facts: facts, codec: protocol.StarknetCodec(),
		unit: config.FeeUnit(config.StarknetLayer),
		about: fmt.Sprintf("a fake of Starknet at %s: core contract %s of the form %s, fact registry %s",
			s.URL(), fakestarknet.CoreAddress, s.Form(), fakestarknet.RegistryAddress),
		close: func() { _ = s.Close() },
	}, nil
}
