package batching_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric/metrictest"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/rewind"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/blocks"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/prover"
	"github.com/madara-orchestrator/orchestrator/shared/service/batching"
)

// Case B2: the batch before an unsupported version closes at once; one alert in 24 hours, a reminder after, and an
// all-clear once a release supports it.
func TestUnsupportedVersion(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		const title = "The chain runs an unsupported Starknet version"
		b.SupportsVersion = func(v string) bool { return v != "0.99.0" }
		b.grow(5, nil)
		b.grow(3, func(x *blocks.Block) { x.Header.StarknetVersion = "0.99.0" })
		if err := b.run(); err != nil {
			t.Errorf("a halt that is reported is not a failure: %v", err)
		}
		b.want("0-4 Starknet version change")
		b.pass(24 * time.Hour)
		b.alerted(title)
		b.pass(time.Hour)
		b.want("0-4 Starknet version change")
		b.alerted(title, "Reminder: "+title)
		b.SupportsVersion = nil
		b.pass(time.Minute)
		b.want("0-4 Starknet version change; 5-7 open")
		b.alerted(title, "Reminder: "+title, "Resolved: "+title)
	})
}

// Case B2: whatever can't be read, the open batch closes at its age. The alert comes when it has lasted, and once.
func TestReadErrorKeepsNoBatchOpen(t *testing.T) {
	down := errors.New("the node is down")
	for name, spoil := range map[string]func(*bench){
		"node":    func(b *bench) { b.node.fail = down },
		"headers": func(b *bench) { b.node.header = func(h *block.Header) { h.ParentHash = h.Hash } },
		"updates": func(b *bench) { b.node.update = func(u *block.StateUpdate) { u.BlockHash = u.NewRoot } },
		"measuring": func(
			b *bench) {
			b.NewSizer = func(string, []byte) (batching.Sizer, error) { return nil, down }
			b.Limits.DAWords = 1 // an L3 measures where the weights do not do
		},
		"lost sizer": func(b *bench) {
			if b.layer == stage.L2 {
				b.dropSizer()
			}
			b.node.fail = down
		},
		"missing":     func(b *bench) { b.node.lag = func() uint64 { return 5 } },
		"head behind": func(b *bench) { b.node.head = func(uint64) uint64 { return 1 } },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, b *bench) {
				b.grow(5, nil)
				if err := b.run(); err != nil {
					t.Fatal(err)
				}
				b.want("0-4 open")
				spoil(b)
				b.grow(3, nil)
				b.now = b.now.Add(b.Limits.Age)
				_ = b.run()
				b.want("0-4 age")
				b.pass(10 * time.Hour)
				if n := len(b.alerts.Sent()); n != 1 {
					t.Errorf("%d alerts in 10 hours, want 1", n)
				}
			})
		})
	}
}

func (b *bench) dropSizer() {
	b.t.Helper()
	infos, err := b.artifacts.List(b.t.Context(), "", "", 10)
	if err != nil || len(infos) != 1 {
		b.t.Fatalf("%d artifacts, %v", len(infos), err)
	}
	if err := b.artifacts.Delete(b.t.Context(), infos[0].Key); err != nil {
		b.t.Fatal(err)
	}
}

// A sizer that is lost is made again of the batch's blocks.
func TestLostSizerIsMadeAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, stage.L2)
	b.grow(5, nil)
	if err := b.run(); err != nil {
		t.Fatal(err)
	}
	b.dropSizer()
	b.grow(2, nil)
	if err := b.run(); err != nil {
		t.Fatal(err)
	}
	b.want("0-6 open")
	if a, _ := b.batches.Aggregator(t.Context(), 1); a.DAWords != 70 {
		t.Errorf("%d words of 7 blocks, want 70", a.DAWords)
	}
}

// A short disturbance is nobody's business.
func TestShortDisturbance(t *testing.T) {
	each(t, func(_ *testing.T, b *bench) {
		b.grow(5, nil)
		b.node.fail = errors.New("down")
		b.pass(9 * time.Minute)
		b.node.fail = nil
		b.pass(time.Minute)
		b.want("0-4 open")
		b.alerted()
	})
}

// The open aggregator batch closes when the settings name another prover: its proofs could not be combined with those
// of the new one, which gets the blocks that come. It closes also where no block comes or can be read. One in which no
// SNOS batch was closed has no proofs yet: it goes on with the new prover.
func TestProverChange(t *testing.T) {
	t.Parallel()
	with, without := proof.Capabilities{Name: "a", Buckets: true}, proof.Capabilities{Name: "b"}
	other, proofs := proof.Capabilities{Name: "c"}, proof.Capabilities{Name: "a", Buckets: true, Proofs: true}
	for name, tt := range map[string]struct {
		first, second proof.Capabilities
		unrecorded    bool   // by an earlier release
		blocks        int    // that come meanwhile
		snos          uint64 // blocks of a SNOS batch
		want          string
		of            proof.Capabilities // the newest batch
	}{
		"to buckets":               {without, with, false, 3, 5, "0-4 prover change; 5-7 open", with},
		"from buckets":             {with, without, false, 3, 5, "0-4 prover change; 5-7 open", without},
		"to buckets, unrecorded":   {without, with, true, 3, 5, "0-4 prover change; 5-7 open", with},
		"from buckets, unrecorded": {with, without, true, 3, 5, "0-4 prover change; 5-7 open", without},
		"another name":             {without, other, false, 3, 5, "0-4 prover change; 5-7 open", other},
		"no block comes":           {without, with, false, 0, 5, "0-4 prover change", without},
		"the node is down":         {without, with, false, -1, 5, "0-4 prover change", without},
		"nothing is proven":        {without, with, false, 3, 9, "0-7 open", with},
		"nothing is proven, back":  {with, without, true, 3, 9, "0-7 open", without},
		"nor does a block come":    {without, with, false, 0, 9, "0-4 open", with},
		"the same":                 {with, with, false, 3, 5, "0-7 open", with},
		"other proofs":             {with, proofs, false, 3, 5, "0-7 open", with},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, stage.L2)
			b.Limits.SnosBlocks = tt.snos
			b.Prover = prover.New(nil, prover.Config{Capabilities: tt.first})
			b.grow(5, nil)
			b.pass(time.Minute)
			a, err := b.batches.Aggregator(t.Context(), 1)
			if err != nil || a.Prover != tt.first.Name || (a.Bucket != "") != tt.first.Buckets {
				t.Fatalf("begun with %q, bucket %q, %v", a.Prover, a.Bucket, err)
			}
			if tt.unrecorded {
				a.Prover = ""
				if _, err := b.batches.UpdateAggregator(t.Context(), a); err != nil {
					t.Fatal(err)
				}
			}
			b.Prover = prover.New(nil, prover.Config{Capabilities: tt.second})
			b.grow(max(tt.blocks, 0), nil)
			if tt.blocks < 0 {
				b.node.fail = errors.New("down")
			}
			b.pass(2 * time.Minute)
			b.want(tt.want)
			last, err := b.batches.LastAggregator(t.Context())
			if err != nil || last.Prover != tt.of.Name || (last.Bucket != "") != tt.of.Buckets {
				t.Errorf("the newest batch is of %q, bucket %q, %v; want %+v", last.Prover, last.Bucket, err, tt.of)
			}
		})
	}
}

// Case B3: a block that is older than its parent is batched like any other.
func TestTimeMayRunBack(t *testing.T) {
	each(t, func(_ *testing.T, b *bench) {
		b.grow(3, nil)
		b.grow(1, func(x *blocks.Block) { x.Header.Timestamp = x.Header.Timestamp.Add(-time.Second) })
		b.grow(3, nil)
		b.pass(time.Minute)
		b.want("0-6 open")
		b.alerted()
	})
}

// An operator closes the open batch, and no other: a message that comes twice closes nothing more. While another
// invocation batches, it is asked again later.
func TestClosedByAnOperator(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.grow(3, nil)
		b.pass(time.Minute)
		for _, index := range []uint64{2, 1, 1} {
			if err := b.close(index); err != nil {
				t.Fatal(err)
			}
		}
		b.want("0-2 an operator's command")
		b.grow(2, nil)
		b.pass(time.Minute)
		if err := b.close(1); err != nil {
			t.Fatal(err)
		}
		b.want("0-2 an operator's command; 3-4 open")
		worker := stage.AggregatorBatching
		if b.layer == stage.L3 {
			worker = stage.SnosBatching
		}
		if _, err := b.locks.Acquire(t.Context(), string(worker), "another", time.Hour); err != nil {
			t.Fatal(err)
		}
		before, _ := b.queues.Depth(t.Context(), "q")
		err := b.close(2)
		if after, _ := b.queues.Depth(t.Context(), "q"); err != nil || after.Delayed != before.Delayed+1 {
			t.Errorf("asked while another invocation batches: %v, %+v after %+v", err, after, before)
		}
		b.want("0-2 an operator's command; 3-4 open")
	})
}

// An aggregator batch that closes after its last SNOS batch wakes Aggregator: the last proof may have found it open.
func TestClosedAfterItsSnosBatches(t *testing.T) {
	t.Parallel()
	b := setup(t, stage.L2)
	b.Limits.SnosBlocks = 5
	b.grow(5, nil)
	if err := b.run(); err != nil {
		t.Fatal(err)
	}
	b.want("0-4 open")
	if woken := b.woken(); slices.Contains(woken, stage.Aggregator) || !slices.Contains(woken, stage.SnosBatching) {
		t.Errorf("a SNOS batch has closed: woken %v", woken)
	}
	b.now = b.now.Add(b.Limits.Age)
	if err := b.run(); err != nil {
		t.Fatal(err)
	}
	b.want("0-4 age")
	if woken := b.woken(); !slices.Contains(woken, stage.Aggregator) {
		t.Errorf("the batch has closed: woken %v", woken)
	}
}

// woken are the stages whose trigger workers were woken since it was asked last.
func (b *bench) woken() (out []stage.Name) {
	b.t.Helper()
	for {
		ds, err := b.queues.Receive(b.t.Context(), "q", 10, 0)
		if err != nil {
			b.t.Fatal(err)
		}
		if len(ds) == 0 {
			return out
		}
		for _, d := range ds {
			w, _, err := schedule.Decode([]byte(d.Body))
			if err == nil {
				err = b.queues.Delete(b.t.Context(), "q", d.Handle)
			}
			if err != nil {
				b.t.Fatal(err)
			}
			out = append(out, w.Stage)
		}
	}
}

// SNOS batches of an aggregator batch that was made after a rewind which this run does not know of are not written:
// those before them may be gone (found by the simulation, L2 seed 257). The next run writes all.
func TestSnosBatchesOfALaterEpoch(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{true, false} {
		b := setup(t, stage.L2)
		rewinds := memory.NewRewinds(nil)
		b.Rewinds = rewinds
		if known {
			s, err := rewind.State{}.Begin(rewind.Rewind{From: 2, FromSnos: 2})
			if err == nil {
				_, err = rewinds.Put(t.Context(), s.With(func(w *rewind.Rewind) { w.DoneAt = b.now }))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		for i := range uint64(2) {
			span := batch.Span{StartBlock: 5 * i, EndBlock: 5*i + 4, Reason: batch.BlockCount}
			if err := b.batches.CreateAggregator(t.Context(), batch.AggregatorBatch{Index: i + 1, Epoch: i,
				FirstSnos: i + 1, Snos: []batch.Span{span}, Span: span, Status: batch.Closed}); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.RunSnosOfAggregators(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := 1
		if known {
			want = 2
		}
		if got, err := b.batches.SnosRange(t.Context(), 1, 9); err != nil || len(got) != want {
			t.Errorf("the rewind is known: %t: %d SNOS batches are written, want %d (%v)", known, len(got), want, err)
		}
	}
}

// behind is a store whose newest SNOS batch is one that another run has just written, which this one does not see yet.
type behind struct{ *memory.Batches }

// LastSnos implements batch.SnosStore.
func (behind) LastSnos(context.Context) (batch.SnosBatch, error) {
	return batch.SnosBatch{}, batch.ErrNotFound
}

// A SNOS batch's document is said and measured by the run that has written it, and by no other.
func TestSnosBatchIsMeasuredOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, stage.L2)
	b.Limits.SnosBlocks = 5
	b.grow(11, nil)
	if err := b.run(); err != nil {
		t.Fatal(err)
	}
	var r metrictest.Recorder
	ctx := metric.With(t.Context(), &r)
	if err := b.RunSnosOfAggregators(ctx); err != nil {
		t.Fatal(err)
	}
	written := len(r.Of(metric.BatchesClosed))
	b.Batcher.Batches = behind{b.batches}
	if err := b.RunSnosOfAggregators(ctx); err != nil {
		t.Fatal(err)
	}
	if n := len(r.Of(metric.BatchesClosed)); written != 2 || n != written {
		t.Errorf("%d SNOS batches were measured, then %d, want 2 and no more", written, n)
	}
}
