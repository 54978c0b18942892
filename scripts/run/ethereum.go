package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	devethereum "github.com/madara-orchestrator/orchestrator/shared/dev/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/dev/snosrunner"
	"github.com/madara-orchestrator/orchestrator/shared/service/statetransition"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
	"github.com/madara-orchestrator/orchestrator/shared/setup/protocol"
)

// blockTime is the time between blocks of the embedded settlement layer.
const blockTime = 150 * time.Millisecond

// settlementLayer is where the chain settles, with all that the functions need of it.
type settlementLayer struct {
	contract settlement.Contract
	address  string // of the core contract
	wallet   setup.Wallet
	da       da.Layer
	data     setup.Wallet   // publishes to da, where that is a layer of its own
	archive  da.Archive     // of da; nil: nothing is read back
	registry proof.Registry // gets the facts
	facts    proof.FactChecker
	codec    statetransition.Codec
	unit     string // the smallest of the layer's coin
	about    string
	close    func()
}

// open opens the core contract with the wallet that settles.
func (l *settlementLayer) open(context.Context) (settlement.Contract, setup.Wallet, error) {
	return l.contract, l.wallet, nil
}

// compare compares the core contract with the chain.
func (l *settlementLayer) compare(core setup.App, a *appChain) setup.Contracts {
	return core.Contracts(l.address, l.unit, a.source, l.open)
}

// startLayer starts or connects the settlement layer, and what gets the data.
func startLayer(ctx context.Context, o options, a *appChain) (*settlementLayer, error) {
	l, err := startSettlement(ctx, o, a)
	if err != nil {
		return nil, err
	}
	if err := l.setData(ctx, o); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func startSettlement(ctx context.Context, o options, a *appChain) (*settlementLayer, error) {
	if o.settle == starknetLayer {
		return startStarknet(o, a)
	}
	return startEthereum(ctx, o, a)
}

// ownData is the core contract for an L3 of this run: in calldata mode Ethereum names the state diff by the proof's own
// page, not by what was published elsewhere.
type ownData struct{ settlement.Contract }

// Encode implements settlement.Contract.
func (c ownData) Encode(ctx context.Context, u settlement.Update, s settlement.State,
	k settlement.Config) (tx.Payload, error) {
	u.DataHash, u.DataSize = felt.Zero, 0
	return c.Contract.Encode(ctx, u, s, k)
}

// warmUp has the embedded Ethereum node load its KZG set-up, if there will be one. That takes seconds: the app chain
// is made meanwhile.
func warmUp(ctx context.Context, o options, log *slog.Logger) {
	if o.settle != ethereumLayer || o.ethereum != "" {
		return
	}
	go func() {
		if err := devethereum.WarmUp(); err != nil {
			log.WarnContext(ctx, "the node's KZG set-up", "error", err)
		}
	}()
}

// startEthereum starts or connects an Ethereum node and deploys the contracts on it.
func startEthereum(ctx context.Context, o options, a *appChain) (*settlementLayer, error) {
	url, key := o.ethereum, devethereum.Keys[0]
	closeChain := func() {}
	if o.ethereumKey != "" {
		b, err := os.ReadFile(o.ethereumKey)
		if err != nil {
			return nil, fmt.Errorf("read -ethereum-key: %w", err)
		}
		key = strings.TrimPrefix(strings.TrimSpace(string(b)), "0x")
	}
	if url == "" {
		chain, err := devethereum.Start(devethereum.Options{BlockInterval: o.blockTime})
		if err != nil {
			return nil, err
		}
		url, closeChain = chain.URL(), func() { _ = chain.Close() }
	}
	l, err := connectEthereum(ctx, o, url, key, a)
	if err != nil {
		closeChain()
		return nil, err
	}
	if o.layer == stage.L3 {
		l.contract = ownData{l.contract}
	}
	node := l.close
	l.close = func() { node(); closeChain() }
	return l, nil
}

// connectEthereum deploys the contracts, where none are named, and returns their clients. The app chain's messages to
// L2 are sent first, so that the updates may consume them.
func connectEthereum(ctx context.Context, o options, url, key string, a *appChain) (*settlementLayer, error) {
	client, err := ethclient.DialContext(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("connect to Ethereum: %w", err)
	}
	defer client.Close()
	id, err := client.ChainID(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to Ethereum: %w", err)
	}
	sender := &devethereum.Sender{Client: client, Key: key}
	d := devethereum.Deployment{Core: common.HexToAddress(o.core), Registry: common.HexToAddress(o.verifier)}
	if o.core == "" {
		if d, err = deployContracts(ctx, sender, a); err != nil {
			return nil, err
		}
	}
	if err := sender.SendMessages(ctx, d.Core, a.messages); err != nil {
		return nil, fmt.Errorf("send the app chain's messages: %w", err)
	}
	node, err := ethereum.Dial(url, id.String())
	if err != nil {
		return nil, err
	}
	return clients(ctx, node, d)
}

// deployContracts deploys the contracts for the chain.
func deployContracts(ctx context.Context, s *devethereum.Sender, a *appChain) (devethereum.Deployment, error) {
	hashes, err := snosrunner.HashesOf(a.version)
	if err != nil {
		return devethereum.Deployment{}, err
	}
	return s.Deploy(ctx, devethereum.Setup{
		ProgramHash: hashes.OS, AggregatorProgramHash: hashes.Aggregator, ConfigHash: hashes.Config,
		Settled: a.before.settled, Block: a.before.block, Root: a.before.root, BlockHash: a.before.hash,
		Registrar: devethereum.Address(devethereum.Keys[1]),
		Operators: []common.Address{devethereum.Address(devethereum.Keys[2])},
	})
}

// clients are the clients of deployed contracts: one account settles, another one registers facts.
func clients(ctx context.Context, node *ethereum.Node, d devethereum.Deployment) (*settlementLayer, error) {
	signer, err := ethereum.NewKeySigner(devethereum.Keys[2])
	if err != nil {
		return nil, err
	}
	wallet := ethereum.NewWallet(node, signer, ethereum.SidecarAuto)
	core, err := ethereum.NewCore(node, d.Core.Hex(), wallet)
	if err != nil {
		return nil, err
	}
	facts, err := ethereum.NewFacts(node, d.Registry.Hex())
	if err != nil {
		return nil, err
	}
	registrarKey, err := ethereum.NewKeySigner(devethereum.Keys[1])
	if err != nil {
		return nil, err
	}
	address, err := wallet.Address(ctx)
	if err != nil {
		return nil, err
	}
	layer, err := ethereum.NewDA(address.Hex(), 0)
	if err != nil {
		return nil, err
	}
	registrar := ethereum.NewRegistrar(facts, ethereum.NewWallet(node, registrarKey, ethereum.SidecarAuto))
	policy := tx.DefaultPolicy()
	policy.ReplaceAfter = 20 * time.Second
	// Our contract's updates take several times the gas of the real one's: the usual cap would allow one at a time.
	policy.FeeCap = new(big.Int).Mul(policy.FeeCap, big.NewInt(10))
	return &settlementLayer{
		contract: core, address: d.Core.Hex(),
		wallet:   setup.Wallet{Chain: wallet, Name: "ethereum/" + address.Hex(), Policy: policy},
		da:       layer,
		registry: registrar, facts: facts, codec: protocol.Codec(),
		unit:  config.FeeUnit(config.EthereumLayer),
		about: fmt.Sprintf("core contract %s, fact registry %s", d.Core, d.Registry), close: node.Close,
	}, nil
}
