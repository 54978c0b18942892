package main

import (
	"context"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	eventcontroller "github.com/madara-orchestrator/orchestrator/shared/controller/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	devethereum "github.com/madara-orchestrator/orchestrator/shared/dev/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
	"github.com/madara-orchestrator/orchestrator/shared/setup/protocol"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/statediff"
)

// setData decides where the chain's data go: to the settlement layer, to an Ethereum of its own, or nowhere.
func (l *settlementLayer) setData(ctx context.Context, o options) error {
	switch o.da {
	case config.NoDA:
		l.about += "; data are published nowhere"
	case config.EthereumDA:
		return l.ownData(ctx, o.daEthereum, o.blockTime)
	}
	return nil
}

// ownData has the data go to an Ethereum node, which is started where there is no URL.
func (l *settlementLayer) ownData(ctx context.Context, url string, interval time.Duration) error {
	what := "the Ethereum at " + url
	if url == "" {
		chain, err := devethereum.Start(devethereum.Options{BlockInterval: interval})
		if err != nil {
			return err
		}
		closeLayer := l.close
		l.close = func() { _ = chain.Close(); closeLayer() }
		url, what = chain.URL(), "an embedded Ethereum"
	}
	client, err := ethclient.DialContext(ctx, url)
	if err != nil {
		return fmt.Errorf("connect to the Ethereum that gets the data: %w", err)
	}
	id, err := client.ChainID(ctx)
	client.Close()
	if err != nil {
		return fmt.Errorf("connect to the Ethereum that gets the data: %w", err)
	}
	node, err := ethereum.Dial(url, id.String())
	if err != nil {
		return err
	}
	signer, err := ethereum.NewKeySigner(devethereum.Keys[2])
	if err != nil {
		return err
	}
	wallet := ethereum.NewWallet(node, signer, ethereum.SidecarAuto)
	address, err := wallet.Address(ctx)
	if err != nil {
		return err
	}
	policy := tx.DefaultPolicy()
	policy.ReplaceAfter = 20 * time.Second
	name := config.DA{Kind: config.EthereumDA, ChainID: id.String()}.Name()
	l.data = setup.Wallet{Chain: wallet, Name: name + "/" + address.Hex(), Policy: policy, Layer: name}
	l.archive = nil // a development node serves no beacon API
	l.about += "; data are published in blobs on " + what
	l.da, err = ethereum.NewDA(address.Hex(), 0)
	return err
}

// dataSubmission is the function that publishes, or does not.
func (l *settlementLayer) dataSubmission(o options, core setup.App, a *appChain) *eventcontroller.Jobs {
	if o.da == config.NoDA {
		return core.NoData(l.da.Commit)
	}
	data := l.wallet
	if l.data.Layer != "" {
		data = l.data
	}
	return core.DataSubmission(setup.Publishing{Layer: l.da, Wallet: data, Archive: l.archive,
		Compare: comparing(a.source)})
}

// comparing compares segments with the chain, unless that gives no aliases, as starknet-devnet does: those that our
// SNOS runner gives in its stead are in no state update.
func comparing(src block.Source) da.Compare {
	compare := protocol.Compare(src)
	return func(ctx context.Context, segment []felt.Felt, b da.Blocks) error {
		hs, err := src.Headers(ctx, b.To, b.To)
		if err != nil {
			return err
		}
		f, err := statediff.FormatOf(hs[0].StarknetVersion)
		if err != nil {
			return err
		}
		if f.Aliases {
			counter, err := src.Storage(ctx, b.To, statediff.AliasSlots([]felt.Felt{felt.Zero}))
			if err != nil || counter[0].IsZero() {
				return err
			}
		}
		return compare(ctx, segment, b)
	}
}
