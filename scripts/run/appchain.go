package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/cache"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/redact"
	devappchain "github.com/madara-orchestrator/orchestrator/shared/dev/appchain"
)

// appChain is the chain whose blocks are settled.
type appChain struct {
	source      *appchain.Source
	announces   bool // new blocks, over a websocket
	url         string
	first, last uint64     // blocks to settle
	version     string     // Starknet version of the first block
	before      startingAt // what the contract must hold before the first block
	messages    []block.MessageToL2
	notes       func() []string
	close       func()
}

// startingAt is the state before the first block.
type startingAt struct {
	settled    bool
	block      uint64
	root, hash felt.Felt
}

// startChain starts or connects the app chain.
func startChain(ctx context.Context, o options, c cache.Cache, log *slog.Logger, out io.Writer) (*appChain, error) {
	a := &appChain{notes: func() []string { return nil }, close: func() {}}
	var dev *devappchain.Chain
	var gateway, socket string
	var err error
	switch {
	case o.starknet != "":
		a.url, gateway, socket, a.last = o.starknet, "", o.websocket, uint64(o.blocks-1)
	case o.recording != "":
		if dev, err = record(o); err != nil {
			return nil, err
		}
	default:
		opts := devappchain.Options{Seed: o.seed, Versions: o.versions()}
		if o.speed > 0 {
			opts.Blocks, opts.MaxBlocks = 1, uint64(o.blocks)
			opts.BlockInterval = time.Duration(float64(time.Second) / o.speed)
		}
		if dev, err = devappchain.Start(opts); err != nil {
			return nil, fmt.Errorf("start the app chain: %w", err)
		}
		a.last = uint64(o.blocks - 1)
		if a.messages, err = messages(o, dev, out); err != nil {
			return nil, err
		}
	}
	if dev != nil {
		a.url, gateway, socket, a.first = dev.URL(), dev.GatewayURL(), dev.WebsocketURL(), dev.First()
		a.notes, a.close = dev.Notes, func() { _ = dev.Close() }
		if o.recording != "" {
			h, _ := dev.Head()
			a.last = h.Number
		}
	}
	a.announces = socket != ""
	a.source, err = appchain.New(appchain.Config{URL: a.url, GatewayURL: gateway, WebsocketURL: socket},
		appchain.Deps{Cache: c, Log: log})
	if err != nil {
		a.close()
		return nil, err
	}
	if a.before, err = a.start(ctx); err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

// versions is the Starknet version of all blocks that the development chain makes.
func (o options) versions() []devappchain.VersionFrom {
	return []devappchain.VersionFrom{{Block: 0, Version: o.version}}
}

// messages makes the chain's blocks, or looks ahead for those of a chain that makes them with time, and returns the
// messages that they consume. It shows how far it is each second.
func messages(o options, dev *devappchain.Chain, out io.Writer) ([]block.MessageToL2, error) {
	shown := time.Now()
	made := func(n int) {
		if time.Since(shown) > time.Second {
			shown = time.Now()
			fmt.Fprintf(out, "           %d of %d blocks are made\n", n, o.blocks)
		}
	}
	fmt.Fprintf(out, "start      the app chain, %d blocks of seed %d\n", o.blocks, o.seed)
	if o.speed > 0 {
		return devappchain.LookAhead(devappchain.Options{Seed: o.seed, Versions: o.versions()}, o.blocks, made)
	}
	dev.Make(o.blocks, made)
	return dev.MessagesToL2(), nil
}

// record serves recorded blocks: of several runs that don't follow each other the longest.
func record(o options) (*devappchain.Chain, error) {
	runs, err := devappchain.Load(o.recording)
	if err != nil {
		return nil, fmt.Errorf("load the recording: %w", err)
	}
	if len(runs) == 0 {
		return nil, errors.New("the recording has no blocks")
	}
	best := runs[0]
	for _, r := range runs[1:] {
		if len(r.Updates) > len(best.Updates) {
			best = r
		}
	}
	c, err := best.Start(devappchain.RecordingOptions{StarknetVersion: o.version})
	if err != nil {
		return nil, fmt.Errorf("serve the recording: %w", err)
	}
	return c, nil
}

// start reads what lies before the first block.
func (a *appChain) start(ctx context.Context) (startingAt, error) {
	us, err := a.source.StateUpdates(ctx, a.first, a.first)
	if err != nil {
		return startingAt{}, fmt.Errorf("read the first block: %w", err)
	}
	hs, err := a.source.Headers(ctx, a.first, a.first)
	if err != nil {
		return startingAt{}, fmt.Errorf("read the first block: %w", err)
	}
	a.version = hs[0].StarknetVersion
	s := startingAt{settled: a.first > 0, root: us[0].OldRoot, hash: hs[0].ParentHash}
	if s.settled {
		s.block = a.first - 1
	}
	return s, nil
}

// head is the last block that is to be settled.
func (a *appChain) head(ctx context.Context) (block.Header, error) {
	hs, err := a.source.Headers(ctx, a.last, a.last)
	if err != nil {
		return block.Header{}, fmt.Errorf("read the app chain's head: %w", err)
	}
	return hs[0], nil
}

// total is the number of blocks to settle.
func (a *appChain) total() int { return int(a.last - a.first + 1) }

// printNotes says what a recording had to make up.
func (a *appChain) printNotes(note func(string, ...any)) {
	for _, n := range a.notes() {
		note("note       %s", strings.TrimSpace(n))
	}
}

// shownURL is what may be shown of the app chain's URL: that of a node of others may hold a key.
func shownURL(o options, url string) string {
	if o.starknet == "" {
		return url
	}
	return redact.Host(url)
}
