package statediff_test

import (
	"bytes"
	"errors"
	"strconv"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/blob"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/starknettest"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/statediff"
)

// Blobs of mainnet blocks before 0.13.3, where every contract carries its nonce and nothing has an alias, are their
// blocks' state diffs.
func TestCompareMainnetBlobs(t *testing.T) {
	t.Parallel()
	f, err := statediff.FormatOf("0.13.1")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []uint64{178, 631861, 640641} {
		name := strconv.FormatUint(n, 10)
		u, err := appchain.ParseStateUpdate(n, starknettest.Read(t, "state_update", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		bs, err := blob.ReadHex(bytes.NewReader(starknettest.Read(t, "l1_blob", name+".hex")))
		if err != nil {
			t.Fatal(err)
		}
		words, err := blob.ToWords(bs)
		if err != nil {
			t.Fatal(err)
		}
		published, err := statediff.Decode(words, f)
		if err != nil {
			t.Fatal(err)
		}
		own := statediff.Squash(u)
		unsaid, err := own.Compare(published, f, nil, nil)
		if err != nil || len(unsaid) > 0 {
			t.Errorf("block %d: %v; %d slots are not published", n, err, len(unsaid))
		}
		for _, a := range own.Addresses() {
			if c := own.Contracts[a]; c.Nonce != nil {
				other := felt.FromUint64(1 << 40)
				c.Nonce = &other
				break
			}
		}
		var differs *da.MismatchError
		if _, err := own.Compare(published, f, nil, nil); !errors.As(err, &differs) || differs.What != "nonce" {
			t.Errorf("block %d with another nonce: %v", n, err)
		}
	}
}

// Values that are there again, and aliases that can't be right.
func TestCompare(t *testing.T) {
	t.Parallel()
	f, err := statediff.FormatOf("0.14.4")
	if err != nil {
		t.Fatal(err)
	}
	n := felt.FromUint64
	a, b, class, alias := n(1000), n(2000), n(77), n(500)
	own := func() *statediff.Diff {
		d := statediff.New()
		again := map[felt.Felt]bool{}
		for _, s := range []block.StateDiff{
			{Replaced: []block.ReplacedClass{{Address: a, ClassHash: n(78)}}},
			{Replaced: []block.ReplacedClass{{Address: a, ClassHash: class}},
				Storage: []block.ContractStorage{{Address: b,
					Entries: []block.StorageEntry{{Key: n(5), Value: n(6)}}}}},
		} {
			d.Changed(s, again)
			d.Add(s)
		}
		if !again[a] || again[b] {
			t.Fatalf("replaced more than once: %v", again)
		}
		return d
	}
	known := map[felt.Felt]felt.Felt{a: alias, b: n(501)}
	plain := func(c *statediff.Contract) *statediff.Diff {
		d := statediff.New()
		d.Contracts[n(501)] = &statediff.Contract{Storage: map[felt.Felt]felt.Felt{n(5): n(6)}}
		if c != nil {
			d.Contracts[alias] = c
		}
		return d
	}
	for name, c := range map[string]struct {
		published *statediff.Diff
		known     map[felt.Felt]felt.Felt
		again     map[felt.Felt]bool
		unsaid    int
		what      string
	}{
		"same":                    {plain(&statediff.Contract{Class: &class}), known, nil, 0, ""},
		"its class is back":       {plain(nil), known, map[felt.Felt]bool{a: true}, 0, ""},
		"its class is missing":    {plain(nil), known, nil, 0, "class hash"},
		"its slot is back":        {statediff.New(), known, map[felt.Felt]bool{a: true}, 1, ""},
		"no alias, nothing in it": {statediff.New(), nil, map[felt.Felt]bool{a: true}, 1, ""},
		"one alias for two": {plain(nil), map[felt.Felt]felt.Felt{a: alias, b: alias}, map[felt.Felt]bool{a: true}, 0,
			"alias"},
		"a contract without alias": {plain(nil), map[felt.Felt]felt.Felt{a: alias}, map[felt.Felt]bool{a: true}, 0,
			"contract (or alias of one)"},
	} {
		unsaid, err := own().Compare(c.published, f, c.known, c.again)
		var differs *da.MismatchError
		if errors.As(err, &differs) != (c.what != "") || differs != nil && differs.What != c.what ||
			len(unsaid) != c.unsaid {
			t.Errorf("%s: %v, %v; want %q", name, unsaid, err, c.what)
		}
	}
}
