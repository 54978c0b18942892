package statediff

import (
	"errors"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// AliasContract keeps the aliases of the stateful compression: storage key to alias. Its key 0 counts them.
var AliasContract = felt.FromUint64(2)

// Constants of the stateful compression (cairo-lang, os/state/aliases.cairo).
var (
	firstAlias        = felt.FromUint64(128) // addresses and keys below it stay as they are
	lastPlainContract = felt.FromUint64(15)  // contracts up to it keep their keys as they are
)

// ErrNoAlias says that an address or a key has no alias: the values that were read are not those of this chain.
var ErrNoAlias = errors.New("no alias")

// needsAlias says whether the compression replaces an address or key.
func needsAlias(f felt.Felt) bool { return f.Cmp(firstAlias) >= 0 }

// AliasKeys returns the keys of AliasContract whose values the compression of d needs and d itself lacks, ascending.
// They are to be read at the block before d's first.
func (d *Diff) AliasKeys() []felt.Felt {
	here := map[felt.Felt]felt.Felt{}
	if c := d.Contracts[AliasContract]; c != nil {
		here = c.Storage
	}
	need := map[felt.Felt]bool{}
	add := func(k felt.Felt) {
		if _, ok := here[k]; !ok && needsAlias(k) {
			need[k] = true
		}
	}
	for a, c := range d.Contracts {
		add(a)
		if a.Cmp(lastPlainContract) <= 0 {
			continue
		}
		for k := range c.Storage {
			add(k)
		}
	}
	return sorted(need)
}

// WithAliases returns d with addresses and keys replaced by their aliases. known holds the aliases that AliasKeys asks
// for. ErrNoAlias where one is missing or zero.
func (d *Diff) WithAliases(known map[felt.Felt]felt.Felt) (*Diff, error) {
	here := map[felt.Felt]felt.Felt{}
	if c := d.Contracts[AliasContract]; c != nil {
		here = c.Storage
	}
	alias := func(f felt.Felt) (felt.Felt, error) {
		if !needsAlias(f) {
			return f, nil
		}
		if a, ok := here[f]; ok && !a.IsZero() {
			return a, nil
		}
		if a, ok := known[f]; ok && !a.IsZero() {
			return a, nil
		}
		return f, fmt.Errorf("%w for %s", ErrNoAlias, f)
	}
	out := &Diff{Contracts: make(map[felt.Felt]*Contract, len(d.Contracts)), Classes: d.Classes}
	for a, c := range d.Contracts {
		to, err := alias(a)
		if err != nil {
			return nil, fmt.Errorf("contract: %w", err)
		}
		if out.Contracts[to] != nil {
			return nil, fmt.Errorf("contract %s has the alias %s of another: %w", a, to, ErrNoAlias)
		}
		n := &Contract{Class: c.Class, Nonce: c.Nonce, Storage: c.Storage}
		if a.Cmp(lastPlainContract) > 0 {
			n.Storage = make(map[felt.Felt]felt.Felt, len(c.Storage))
			for k, v := range c.Storage {
				key, err := alias(k)
				if err != nil {
					return nil, fmt.Errorf("key of contract %s: %w", a, err)
				}
				n.Storage[key] = v
			}
		}
		out.Contracts[to] = n
	}
	return out, nil
}

// AliasSlots are the storage slots of aliases.
func AliasSlots(keys []felt.Felt) []block.Slot {
	out := make([]block.Slot, len(keys))
	for i, k := range keys {
		out[i] = block.Slot{Contract: AliasContract, Key: k}
	}
	return out
}

// ResolveAliases is the inverse of WithAliases as far as the diff itself says what its aliases stand for; known adds
// others (alias to key). Aliases that neither knows stay.
func (d *Diff) ResolveAliases(known map[felt.Felt]felt.Felt) *Diff {
	meaning := map[felt.Felt]felt.Felt{}
	for alias, key := range known {
		meaning[alias] = key
	}
	if c := d.Contracts[AliasContract]; c != nil {
		for key, alias := range c.Storage {
			if !key.IsZero() {
				meaning[alias] = key
			}
		}
	}
	resolve := func(f felt.Felt) felt.Felt {
		if k, ok := meaning[f]; ok && needsAlias(f) {
			return k
		}
		return f
	}
	out := &Diff{Contracts: make(map[felt.Felt]*Contract, len(d.Contracts)), Classes: d.Classes}
	for a, c := range d.Contracts {
		n := &Contract{Class: c.Class, Nonce: c.Nonce, Storage: c.Storage}
		if a.Cmp(lastPlainContract) > 0 {
			n.Storage = make(map[felt.Felt]felt.Felt, len(c.Storage))
			for k, v := range c.Storage {
				n.Storage[resolve(k)] = v
			}
		}
		out.Contracts[resolve(a)] = n
	}
	return out
}
