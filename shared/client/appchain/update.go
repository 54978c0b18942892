package appchain

import (
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// wireUpdate is an answer of starknet_getStateUpdate. Field elements are pointers: one that is absent is not 0.
type wireUpdate struct {
	BlockHash *felt.Felt `json:"block_hash"`
	OldRoot   *felt.Felt `json:"old_root"`
	NewRoot   *felt.Felt `json:"new_root"`
	Diff      *wireDiff  `json:"state_diff"`
}

type wireDiff struct {
	Storage []struct {
		Address *felt.Felt `json:"address"`
		Entries []wirePair `json:"storage_entries"`
	} `json:"storage_diffs"`
	Deployed   []wirePair  `json:"deployed_contracts"`
	Replaced   []wirePair  `json:"replaced_classes"`
	Nonces     []wirePair  `json:"nonces"`
	Declared   []wirePair  `json:"declared_classes"`
	Deprecated []felt.Felt `json:"deprecated_declared_classes"`
	Migrated   []wirePair  `json:"migrated_compiled_classes"`
}

// wirePair is an object of two field elements, whose names differ by section.
type wirePair struct {
	Key           *felt.Felt `json:"key"`
	Value         *felt.Felt `json:"value"`
	Address       *felt.Felt `json:"address"`
	Contract      *felt.Felt `json:"contract_address"`
	ClassHash     *felt.Felt `json:"class_hash"`
	CompiledClass *felt.Felt `json:"compiled_class_hash"`
	Nonce         *felt.Felt `json:"nonce"`
}

// decodeStateUpdate reads a state update of a closed block.
func decodeStateUpdate(n uint64, raw []byte) (block.StateUpdate, error) {
	var w wireUpdate
	if err := unmarshal(raw, &w); err != nil {
		return block.StateUpdate{}, malformed(fmt.Sprintf("state update of block %d", n), err)
	}
	if w.BlockHash == nil && w.Diff != nil {
		return block.StateUpdate{}, fmt.Errorf("block %d is not closed: %w", n, block.ErrNotFound)
	}
	if w.BlockHash == nil || w.OldRoot == nil || w.NewRoot == nil || w.Diff == nil {
		return block.StateUpdate{}, malformedf("state update of block %d lacks hash, roots or diff", n)
	}
	d, err := w.Diff.decode()
	if err != nil {
		return block.StateUpdate{}, fmt.Errorf("state update of block %d: %w", n, err)
	}
	return block.StateUpdate{Number: n, BlockHash: *w.BlockHash, OldRoot: *w.OldRoot, NewRoot: *w.NewRoot, Diff: d}, nil
}

func (w *wireDiff) decode() (d block.StateDiff, err error) {
	for _, c := range w.Storage {
		if c.Address == nil {
			return d, malformedf("storage diff lacks its address")
		}
		cs := block.ContractStorage{Address: *c.Address, Entries: make([]block.StorageEntry, 0, len(c.Entries))}
		err = pairs("storage entry", c.Entries, func(p wirePair) (a, b *felt.Felt) { return p.Key, p.Value },
			func(a, b felt.Felt) { cs.Entries = append(cs.Entries, block.StorageEntry{Key: a, Value: b}) })
		if err != nil {
			return d, err
		}
		d.Storage = append(d.Storage, cs)
	}
	d.DeprecatedDeclared = w.Deprecated
	err = pairs("deployed contract", w.Deployed, func(p wirePair) (a, b *felt.Felt) { return p.Address, p.ClassHash },
		func(a, b felt.Felt) {
			d.Deployed = append(d.Deployed, block.DeployedContract{Address: a, ClassHash: b})
		})
	if err == nil {
		err = pairs("replaced class", w.Replaced, func(p wirePair) (a, b *felt.Felt) { return p.Contract, p.ClassHash },
			func(a, b felt.Felt) { d.Replaced = append(d.Replaced, block.ReplacedClass{Address: a, ClassHash: b}) })
	}
	if err == nil {
		err = pairs("nonce", w.Nonces, func(p wirePair) (a, b *felt.Felt) { return p.Contract, p.Nonce },
			func(a, b felt.Felt) { d.Nonces = append(d.Nonces, block.NonceUpdate{Address: a, Nonce: b}) })
	}
	if err == nil {
		err = pairs("declared class", w.Declared,
			func(p wirePair) (a, b *felt.Felt) { return p.ClassHash, p.CompiledClass },
			func(a, b felt.Felt) {
				d.Declared = append(d.Declared, block.DeclaredClass{ClassHash: a, CompiledClassHash: b})
			})
	}
	if err == nil {
		err = pairs("migrated class", w.Migrated,
			func(p wirePair) (a, b *felt.Felt) { return p.ClassHash, p.CompiledClass },
			func(a, b felt.Felt) {
				d.MigratedCompiledHash = append(d.MigratedCompiledHash,
					block.MigratedClass{ClassHash: a, CompiledClassHash: b})
			})
	}
	return d, err
}

// pairs passes both elements of each object on.
func pairs(what string, in []wirePair, pick func(wirePair) (a, b *felt.Felt), put func(a, b felt.Felt)) error {
	for _, p := range in {
		a, b := pick(p)
		if a == nil || b == nil {
			return malformedf("%s lacks a field", what)
		}
		put(*a, *b)
	}
	return nil
}

// ParseStateUpdate reads a state update as starknet_getStateUpdate answers it, for block n. Faults are
// block.ErrMalformed.
func ParseStateUpdate(n uint64, raw []byte) (block.StateUpdate, error) {
	return decodeStateUpdate(n, raw)
}
