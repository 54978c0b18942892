// Package statediff turns state diffs into data availability words and back: squashing a batch's blocks into one diff,
// stateful compression by aliases, the DA words of every Starknet version from 0.13.1 to 0.14.2 and, by package
// stateless, stateless compression. It does no I/O: what must be read of the chain is named (Slots, AliasKeys,
// MissingNonces) and given back by the caller.
package statediff

import (
	"maps"
	"slices"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// Diff is what a run of blocks changed, squashed: the last value of everything. The zero Diff is not ready: use New.
type Diff struct {
	Contracts map[felt.Felt]*Contract // by address, or by its alias
	Classes   map[felt.Felt]felt.Felt // declared and migrated classes: class hash to compiled class hash
}

// Contract is what changed of one contract.
type Contract struct {
	Class   *felt.Felt // its class hash after a deployment or replacement; nil where unchanged
	Nonce   *felt.Felt // nil where unchanged
	Storage map[felt.Felt]felt.Felt
}

// New returns a diff without changes.
func New() *Diff {
	return &Diff{Contracts: map[felt.Felt]*Contract{}, Classes: map[felt.Felt]felt.Felt{}}
}

// Squash returns the diff of consecutive state updates.
func Squash(updates ...block.StateUpdate) *Diff {
	d := New()
	for _, u := range updates {
		d.Add(u.Diff)
	}
	return d
}

// Add lays a later block's changes over d.
func (d *Diff) Add(s block.StateDiff) {
	for _, c := range s.Storage {
		if len(c.Entries) == 0 {
			continue
		}
		to := d.contract(c.Address)
		for _, e := range c.Entries {
			to.Storage[e.Key] = e.Value
		}
	}
	for _, c := range s.Deployed {
		d.contract(c.Address).Class = &c.ClassHash
	}
	for _, c := range s.Replaced {
		d.contract(c.Address).Class = &c.ClassHash
	}
	for _, n := range s.Nonces {
		d.contract(n.Address).Nonce = &n.Nonce
	}
	for _, c := range s.Declared {
		d.Classes[c.ClassHash] = c.CompiledClassHash
	}
	for _, c := range s.MigratedCompiledHash {
		d.Classes[c.ClassHash] = c.CompiledClassHash
	}
}

func (d *Diff) contract(a felt.Felt) *Contract {
	c := d.Contracts[a]
	if c == nil {
		c = &Contract{Storage: map[felt.Felt]felt.Felt{}}
		d.Contracts[a] = c
	}
	return c
}

// Addresses returns the changed contracts, ascending.
func (d *Diff) Addresses() []felt.Felt { return sorted(d.Contracts) }

func sorted[V any](m map[felt.Felt]V) []felt.Felt {
	return slices.SortedFunc(maps.Keys(m), felt.Felt.Cmp)
}

// Slots returns the written storage slots, ascending by contract and key: what DropUnchanged wants the earlier values
// of.
func (d *Diff) Slots() []block.Slot {
	var out []block.Slot
	for _, a := range d.Addresses() {
		for _, k := range sorted(d.Contracts[a].Storage) {
			out = append(out, block.Slot{Contract: a, Key: k})
		}
	}
	return out
}

// DropUnchanged removes writes of the value that the slot had before the first block, as the OS does. before holds the
// earlier values by slot; a slot that it lacks was 0. Contracts without any change left are removed too.
func (d *Diff) DropUnchanged(before map[block.Slot]felt.Felt) {
	for a, c := range d.Contracts {
		for k, v := range c.Storage {
			if before[block.Slot{Contract: a, Key: k}] == v {
				delete(c.Storage, k)
			}
		}
		if c.empty() {
			delete(d.Contracts, a)
		}
	}
}

func (c *Contract) empty() bool { return c.Class == nil && c.Nonce == nil && len(c.Storage) == 0 }

// lastSystemContract is the last address of the contracts that the OS keeps itself, which have no nonce.
var lastSystemContract = felt.FromUint64(15)

// MissingNonces returns the contracts with writes and no nonce, ascending: formats before PackedWord carry the nonce
// that they have after the last block, 0 for one that was just deployed. The OS's own contracts are not among them,
// theirs is 0.
func (d *Diff) MissingNonces() []felt.Felt {
	var out []felt.Felt
	for _, a := range d.Addresses() {
		if d.Contracts[a].Nonce == nil && a.Cmp(lastSystemContract) > 0 {
			out = append(out, a)
		}
	}
	return out
}

// SetNonces sets nonces of changed contracts.
func (d *Diff) SetNonces(nonces map[felt.Felt]felt.Felt) {
	for a, n := range nonces {
		if c := d.Contracts[a]; c != nil {
			c.Nonce = &n
		}
	}
}

// StateDiff returns the diff in the sections of a state update, sorted. A changed class counts as replaced: a diff does
// not show whether the contract is new.
func (d *Diff) StateDiff() block.StateDiff {
	var s block.StateDiff
	for _, a := range d.Addresses() {
		c := d.Contracts[a]
		if len(c.Storage) > 0 {
			cs := block.ContractStorage{Address: a}
			for _, k := range sorted(c.Storage) {
				cs.Entries = append(cs.Entries, block.StorageEntry{Key: k, Value: c.Storage[k]})
			}
			s.Storage = append(s.Storage, cs)
		}
		if c.Class != nil {
			s.Replaced = append(s.Replaced, block.ReplacedClass{Address: a, ClassHash: *c.Class})
		}
		if c.Nonce != nil {
			s.Nonces = append(s.Nonces, block.NonceUpdate{Address: a, Nonce: *c.Nonce})
		}
	}
	for _, h := range sorted(d.Classes) {
		s.Declared = append(s.Declared, block.DeclaredClass{ClassHash: h, CompiledClassHash: d.Classes[h]})
	}
	return s
}
