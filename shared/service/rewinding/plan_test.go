package rewinding_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/rewind"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/service/rewinding"
)

// A plan says what is discarded and what was paid for it, and changes nothing.
func TestPlan(t *testing.T) {
	t.Parallel()
	for l, want := range map[stage.Layer]rewinding.Lost{
		stage.L2: {Runs: 2, Proofs: 3, Steps: 200, Tasks: []string{"p", "p", "a"}, Bucket: "bucket-3"},
		stage.L3: {Runs: 1, Proofs: 2, Steps: 100, Tasks: []string{"p", "r"}},
	} {
		w := newWorld(t, l, 4, nil)
		p, err := w.Look(t.Context(), 3)
		if err != nil {
			t.Fatal(err)
		}
		if p.From != 3 || p.FromBlock != 20 || p.Discards != 2 || len(p.Batches) != 2 || len(p.Refusals) > 0 {
			t.Fatalf("%s: %+v", l, p)
		}
		if first := w.first(3); p.FromSnos != first || p.Batches[0].FirstSnos != first {
			t.Errorf("%s: begins with SNOS batch %d, want %d", l, p.FromSnos, first)
		}
		got := p.Batches[0]
		if d := cmp.Diff(want.Tasks, got.Tasks); d != "" || got.Runs != want.Runs || got.Proofs != want.Proofs ||
			got.Steps != want.Steps || got.Bucket != want.Bucket || got.Index != 3 ||
			(got.Fee != nil) != (l == stage.L3) {
			t.Errorf("%s: lost %+v, %s", l, got, d)
		}
		w.left(4)
		if _, err := w.Look(t.Context(), 9); !errors.Is(err, batch.ErrNotFound) {
			t.Errorf("a batch that is not there: %v", err)
		}
	}
}

// What is settled stays, and what may still be mined holds a rewind back; what can't be mined any more does not.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		from uint64
		set  func(*world)
		why  rewind.Why // "": it is not refused
		says string
	}{
		"nothing sent": {2, func(*world) {}, "", ""},
		"settled":      {1, func(*world) {}, rewind.WhySettled, "settled"},
		"by the chain": {2, func(w *world) { w.block = 12 }, rewind.WhySettled, "at block 12"},
		"may be mined": {2, func(w *world) { w.sign(job.StateTransition, 3, "0xa", 5) },
			rewind.WhyTransaction, "nonce 5"},
		"below it": {3, func(w *world) { w.sign(job.StateTransition, 2, "0xa", 5) }, "", ""},
		"not final yet": {2, func(w *world) { w.sign(job.StateTransition, 3, "0xa", 5); w.latest = 6 },
			rewind.WhyTransaction, "nonce 5"},
		"another used its nonce": {2, func(w *world) {
			w.sign(job.StateTransition, 3, "0xa", 5)
			w.latest, w.final = 6, 6
		}, "", ""},
		"reverted": {2, func(w *world) {
			w.sign(job.StateTransition, 3, "0xa", 5)
			w.included["0xa"], w.latest, w.final = false, 6, 6
		}, "", ""},
		"of the wallet before, may be mined": {2, func(w *world) {
			w.signBy("0xbe", job.StateTransition, 3, "0xa", 5)
			w.latest, w.final, w.before = 9, 9, tx.Used{Latest: 5, Confirmed: 5}
		}, rewind.WhyTransaction, "from 0xbe"},
		"of the wallet before, its nonce is used": {2, func(w *world) {
			w.signBy("0xbe", job.StateTransition, 3, "0xa", 5)
			w.before = tx.Used{Latest: 6, Confirmed: 6}
		}, "", ""},
		"settles it": {2, func(w *world) {
			w.sign(job.StateTransition, 3, "0xa", 5)
			w.included["0xa"], w.latest = true, 6
		}, rewind.WhySettled, "0xa"},
		"under way": {3, func(w *world) { w.begin(4) }, rewind.WhyActive, "under way"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, stage.L2, 4, nil)
			tt.set(w)
			_, r, err := w.Begin(t.Context(), tt.from, "ann", "too large")
			if tt.why == "" {
				if err != nil || r.From != tt.from || r.Epoch != 1 || r.By != "ann" {
					t.Errorf("%+v, %v", r, err)
				}
				return
			}
			var refused *rewind.RefusedError
			if !errors.As(err, &refused) || refused.Refusals[0].Why != tt.why ||
				!strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want it to be refused as %s with %q", err, tt.why, tt.says)
			}
		})
	}
}

// Data that was published does no harm: only a transaction that waits for a block holds an L3's rewind back.
func TestPublishedData(t *testing.T) {
	t.Parallel()
	for latest, want := range map[uint64]bool{5: true, 6: false} {
		w := newWorld(t, stage.L3, 3, nil)
		w.sign(job.DataSubmission, 3, "0xd", 5)
		w.latest = latest
		if p, err := w.Look(t.Context(), 2); err != nil || (len(p.Refusals) > 0) != want {
			t.Errorf("next nonce %d: %+v, %v; want it to be refused: %t", latest, p.Refusals, err, want)
		}
	}
}

// Data on a layer of its own was sent by another wallet: that one is asked about it, and counts in its own unit. On a
// layer that is not configured any more nobody counts on its nonces.
func TestDataOnALayerOfItsOwn(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		layer  string
		latest uint64 // of the other wallet
		want   bool   // it is refused
	}{"waits": {"ethereum/1", 5, true}, "mined": {"ethereum/1", 6, false}, "not configured": {"ethereum/2", 5, false}} {
		w, other := newWorld(t, stage.L3, 3, nil), newWorld(t, stage.L3, 1, nil)
		w.sign(job.DataSubmission, 3, "0xd", 5)
		j, err := w.jobs.Find(t.Context(), job.DataSubmission, 3)
		if err != nil {
			t.Fatal(err)
		}
		j.Metadata.(*job.DataSubmissionMeta).Layer = tt.layer
		if _, err := w.jobs.Update(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		w.latest, other.latest = 5, tt.latest
		w.DataLayer, w.DataWallet = "ethereum/1", other
		p, err := w.Look(t.Context(), 2)
		if err != nil || (len(p.Refusals) > 0) != tt.want {
			t.Errorf("%s: %+v, %v; want it to be refused: %t", name, p.Refusals, err, tt.want)
		}
		if last := p.Batches[len(p.Batches)-1]; last.Fee != nil || last.DataFee == nil || last.DataFee.Int64() != 7 {
			t.Errorf("%s: lost %v and %v", name, last.Fee, last.DataFee)
		}
	}
}
