package triggering_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric/metrictest"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// One row for each trigger worker: from what it finds, what it makes. Each runs twice: nothing is done twice.
func TestWorkers(t *testing.T) {
	t.Parallel()
	buckets := proof.Capabilities{Buckets: true, Proofs: true}
	for name, tt := range map[string]struct {
		stage stage.Name
		layer stage.Layer
		given func(*world)
		want  string
	}{
		"AggregatorBatching": {stage.AggregatorBatching, stage.L2, nil,
			"aggregator batching, aggregator batching"},
		"AggregatorBatching of L3": {stage.AggregatorBatching, stage.L3, nil, ""},
		"SnosBatching": {stage.SnosBatching, stage.L2, nil,
			"SNOS batches of aggregator batches, SNOS batches of aggregator batches"},
		"SnosBatching of L3": {stage.SnosBatching, stage.L3, nil, "SNOS batching, SNOS batching"},
		"SnosRun, within its window": {stage.SnosRun, stage.L2,
			func(w *world) {
				w.snos(batch.Closed, batch.Closed, batch.Closed, batch.Closed)
			},
			"SnosRun 1, SnosRun 2, SnosRun 3, snos 4: Closed, snos 1: SnosRun, snos 2: SnosRun, snos 3: SnosRun"},
		"SnosRun, above one that runs": {stage.SnosRun, stage.L2,
			func(w *world) {
				w.snos(batch.InSnosRun, batch.InProofCreation, batch.Closed, batch.Closed)
			},
			"SnosRun 3, snos 4: Closed, snos 1: SnosRun, snos 3: SnosRun, snos 2: ProofCreation"},
		"ProofCreation": {stage.ProofCreation, stage.L2,
			func(w *world) {
				w.aggregators(batch.Open)
				w.snos(batch.InSnosRun, batch.InSnosRun)
				w.job(1, job.PendingVerification, &job.SnosRunMeta{})
				w.job(2, job.Completed, &job.SnosRunMeta{Steps: 9, Fact: "0xf"})
			},
			"ProofCreation 2, aggregator 1: Open, snos 1: SnosRun, snos 2: ProofCreation"},
		"ProofRegistration": {stage.ProofRegistration, stage.L3,
			func(w *world) {
				w.snos(batch.InProofCreation)
				w.job(1, job.Completed, &job.ProofCreationMeta{Fact: "0xf"})
			},
			"ProofRegistration 1, snos 1: ProofRegistration"},
		"ProofRegistration of L2": {stage.ProofRegistration, stage.L2,
			func(w *world) {
				w.snos(batch.InProofCreation)
				w.job(1, job.Completed, &job.ProofCreationMeta{})
			},
			"snos 1: ProofCreation"},
		"DataSubmission": {stage.DataSubmission, stage.L3,
			func(w *world) {
				w.snos(batch.InProofRegistration)
				w.job(1, job.Completed, &job.ProofRegistrationMeta{})
			},
			"DataSubmission 1, snos 1: DataSubmission"},
		"Aggregator": {stage.Aggregator, stage.L2,
			func(w *world) {
				w.aggregators(batch.Closed, batch.Closed)
				w.snos(batch.InProofCreation, batch.InProofCreation)
				w.job(1, job.Completed, &job.ProofCreationMeta{})
				w.job(2, job.Failed, &job.ProofCreationMeta{})
			},
			"Aggregator 1, aggregator 2: Closed, snos 2: ProofCreation, snos 1: Proven, aggregator 1: Aggregator"},
		"StateTransition, the first": {stage.StateTransition, stage.L2,
			func(w *world) {
				w.aggregators(batch.InAggregator, batch.InAggregator)
				w.job(1, job.Completed, &job.AggregatorMeta{})
				w.job(2, job.Completed, &job.AggregatorMeta{})
			},
			"StateTransition 1, aggregator 1: StateTransition, aggregator 2: StateTransition"},
		"StateTransition, out of order": {stage.StateTransition, stage.L2,
			func(w *world) {
				w.aggregators(batch.InAggregator, batch.InAggregator)
				w.job(2, job.Completed, &job.AggregatorMeta{})
			},
			"aggregator 1: Aggregator, aggregator 2: StateTransition"},
		"StateTransition, one at a time": {stage.StateTransition, stage.L2,
			func(w *world) {
				w.aggregators(batch.InStateTransition, batch.InStateTransition)
				w.job(1, job.PendingVerification, &job.StateTransitionMeta{})
			},
			"aggregator 1: StateTransition, aggregator 2: StateTransition"},
		"StateTransition, the last is sent": {stage.StateTransition, stage.L2,
			func(w *world) {
				w.Settings.Unsettled = 2
				w.aggregators(batch.InStateTransition, batch.InStateTransition)
				w.job(1, job.PendingVerification, sent())
			},
			"StateTransition 2, aggregator 1: StateTransition, aggregator 2: StateTransition"},
		"StateTransition, the last is not sent": {stage.StateTransition, stage.L2,
			func(w *world) {
				w.Settings.Unsettled = 2
				w.aggregators(batch.InStateTransition, batch.InStateTransition)
				w.job(1, job.PendingVerification, &job.StateTransitionMeta{})
			},
			"aggregator 1: StateTransition, aggregator 2: StateTransition"},
		"StateTransition, as many as may be": {stage.StateTransition, stage.L2,
			func(w *world) {
				w.Settings.Unsettled = 2
				w.aggregators(batch.InStateTransition, batch.InStateTransition, batch.InStateTransition)
				w.job(1, job.PendingVerification, sent())
				w.job(2, job.PendingVerification, sent())
			},
			"aggregator 1: StateTransition, aggregator 2: StateTransition, aggregator 3: StateTransition"},
		"StateTransition, one failed": {stage.StateTransition, stage.L2,
			func(w *world) {
				w.Settings.Unsettled = 9
				w.aggregators(batch.InStateTransition, batch.InStateTransition, batch.InStateTransition)
				w.job(1, job.Failed, sent())
				w.job(2, job.PendingVerification, sent())
			},
			"aggregator 1: StateTransition, aggregator 2: StateTransition, aggregator 3: StateTransition"},
		"StateTransition, one before the last is completed": {stage.StateTransition, stage.L2,
			func(w *world) {
				w.Settings.Unsettled = 2
				w.aggregators(batch.InStateTransition, batch.InStateTransition, batch.InAggregator)
				w.job(1, job.Completed, sent())
				w.job(1, job.Completed, &job.AggregatorMeta{})
				w.job(2, job.PendingVerification, sent())
			},
			"aggregator 3: Aggregator, aggregator 2: StateTransition, aggregator 1: Completed"},
		"StateTransition, the next": {stage.StateTransition, stage.L2,
			func(w *world) {
				w.aggregators(batch.InStateTransition, batch.InStateTransition)
				w.job(1, job.Completed, &job.StateTransitionMeta{})
				w.job(1, job.Completed, &job.AggregatorMeta{})
			},
			"StateTransition 2, aggregator 2: StateTransition, aggregator 1: Completed"},
		"StateTransition of L3": {stage.StateTransition, stage.L3,
			func(w *world) {
				w.snos(batch.InDataSubmission)
				w.job(1, job.Completed, &job.ProofRegistrationMeta{})
				w.job(1, job.Completed, &job.DataSubmissionMeta{DataSize: 5})
			},
			"StateTransition 1, snos 1: StateTransition"},
		"StorageCleanup": {stage.StorageCleanup, stage.L2, nil, "cleanup, cleanup"},
		"Reconcile":      {stage.Reconcile, stage.L2, nil, "reconcile, lag, reconcile, lag"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.layer, buckets)
			if tt.given != nil {
				tt.given(w)
			}
			for range 2 {
				w.check(w.Run(t.Context(), tt.stage))
			}
			if got := w.state(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// Every stage of the table has a trigger worker.
func TestEveryStageHasAWorker(t *testing.T) {
	t.Parallel()
	for _, l := range []stage.Layer{stage.L2, stage.L3} {
		for _, n := range stage.Names() {
			if err := newWorld(t, l, proof.Capabilities{}).Run(t.Context(), n); err != nil {
				t.Errorf("%s: %v", n, err)
			}
		}
	}
	if err := newWorld(t, stage.L2, proof.Capabilities{}).Run(t.Context(), "nonsense"); err == nil {
		t.Error("an unknown stage was run")
	}
}

// A paused stage makes no jobs.
func TestPaused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stage.L2, proof.Capabilities{})
	w.snos(batch.Closed)
	w.check(w.Control.Pause(t.Context(), schedule.Pause{Stage: stage.SnosRun, Since: now}))
	w.check(w.Run(t.Context(), stage.SnosRun))
	if got := w.state(); got != "snos 1: Closed" {
		t.Errorf("got %s", got)
	}
}

// While Reconcile is paused the chain is measured all the same: the alarms must not take a pause for silence.
func TestPausedReconcileMeasures(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stage.L2, proof.Capabilities{})
	w.check(w.Control.Pause(t.Context(), schedule.Pause{Stage: stage.Reconcile, Since: now}))
	w.check(w.Run(t.Context(), stage.Reconcile))
	if got := strings.Join(w.ran, ", "); got != "lag" {
		t.Errorf("ran %s, want lag alone", got)
	}
}

// A new job carries what its stage needs of the batch and of the job before, and is woken.
func TestMetadataOfNewJobs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stage.L2, proof.Capabilities{Buckets: true})
	w.aggregators(batch.Open)
	w.snos(batch.InSnosRun)
	w.job(1, job.Completed, &job.SnosRunMeta{Steps: 9, Fact: "0xf"})
	w.check(w.Run(t.Context(), stage.ProofCreation))
	j, err := w.jobs.Find(t.Context(), job.ProofCreation, 1)
	w.check(err)
	m, ok := j.Metadata.(*job.ProofCreationMeta)
	if !ok || m.Steps != 9 || m.Fact != "0xf" || m.Bucket != "bucket" || m.StartBlock != 2 ||
		m.EndBlock != 3 || j.TraceID != "trace" {
		t.Errorf("job %+v with metadata %+v", j, m)
	}
	if d, err := w.queues.Depth(t.Context(), "jobs"); err != nil || d.Ready != 1 {
		t.Errorf("%d wake-ups, %v, want 1", d.Ready, err)
	}
}

// A gap between two batches settles nothing: the documents are wrong.
func TestGap(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stage.L2, proof.Capabilities{})
	w.aggregators(batch.Completed, batch.InStateTransition)
	second, err := w.batches.Aggregator(t.Context(), 2)
	w.check(err)
	second.StartBlock++
	_, err = w.batches.UpdateAggregator(t.Context(), second)
	w.check(err)
	w.job(1, job.Completed, &job.StateTransitionMeta{})
	if err := w.Run(t.Context(), stage.StateTransition); err == nil ||
		!strings.Contains(err.Error(), "starts at block 5") {
		t.Errorf("error %v, want one that names both blocks", err)
	}
	if _, err := w.jobs.Find(t.Context(), job.StateTransition, 2); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("a job was made: %v", err)
	}
}

// A batch that was made after a rewind which this run does not know of is left to the next run: the batches before it
// may have no jobs any more (found by the simulation, L2 seed 257).
func TestBatchOfALaterEpoch(t *testing.T) {
	t.Parallel()
	for _, epoch := range []uint64{0, 1} {
		w := newWorld(t, stage.L2, proof.Capabilities{})
		w.aggregators(batch.Completed)
		b := batch.AggregatorBatch{Index: 2, Epoch: epoch, FirstSnos: 2, Snos: make([]batch.Span, 1),
			Status: batch.InStateTransition, Version: 1}
		b.StartBlock, b.EndBlock, b.StarknetVersion = 4, 5, "0.14.1"
		w.check(w.batches.CreateAggregator(t.Context(), b))
		w.job(1, job.Completed, &job.StateTransitionMeta{})
		w.check(w.Run(t.Context(), stage.StateTransition))
		_, err := w.jobs.Find(t.Context(), job.StateTransition, 2)
		if made := err == nil; made != (epoch == 0) {
			t.Errorf("epoch %d: a job was made: %t (%v)", epoch, made, err)
		}
	}
}

// After a takeover the first state update is that of the batch after the adopted one; a batch that was archived here is
// none.
func TestFirstAfterAdoption(t *testing.T) {
	t.Parallel()
	for reason, want := range map[batch.Reason]uint64{batch.Adopted: 2, batch.BlockCount: 1} {
		t.Run(string(reason), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, stage.L2, proof.Capabilities{})
			w.aggregators(batch.Archived, batch.InStateTransition)
			w.check(w.batches.CreateSnos(t.Context(), batch.SnosBatch{
				Span: batch.Span{Reason: reason}, Index: 9, Aggregator: 1, Status: batch.Archived, Version: 1,
			}))
			w.check(w.Run(t.Context(), stage.StateTransition))
			if _, err := w.jobs.Find(t.Context(), job.StateTransition, 2); (err == nil) != (want == 2) {
				t.Errorf("the job of batch 2: %v, want batch %d to be the first", err, want)
			}
		})
	}
}

// A settled batch gets its ledger, once, and an event.
func TestLedger(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stage.L2, proof.Capabilities{})
	w.aggregators(batch.InStateTransition)
	w.job(1, job.Completed, &job.SnosRunMeta{})
	w.job(1, job.Completed, &job.ProofCreationMeta{})
	w.job(1, job.Completed, &job.AggregatorMeta{})
	w.job(1, job.Completed, &job.StateTransitionMeta{
		Blobs: 2, SettledBy: "0xt", Included: &job.Inclusion{GasUsed: 5, DataGas: 6, Fee: "70"},
	})
	for range 2 {
		w.check(w.Run(t.Context(), stage.StateTransition))
	}
	b, err := w.batches.Aggregator(t.Context(), 1)
	w.check(err)
	l := b.Ledger
	if l.GasUsed != 5 || l.DataGasUsed != 6 || l.Fee == nil || l.Fee.String() != "70" || l.Blobs != 2 ||
		l.Tx != "0xt" || len(l.Stages) != 4 {
		t.Errorf("ledger %+v", l)
	}
	if es := w.events.Published(); len(es) != 1 || es[0].Batch != 1 {
		t.Errorf("published %+v, want one event", es)
	}
}

// elsewhere is a store in which another run is always faster.
type elsewhere struct{ *memory.Batches }

// UpdateSnos implements batch.SnosStore.
func (elsewhere) UpdateSnos(context.Context, batch.SnosBatch) (batch.SnosBatch, error) {
	return batch.SnosBatch{}, batch.ErrConflict
}

// UpdateAggregator implements batch.AggregatorStore.
func (elsewhere) UpdateAggregator(context.Context, batch.AggregatorBatch) (batch.AggregatorBatch, error) {
	return batch.AggregatorBatch{}, batch.ErrConflict
}

// A settled batch is measured and said once, by the run that has moved it; the steps that are measured are those of its
// ledger.
func TestSettledIsMeasuredOnce(t *testing.T) {
	t.Parallel()
	for _, l := range []stage.Layer{stage.L2, stage.L3} {
		w := newWorld(t, l, proof.Capabilities{})
		w.aggregators(batch.InStateTransition)
		w.snos(batch.InStateTransition)
		w.job(1, job.Completed, &job.SnosRunMeta{Steps: 900})
		w.job(1, job.Completed, &job.ProofCreationMeta{Steps: 30})
		w.job(1, job.Completed, &job.ProofRegistrationMeta{PIEKey: "k", Steps: 4})
		w.job(1, job.Completed, &job.DataSubmissionMeta{})
		w.job(1, job.Completed, &job.AggregatorMeta{})
		w.job(1, job.Completed, &job.StateTransitionMeta{Included: &job.Inclusion{Fee: "70"}})
		var r metrictest.Recorder
		ctx := metric.With(t.Context(), &r)
		w.Triggers.Batches = elsewhere{w.batches}
		w.check(w.Run(ctx, stage.StateTransition))
		if vs, es := r.Values(), w.events.Published(); len(vs) > 0 || len(es) > 0 {
			t.Errorf("%s: another run has moved it, and this one measured %v and said %v", l, vs, es)
		}
		w.Triggers.Batches = w.batches
		for range 2 {
			w.check(w.Run(ctx, stage.StateTransition))
		}
		b, err := w.batches.Aggregator(t.Context(), 1)
		ledger := b.Ledger
		if l == stage.L3 {
			s, serr := w.batches.Snos(t.Context(), 1)
			err, ledger = errors.Join(err, serr), s.Ledger
		}
		w.check(err)
		want := map[stage.Layer]uint64{stage.L2: 30, stage.L3: 34}[l]
		if vs := r.Of(metric.ProverSteps); len(vs) != 1 || vs[0].Value != float64(want) || ledger.ProverSteps != want {
			t.Errorf("%s: measured %v steps, the ledger has %d, want %d", l, vs, ledger.ProverSteps, want)
		}
		if n, m := len(r.Of(metric.SettleSeconds)), len(r.Of(metric.FeePaid)); n != 1 || m != 1 {
			t.Errorf("%s: measured %d and %d times, want once", l, n, m)
		}
	}
}
