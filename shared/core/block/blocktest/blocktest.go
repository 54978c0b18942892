// Package blocktest is the conformance suite of block.Source.
package blocktest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// Harness is a source over a chain whose content the suite may know.
type Harness struct {
	Source block.Source
	// ChainID is the id that the source must return.
	ChainID string
	// First and Last are the first block and the head. There must be at least 3 blocks.
	First, Last uint64
	// MaxRange is the most blocks that the source answers in one call; 0 where it has no limit.
	MaxRange int
	// Messages, when set, returns the messages of a block.
	Messages func(n uint64) block.Messages
	// Cancelable says whether the source does I/O, so that an ended context must make it fail.
	Cancelable bool
}

// TestSource tests a source by the contract of block.Source.
func TestSource(t *testing.T, h Harness) {
	t.Helper()
	if h.Last < h.First+2 {
		t.Fatalf("harness has blocks %d..%d, want 3 at least", h.First, h.Last)
	}
	for _, c := range []struct {
		name string
		run  func(*testing.T, context.Context, Harness)
	}{
		{"ChainID", testChainID}, {"Headers", testHeaders}, {"StateUpdates", testStateUpdates},
		{"Weights", testWeights},
		{"HeadersNow", testHeadersNow},
		{"Messages", testMessages}, {"StateFollowsUpdates", testState}, {"AbsentIsZero", testAbsent},
		{"BeyondHeadIsNotFound", testBeyond}, {"RefusesBadRanges", testRanges}, {"Concurrent", testConcurrent},
		{"HonoursContext", testContext},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			c.run(t, ctx, h)
		})
	}
}

func testChainID(t *testing.T, ctx context.Context, h Harness) {
	got, err := h.Source.ChainID(ctx)
	if err != nil || got != h.ChainID {
		t.Errorf("ChainID = %q, %v; want %q", got, err, h.ChainID)
	}
	head, err := h.Source.Head(ctx)
	if err != nil || head != h.Last {
		t.Errorf("Head = %d, %v; want %d", head, err, h.Last)
	}
}

func testHeaders(t *testing.T, ctx context.Context, h Harness) {
	got, err := h.Source.Headers(ctx, h.First, h.Last)
	if err != nil {
		t.Fatal(err)
	}
	if want := int(h.Last - h.First + 1); len(got) != want {
		t.Fatalf("%d headers, want %d", len(got), want)
	}
	for i, x := range got {
		if x.Number != h.First+uint64(i) || x.Hash.IsZero() || x.StarknetVersion == "" || x.Timestamp.IsZero() {
			t.Errorf("header %d is incomplete: %+v", i, x)
		}
		if i > 0 && x.ParentHash != got[i-1].Hash {
			t.Errorf("header %d does not follow its predecessor", x.Number)
		}
	}
	one, err := h.Source.Headers(ctx, h.First+1, h.First+1)
	if err != nil || cmp.Diff(got[1:2], one) != "" {
		t.Errorf("a range of one block differs from the same block in a longer range: %v\n%s",
			err, cmp.Diff(got[1:2], one))
	}
}

// testHeadersNow reads headers from a node, which are the same while nothing is reverted; also what was forgotten is
// read again.
func testHeadersNow(t *testing.T, ctx context.Context, h Harness) {
	want, err := h.Source.Headers(ctx, h.First, h.Last)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for name, s := range map[string]func(context.Context, uint64, uint64) ([]block.Header, error){
			"HeadersNow": h.Source.HeadersNow, "Now": block.Now(h.Source).Headers,
		} {
			if got, err := s(ctx, h.First, h.Last); err != nil || cmp.Diff(want, got) != "" {
				t.Errorf("%s differs from Headers: %v\n%s", name, err, cmp.Diff(want, got))
			}
		}
		h.Source.Forget(ctx, h.First, h.Last)
	}
}

func testStateUpdates(t *testing.T, ctx context.Context, h Harness) {
	got, err := h.Source.StateUpdates(ctx, h.First, h.Last)
	if err != nil {
		t.Fatal(err)
	}
	headers, err := h.Source.Headers(ctx, h.First, h.Last)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(headers) {
		t.Fatalf("%d state updates of %d blocks", len(got), len(headers))
	}
	for i, u := range got {
		if u.Number != headers[i].Number || u.BlockHash != headers[i].Hash || u.NewRoot != headers[i].NewRoot {
			t.Errorf("state update %d is of another block than the header", headers[i].Number)
		}
		if i > 0 && u.OldRoot != got[i-1].NewRoot {
			t.Errorf("state update %d does not start from the root that its predecessor left", u.Number)
		}
	}
}

func testWeights(t *testing.T, ctx context.Context, h Harness) {
	got, err := h.Source.Weights(ctx, h.First, h.Last)
	if err != nil {
		t.Fatal(err)
	}
	if want := int(h.Last - h.First + 1); len(got) != want {
		t.Fatalf("%d weights, want %d", len(got), want)
	}
	for i, w := range got {
		if w.ProvingGas == 0 {
			t.Errorf("block %d has no proving gas", h.First+uint64(i))
		}
	}
}

func testMessages(t *testing.T, ctx context.Context, h Harness) {
	got, err := h.Source.Messages(ctx, h.First, h.Last)
	if err != nil {
		t.Fatal(err)
	}
	if want := int(h.Last - h.First + 1); len(got) != want {
		t.Fatalf("messages of %d blocks, want %d", len(got), want)
	}
	if h.Messages == nil {
		return
	}
	both := false
	for i, m := range got {
		if d := cmp.Diff(normal(h.Messages(h.First+uint64(i))), normal(m)); d != "" {
			t.Errorf("messages of block %d (-want +got):\n%s", h.First+uint64(i), d)
		}
		both = both || len(m.ToL1)+len(m.ToL2) > 0
	}
	if !both {
		t.Error("the chain has no messages: nothing is tested")
	}
}

// normal makes empty and nil the same.
func normal(m block.Messages) block.Messages {
	for i := range m.ToL1 {
		m.ToL1[i].Payload = append([]felt.Felt{}, m.ToL1[i].Payload...)
	}
	for i := range m.ToL2 {
		m.ToL2[i].Payload = append([]felt.Felt{}, m.ToL2[i].Payload...)
	}
	return block.Messages{ToL1: append([]block.MessageToL1{}, m.ToL1...),
		ToL2: append([]block.MessageToL2{}, m.ToL2...)}
}

// testState reads the state after the last block and compares it with what the updates wrote last.
func testState(t *testing.T, ctx context.Context, h Harness) {
	updates, err := h.Source.StateUpdates(ctx, h.First, h.Last)
	if err != nil {
		t.Fatal(err)
	}
	storage, nonces := map[block.Slot]felt.Felt{}, map[felt.Felt]felt.Felt{}
	for _, u := range updates {
		for _, c := range u.Diff.Storage {
			for _, e := range c.Entries {
				storage[block.Slot{Contract: c.Address, Key: e.Key}] = e.Value
			}
		}
		for _, n := range u.Diff.Nonces {
			nonces[n.Address] = n.Nonce
		}
	}
	var slots []block.Slot
	var contracts []felt.Felt
	for s := range storage {
		if slots = append(slots, s); len(slots) == 300 {
			break
		}
	}
	for c := range nonces {
		if contracts = append(contracts, c); len(contracts) == 100 {
			break
		}
	}
	values, err := h.Source.Storage(ctx, h.Last, slots)
	if err != nil || len(values) != len(slots) {
		t.Fatalf("Storage returned %d values for %d slots, %v", len(values), len(slots), err)
	}
	for i, s := range slots {
		if values[i] != storage[s] {
			t.Errorf("slot %v is %s, updates say %s", s, values[i], storage[s])
		}
	}
	got, err := h.Source.Nonces(ctx, h.Last, contracts)
	if err != nil || len(got) != len(contracts) {
		t.Fatalf("Nonces returned %d values for %d contracts, %v", len(got), len(contracts), err)
	}
	for i, c := range contracts {
		if got[i] != nonces[c] {
			t.Errorf("nonce of %s is %s, updates say %s", c, got[i], nonces[c])
		}
	}
}

func testAbsent(t *testing.T, ctx context.Context, h Harness) {
	nobody := felt.MustHex("0x7abcdef")
	nonces, err := h.Source.Nonces(ctx, h.Last, []felt.Felt{nobody})
	if err != nil || len(nonces) != 1 || !nonces[0].IsZero() {
		t.Errorf("nonce of a contract that does not exist = %v, %v; want 0", nonces, err)
	}
	values, err := h.Source.Storage(ctx, h.Last, []block.Slot{{Contract: nobody, Key: nobody}})
	if err != nil || len(values) != 1 || !values[0].IsZero() {
		t.Errorf("slot that was never written = %v, %v; want 0", values, err)
	}
	if none, err := h.Source.Nonces(ctx, h.Last, nil); err != nil || len(none) != 0 {
		t.Errorf("nonces of no contracts = %v, %v", none, err)
	}
	if none, err := h.Source.Storage(ctx, h.Last, nil); err != nil || len(none) != 0 {
		t.Errorf("values of no slots = %v, %v", none, err)
	}
}

func testBeyond(t *testing.T, ctx context.Context, h Harness) {
	for name, read := range reads(h) {
		if err := read(ctx, h.Last+1, h.Last+1); !errors.Is(err, block.ErrNotFound) {
			t.Errorf("%s beyond the head: %v, want ErrNotFound", name, err)
		}
		if err := read(ctx, h.Last, h.Last+1); !errors.Is(err, block.ErrNotFound) {
			t.Errorf("%s over the head: %v, want ErrNotFound", name, err)
		}
	}
	if _, err := h.Source.Nonces(ctx, h.Last+1, []felt.Felt{felt.FromUint64(1)}); !errors.Is(err, block.ErrNotFound) {
		t.Errorf("Nonces beyond the head: %v, want ErrNotFound", err)
	}
	if _, err := h.Source.Storage(ctx, h.Last+1, []block.Slot{{}}); !errors.Is(err, block.ErrNotFound) {
		t.Errorf("Storage beyond the head: %v, want ErrNotFound", err)
	}
}

func testRanges(t *testing.T, ctx context.Context, h Harness) {
	for name, read := range reads(h) {
		if err := read(ctx, h.First+1, h.First); err == nil {
			t.Errorf("%s took a descending range", name)
		}
		if h.MaxRange > 0 {
			if err := read(ctx, h.First, h.First+uint64(h.MaxRange)); err == nil || errors.Is(err, block.ErrNotFound) {
				t.Errorf("%s asked the node for more than %d blocks: %v", name, h.MaxRange, err)
			}
			if err := read(ctx, 0, ^uint64(0)); err == nil || errors.Is(err, block.ErrNotFound) {
				t.Errorf("%s asked the node for all block numbers: %v", name, err)
			}
		}
	}
}

func testConcurrent(t *testing.T, ctx context.Context, h Harness) {
	var wg sync.WaitGroup
	for range 4 {
		for name, read := range reads(h) {
			wg.Go(func() {
				if err := read(ctx, h.First, min(h.Last, h.First+5)); err != nil {
					t.Errorf("%s beside others: %v", name, err)
				}
			})
		}
	}
	wg.Wait()
}

func testContext(t *testing.T, ctx context.Context, h Harness) {
	if !h.Cancelable {
		t.Skip("the source does no I/O")
	}
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	for name, read := range reads(h) {
		if err := read(ctx, h.First, h.First); err == nil {
			t.Errorf("%s succeeded in an ended context", name)
		}
	}
	if _, err := h.Source.Head(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Head in an ended context: %v, want context.Canceled", err)
	}
}

// reads are the calls that take a range.
func reads(h Harness) map[string]func(ctx context.Context, from, to uint64) error {
	return map[string]func(ctx context.Context, from, to uint64) error{
		"HeadersNow": func(ctx context.Context, a, b uint64) error {
			_, err := h.Source.HeadersNow(ctx, a, b)
			return err
		},
		"Headers": func(ctx context.Context, a, b uint64) error {
			_, err := h.Source.Headers(ctx, a, b)
			return err
		},
		"StateUpdates": func(ctx context.Context, a, b uint64) error {
			_, err := h.Source.StateUpdates(ctx, a, b)
			return err
		},
		"Weights": func(ctx context.Context, a, b uint64) error {
			_, err := h.Source.Weights(ctx, a, b)
			return err
		},
		"Messages": func(ctx context.Context, a, b uint64) error {
			_, err := h.Source.Messages(ctx, a, b)
			return err
		},
	}
}
