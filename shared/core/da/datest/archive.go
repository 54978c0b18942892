package datest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// ArchiveHarness is an archive under test, and what publishes for it.
type ArchiveHarness struct {
	da.Archive
	// Publish has a payload published in a block of its own, and returns where.
	Publish func(tx.Payload) da.Sent
	// Payloads are two that can be published, of the same size and with different data.
	Payloads [2]tx.Payload
}

// TestArchive tests an archive by the contract of da.Archive.
func TestArchive(t *testing.T, newHarness func(t *testing.T) ArchiveHarness) {
	t.Helper()
	for name, run := range map[string]func(*testing.T, context.Context, ArchiveHarness){
		"Finds": testFinds, "Missing": testMissing, "Differs": testDiffers,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
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
	for range 2 { // looks change nothing
		for _, p := range h.Payloads {
			if err := h.Check(ctx, h.Publish(p)); err != nil {
				t.Error(err)
			}
		}
	}
	if h.Kept() < 0 {
		t.Errorf("kept for %s", h.Kept())
	}
}

func testMissing(t *testing.T, ctx context.Context, h ArchiveHarness) {
	sent := h.Publish(h.Payloads[0])
	sent.Hash = "0x0111111111111111111111111111111111111111111111111111111111111111"
	sent.BlockHash = sent.Hash
	if err := h.Check(ctx, sent); !errors.Is(err, da.ErrMissing) {
		t.Errorf("what is not on the chain: %v", err)
	}
}

func testDiffers(t *testing.T, ctx context.Context, h ArchiveHarness) {
	a, b := h.Payloads[0], h.Payloads[1]
	sent := h.Publish(a)
	sent.Payload = b
	// blobs are found by what they hold, so that another one is missing
	if err := h.Check(ctx, sent); !errors.Is(err, da.ErrDiffers) && !errors.Is(err, da.ErrMissing) {
		t.Errorf("another payload: %v", err)
	}
	shorter := a
	if len(a.Blobs) > 0 {
		shorter.Blobs = [][]byte{append([]byte{}, a.Blobs[0]...)}
		shorter.Blobs[0][len(a.Blobs[0])-1] ^= 1
	} else {
		shorter.Data = a.Data[:len(a.Data)-32]
	}
	sent.Payload = shorter
	if err := h.Check(ctx, sent); err == nil {
		t.Error("less than was published, or another last byte, is found")
	}
}
