package stack

import (
	"context"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	devethereum "github.com/madara-orchestrator/orchestrator/shared/dev/ethereum"
	fakestarknet "github.com/madara-orchestrator/orchestrator/shared/dev/fake/starknet"
	"github.com/madara-orchestrator/orchestrator/shared/dev/snosrunner"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/pie"
)

// part is what functions must know of one of their surroundings: settings, and secrets by name below the deployment's.
type part struct{ secrets, settings map[string]string }

// layer is where a sandbox settles.
type layer struct {
	part
	registrar part                                                // of the mock prover
	registry  proof.Registry                                      // gets the facts of the other provers' fakes
	fact      func(program felt.Felt, words []felt.Felt) pie.Fact // on Starknet; nil: SHARP's
}

// starknetBlockTime is the time between blocks of the fake of Starknet.
const starknetBlockTime = 500 * time.Millisecond

// settlement starts or connects where the chain settles, with the contracts on it.
func (s *Sandbox) settlement(ctx context.Context, o Options) (layer, error) {
	if o.Layer == stage.L3 {
		return s.onStarknet(ctx, o)
	}
	return s.onEthereum(ctx, o)
}

func (s *Sandbox) onStarknet(ctx context.Context, o Options) (layer, error) {
	before := fakestarknet.Core{Messages: s.messages}
	if o.SettledTo != 0 {
		h, err := s.header(ctx, o.SettledTo)
		if err != nil {
			return layer{}, err
		}
		before.Settled, before.Block, before.Root, before.BlockHash = true, h.Number, h.NewRoot, h.Hash
	}
	server, err := StartStarknet(StarknetOptions{
		Version: o.Version, BlockInterval: starknetBlockTime, Before: before,
	})
	if err != nil {
		return layer{}, err
	}
	s.closers = append(s.closers, func() { _ = server.Close() })
	if s.Contract, err = server.Contract(nil); err != nil {
		return layer{}, err
	}
	registrar, err := server.Registrar()
	if err != nil {
		return layer{}, err
	}
	s.Unit, s.About = config.FeeUnit(config.StarknetLayer), "starknet   a fake at "+server.URL()
	return layer{
		part: part{
			settings: map[string]string{
				"SETTLEMENT_KIND": config.StarknetLayer, "SETTLEMENT_RPC": server.URL(),
				"SETTLEMENT_CHAIN_ID": server.ChainID(),
				"SETTLEMENT_CONTRACT": fakestarknet.CoreAddress.String(),
				"SETTLEMENT_VERIFIER": fakestarknet.RegistryAddress.String(),
				"SETTLEMENT_ACCOUNT":  StarknetOperator.String(), "SETTLEMENT_KEY_SECRET": o.Name + "/wallet",
			},
			secrets: map[string]string{"wallet": server.Key(StarknetOperator)},
		},
		registrar: part{
			settings: map[string]string{"PROVER_KEY_SECRET": o.Name + "/registrar",
				"PROVER_ACCOUNT": StarknetRegistrar.String()},
			secrets: map[string]string{"registrar": server.Key(StarknetRegistrar)},
		},
		registry: registrar, fact: StarknetFact(fakestarknet.DataForm),
	}, nil
}

func (s *Sandbox) onEthereum(ctx context.Context, o Options) (layer, error) {
	d, id, err := s.contracts(ctx, o)
	if err != nil {
		return layer{}, err
	}
	node, err := ethereum.Dial(o.Ethereum, id)
	if err != nil {
		return layer{}, err
	}
	s.closers = append(s.closers, node.Close)
	s.ethereum, s.core = o.Ethereum, d.Core
	s.Unit = config.FeeUnit(config.EthereumLayer)
	s.About = "ethereum   anvil at " + o.Ethereum
	core, err := ethereum.NewCore(node, d.Core.Hex(), nil)
	if err != nil {
		return layer{}, err
	}
	s.Contract = &steady{Contract: core, within: steadyWithin}
	facts, err := ethereum.NewFacts(node, d.Registry.Hex())
	if err != nil {
		return layer{}, err
	}
	signer, err := ethereum.NewKeySigner(devethereum.Keys[1])
	if err != nil {
		return layer{}, err
	}
	l := layer{
		part: part{
			settings: map[string]string{
				"SETTLEMENT_RPC": o.Ethereum, "SETTLEMENT_CHAIN_ID": id, "SETTLEMENT_CONTRACT": d.Core.Hex(),
				"SETTLEMENT_VERIFIER": d.Registry.Hex(),
			},
		},
		registrar: part{
			settings: map[string]string{"PROVER_KEY_SECRET": o.Name + "/registrar"},
			secrets:  map[string]string{"registrar": devethereum.Keys[1]},
		},
		registry: ethereum.NewRegistrar(facts, ethereum.NewWallet(node, signer, ethereum.SidecarAuto)),
	}
	if !o.KMS {
		l.settings["SETTLEMENT_ADDRESS"] = devethereum.Address(devethereum.Keys[2]).Hex()
		l.settings["SETTLEMENT_KEY_SECRET"] = o.Name + "/wallet"
		l.secrets = map[string]string{"wallet": devethereum.Keys[2]}
	}
	return l, nil
}

// Operator lets an account update the state, and funds it with an ether: what an operator does for a wallet in KMS.
func (s *Sandbox) Operator(ctx context.Context, account common.Address) error {
	client, err := ethclient.DialContext(ctx, s.ethereum)
	if err != nil {
		return fmt.Errorf("connect to Ethereum: %w", err)
	}
	defer client.Close()
	return (&devethereum.Sender{Client: client, Key: devethereum.Keys[0]}).Operator(ctx, s.core, account)
}

// contracts deploys the contracts and sends the chain's messages to the core contract.
func (s *Sandbox) contracts(ctx context.Context, o Options) (devethereum.Deployment, string, error) {
	client, err := ethclient.DialContext(ctx, o.Ethereum)
	if err != nil {
		return devethereum.Deployment{}, "", fmt.Errorf("connect to Ethereum: %w", err)
	}
	defer client.Close()
	id, err := client.ChainID(ctx)
	if err != nil {
		return devethereum.Deployment{}, "", fmt.Errorf("connect to Ethereum: %w", err)
	}
	hashes, err := snosrunner.HashesOf(o.Version) // of the chain's blocks
	if err != nil {
		return devethereum.Deployment{}, "", err
	}
	sender := &devethereum.Sender{Client: client, Key: devethereum.Keys[0]}
	setup := devethereum.Setup{
		ProgramHash: hashes.OS, AggregatorProgramHash: hashes.Aggregator, ConfigHash: hashes.Config,
		Registrar: devethereum.Address(devethereum.Keys[1]),
		Operators: []common.Address{devethereum.Address(devethereum.Keys[2])},
	}
	if o.SettledTo != 0 {
		h, err := s.header(ctx, o.SettledTo)
		if err != nil {
			return devethereum.Deployment{}, "", err
		}
		setup.Settled, setup.Block, setup.Root, setup.BlockHash = true, h.Number, h.NewRoot, h.Hash
	}
	d, err := sender.Deploy(ctx, setup)
	if err != nil {
		return d, "", err
	}
	return d, id.String(), sender.SendMessages(ctx, d.Core, s.messages)
}

// header is that of a block of the chain, with which the contract begins.
func (s *Sandbox) header(ctx context.Context, n uint64) (block.Header, error) {
	src, err := s.source()
	if err != nil {
		return block.Header{}, err
	}
	hs, err := src.Headers(ctx, n, n)
	if err != nil {
		return block.Header{}, fmt.Errorf("read block %d: %w", n, err)
	}
	return hs[0], nil
}
