package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/madara-orchestrator/orchestrator/shared/client/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/blob"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/statediff"
)

func blobEncode(c *call) error {
	var update, nonces, aliases, version string
	var aliased bool
	c.fileFlag(&update, "state-update",
		"JSON of starknet_getStateUpdate, or a list of them from consecutive blocks, which are squashed")
	c.flags.StringVar(&version, "starknet-version", "", "`V` of the blocks, such as 0.13.5")
	c.fileFlag(&nonces, "nonces",
		"a JSON list of {address (decimal or 0x), nonce (hex)}: before 0.13.3, of contracts without a nonce change")
	c.fileFlag(&aliases, "aliases",
		"a JSON object of key to alias: from 0.13.4, those given before the blocks (contract 0x2)")
	c.flags.BoolVar(&aliased, "aliased", false, "the update's addresses and keys are aliases already")
	if _, err := c.parse(0); err != nil {
		return err
	}
	if err := need([2]string{"state-update", update}, [2]string{"starknet-version", version}); err != nil {
		return err
	}
	f, err := statediff.FormatOf(version)
	if err != nil {
		return usageError{err}
	}
	if aliased && aliases != "" {
		return usagef("--aliases and --aliased exclude each other")
	}
	if aliased {
		f.Aliases = false
	}
	updates, err := c.readUpdates(update)
	if err != nil {
		return err
	}
	d := statediff.Squash(updates...)
	r, err := c.readReads(nonces, aliases)
	if err == nil {
		err = missing(d, updates, f, r)
	}
	if err != nil {
		return err
	}
	words, err := statediff.Encode(d, f, r)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	blobs, err := blob.FromWords(words)
	if err != nil {
		return err
	}
	if !c.json {
		return blob.WriteHex(c.stdout, blobs)
	}
	out := struct {
		Words []felt.Felt `json:"words"`
		Blobs []bytesHex  `json:"blobs"`
	}{Words: words, Blobs: []bytesHex{}}
	for i := range blobs {
		out.Blobs = append(out.Blobs, blobs[i][:])
	}
	return c.print(out, nil)
}

// readUpdates reads one state update or a list of them. The blocks' numbers play no part.
func (c *call) readUpdates(path string) ([]block.StateUpdate, error) {
	b, err := c.readFile(path)
	if err != nil {
		return nil, err
	}
	list := []json.RawMessage{b}
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("[")) {
		if err := json.Unmarshal(b, &list); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	updates := make([]block.StateUpdate, len(list))
	for i, raw := range list {
		if updates[i], err = appchain.ParseStateUpdate(uint64(i), raw); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return updates, nil
}

// readReads reads what a format needs beside the diff.
func (c *call) readReads(nonces, aliases string) (r statediff.Reads, err error) {
	r.Nonces = map[felt.Felt]felt.Felt{}
	if nonces != "" {
		if r.Nonces, err = c.readNonces(nonces); err != nil {
			return r, err
		}
	}
	if aliases != "" {
		b, err := c.readFile(aliases)
		if err != nil {
			return r, err
		}
		if err := json.Unmarshal(b, &r.Aliases); err != nil {
			return r, fmt.Errorf("%s is not a JSON object of key to alias: %w", aliases, err)
		}
	}
	return r, nil
}

// missing says what must be given beside the state updates and wasn't: an encoding with a wrong nonce looks like any
// other. Contracts that are deployed here get nonce 0, which they have without a change.
func missing(d *statediff.Diff, updates []block.StateUpdate, f statediff.Format, r statediff.Reads) error {
	if !f.PackedWord {
		for _, u := range updates {
			for _, x := range u.Diff.Deployed {
				if _, ok := r.Nonces[x.Address]; !ok {
					r.Nonces[x.Address] = felt.Zero
				}
			}
		}
		return lacking("nonces", "contracts with changes have no nonce", d.MissingNonces(), r.Nonces)
	}
	if f.Aliases {
		return lacking("aliases", "addresses and keys have no alias", d.AliasKeys(), r.Aliases)
	}
	return nil
}

func lacking(flag, what string, keys []felt.Felt, known map[felt.Felt]felt.Felt) error {
	keys = slices.DeleteFunc(keys, func(k felt.Felt) bool { _, ok := known[k]; return ok })
	if len(keys) == 0 {
		return nil
	}
	return fmt.Errorf("%d %s in the state update, such as %s: give them by --%s", len(keys), what, keys[0], flag)
}

func (c *call) readNonces(path string) (map[felt.Felt]felt.Felt, error) {
	b, err := c.readFile(path)
	if err != nil {
		return nil, err
	}
	var list []struct{ Nonce, Address string }
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, fmt.Errorf("%s is not a JSON list of address and nonce: %w", path, err)
	}
	out := make(map[felt.Felt]felt.Felt, len(list))
	for i, x := range list {
		a, err := decimalOrHex(x.Address)
		if err != nil {
			return nil, fmt.Errorf("%s: address %d: %w", path, i, err)
		}
		if out[a], err = felt.FromHex(x.Nonce); err != nil {
			return nil, fmt.Errorf("%s: nonce %d: %w", path, i, err)
		}
	}
	return out, nil
}

// readBlobs reads blobs in hex, one a line.
func (c *call) readBlobs(path string) ([]blob.Blob, error) {
	f, err := c.open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	blobs, err := blob.ReadHex(f)
	if err == nil && len(blobs) == 0 {
		err = fmt.Errorf("no blobs: %w", blob.ErrInvalid)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return blobs, nil
}
