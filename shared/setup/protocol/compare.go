package protocol

import (
	"context"
	"errors"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/statediff"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/version"
)

const (
	// comparedBlocks are read at once.
	comparedBlocks = 10
	// comparedSlots are read at once, of maxCompared in all: more than a batch's segment has words.
	comparedSlots, maxCompared = 500, 1 << 17
)

// Compare returns what compares a DA segment with what the chain says that the blocks changed. The error is a
// *da.MismatchError where they differ, twice; another one says that something can't be read, also where the node shows
// another block than the last one of the batch.
func Compare(src block.Source) da.Compare {
	return func(ctx context.Context, segment []felt.Felt, b da.Blocks) error {
		err := compare(ctx, src, segment, b)
		var differs *da.MismatchError
		if errors.As(err, &differs) { // a node may have answered wrongly: it must say so again
			src.Forget(ctx, b.From, b.To)
			return compare(ctx, src, segment, b)
		}
		return err
	}
}

func compare(ctx context.Context, src block.Source, segment []felt.Felt, b da.Blocks) error {
	from, to := b.From, b.To
	hs, err := src.HeadersNow(ctx, to, to)
	if err != nil || len(hs) != 1 {
		return fmt.Errorf("read block %d of the app chain: %w", to, errors.Join(err, missing(len(hs) == 1)))
	}
	if h := hs[0].Hash; !b.EndHash.IsZero() && h != b.EndHash { // its changes say nothing of this batch
		return fmt.Errorf("the app chain's node shows another block %d, with hash %s: the batch ends with the one "+
			"with hash %s. If a node serves a wrong fork, replace it; if the chain was reverted, rewind", to, h,
			b.EndHash)
	}
	f, err := statediff.FormatOf(hs[0].StarknetVersion)
	if err != nil {
		return fmt.Errorf("%w: block %d: %w", da.ErrUnreadable, to, err)
	}
	published, err := statediff.Decode(segment, f)
	if err != nil {
		return fmt.Errorf("%w: %w", da.ErrUnreadable, err)
	}
	own, again, migrated, err := changes(ctx, src, from, to)
	if err != nil {
		return err
	}
	var known map[felt.Felt]felt.Felt
	if f.Aliases {
		if known, err = aliases(ctx, src, to, own.AliasKeys()); err != nil {
			return err
		}
	}
	unsaid, err := own.Compare(published, f, known, again)
	if err != nil {
		if !migrated {
			return silent(ctx, src, hs[0].StarknetVersion, err)
		}
		return err
	}
	return unchanged(ctx, src, from, own, unsaid)
}

// aliases reads the aliases of keys after a block. With them their counter is read: on a chain that gave any it is not
// 0, but Madara's API before 0.10.2 knows no contract 0x2. Then nobody knows whether the segment is wrong.
func aliases(ctx context.Context, src block.Source, at uint64, keys []felt.Felt) (map[felt.Felt]felt.Felt, error) {
	known := map[felt.Felt]felt.Felt{}
	if len(keys) == 0 {
		return known, nil
	}
	err := slots(ctx, src, at, statediff.AliasSlots(append(keys, felt.Zero)), func(s block.Slot, v felt.Felt) error {
		known[s.Key] = v
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read aliases: %w", err)
	}
	if known[felt.Zero].IsZero() {
		return nil, fmt.Errorf("%w: its node shows no alias after block %d: contract %s, which keeps them, is not "+
			"there. %s", da.ErrNotCompared, at, statediff.AliasContract, newerAPI)
	}
	return known, nil
}

// newerAPI is what helps where a node's API leaves out what is compared.
const newerAPI = "Madara serves it by JSON-RPC 0.10.2: let CHAIN_RPC (CHAIN_RPC_SECRET) name that API, such as by " +
	"/rpc/v0_10_2, or unset DA_COMPARE"

func missing(ok bool) error {
	if ok {
		return nil
	}
	return block.ErrMalformed
}

// Classes are migrated to another compiled class hash since a version of Starknet. State updates have that since
// JSON-RPC 0.10; those of an earlier API leave it out.
var migratedSince = version.Must("0.14.1")

const migratedAPI = 10 // of 0.10

// silent is the error for a class that is published and that no state update has, where the node's API would leave it
// out: then nobody knows whether the segment is wrong.
func silent(ctx context.Context, src block.Source, starknet string, err error) error {
	var differs *da.MismatchError
	v, unknown := version.Check(starknet)
	node, asks := src.(interface {
		SpecVersion(ctx context.Context) (string, error)
	})
	if !errors.As(err, &differs) || differs.What != statediff.DeclaredClass || differs.State != nil ||
		unknown != nil || v.Before(migratedSince) || !asks {
		return err
	}
	spec, rerr := node.SpecVersion(ctx)
	if rerr != nil {
		return fmt.Errorf("ask for the API of the app chain's node: %w", rerr)
	}
	var major, minor int
	if _, serr := fmt.Sscanf(spec, "%d.%d", &major, &minor); serr != nil || major > 0 || minor >= migratedAPI {
		return err
	}
	return fmt.Errorf("%w: class %s is published, and the app chain's node speaks JSON-RPC %s, whose state updates "+
		"leave out classes that were migrated (Starknet %s). %s", da.ErrNotCompared, differs.Key, spec,
		starknet, newerAPI)
}

// changes squashes the blocks' state updates; again has the contracts whose class was set more than once, migrated says
// whether a class was migrated.
func changes(ctx context.Context, src block.Source, from, to uint64) (d *statediff.Diff, again map[felt.Felt]bool,
	migrated bool, err error) {
	d, again = statediff.New(), map[felt.Felt]bool{}
	n := uint64(comparedBlocks)
	for next := from; next <= to; {
		us, err := src.StateUpdates(ctx, next, min(to, next+n-1))
		if errors.Is(err, block.ErrTooMuch) && n > 1 {
			n = 1
			continue
		}
		if err != nil {
			return nil, nil, false, fmt.Errorf("read state updates from block %d on: %w", next, err)
		}
		if len(us) == 0 {
			return nil, nil, false, fmt.Errorf("state update of block %d: %w", next, block.ErrMalformed)
		}
		for _, u := range us {
			d.Changed(u.Diff, again)
			d.Add(u.Diff)
			migrated = migrated || len(u.Diff.MigratedCompiledHash) > 0
		}
		next += uint64(len(us))
	}
	return d, again, migrated, nil
}

// unchanged wants that slots which are not published had the value before the first block that they have now.
func unchanged(ctx context.Context, src block.Source, from uint64, own *statediff.Diff, unsaid []block.Slot) error {
	check := func(s block.Slot, before felt.Felt) error {
		if v := own.Contracts[s.Contract].Storage[s.Key]; v != before {
			return &da.MismatchError{What: "storage slot", Contract: s.Contract, Key: s.Key, State: &v}
		}
		return nil
	}
	if from == 0 { // nothing was before it
		for _, s := range unsaid {
			if err := check(s, felt.Zero); err != nil {
				return err
			}
		}
		return nil
	}
	return slots(ctx, src, from-1, unsaid, check)
}

// slots reads slots after a block.
func slots(ctx context.Context, src block.Source, at uint64, all []block.Slot,
	each func(block.Slot, felt.Felt) error) error {
	if len(all) > maxCompared {
		return fmt.Errorf("%d storage slots are to be read, at most %d are: unset DA_COMPARE and SETTLEMENT_BEACON to "+
			"settle the batch", len(all), maxCompared)
	}
	for len(all) > 0 {
		n := min(comparedSlots, len(all))
		vs, err := src.Storage(ctx, at, all[:n])
		if err == nil && len(vs) != n {
			err = block.ErrMalformed
		}
		if err != nil {
			return fmt.Errorf("read %d storage slots after block %d: %w", n, at, err)
		}
		for i, v := range vs {
			if err := each(all[i], v); err != nil {
				return err
			}
		}
		all = all[n:]
	}
	return nil
}
