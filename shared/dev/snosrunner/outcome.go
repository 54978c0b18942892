package snosrunner

import (
	"bytes"
	"context"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/pie"
)

// outcome is what a run made.
type outcome struct {
	program program
	version string        // Starknet version of the blocks
	inputs  [][]felt.Felt // aggregator: what the output starts with
	output  []felt.Felt   // the whole program output
	update  []felt.Felt   // the state update's words within it
	segment []felt.Felt   // DA segment; nil with full output
	page    int           // how many of update's last words are a page of their own: the state diff in calldata mode
}

// steps makes up a number of Cairo steps that grows with the output.
func (o outcome) steps() uint64 { return 10_000 + 100*uint64(len(o.output)) }

// calldataTree is the fact topology of two pages: push both, join them.
var calldataTree = []int{2, 2}

// fact is the fact that the core contract asks for: of the state update's words under the program, with the state diff,
// where it follows them, as a page of its own.
func (o outcome) fact() (pie.Fact, error) {
	hash, f, err := o.program.hash(o.version)
	if err != nil {
		return pie.Fact{}, err
	}
	if len(o.inputs) > 0 { // an aggregator's fact is registered under the hash with the prefix
		hash = pie.AggregatorHash(hash, f)
	}
	if o.page == 0 {
		return pie.PageFact(hash, o.update), nil
	}
	pages := []uint64{uint64(len(o.update) - o.page), uint64(o.page)}
	return pie.NewFact(hash, o.update, pages, calldataTree)
}

// fact is the fact of a run on the settlement layer that the runner is for.
func (r *Runner) fact(o outcome) (pie.Fact, error) {
	if r.opts.Fact == nil {
		return o.fact()
	}
	hash, _, err := o.program.hash(o.version)
	if err != nil {
		return pie.Fact{}, err
	}
	return r.opts.Fact(hash, o.update), nil
}

// store writes a run's artifacts.
func (r *Runner) store(ctx context.Context, t snos.Task, o outcome) error {
	var pie bytes.Buffer
	if err := o.program.writePIE(&pie, o); err != nil {
		return fmt.Errorf("write PIE: %w", err)
	}
	if err := r.put(ctx, t.OutputPrefix+artifact.PIE, pie.Bytes()); err != nil {
		return err
	}
	files := map[string][]felt.Felt{artifact.ProgramOutput: o.output, artifact.OSOutput: o.update}
	if o.segment != nil {
		files[artifact.DASegment] = o.segment
	}
	for name, words := range files {
		if err := artifact.WriteFelts(ctx, r.artifacts, t.OutputPrefix+name, words); err != nil {
			return err
		}
	}
	return nil
}
