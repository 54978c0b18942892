package snosrunner

import (
	"context"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/blob"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/kzg"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/statediff"
)

// readPage is how many slots or nonces are asked for in one call.
const readPage = 500

// squash joins state updates and drops what they did not change against the state before block start.
func squash(ctx context.Context, src block.Source, updates []block.StateUpdate, start uint64) (*statediff.Diff, error) {
	d := statediff.Squash(updates...)
	slots := d.Slots()
	values, err := storage(ctx, src, start, slots)
	if err != nil {
		return nil, err
	}
	before := make(map[block.Slot]felt.Felt, len(slots))
	for i, s := range slots {
		before[s] = values[i]
	}
	d.DropUnchanged(before)
	return d, nil
}

// storage reads slots as they were before block start; before block 0 all are zero.
func storage(ctx context.Context, src block.Source, start uint64, slots []block.Slot) ([]felt.Felt, error) {
	if start == 0 {
		return make([]felt.Felt, len(slots)), nil
	}
	out := make([]felt.Felt, 0, len(slots))
	for len(slots) > 0 {
		page := slots[:min(readPage, len(slots))]
		slots = slots[len(page):]
		values, err := src.Storage(ctx, start-1, page)
		if err != nil {
			return nil, chainFault(fmt.Errorf("read storage before block %d: %w", start, err))
		}
		out = append(out, values...)
	}
	return out, nil
}

// segmentOf encodes a squashed diff as DA segment of a Starknet version. start and end are the blocks that it covers.
func (r *Runner) segmentOf(ctx context.Context, src block.Source, d *statediff.Diff, start, end uint64,
	version string) ([]felt.Felt, error) {
	f, err := statediff.FormatOf(version)
	if err != nil {
		return nil, reject("%w", err)
	}
	reads := statediff.Reads{Nonces: map[felt.Felt]felt.Felt{}}
	if f.Aliases {
		if reads.Aliases, err = r.known(ctx, src, d, start, end); err != nil {
			return nil, err
		}
	}
	if !f.PackedWord {
		for missing := d.MissingNonces(); len(missing) > 0; {
			page := missing[:min(readPage, len(missing))]
			missing = missing[len(page):]
			values, err := src.Nonces(ctx, end, page)
			if err != nil {
				return nil, chainFault(fmt.Errorf("read nonces after block %d: %w", end, err))
			}
			for i, a := range page {
				reads.Nonces[a] = values[i]
			}
		}
	}
	words, err := statediff.Encode(d, f, reads)
	if err != nil {
		return nil, reject("encode the state diff: %w", err)
	}
	return words, nil
}

// commit makes the KZG part of an output for a segment.
func commit(segment []felt.Felt) (*output.Kzg, error) {
	blobs, err := blob.FromWords(segment)
	if err != nil {
		return nil, err
	}
	commitments, err := kzg.CommitAll(blobs)
	if err != nil {
		return nil, err
	}
	k := &output.Kzg{Commitments: make([][48]byte, len(blobs)), Evaluations: make([][32]byte, len(blobs))}
	copy(k.Commitments, commitments)
	k.Z = output.Z(segment, k.Commitments)
	return k, kzg.Parallel(len(blobs), func(i int) error {
		y, err := kzg.Evaluate(&blobs[i], k.Z)
		k.Evaluations[i] = y
		return err
	})
}
