package main

import (
	"strconv"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/statediff"
)

// diffJSON is a state diff as starknet_getStateUpdate has it. A changed class is listed as a replaced one: whether its
// contract is new can't be seen in DA words.
type diffJSON struct {
	Storage  []storageJSON  `json:"storage_diffs"`
	Replaced []replacedJSON `json:"replaced_classes"`
	Nonces   []nonceJSON    `json:"nonces"`
	Declared []declaredJSON `json:"declared_classes"`
	Deployed []struct{}     `json:"deployed_contracts"`
}

type storageJSON struct {
	Address felt.Felt   `json:"address"`
	Entries []entryJSON `json:"storage_entries"`
}

type entryJSON struct {
	Key   felt.Felt `json:"key"`
	Value felt.Felt `json:"value"`
}

type replacedJSON struct {
	Contract felt.Felt `json:"contract_address"`
	Class    felt.Felt `json:"class_hash"`
}

type nonceJSON struct {
	Contract felt.Felt `json:"contract_address"`
	Nonce    felt.Felt `json:"nonce"`
}

type declaredJSON struct {
	Class    felt.Felt `json:"class_hash"`
	Compiled felt.Felt `json:"compiled_class_hash"`
}

func diffOf(d *statediff.Diff) *diffJSON {
	s := d.StateDiff()
	out := &diffJSON{
		Storage: []storageJSON{}, Replaced: []replacedJSON{}, Nonces: []nonceJSON{},
		Declared: []declaredJSON{}, Deployed: []struct{}{},
	}
	for _, c := range s.Storage {
		x := storageJSON{Address: c.Address}
		for _, e := range c.Entries {
			x.Entries = append(x.Entries, entryJSON(e))
		}
		out.Storage = append(out.Storage, x)
	}
	for _, c := range s.Replaced {
		out.Replaced = append(out.Replaced, replacedJSON{c.Address, c.ClassHash})
	}
	for _, n := range s.Nonces {
		out.Nonces = append(out.Nonces, nonceJSON{n.Address, n.Nonce})
	}
	for _, c := range s.Declared {
		out.Declared = append(out.Declared, declaredJSON{c.ClassHash, c.CompiledClassHash})
	}
	return out
}

// rows lists contracts and their writes, then classes.
func (*diffJSON) rows(d *statediff.Diff) [][]string {
	rows := [][]string{{"contracts", strconv.Itoa(len(d.Contracts))}, {"classes", strconv.Itoa(len(d.Classes))}}
	s := d.StateDiff()
	writes := map[felt.Felt][]entryJSON{}
	for _, c := range s.Storage {
		for _, e := range c.Entries {
			writes[c.Address] = append(writes[c.Address], entryJSON(e))
		}
	}
	for _, a := range d.Addresses() {
		c := d.Contracts[a]
		rows = append(rows, []string{"contract", a.String()})
		if c.Nonce != nil {
			rows = append(rows, []string{"  nonce", c.Nonce.Big().String()})
		}
		if c.Class != nil {
			rows = append(rows, []string{"  class", c.Class.String()})
		}
		for _, e := range writes[a] {
			rows = append(rows, []string{"  write", e.Key.String(), e.Value.String()})
		}
	}
	for _, x := range s.Declared {
		rows = append(rows, []string{"class", x.ClassHash.String(), x.CompiledClassHash.String()})
	}
	return rows
}
