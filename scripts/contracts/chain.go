package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/madara-orchestrator/orchestrator/shared/client/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/redact"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	devethereum "github.com/madara-orchestrator/orchestrator/shared/dev/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/dev/snosrunner"
	"github.com/madara-orchestrator/orchestrator/shared/service/contracts"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/expected"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/version"
)

// readChain reads of the app chain what the core contract begins with, and computes what it must hold.
func (d *deployer) readChain(ctx context.Context) error {
	if n := d.o.settled; n != nil {
		h, err := d.header(ctx, *n)
		if err != nil {
			return fmt.Errorf("-settled: read block %d of the app chain: %w", *n, err)
		}
		d.setup.Settled, d.setup.Block, d.setup.Root, d.setup.BlockHash = true, h.Number, h.NewRoot, h.Hash
	}
	if err := d.readVersion(ctx); err != nil {
		return err
	}
	needs, err := d.needs(d.head.StarknetVersion)
	if err != nil {
		return err
	}
	d.setup.ProgramHash, d.setup.AggregatorProgramHash = needs.ProgramHash, needs.AggregatorProgramHash
	d.setup.ConfigHash = needs.ConfigHash
	return nil
}

// source is the app chain. It has been checked that its node is named.
func (d *deployer) source() (*appchain.Source, error) {
	return appchain.New(appchain.Config{URL: d.o.chainRPC, ChainID: d.o.chainID},
		appchain.Deps{Log: slog.New(slog.DiscardHandler)})
}

func (d *deployer) header(ctx context.Context, n uint64) (block.Header, error) {
	src, err := d.source()
	if err != nil {
		return block.Header{}, err
	}
	hs, err := src.Headers(ctx, n, n)
	if err != nil {
		return block.Header{}, err
	}
	return hs[0], nil
}

// readVersion finds the Starknet version of the block that is settled next: given, the app chain's, or the newest.
func (d *deployer) readVersion(ctx context.Context) error {
	d.head = block.Header{Number: d.state().Next(), StarknetVersion: d.o.version}
	d.version = "as given"
	if d.o.version != "" {
		return nil
	}
	d.head.StarknetVersion, d.version = version.Newest(), "the newest: no app chain was named that says another one"
	if d.o.chainRPC == "" {
		return nil
	}
	src, err := d.source()
	if err != nil {
		return err
	}
	newest, err := src.Head(ctx)
	if errors.Is(err, block.ErrNotFound) {
		d.version = "the newest: the app chain has no block yet"
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the app chain at %s: %w", redact.Host(d.o.chainRPC), err)
	}
	n := min(d.head.Number, newest)
	h, err := d.header(ctx, n)
	if err != nil {
		return fmt.Errorf("read block %d of the app chain at %s: %w", n, redact.Host(d.o.chainRPC), err)
	}
	d.head, d.version = h, fmt.Sprintf("that of block %d", n)
	return nil
}

// state is what the core contract begins with.
func (d *deployer) state() settlement.State {
	s := d.setup
	return settlement.State{Settled: s.Settled, Block: s.Block, Root: s.Root, BlockHash: s.BlockHash}
}

// needs are the hashes of a Starknet version, computed of the settings as /ready does. Program hashes that neither
// options nor settings say are those of the development SNOS runner.
func (d *deployer) needs(v string) (settlement.Needs, error) {
	c := d.o.config
	c.Chain.ID = d.o.chainID
	of, err := expected.Needs(c)
	if err != nil {
		return settlement.Needs{}, err
	}
	n, err := of(v)
	if err != nil {
		return n, fmt.Errorf("the config hash can't be computed for Starknet %s: %w", v, err)
	}
	if !d.o.program.IsZero() {
		n.ProgramHash, n.AggregatorProgramHash, d.program = d.o.program, d.o.aggregator, "as given"
		return n, nil
	}
	if d.program = "of SETTLEMENT_PROGRAM_HASHES"; !n.ProgramHash.IsZero() {
		return n, nil
	}
	hashes, err := snosrunner.HashesOf(v)
	if err != nil {
		return n, err
	}
	n.ProgramHash, n.AggregatorProgramHash = hashes.OS, hashes.Aggregator
	d.program = "of the development SNOS runner"
	return n, nil
}

// app is the app chain for the check: its node, or what was assumed of it.
func (d *deployer) app() (contracts.Chain, error) {
	if d.o.chainRPC == "" {
		return assumed{d.head}, nil
	}
	return d.source()
}

// assumed is a chain of which only the Starknet version of its next block is said.
type assumed struct{ next block.Header }

// Head implements contracts.Chain.
func (a assumed) Head(context.Context) (uint64, error) { return a.next.Number, nil }

// Headers implements contracts.Chain.
func (a assumed) Headers(_ context.Context, from, to uint64) ([]block.Header, error) {
	if from <= a.next.Number && a.next.Number <= to {
		return []block.Header{a.next}, nil
	}
	return nil, block.ErrNotFound
}

// operators are who is to be registered: the deployer of a development core contract is an operator already.
func (d *deployer) operators(core devethereum.Artifact) {
	if d.operator != d.from || core.Proxied() {
		d.setup.Operators = append(d.setup.Operators, d.operator)
	}
}
