package appchain

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/client/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// parseNonces reads a list of {address, nonce}: addresses in decimal or with 0x in hex, nonces in hex.
func parseNonces(raw []byte) (map[felt.Felt]felt.Felt, error) {
	var items []struct {
		Address string `json:"address"`
		Nonce   string `json:"nonce"`
	}
	if err := json.Unmarshal(raw, &items); err != nil {
		return nil, err
	}
	out := make(map[felt.Felt]felt.Felt, len(items))
	for i, x := range items {
		address, err := parseNumber(x.Address)
		if err != nil {
			return nil, fmt.Errorf("address %d: %w", i, err)
		}
		nonce, err := felt.FromHex(x.Nonce)
		if err != nil {
			return nil, fmt.Errorf("nonce %d: %w", i, err)
		}
		out[address] = nonce
	}
	return out, nil
}

func parseNumber(s string) (felt.Felt, error) {
	if strings.HasPrefix(s, "0x") {
		return felt.FromHex(s)
	}
	if len(s) > 80 {
		return felt.Zero, fmt.Errorf("number of %d digits: %w", len(s), felt.ErrInvalid)
	}
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		return felt.Zero, fmt.Errorf("%.40q is not a number: %w", s, felt.ErrInvalid)
	}
	return felt.FromBig(n)
}

// useOutput takes the numbers and the hash of the block before from the program output of the recorded batch, where it
// fits: its roots must be the recording's. One hex word a line.
func (r *Recording) useOutput(raw []byte) {
	lines := strings.Fields(string(raw[:min(len(raw), 1<<12)]))
	if len(lines) < 6 {
		return
	}
	var words [6]felt.Felt
	for i := range words {
		f, err := felt.FromHex(lines[i])
		if err != nil {
			return
		}
		words[i] = f
	}
	last := len(r.Updates) - 1
	from, ok := words[2].Uint64()
	to, ok2 := words[3].Uint64()
	if !ok || !ok2 || to-from != uint64(len(r.Updates)) || words[0] != r.Updates[0].OldRoot ||
		words[1] != r.Updates[last].NewRoot ||
		words[5] != r.Updates[last].BlockHash {
		return
	}
	for i := range r.Updates {
		r.Updates[i].Number = from + 1 + uint64(i)
	}
	r.Numbered, r.ParentHash = true, words[4]
}

// useSquashed derives slots from before the recording: a slot that was written but is not in the squashed diff ended
// with the value that it had at the start. stateful, which may be empty, is the same diff with aliases; it shows those
// that were there before.
func (r *Recording) useSquashed(raw, stateful []byte) error {
	u, err := appchain.ParseStateUpdate(r.Updates[len(r.Updates)-1].Number, raw)
	if err != nil {
		return err
	}
	if u.BlockHash != r.Updates[len(r.Updates)-1].BlockHash || u.OldRoot != r.Updates[0].OldRoot {
		return nil // of another run
	}
	end := map[block.Slot]felt.Felt{}
	for _, x := range r.Updates {
		for _, c := range x.Diff.Storage {
			for _, e := range c.Entries {
				end[block.Slot{Contract: c.Address, Key: e.Key}] = e.Value
			}
		}
	}
	for _, c := range u.Diff.Storage {
		for _, e := range c.Entries {
			delete(end, block.Slot{Contract: c.Address, Key: e.Key})
		}
	}
	r.Before = end
	if len(stateful) == 0 {
		return nil
	}
	aliased, err := appchain.ParseStateUpdate(u.Number, stateful)
	if err != nil {
		return err
	}
	fresh := map[felt.Felt]felt.Felt{}
	for _, x := range r.Updates {
		for _, c := range x.Diff.Storage {
			for _, e := range c.Entries {
				if c.Address == aliasContract && !e.Key.IsZero() {
					fresh[e.Key] = e.Value
				}
			}
		}
	}
	all, ok := solveAliases(u.Diff, aliased.Diff, maps.Clone(fresh))
	for key, alias := range all {
		if _, isNew := fresh[key]; ok && !isNew {
			r.Before[block.Slot{Contract: aliasContract, Key: key}] = alias
		}
	}
	return nil
}
