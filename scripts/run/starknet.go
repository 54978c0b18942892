package main

import (
	"fmt"
	"math/big"
	"time"

	l2 "github.com/madara-orchestrator/orchestrator/shared/client/starknet"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	fakestarknet "github.com/madara-orchestrator/orchestrator/shared/dev/fake/starknet"
	"github.com/madara-orchestrator/orchestrator/shared/dev/snosrunner"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
	"github.com/madara-orchestrator/orchestrator/shared/setup/protocol"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/pie"
)

// What the fake of Starknet is set up with: the accounts that settle and register facts, and the layout bridge's program.
var (
	starknetOperator  = felt.MustHex("0xacc0001")
	starknetRegistrar = felt.MustHex("0xacc0002")
	layoutBridgeHash  = felt.MustHex("0xb41d9e")
)

// l1Lag is how many blocks the fake's blocks take until they are accepted on L1.
const l1Lag = 20

// layoutBridge is the program hash that facts are made with; zero for Ethereum's.
func (o options) layoutBridge() felt.Felt {
	if o.settle == starknetLayer {
		return layoutBridgeHash
	}
	return felt.Zero
}

// starknetFact is the fact of a run on Starknet.
func starknetFact(run *pie.PIE, hashes snosrunner.Hashes) (string, error) {
	snos := output.Bootloaded(hashes.OS, run.Output)
	f := pie.StarknetFact(output.LayoutBridge(layoutBridgeHash, pie.BootloaderHash(), snos))
	return pie.Fact(f).String(), nil
}

// startStarknet starts the fake of Starknet with the contracts on it.
func startStarknet(o options, a *appChain) (*settlementLayer, error) {
	hashes, err := snosrunner.HashesOf(a.version)
	if err != nil {
		return nil, err
	}
	config := fakestarknet.Options{BlockInterval: blockTime, L1Lag: l1Lag, Registrar: starknetRegistrar, Core: fakestarknet.Core{
		Owner: starknetOperator, Operators: []felt.Felt{starknetOperator}, Settled: a.before.settled, Block: a.before.block,
		Root: a.before.root, BlockHash: a.before.hash, Bootloader: pie.BootloaderHash(), Config: hashes.Config,
		Snos: hashes.OS, LayoutBridge: layoutBridgeHash, Messages: a.messages,
	}}
	signers := map[felt.Felt]*l2.KeySigner{}
	for _, account := range []felt.Felt{starknetOperator, starknetRegistrar} {
		key, err := l2.NewKey()
		if err != nil {
			return nil, err
		}
		if signers[account], err = l2.NewKeySigner(key); err != nil {
			return nil, err
		}
		config.Accounts = append(config.Accounts, fakestarknet.Account{
			Address: account, PublicKey: signers[account].PublicKey(), Balance: new(big.Int).Mul(big.NewInt(1000), big.NewInt(1e18)),
		})
	}
	server, err := fakestarknet.Start(config)
	if err != nil {
		return nil, fmt.Errorf("start the fake of Starknet: %w", err)
	}
	if o.started != nil {
		o.started(server)
	}
	l, err := starknetClients(server, signers)
	if err != nil {
		_ = server.Close()
		return nil, err
	}
	return l, nil
}

// starknetClients are the clients of the fake's contracts.
func starknetClients(server *fakestarknet.Server, signers map[felt.Felt]*l2.KeySigner) (*settlementLayer, error) {
	node, err := l2.Dial(server.URL(), server.ChainID())
	if err != nil {
		return nil, err
	}
	wallets := map[felt.Felt]*l2.Wallet{}
	for account, s := range signers {
		if wallets[account], err = l2.NewWallet(node, s, account.String(), l2.STRK); err != nil {
			return nil, err
		}
	}
	wallet := wallets[starknetOperator]
	core, err := l2.NewCore(node, fakestarknet.CoreAddress.String(), wallet, l2.DataArguments)
	if err != nil {
		return nil, err
	}
	facts, err := l2.NewFacts(node, fakestarknet.RegistryAddress.String())
	if err != nil {
		return nil, err
	}
	layer, err := l2.NewDA(starknetOperator.String(), "")
	if err != nil {
		return nil, err
	}
	policy := tx.StarknetPolicy()
	policy.ReplaceAfter = 20 * time.Second
	return &settlementLayer{
		contract: core, wallet: setup.Wallet{Chain: wallet, Name: "starknet/" + starknetOperator.String(), Policy: policy}, da: layer,
		registry: l2.NewRegistrar(facts, wallets[starknetRegistrar]), facts: facts, codec: protocol.StarknetCodec(), unit: "gfri",
		about: fmt.Sprintf("a fake of Starknet at %s: core contract %s, fact registry %s", server.URL(), fakestarknet.CoreAddress, fakestarknet.RegistryAddress),
		close: func() { _ = server.Close() },
	}, nil
}
