package appchain

import (
	"slices"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// Constants of stateful compression (Starknet OS from 0.13.4 on).
var (
	aliasCounterKey  = felt.Zero
	firstAlias       = uint64(0x80)
	lastUncompressed = felt.FromUint64(0xf) // contracts up to here keep keys as they are
)

// allocateAliases gives every new address and storage key of the block an alias, as the OS does at a block's end: by
// ascending address its keys ascending, then the address itself; what is below 0x80 needs none. The counter of the next
// free alias is at key 0 of contract 0x2.
func (d *draft) allocateAliases() {
	keys := map[felt.Felt][]felt.Felt{}
	touch := func(address felt.Felt) {
		if _, ok := keys[address]; !ok {
			keys[address] = nil
		}
	}
	for k := range d.writes {
		touch(k.Contract)
		if k.Contract.Cmp(lastUncompressed) > 0 {
			keys[k.Contract] = append(keys[k.Contract], k.Key)
		}
	}
	for _, c := range d.diff.Deployed {
		touch(c.Address)
	}
	for _, c := range d.diff.Replaced {
		touch(c.Address)
	}
	for _, c := range d.diff.Nonces {
		touch(c.Address)
	}
	addresses := make([]felt.Felt, 0, len(keys))
	for a := range keys {
		addresses = append(addresses, a)
	}
	slices.SortFunc(addresses, felt.Felt.Cmp)
	counter := d.state.storage.latest(block.Slot{Contract: aliasContract, Key: aliasCounterKey})
	next, _ := counter.Uint64()
	next = max(next, firstAlias)
	for _, a := range addresses {
		slices.SortFunc(keys[a], felt.Felt.Cmp)
		for _, k := range append(keys[a], a) {
			next = d.alias(k, next)
		}
	}
	if felt.FromUint64(next) != counter {
		d.write(aliasContract, aliasCounterKey, felt.FromUint64(next))
	}
}

// alias allocates next for key unless key needs none or has one, and returns the alias that is free after it.
func (d *draft) alias(key felt.Felt, next uint64) uint64 {
	if key.Cmp(felt.FromUint64(firstAlias)) < 0 || !d.read(aliasContract, key).IsZero() {
		return next
	}
	d.write(aliasContract, key, felt.FromUint64(next))
	return next + 1
}
