package snosrunner

import (
	"context"
	"errors"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/osconfig"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/statediff"
)

// chunk is how many blocks are read of the source at once.
const chunk = 250

// input is what a run reads of its blocks.
type input struct {
	first, last block.Header
	updates     []block.StateUpdate
	messages    block.Messages
}

// read brings the blocks of a task and checks that they are one run of blocks.
func (r *Runner) read(ctx context.Context, t snos.Task) (input, error) {
	src := r.source(t)
	var in input
	for from := t.StartBlock; ; from += chunk {
		to := min(t.EndBlock, from+chunk-1)
		headers, err := src.Headers(ctx, from, to)
		if err != nil {
			return in, chainFault(err)
		}
		updates, err := src.StateUpdates(ctx, from, to)
		if err != nil {
			return in, chainFault(err)
		}
		messages, err := src.Messages(ctx, from, to)
		if err != nil {
			return in, chainFault(err)
		}
		if err := in.add(headers, updates, messages); err != nil {
			return in, err
		}
		if to == t.EndBlock {
			return in, nil
		}
	}
}

// add appends a chunk, which must follow what is there.
func (in *input) add(headers []block.Header, updates []block.StateUpdate, messages []block.Messages) error {
	for i, h := range headers {
		u := updates[i]
		switch {
		case u.BlockHash != h.Hash || u.NewRoot != h.NewRoot:
			return chainFault(fmt.Errorf("header and state update of block %d do not belong together: %w",
				h.Number, block.ErrMalformed))
		case len(in.updates) > 0 && (h.ParentHash != in.last.Hash || u.OldRoot != in.last.NewRoot):
			return chainFault(
				fmt.Errorf("block %d does not follow block %d: %w", h.Number, in.last.Number, block.ErrMalformed))
		case len(in.updates) > 0 && h.StarknetVersion != in.last.StarknetVersion:
			return reject("block %d has Starknet version %s, block %d before it %s: a run has one version",
				h.Number, h.StarknetVersion, in.last.Number, in.last.StarknetVersion)
		case len(in.updates) == 0:
			in.first = h
		}
		in.last = h
		in.updates = append(in.updates, u)
		in.messages.ToL1 = append(in.messages.ToL1, messages[i].ToL1...)
		in.messages.ToL2 = append(in.messages.ToL2, messages[i].ToL2...)
	}
	return nil
}

// transition is what the blocks make of the state. Before block 0 there is block -1, written P-1, with hash and root 0.
func (in *input) transition(config felt.Felt) output.Output {
	return output.Output{
		PrevRoot: in.updates[0].OldRoot, NewRoot: in.last.NewRoot, PrevBlock: before(in.first.Number),
		NewBlock: felt.FromUint64(in.last.Number),
		PrevHash: in.first.ParentHash, NewHash: in.last.Hash, ConfigHash: config, Messages: in.messages,
	}
}

// runBlocks is the fake of the Starknet OS.
func (r *Runner) runBlocks(ctx context.Context, t snos.Task) (outcome, error) {
	in, err := r.read(ctx, t)
	if err != nil {
		return outcome{}, err
	}
	diff, err := squash(ctx, r.source(t), in.updates, t.StartBlock)
	if err != nil {
		return outcome{}, err
	}
	version := in.last.StarknetVersion
	if err := r.allotted(ctx, r.source(t), diff, t.StartBlock, t.EndBlock, version); err != nil {
		return outcome{}, err
	}
	config, err := osconfig.Hash(version, r.opts.Config)
	if err != nil {
		return outcome{}, reject("%w", err)
	}
	o := in.transition(config)
	if !t.FullOutput {
		return r.finish(ctx, t, outcome{program: osProgram, version: version}, o, diff)
	}
	o.FullOutput = true
	if o.Data, err = EncodeDiff(nil, Diff{Version: version, Diff: diff.StateDiff()}); err != nil {
		return outcome{}, reject("%w", err)
	}
	words := o.Words()
	return outcome{program: osProgram, version: version, update: words, output: words}, nil
}

// Limits of the aggregator's inputs: words of one, and their number.
const (
	maxInput  = 1 << 22
	maxInputs = 10_000
)

// combined is what the aggregator reads of its inputs.
type combined struct {
	output  output.Output
	updates []block.StateUpdate
	version string
	os      felt.Felt     // program hash of the OS that made the inputs
	inputs  [][]felt.Felt // as they stand in the aggregator's own output
}

// aggregate is the fake of the aggregator program: it combines the full outputs of consecutive runs.
func (r *Runner) aggregate(ctx context.Context, t snos.Task) (outcome, error) {
	if len(t.Inputs) == 0 || len(t.Inputs) > maxInputs {
		return outcome{}, reject("%d inputs, want 1 to %d", len(t.Inputs), maxInputs)
	}
	var c combined
	for i, key := range t.Inputs {
		words, err := artifact.ReadFelts(ctx, r.artifacts, key, maxInput)
		if errors.Is(err, artifact.ErrNotFound) || errors.Is(err, artifact.ErrCorrupt) ||
			errors.Is(err, artifact.ErrTooLarge) {
			return outcome{}, reject("input %d: %w", i, err)
		}
		if err != nil {
			return outcome{}, err
		}
		if err := c.add(words); err != nil {
			return outcome{}, reject("input %d (%s): %w", i, key, err)
		}
	}
	config, err := osconfig.Hash(c.version, r.opts.Config)
	if err == nil {
		err = covers(c.output, t, config)
	}
	if err != nil {
		return outcome{}, reject("%w", err)
	}
	diff, err := squash(ctx, r.source(t), c.updates, t.StartBlock)
	if err != nil {
		return outcome{}, err
	}
	c.output.OSProgramHash, c.output.FullOutput = c.os, false
	return r.finish(ctx, t, outcome{program: aggregatorProgram, version: c.version, inputs: c.inputs}, c.output, diff)
}

// add appends one input.
func (c *combined) add(words []felt.Felt) error {
	o, d, err := parseFull(words)
	if err != nil {
		return err
	}
	if len(c.inputs) == 0 {
		c.output, c.version = o, d.Version
	} else if err := extend(&c.output, o); err != nil {
		return err
	}
	if d.Version != c.version {
		return fmt.Errorf("is of Starknet version %s, those before it of %s", d.Version, c.version)
	}
	if c.os, _, err = osProgram.hash(d.Version); err != nil {
		return err
	}
	last, _ := o.NewBlock.Uint64()
	c.updates = append(c.updates,
		block.StateUpdate{Number: last, BlockHash: o.NewHash, OldRoot: o.PrevRoot, NewRoot: o.NewRoot, Diff: d.Diff})
	c.inputs = append(c.inputs, append([]felt.Felt{c.os}, words...)) // as the bootloader writes a task: program, output
	return nil
}

// finish encodes the state diff as DA segment and completes the output.
func (r *Runner) finish(ctx context.Context, t snos.Task, out outcome, o output.Output,
	diff *statediff.Diff) (outcome, error) {
	segment, err := r.segmentOf(ctx, r.source(t), diff, t.StartBlock, t.EndBlock, out.version)
	if err != nil {
		return outcome{}, err
	}
	out.segment = segment
	if r.opts.Calldata && t.Kind == snos.Run {
		o.Data, out.page = segment, len(segment)
	} else if o.Kzg, err = commit(segment); err != nil {
		return outcome{}, reject("commit to %d words of state diff: %w", len(segment), err)
	}
	out.update = o.Words()
	out.output = out.update
	if len(out.inputs) > 0 {
		out.output = output.WithInputs(out.inputs, out.update)
	}
	return out, nil
}
