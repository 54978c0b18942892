package snosrunner

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/statediff"
)

// Constants of the aliases (cairo-lang, os/state/aliases.cairo).
const (
	firstAlias = 128 // addresses and keys below it have none
	lastPlain  = 15  // contracts up to it keep their keys
)

// aliases allots the aliases of the stateful compression as the OS does at the end of each block, where the chain gives
// none: starknet-devnet 0.8.1 writes nothing to contract 0x2. It is made of all blocks from 0 on.
type aliases struct {
	mu    sync.Mutex
	next  uint64 // block
	free  uint64 // the next alias
	of    map[felt.Felt]felt.Felt
	given []given // in order
}

type given struct {
	block uint64
	key   felt.Felt
}

// upTo looks at the blocks up to one.
func (a *aliases) upTo(ctx context.Context, src block.Source, last uint64) error {
	if a.of == nil {
		a.of, a.free = map[felt.Felt]felt.Felt{}, firstAlias
	}
	for a.next <= last {
		us, err := src.StateUpdates(ctx, a.next, min(last, a.next+chunk-1))
		if err != nil {
			return chainFault(fmt.Errorf("read state updates from block %d on, for aliases: %w", a.next, err))
		}
		for _, u := range us {
			a.add(u)
		}
	}
	return nil
}

// add allots what a block needs: by ascending address its keys ascending, then the address itself.
func (a *aliases) add(u block.StateUpdate) {
	d := statediff.Squash(u)
	for _, address := range slices.SortedFunc(maps.Keys(d.Contracts), felt.Felt.Cmp) {
		if address.Cmp(felt.FromUint64(lastPlain)) > 0 {
			for _, k := range slices.SortedFunc(maps.Keys(d.Contracts[address].Storage), felt.Felt.Cmp) {
				a.allot(u.Number, k)
			}
		}
		a.allot(u.Number, address)
	}
	a.next = u.Number + 1
}

func (a *aliases) allot(n uint64, key felt.Felt) {
	if _, has := a.of[key]; has || key.Cmp(felt.FromUint64(firstAlias)) < 0 {
		return
	}
	a.of[key] = felt.FromUint64(a.free)
	a.given = append(a.given, given{n, key})
	a.free++
}

// allotted writes the aliases that blocks start to end give into their diff, where the chain gives none.
func (r *Runner) allotted(
	ctx context.Context,
	src block.Source,
	d *statediff.Diff,
	start, end uint64,
	version string,
) error {
	f, err := statediff.FormatOf(version)
	if err != nil {
		return reject("%w", err)
	}
	if !f.Aliases || d.Contracts[statediff.AliasContract] != nil || len(d.AliasKeys()) == 0 {
		return nil
	}
	known, err := r.known(ctx, src, d, start, end)
	if err != nil || !slices.ContainsFunc(d.AliasKeys(), func(k felt.Felt) bool { return known[k].IsZero() }) {
		return err
	}
	a := &r.aliases
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.upTo(ctx, src, end); err != nil {
		return err
	}
	to := &statediff.Contract{Storage: map[felt.Felt]felt.Felt{}}
	counter := uint64(firstAlias)
	for i, g := range a.given {
		if g.block <= end {
			counter = firstAlias + uint64(i) + 1
		}
		if g.block >= start && g.block <= end {
			to.Storage[g.key] = a.of[g.key]
		}
	}
	if len(to.Storage) == 0 {
		return nil
	}
	to.Storage[felt.Zero] = felt.FromUint64(counter)
	d.Contracts[statediff.AliasContract] = to
	return nil
}

// known are the aliases that a diff needs and lacks: as the chain has them before block start, or where it has none as
// the blocks before give them.
func (r *Runner) known(
	ctx context.Context,
	src block.Source,
	d *statediff.Diff,
	start, end uint64,
) (map[felt.Felt]felt.Felt, error) {
	keys := d.AliasKeys()
	values, err := storage(ctx, src, start, statediff.AliasSlots(keys))
	if err != nil {
		return nil, err
	}
	out, lacks := map[felt.Felt]felt.Felt{}, false
	for i, k := range keys {
		out[k] = values[i]
		lacks = lacks || values[i].IsZero()
	}
	if !lacks || start == 0 {
		return out, nil
	}
	a := &r.aliases
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.upTo(ctx, src, end); err != nil {
		return nil, err
	}
	for _, g := range a.given {
		if v, needed := out[g.key]; needed && v.IsZero() && g.block < start {
			out[g.key] = a.of[g.key]
		}
	}
	return out, nil
}
