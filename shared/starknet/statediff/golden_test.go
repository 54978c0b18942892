package statediff_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strconv"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	devappchain "github.com/madara-orchestrator/orchestrator/shared/dev/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/blob"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/starknettest"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/statediff"
)

// Mainnet blocks before 0.13.3: the encoding is the blob that stands on Ethereum.
func TestMainnetBlobs(t *testing.T) {
	t.Parallel()
	for _, n := range []uint64{178, 631861, 640641} {
		name := strconv.FormatUint(n, 10)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, err := appchain.ParseStateUpdate(n, starknettest.Read(t, "state_update", name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			f, err := statediff.FormatOf("0.13.1")
			if err != nil {
				t.Fatal(err)
			}
			d := statediff.Squash(u)
			known := nonces(t, name)
			if _, err := statediff.Encode(d, f, statediff.Reads{}); !errors.Is(err, statediff.ErrNonceMissing) {
				t.Errorf("without nonces: %v", err)
			}
			for _, x := range u.Diff.Deployed { // the recording leaves out what is 0
				if _, ok := known[x.Address]; !ok {
					known[x.Address] = felt.Zero
				}
			}
			words, err := statediff.Encode(d, f, statediff.Reads{Nonces: known})
			if err != nil {
				t.Fatal(err)
			}
			got, err := blob.FromWords(words)
			if err != nil {
				t.Fatal(err)
			}
			want, err := blob.ReadHex(bytes.NewReader(starknettest.Read(t, "l1_blob", name+".hex")))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%d blobs differ from the %d on Ethereum", len(got), len(want))
			}
			back, err := blob.ToWords(want)
			if err != nil {
				t.Fatal(err)
			}
			decoded, err := statediff.Decode(back, f)
			if err != nil {
				t.Fatal(err)
			}
			d.SetNonces(nonces(t, name))
			for _, c := range d.Contracts {
				if c.Nonce == nil {
					c.Nonce = &felt.Felt{}
				}
			}
			same(t, decoded, d)
		})
	}
}

// nonces reads a recorded list of a node's answers: address in decimal, nonce in hex.
func nonces(t *testing.T, name string) map[felt.Felt]felt.Felt {
	t.Helper()
	var raw []struct{ Nonce, Address string }
	if err := json.Unmarshal(starknettest.Read(t, "nonces", name+".json"), &raw); err != nil {
		t.Fatal(err)
	}
	out := map[felt.Felt]felt.Felt{}
	for _, r := range raw {
		b, ok := new(big.Int).SetString(r.Address, 10)
		if !ok {
			t.Fatalf("address %q", r.Address)
		}
		addr, err := felt.FromBig(b)
		if err != nil {
			t.Fatal(err)
		}
		if out[addr], err = felt.FromHex(r.Nonce); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func same(t *testing.T, got, want *statediff.Diff) {
	t.Helper()
	a, err := statediff.Words(got, statediff.Format{PackedWord: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := statediff.Words(want, statediff.Format{PackedWord: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(a, b) {
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				t.Fatalf("diffs differ first at word %d: %s, want %s (%d and %d words)", i, a[i], b[i], len(a), len(b))
			}
		}
		t.Fatalf("diffs have %d and %d words", len(a), len(b))
	}
}

var sepolia = []string{"batch_8373665", "8373665.tar.gz"}

func update(t testing.TB, member string) block.StateUpdate {
	t.Helper()
	u, err := appchain.ParseStateUpdate(0, starknettest.ReadTar(t, member, sepolia...))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func updates(t testing.TB) []block.StateUpdate {
	t.Helper()
	var raw []json.RawMessage
	starknettest.ReadTarJSON(t, "state_updates.json", &raw, sepolia...)
	out := make([]block.StateUpdate, len(raw))
	for i, r := range raw {
		var err error
		if out[i], err = appchain.ParseStateUpdate(uint64(789878+i), r); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// The 500 blocks of a Sepolia batch: squashing, both compressions and the blobs.
func TestSepoliaBatch(t *testing.T) {
	t.Parallel()
	f, err := statediff.FormatOf("0.13.5")
	if err != nil {
		t.Fatal(err)
	}
	squashed := statediff.Squash(update(t, "squashed_state_update.json"))
	all := statediff.Squash(updates(t)...)

	// The recording lacks the state before the batch: what squashing dropped shows which writes changed nothing.
	before := map[block.Slot]felt.Felt{}
	for _, s := range all.Slots() {
		c := squashed.Contracts[s.Contract]
		if c == nil {
			before[s] = all.Contracts[s.Contract].Storage[s.Key]
		} else if _, ok := c.Storage[s.Key]; !ok {
			before[s] = all.Contracts[s.Contract].Storage[s.Key]
		}
	}
	t.Logf("%d of %d writes changed nothing", len(before), len(all.Slots()))
	for s := range squashedSlots(squashed) {
		if _, ok := before[s]; !ok {
			before[s] = felt.MinusOne()
		}
	}
	all.DropUnchanged(before)
	same(t, all, squashed)

	stateful := statediff.Squash(update(t, "stateful_compressed_state_update.json"))
	plain, err := statediff.Words(stateful, f, nil)
	if err != nil {
		t.Fatal(err)
	}
	var want []felt.Felt
	starknettest.ReadTarJSON(t, "stateless_compressed_state_update.json", &want, sepolia...)
	got, err := statediff.Encode(stateful, statediff.Format{PackedWord: true, Stateless: true}, statediff.Reads{})
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("stateless compression: %d words, want %d; %v", len(got), len(want), err)
	}

	// Stateful compression: the aliases of the batch, from where the two recorded forms show them.
	aliased, err := squashed.WithAliases(earlierAliases(t, squashed))
	if err != nil {
		t.Fatal(err)
	}
	same(t, aliased, stateful)

	var blobs []blob.Blob
	for _, member := range []string{"blobs/1.txt", "blobs/2.txt"} {
		b, err := blob.ReadHex(bytes.NewReader(starknettest.ReadTar(t, member, sepolia...)))
		if err != nil {
			t.Fatal(err)
		}
		blobs = append(blobs, b...)
	}
	made, err := blob.FromWords(got)
	if err != nil || !slices.Equal(made, blobs) {
		t.Fatalf("%d blobs differ from the %d recorded; %v", len(made), len(blobs), err)
	}
	back, err := blob.ToWords(blobs)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := statediff.Decode(back, f)
	if err != nil {
		t.Fatal(err)
	}
	again, err := statediff.Words(decoded, f, nil)
	if err != nil || !slices.Equal(again, plain) {
		t.Fatalf("decoded: %d words, want %d; %v", len(again), len(plain), err)
	}
}

func squashedSlots(d *statediff.Diff) map[block.Slot]bool {
	out := map[block.Slot]bool{}
	for _, s := range d.Slots() {
		out[s] = true
	}
	return out
}

// earlierAliases reads the aliases that were given before the batch from the development chain that replays it, which
// derives them from the two recorded forms.
func earlierAliases(t *testing.T, d *statediff.Diff) map[felt.Felt]felt.Felt {
	t.Helper()
	chain, err := devappchain.FromRecording(starknettest.Data(t, sepolia...), devappchain.RecordingOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = chain.Close() })
	src, err := appchain.New(appchain.Config{URL: chain.URL()}, appchain.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	keys := d.AliasKeys()
	values, err := src.Storage(t.Context(), 789877, statediff.AliasSlots(keys))
	if err != nil {
		t.Fatal(err)
	}
	known := map[felt.Felt]felt.Felt{}
	for i, k := range keys {
		known[k] = values[i]
	}
	return known
}

// The estimate of an open batch is never below what the batch takes, and close to it.
func TestSepoliaAccumulator(t *testing.T) {
	t.Parallel()
	a, err := statediff.NewAccumulator("0.13.5")
	if err != nil {
		t.Fatal(err)
	}
	for i, u := range updates(t) {
		if err := a.Add(u); err != nil {
			t.Fatal(err)
		}
		if i%100 != 50 {
			continue
		}
		saved, err := a.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		loaded, err := statediff.LoadAccumulator(saved)
		if err != nil {
			t.Fatal(err)
		}
		if loaded.Words() != a.Words() {
			t.Fatalf("after block %d: loaded again it has %d words, was %d", i, loaded.Words(), a.Words())
		}
		a = loaded
	}
	const exact = 7023 // words of the recorded segment
	if got := a.Words(); got < exact || got > exact*103/100 {
		t.Errorf("%d words estimated, the batch took %d", got, exact)
	} else {
		t.Logf("%d words estimated, the batch took %d", got, exact)
	}
}
