package dev

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
	inputs  [][]felt.Felt // aggregator: what the output starts with
	output  []felt.Felt   // the whole program output
	update  []felt.Felt   // the state update's words within it
	segment []felt.Felt   // DA segment; nil with full output
}

// steps makes up a number of Cairo steps that grows with the output.
func (o outcome) steps() uint64 { return 10_000 + 100*uint64(len(o.output)) }

// fact is the fact of the state update's words under the program, which the core contract asks for.
func (o outcome) fact() string { return pie.PageFact(o.program.hash(), o.update).String() }

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
