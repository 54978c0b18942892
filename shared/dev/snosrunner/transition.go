package snosrunner

import (
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
)

// parseFull reads a full output of the development SNOS program.
func parseFull(words []felt.Felt) (output.Output, Diff, error) {
	o, _, err := output.Parse(words)
	if err != nil {
		return o, Diff{}, fmt.Errorf("%w: %w", err, ErrOutput)
	}
	if o.Kzg != nil || !o.FullOutput || !o.OSProgramHash.IsZero() {
		return o, Diff{}, fmt.Errorf("it has KZG mode %t, full output %t and OS program hash %s, want false, true "+
			"and 0: %w",
			o.Kzg != nil, o.FullOutput, o.OSProgramHash, ErrOutput)
	}
	d, err := DecodeDiff(o.Data)
	o.Data = nil
	return o, d, err
}

// extend appends the transition that follows.
func extend(o *output.Output, next output.Output) error {
	switch {
	case next.PrevBlock != o.NewBlock:
		return fmt.Errorf("starts after block %s, the one before it ends at %s", next.PrevBlock, o.NewBlock)
	case next.PrevRoot != o.NewRoot:
		return fmt.Errorf("starts from root %s, the one before it ends with %s", next.PrevRoot, o.NewRoot)
	case next.PrevHash != o.NewHash:
		return fmt.Errorf("starts from block hash %s, the one before it ends with %s", next.PrevHash, o.NewHash)
	case next.ConfigHash != o.ConfigHash:
		return fmt.Errorf("has configuration hash %s, the one before it %s", next.ConfigHash, o.ConfigHash)
	}
	o.NewRoot, o.NewBlock, o.NewHash = next.NewRoot, next.NewBlock, next.NewHash
	o.Messages.ToL1 = append(o.Messages.ToL1, next.Messages.ToL1...)
	o.Messages.ToL2 = append(o.Messages.ToL2, next.Messages.ToL2...)
	return nil
}

// covers compares the combined transition with the task.
func covers(o output.Output, t snos.Task, config felt.Felt) error {
	switch {
	case o.PrevBlock != before(t.StartBlock) || o.NewBlock != felt.FromUint64(t.EndBlock):
		return fmt.Errorf("inputs go from after block %s to %s, the task is for %d..%d",
			o.PrevBlock, o.NewBlock, t.StartBlock, t.EndBlock)
	case o.ConfigHash != config:
		return fmt.Errorf("inputs have configuration hash %s, ours is %s", o.ConfigHash, config)
	}
	return nil
}

// before is the number of the block before n as a program output has it: P-1 for block 0.
func before(n uint64) felt.Felt {
	if n == 0 {
		return felt.MinusOne()
	}
	return felt.FromUint64(n - 1)
}
