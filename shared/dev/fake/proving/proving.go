// Package proving gives the fakes of proving services what a development chain needs: aggregations by the development
// runner, and facts registered on the chain's contracts once something is proven.
package proving

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	fakeatlantic "github.com/madara-orchestrator/orchestrator/shared/dev/fake/atlantic"
	fakesharp "github.com/madara-orchestrator/orchestrator/shared/dev/fake/sharp"
	"github.com/madara-orchestrator/orchestrator/shared/dev/snosrunner"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/pie"
)

// World is what proofs are about and where their facts go.
type World struct {
	Source   block.Source
	Registry proof.Registry
	// Fact is the fact of a run on the settlement layer that Registry is on, of SNOS' program hash and output; nil:
	// SHARP's.
	Fact func(program felt.Felt, words []felt.Felt) pie.Fact
	// RegistryPoll is the pause between questions whether a fact is registered; 0: 50 ms.
	RegistryPoll time.Duration

	mu       sync.Mutex
	children map[string]string // PIE of Atlantic's queries, by id
}

// Atlantic configures Atlantic's fake for this world.
func (w *World) Atlantic(c fakeatlantic.Config) fakeatlantic.Config {
	c.Aggregate, c.OnProven = w.aggregate, w.proven
	return c
}

// Sharp configures SHARP's fake for this world.
func (w *World) Sharp(c fakesharp.Config) fakesharp.Config {
	c.OnProven = func(ctx context.Context, p fakesharp.Proven) error {
		if !p.Applicative {
			return nil
		}
		run, err := open(p.PIE)
		if err != nil {
			return err
		}
		hashes := snosrunner.HashesBy(p.HashFunction)        // as it is asked to, whatever the version
		fact, err := run.AggregatorFactOf(hashes.Aggregator) // SHARP knows an applicative job as an aggregator
		if err != nil {
			return err
		}
		return w.register(ctx, fact.String())
	}
	return c
}

// aggregate runs the aggregator over the children's PIEs, as Atlantic does when a bucket is closed.
func (w *World) aggregate(ctx context.Context, b fakeatlantic.Bucket) (a fakeatlantic.Aggregated, err error) {
	store := memory.NewArtifacts(nil)
	t, err := aggregation(ctx, store, b)
	if err != nil {
		return a, err
	}
	if err := w.run(ctx, store, t); err != nil {
		return a, err
	}
	read := func(name string) []byte {
		b, rerr := artifact.ReadAll(ctx, store, t.OutputPrefix+name, 1<<30)
		err = errors.Join(err, rerr)
		return b
	}
	a = fakeatlantic.Aggregated{PIE: read(artifact.PIE), DASegment: read(artifact.DASegment),
		Output: read(artifact.ProgramOutput)}
	if err != nil {
		return a, err
	}
	run, err := pie.Read(bytes.NewReader(a.PIE), int64(len(a.PIE)), pie.Limits{})
	if err != nil {
		return a, fmt.Errorf("PIE of the aggregation: %w", err)
	}
	hashes, err := w.hashes(ctx, run)
	if err != nil {
		return a, err
	}
	fact, err := run.AggregatorFactOf(hashes.Aggregator) // not the runner's own: it is under test
	a.Fact = fact.String()
	return a, err
}

// aggregation is the task over a bucket's children, whose outputs it puts into the store.
func aggregation(ctx context.Context, store artifact.Store, b fakeatlantic.Bucket) (snos.Task, error) {
	t := snos.Task{Kind: snos.Aggregate, ID: b.ID, OutputPrefix: artifact.AggregatorPrefix(0, 0)}
	for i, c := range b.Children {
		run, err := open(c.PIE)
		if err != nil {
			return t, err
		}
		o, _, err := output.Parse(run.Output)
		if err != nil {
			return t, fmt.Errorf("output of child %d: %w", i, err)
		}
		if i == 0 {
			if before, ok := o.PrevBlock.Uint64(); ok && o.PrevBlock != felt.MinusOne() {
				t.StartBlock = before + 1
			}
		}
		t.EndBlock, _ = o.NewBlock.Uint64()
		key := artifact.SNOSKey(uint64(i), 0, artifact.ProgramOutput)
		if err := artifact.WriteFelts(ctx, store, key, run.Output); err != nil {
			return t, err
		}
		t.Inputs = append(t.Inputs, key)
	}
	return t, nil
}

// run runs a task to its end.
func (w *World) run(ctx context.Context, store artifact.Store, t snos.Task) error {
	runner, err := snosrunner.New(snosrunner.Options{Source: w.Source, Artifacts: store})
	if err != nil {
		return err
	}
	handle, err := runner.Submit(ctx, t)
	if err != nil {
		return err
	}
	p, err := runner.Status(ctx, handle)
	if err != nil {
		return err
	}
	if p.State != snos.Succeeded {
		return errors.New(p.Detail)
	}
	return nil
}

// proven registers what a query of Atlantic establishes: an aggregation its state update, a proof that is verified the
// run that it proves.
func (w *World) proven(ctx context.Context, p fakeatlantic.Proven) error {
	switch {
	case p.Aggregator:
		return w.register(ctx, p.Fact)
	case p.PIE != "" && !strings.HasPrefix(p.Result, "PROOF_VERIFICATION"):
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.children == nil {
			w.children = map[string]string{}
		}
		w.children[p.ID] = p.PIE
		return nil
	}
	path := p.PIE
	if path == "" {
		id, err := provenBy(p.Input)
		if err != nil {
			return err
		}
		w.mu.Lock()
		path = w.children[id]
		w.mu.Unlock()
	}
	run, err := open(path)
	if err != nil {
		return err
	}
	hashes, err := w.hashes(ctx, run)
	if err != nil {
		return err
	}
	if w.Fact != nil {
		return w.register(ctx, w.Fact(hashes.OS, run.Output).String())
	}
	fact, err := run.SharpFactOf(hashes.OS)
	if err != nil {
		return err
	}
	return w.register(ctx, fact.String())
}

// hashes are those that a verifier knows the run's program by: it depends on the Starknet version of the run's blocks.
func (w *World) hashes(ctx context.Context, run *pie.PIE) (snosrunner.Hashes, error) {
	words, err := output.UpdateWords(run.Output)
	if err != nil {
		return snosrunner.Hashes{}, fmt.Errorf("output of the run: %w", err)
	}
	o, _, err := output.Parse(words)
	if err != nil {
		return snosrunner.Hashes{}, fmt.Errorf("output of the run: %w", err)
	}
	last, ok := o.NewBlock.Uint64()
	if !ok {
		return snosrunner.Hashes{}, fmt.Errorf("output of the run: block %s is not a block number", o.NewBlock)
	}
	headers, err := w.Source.Headers(ctx, last, last)
	if err != nil {
		return snosrunner.Hashes{}, fmt.Errorf("read the version of block %d: %w", last, err)
	}
	return snosrunner.HashesOf(headers[0].StarknetVersion)
}

// provenBy is the query whose proof a file holds.
func provenBy(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	var f struct {
		Proof struct {
			Of string `json:"stand_in_proof_of"`
		} `json:"proof"`
	}
	if err := json.Unmarshal(b, &f); err != nil || f.Proof.Of == "" {
		return "", fmt.Errorf("it is not a proof of this fake (%w)", err)
	}
	return f.Proof.Of, nil
}

func open(path string) (*pie.PIE, error) {
	b, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return nil, err
	}
	return pie.Read(bytes.NewReader(b), int64(len(b)), pie.Limits{})
}

// register registers a fact and waits until it is.
func (w *World) register(ctx context.Context, fact string) error {
	every := w.RegistryPoll
	if every == 0 {
		every = 50 * time.Millisecond
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		valid, err := w.Registry.Valid(ctx, []string{fact})
		if err == nil && valid[0] {
			return nil
		}
		if err == nil {
			err = w.Registry.Register(ctx, fact)
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-tick.C:
		}
	}
}
