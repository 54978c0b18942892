package protocol_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	devappchain "github.com/madara-orchestrator/orchestrator/shared/dev/appchain"
	fakeblocks "github.com/madara-orchestrator/orchestrator/shared/dev/fake/blocks"
	"github.com/madara-orchestrator/orchestrator/shared/setup/protocol"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/blob"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/starknettest"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/statediff"
)

// Blocks of the recorded batch of Sepolia.
const first, last = 789878, 790377

// counting counts reads, and answers state updates and storage as changed.
type counting struct {
	block.Source
	slots, blocks int
	update        func(*block.StateUpdate)
	storage       func(at uint64, s block.Slot, v felt.Felt) felt.Felt
	err           error
}

func (c *counting) StateUpdates(ctx context.Context, from, to uint64) ([]block.StateUpdate, error) {
	if c.err != nil {
		return nil, c.err
	}
	us, err := c.Source.StateUpdates(ctx, from, to)
	c.blocks += len(us)
	for i := range us {
		if c.update != nil {
			c.update(&us[i])
		}
	}
	return us, err
}

func (c *counting) Storage(ctx context.Context, at uint64, slots []block.Slot) ([]felt.Felt, error) {
	vs, err := c.Source.Storage(ctx, at, slots)
	c.slots += len(vs)
	for i := range vs {
		if c.storage != nil {
			vs[i] = c.storage(at, slots[i], vs[i])
		}
	}
	return vs, err
}

var sepolia = []string{"batch_8373665", "8373665.tar.gz"}

// recordedChain replays the batch's blocks at a URL.
func recordedChain(t *testing.T, o devappchain.RecordingOptions) string {
	t.Helper()
	chain, err := devappchain.FromRecording(starknettest.Data(t, sepolia...), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = chain.Close() })
	return chain.URL()
}

// recordedBatch is the chain that replays the batch, and the segment that stands on Ethereum.
func recordedBatch(t *testing.T) (*counting, []felt.Felt) {
	t.Helper()
	src, err := appchain.New(appchain.Config{URL: recordedChain(t, devappchain.RecordingOptions{})}, appchain.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	var bs []blob.Blob
	for _, member := range []string{"blobs/1.txt", "blobs/2.txt"} {
		b, err := blob.ReadHex(bytes.NewReader(starknettest.ReadTar(t, member, sepolia...)))
		if err != nil {
			t.Fatal(err)
		}
		bs = append(bs, b...)
	}
	words, err := blob.ToWords(bs)
	if err != nil {
		t.Fatal(err)
	}
	return &counting{Source: src}, words
}

// segment is what a decoded segment is once it is changed, encoded again.
func segment(t *testing.T, words []felt.Felt, change func(*statediff.Diff)) []felt.Felt {
	t.Helper()
	f, err := statediff.FormatOf("0.13.5")
	if err != nil {
		t.Fatal(err)
	}
	d, err := statediff.Decode(words, f)
	if err != nil {
		t.Fatal(err)
	}
	change(d)
	out, err := statediff.Encode(d, statediff.Format{PackedWord: true, Stateless: true}, statediff.Reads{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// largest is the address, or alias, of the contract with the most changes, and one of its keys.
func largest(d *statediff.Diff) (at, key felt.Felt) {
	n := 0
	for _, a := range d.Addresses() {
		if c := d.Contracts[a]; len(c.Storage) > n && a.Cmp(felt.FromUint64(15)) > 0 {
			at, n = a, len(c.Storage)
		}
	}
	for k := range d.Contracts[at].Storage {
		if key.IsZero() || k.Cmp(key) < 0 {
			key = k
		}
	}
	return at, key
}

// The segment of a batch that stands on Ethereum is the state diff of its 500 blocks.
func TestCompareRecordedBatch(t *testing.T) {
	t.Parallel()
	src, words := recordedBatch(t)
	if err := protocol.Compare(src)(t.Context(), words, da.Blocks{From: first, To: last}); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d state updates and %d storage slots were read for %d words", src.blocks, src.slots, len(words))
	if src.blocks != last-first+1 {
		t.Errorf("%d blocks were read", src.blocks)
	}
	one, more := felt.FromUint64(1), felt.FromUint64(999)
	for name, change := range map[string]func(d *statediff.Diff){
		"another value":    func(d *statediff.Diff) { a, k := largest(d); d.Contracts[a].Storage[k] = one },
		"a slot less":      func(d *statediff.Diff) { a, k := largest(d); delete(d.Contracts[a].Storage, k) },
		"a slot more":      func(d *statediff.Diff) { a, _ := largest(d); d.Contracts[a].Storage[more] = one },
		"a contract less":  func(d *statediff.Diff) { a, _ := largest(d); delete(d.Contracts, a) },
		"a contract more":  func(d *statediff.Diff) { d.Contracts[one] = &statediff.Contract{Class: &one} },
		"another contract": func(d *statediff.Diff) { d.Contracts[more] = &statediff.Contract{Nonce: &one} },
		"another class":    func(d *statediff.Diff) { a, _ := largest(d); d.Contracts[a].Class = &one },
		"another nonce":    func(d *statediff.Diff) { a, _ := largest(d); d.Contracts[a].Nonce = &more },
		"a class declared": func(d *statediff.Diff) { d.Classes[one] = one },
		"another alias": func(d *statediff.Diff) {
			for k := range d.Contracts[statediff.AliasContract].Storage {
				d.Contracts[statediff.AliasContract].Storage[k] = one
				return
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := protocol.Compare(src)(t.Context(), segment(t, words, change), da.Blocks{From: first, To: last})
			var differs *da.MismatchError
			if !errors.As(err, &differs) || differs.Contract.IsZero() && differs.Key.IsZero() {
				t.Errorf("got %v, want a mismatch", err)
			}
		})
	}
	t.Run("not a state diff", func(t *testing.T) {
		err := protocol.Compare(src)(t.Context(), words[:100], da.Blocks{From: first, To: last})
		if !errors.Is(err, da.ErrUnreadable) {
			t.Error(err)
		}
	})
}

// A node that shows another block than the batch's last one says nothing of the batch: the segment is not compared
// before the node is right.
func TestCompareOtherBlock(t *testing.T) {
	t.Parallel()
	src := fakeblocks.New(nil, "SN_TEST")
	b := fakeblocks.Next(nil, time.Unix(1, 0))
	if err := src.Add(b); err != nil {
		t.Fatal(err)
	}
	seven := felt.FromUint64(7)
	for name, tt := range map[string]struct {
		end        felt.Felt
		unreadable bool // it was compared
	}{
		"the batch's own": {b.Header.Hash, true}, "not known": {felt.Zero, true}, "another": {seven, false},
	} {
		of := da.Blocks{From: b.Header.Number, To: b.Header.Number, EndHash: tt.end}
		err := protocol.Compare(src)(t.Context(), []felt.Felt{seven}, of)
		var differs *da.MismatchError
		if errors.Is(err, da.ErrUnreadable) != tt.unreadable || errors.As(err, &differs) || err == nil ||
			strings.Contains(err.Error(), "another block") == tt.unreadable {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What the chain says decides too: another value in a block, another alias, a slot that was something else before. What
// can't be read is not a mismatch.
func TestCompareOtherChain(t *testing.T) {
	t.Parallel()
	src, words := recordedBatch(t)
	compare := protocol.Compare(src)
	src.update = func(u *block.StateUpdate) {
		if u.Number == last && len(u.Diff.Storage) > 0 {
			u.Diff.Storage[0].Entries[0].Value = felt.FromUint64(123456789)
		}
	}
	var differs *da.MismatchError
	if err := compare(t.Context(), words, da.Blocks{From: first, To: last}); !errors.As(err, &differs) ||
		!strings.Contains(err.Error(), felt.FromUint64(123456789).String()) {
		t.Errorf("another value in a block: %v", err)
	}
	src.update = nil
	src.storage = func(at uint64, s block.Slot, v felt.Felt) felt.Felt {
		if at == last && !s.Key.IsZero() {
			return felt.Zero // no contract has an alias, but some were given
		}
		return v
	}
	if err := compare(t.Context(), words, da.Blocks{From: first, To: last}); !errors.As(err, &differs) {
		t.Errorf("no aliases: %v", err)
	}
	src.storage = func(at uint64, _ block.Slot, v felt.Felt) felt.Felt {
		if at == first-1 {
			return felt.FromUint64(42)
		}
		return v
	}
	err := compare(t.Context(), words, da.Blocks{From: first, To: last})
	if !errors.As(err, &differs) || differs.Published != nil {
		t.Errorf("slots that changed and are not published: %v", err)
	}
	src.storage = nil
	once := 0
	src.update = func(u *block.StateUpdate) { // a node that lies once fails nothing
		if once++; u.Number == first && once == 1 && len(u.Diff.Storage) > 0 {
			u.Diff.Storage[0].Entries[0].Key = felt.FromUint64(123456789)
		}
	}
	if err := compare(t.Context(), words, da.Blocks{From: first, To: last}); err != nil {
		t.Errorf("one wrong answer: %v", err)
	}
	src.err = errors.New("down")
	if err := compare(t.Context(), words, da.Blocks{From: first, To: last}); err == nil || errors.As(err, &differs) {
		t.Errorf("a node that is down: %v", err)
	}
}
