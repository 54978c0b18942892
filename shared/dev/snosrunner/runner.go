// Package snosrunner is a SNOS runner for development: it computes in Go, within Submit, what the Starknet OS and the
// aggregator would output over the same blocks. Its programs are fixed fakes with hashes of their own, so its PIEs
// prove nothing; everything else (headers, messages, state diffs, compression, blobs' commitments, z and y) is what a
// core contract with these program hashes accepts.
package snosrunner

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/osconfig"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/pie"
)

// Options say what the runs are for.
type Options struct {
	// Source reads the chain; Backup is read where a task asks for it, and may be unset.
	Source, Backup block.Source
	// Artifacts keeps what the runs write.
	Artifacts artifact.Store
	// Config is what the config hash is over; DefaultConfig where its chain id is unset.
	Config osconfig.Config
	// Calldata makes runs without FullOutput carry the DA segment in the program output, as an L3 does (word useKzg 0).
	// Else they carry KZG commitments.
	Calldata bool
	// Fact makes the fact that a core contract on Starknet asks for, of SNOS' program hash and output. nil: facts are
	// SHARP's, which Ethereum asks for.
	Fact func(program felt.Felt, words []felt.Felt) pie.Fact
}

// DefaultConfig is the configuration of the development chain.
func DefaultConfig() osconfig.Config {
	return osconfig.Config{ChainID: short(ChainID), FeeToken: felt.MustHex(FeeToken),
		EthFeeToken: felt.MustHex(EthFeeToken)}
}

// Runner is a snos.Runner that works within Submit.
type Runner struct {
	opts      Options
	artifacts artifact.Store
	aliases   aliases

	mu    sync.Mutex
	locks map[string]*lock // one a prefix, so that two submits of a task don't write at once
}

var _ snos.Runner = (*Runner)(nil)

// New returns a runner. It makes no request.
func New(o Options) (*Runner, error) {
	if o.Source == nil || o.Artifacts == nil {
		return nil, errors.New("development SNOS runner: a chain source and an artifact store are due")
	}
	if o.Config.ChainID.IsZero() {
		o.Config = DefaultConfig()
	}
	if o.Backup == nil {
		o.Backup = o.Source
	}
	return &Runner{opts: o, artifacts: o.Artifacts, locks: map[string]*lock{}}, nil
}

// rejection is a fault of the task itself: the same run will fail again.
type rejection struct{ err error }

// Error is the fault's text.
func (r *rejection) Error() string { return r.err.Error() }

// Unwrap gives the cause.
func (r *rejection) Unwrap() error { return r.err }

func reject(format string, args ...any) error { return &rejection{fmt.Errorf(format, args...)} }

// chainError is a fault of the node.
type chainError struct{ err error }

// Error is the fault's text.
func (c *chainError) Error() string { return c.err.Error() }

// Unwrap gives the cause.
func (c *chainError) Unwrap() error { return c.err }

func chainFault(err error) error { return &chainError{err} }

// Submit does the task's work unless it is done. Only failures of the store and an ended context are errors; a fault of
// the task or the node is recorded, and Status returns it.
func (r *Runner) Submit(ctx context.Context, t snos.Task) (string, error) {
	if t.ID == "" || strings.Contains(t.ID, "@") || !validPrefix(t.OutputPrefix) {
		return "", fmt.Errorf("submit task %q with prefix %q: the ID must be set and without @, the prefix a folder",
			t.ID, t.OutputPrefix)
	}
	release, err := r.acquire(ctx, t.OutputPrefix)
	if err != nil {
		return "", fmt.Errorf("submit task %s: %w", t.ID, err)
	}
	defer release()
	p, rec, err := r.progress(ctx, t.ID, t.OutputPrefix)
	if err != nil {
		return "", err
	}
	same := rec.Kind == t.Kind && rec.StartBlock == t.StartBlock && rec.EndBlock == t.EndBlock
	if p.State != snos.Lost && same {
		return handleOf(t), nil
	}
	if err := r.execute(ctx, t); err != nil {
		return "", fmt.Errorf("run task %s over blocks %d..%d: %w", t.ID, t.StartBlock, t.EndBlock, err)
	}
	return handleOf(t), nil
}

// execute runs a task and writes artifacts, record and result in this order, or the record of a failure.
func (r *Runner) execute(ctx context.Context, t snos.Task) error {
	if err := r.artifacts.Delete(ctx, t.OutputPrefix+artifact.RunResult); err != nil { // of an earlier attempt
		return fmt.Errorf("remove the result of an earlier attempt: %w", err)
	}
	rec := record{ID: t.ID, Kind: t.Kind, StartBlock: t.StartBlock, EndBlock: t.EndBlock, State: snos.Succeeded}
	out, err := r.run(ctx, t)
	if err == nil {
		err = r.store(ctx, t, out)
	}
	if cause := ctx.Err(); cause != nil && err != nil {
		return fmt.Errorf("%w (%w)", err, cause)
	}
	var rejected *rejection
	var chain *chainError
	switch {
	case errors.As(err, &rejected):
		rec.Failure = snos.Rejected
	case errors.As(err, &chain):
		rec.Failure = snos.ChainUnavailable
	case err != nil:
		return err
	}
	if err != nil {
		rec.State, rec.Detail = snos.Failed, err.Error()
		return r.putJSON(ctx, t.OutputPrefix+recordName, rec)
	}
	if err := r.putJSON(ctx, t.OutputPrefix+recordName, rec); err != nil {
		return err
	}
	fact, err := r.fact(out)
	if err != nil {
		return fmt.Errorf("fact of the run: %w", err)
	}
	hash, _, err := out.program.hash(out.version)
	if err != nil {
		return fmt.Errorf("program hash of the run: %w", err)
	}
	return r.putJSON(ctx, t.OutputPrefix+artifact.RunResult, snos.Result{
		Kind: t.Kind, StartBlock: t.StartBlock, EndBlock: t.EndBlock, ProgramHash: hash,
		Steps: out.steps(), Fact: fact.String()})
}

func (r *Runner) run(ctx context.Context, t snos.Task) (outcome, error) {
	if t.EndBlock < t.StartBlock {
		return outcome{}, reject("blocks %d..%d are not a range", t.StartBlock, t.EndBlock)
	}
	switch t.Kind {
	case snos.Run:
		return r.runBlocks(ctx, t)
	case snos.Aggregate:
		return r.aggregate(ctx, t)
	}
	return outcome{}, reject("there is no kind of run %q", t.Kind)
}

// source is the chain source that a task asks for.
func (r *Runner) source(t snos.Task) block.Source {
	if t.UseBackup {
		return r.opts.Backup
	}
	return r.opts.Source
}

// Status returns how a run stands, from what it left in the store.
func (r *Runner) Status(ctx context.Context, handle string) (snos.Progress, error) {
	id, prefix, ok := openHandle(handle)
	if !ok {
		return snos.Progress{State: snos.Lost}, ctx.Err()
	}
	p, _, err := r.progress(ctx, id, prefix)
	return p, err
}

// Cancel does nothing: a run has ended when its handle exists.
func (r *Runner) Cancel(ctx context.Context, _ string) error { return ctx.Err() }

// Ping asks the store and the node.
func (r *Runner) Ping(ctx context.Context) error {
	if err := r.artifacts.Ping(ctx); err != nil {
		return fmt.Errorf("ping the artifact store: %w", err)
	}
	if _, err := r.opts.Source.Head(ctx); err != nil && !errors.Is(err, block.ErrNotFound) {
		return fmt.Errorf("ping the chain: %w", err)
	}
	return nil
}

// lock is held by one submit at a time.
type lock struct {
	held  chan struct{}
	users int
}

// acquire takes a prefix's lock.
func (r *Runner) acquire(ctx context.Context, prefix string) (release func(), err error) {
	r.mu.Lock()
	l := r.locks[prefix]
	if l == nil {
		l = &lock{held: make(chan struct{}, 1)}
		r.locks[prefix] = l
	}
	l.users++
	r.mu.Unlock()
	leave := func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(r.locks, prefix)
		}
	}
	if err := ctx.Err(); err != nil {
		leave()
		return nil, err
	}
	select {
	case l.held <- struct{}{}:
		return func() { <-l.held; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
