package datest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/da"
)

// ArchiveHarness is an archive under test, and what publishes blobs for it.
type ArchiveHarness struct {
	da.Archive
	// Publish puts blobs into a new block and returns the block's hash.
	Publish func(blobs [][]byte) string
	// Blobs are two valid blobs, different from one another.
	Blobs [2][]byte
}

// TestArchive tests an archive by the contract of da.Archive.
func TestArchive(t *testing.T, newHarness func(t *testing.T) ArchiveHarness) {
	t.Helper()
	for name, run := range map[string]func(*testing.T, context.Context, ArchiveHarness){
		"Finds": testFinds, "Missing": testMissingBlob, "Differs": testDiffers,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			h := newHarness(t)
			if err := h.Ping(ctx); err != nil {
				t.Fatal(err)
			}
			run(t, ctx, h)
		})
	}
}

func testFinds(t *testing.T, ctx context.Context, h ArchiveHarness) {
	a, b := h.Blobs[0], h.Blobs[1]
	block := h.Publish([][]byte{a, b})
	empty := h.Publish(nil)
	for name, sent := range map[string][][]byte{"both": {a, b}, "in another order": {b, a}, "one": {b}, "none": nil} {
		if err := h.Check(ctx, block, sent); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := h.Check(ctx, empty, nil); err != nil {
		t.Errorf("a block without blobs: %v", err)
	}
}

func testMissingBlob(t *testing.T, ctx context.Context, h ArchiveHarness) {
	a, b := h.Blobs[0], h.Blobs[1]
	one, none := h.Publish([][]byte{a}), h.Publish(nil)
	for name, block := range map[string]string{"another blob": one, "no blobs": none, "no such block": "0x" +
		"1111111111111111111111111111111111111111111111111111111111111111"} {
		if err := h.Check(ctx, block, [][]byte{b}); !errors.Is(err, da.ErrMissing) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func testDiffers(t *testing.T, ctx context.Context, h ArchiveHarness) {
	block := h.Publish([][]byte{h.Blobs[0]})
	other := slices.Clone(h.Blobs[0])
	other[len(other)-1] ^= 1
	if bytes.Equal(other, h.Blobs[0]) {
		t.Fatal("the other blob is the same")
	}
	if err := h.Check(ctx, block, [][]byte{other}); err == nil {
		t.Error("another blob than the published one is found")
	}
}
