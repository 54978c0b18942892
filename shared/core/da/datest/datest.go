// Package datest is the conformance suite of da.Layer.
package datest

import (
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// Harness is a layer under test.
type Harness struct {
	Layer da.Layer
	Most  int // words of one publication
}

// TestLayer tests a layer by the contract of da.Layer.
func TestLayer(t *testing.T, newHarness func(t *testing.T) Harness) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Harness){
		"SameDataSameBytes":            sameDataSameBytes,
		"OtherDataOtherCommitment":     otherDataOtherCommitment,
		"CommitIsThatOfOnePublication": commitIsThatOfOnePublication,
		"Bounds":                       bounds,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newHarness(t))
		})
	}
	t.Run("Name", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t)
		if n := h.Layer.Name(); n == "" || n != newHarness(t).Layer.Name() {
			t.Errorf("name %q", n)
		}
	})
}

// words are n words that count up from first.
func words(n, first int) da.Data {
	d := da.Data{Batch: 3, StartBlock: 10, EndBlock: 12}
	for i := range n {
		d.Words = append(d.Words, felt.FromUint64(uint64(first+i)))
	}
	return d
}

func (h Harness) encode(t *testing.T, d da.Data) (tx.Payload, da.Commitment) {
	t.Helper()
	p, c, err := h.Layer.Encode(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return p, c
}

func sameDataSameBytes(t *testing.T, h Harness) {
	p, c := h.encode(t, words(20, 1))
	if p.To == "" || len(p.Data) == 0 && len(p.Blobs) == 0 {
		t.Errorf("the payload goes to %q with %d bytes and %d blobs", p.To, len(p.Data), len(p.Blobs))
	}
	if c.Hash.IsZero() || c.Size != 20 {
		t.Errorf("commitment %+v for 20 words", c)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			again, same, err := h.Layer.Encode(t.Context(), words(20, 1))
			if d := cmp.Diff(p, again) + cmp.Diff(c, same); d != "" || err != nil {
				t.Errorf("the same data, first (-) and again (+): %s, %v", d, err)
			}
		})
	}
	all.Wait()
}

func otherDataOtherCommitment(t *testing.T, h Harness) {
	_, a := h.encode(t, words(20, 1))
	for name, d := range map[string]da.Data{"other words": words(20, 2), "fewer words": words(19, 1)} {
		if _, b := h.encode(t, d); cmp.Equal(a, b) {
			t.Errorf("%s have the same commitment %+v", name, b)
		}
	}
}

func commitIsThatOfOnePublication(t *testing.T, h Harness) {
	_, c := h.encode(t, words(20, 1))
	if got := h.Layer.Commit(words(20, 1).Words); got.Hash != c.Hash || got.Size != c.Size {
		t.Errorf("%+v of the segment, %+v of its one publication", got, c)
	}
	if got := h.Layer.Commit(words(h.Most+1, 1).Words); got.Hash.IsZero() || got.Size != uint64(h.Most)+1 {
		t.Errorf("commitment %+v of %d words", got, h.Most+1)
	}
	if n := h.Layer.MaxWords(); n != h.Most {
		t.Errorf("MaxWords is %d, want %d", n, h.Most)
	}
}

func bounds(t *testing.T, h Harness) {
	h.encode(t, words(h.Most, 1))
	if _, _, err := h.Layer.Encode(t.Context(), words(h.Most+1, 1)); !errors.Is(err, da.ErrTooLarge) {
		t.Errorf("one word more than fits: %v, want ErrTooLarge", err)
	}
	if _, _, err := h.Layer.Encode(t.Context(), da.Data{Batch: 1}); err == nil {
		t.Error("no words at all are encoded")
	}
}
