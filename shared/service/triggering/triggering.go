// Package triggering runs the trigger workers: each looks at one stage, creates the jobs that have become possible and
// moves the batches on. A worker can run at any time, twice at once, or crash anywhere: jobs are unique by type and
// batch, batches move by compare-and-set, and what was not finished is found by the next run.
package triggering

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/rewind"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
)

// Batching is what the batching workers need.
type Batching interface {
	RunAggregator(ctx context.Context) error
	RunSnosOfAggregators(ctx context.Context) error
	RunSnos(ctx context.Context) error
	// CloseAggregator and CloseSnos close the open batch with the index, which an operator asked for.
	CloseAggregator(ctx context.Context, index uint64) error
	CloseSnos(ctx context.Context, index uint64) error
}

// Rewinder takes a rewind that is under way on by a step, and returns the record of rewinds as it is afterwards, also
// with an error of that step.
type Rewinder interface {
	Continue(ctx context.Context) (rewind.State, error)
}

// Runner is a worker that has a package of its own.
type Runner interface {
	Run(ctx context.Context) error
}

// Settings are what operators choose.
type Settings struct {
	Layer stage.Layer
	// Window is the buffer window: how many batches above the oldest incomplete one a stage may have jobs for.
	Window uint64
	// FirstBatch is the batch whose state update is the first.
	FirstBatch uint64
	// Unsettled is how many batches may be on their way to the contract; 0 counts as 1.
	Unsettled int
	// WantProofs stores the finished proofs.
	WantProofs bool
	Chain      string
}

// Triggers runs the workers. All fields but Retention, Timers and Log are required.
type Triggers struct {
	Settings  Settings
	Jobs      job.Store
	Batches   batch.Store
	Executor  *executor.Executor // to send the first wake-up of a job
	Prover    proof.Prover       // for its capabilities
	Batching  Batching
	Cleanup   Runner
	Retention Runner // runs after Cleanup; nil: all documents stay
	Reconcile Runner
	Timers    Runner // keeps the schedules; runs with Reconcile, also while that is paused; nil: nobody does
	Lag       Runner // measures; runs with Reconcile, also while that is paused
	Control   schedule.Control
	Rewinder  Rewinder // nil: nothing is ever rewound
	Events    event.Bus
	Now       func() time.Time
	NewID     func() string // of jobs
	Log       *slog.Logger

	rewinds rewind.State // as of this run
}

// page is how many batches of a status one run looks at.
const page = 100

// Run runs one worker once. A worker that the layer doesn't have, or that is paused, does nothing.
func (t *Triggers) Run(ctx context.Context, w stage.Name) error {
	return t.unlessPaused(ctx, w, (*Triggers).run)
}

// Close runs a batching worker once: it closes the open batch if it is the one with the index. A worker that makes no
// batches runs as always.
func (t *Triggers) Close(ctx context.Context, w stage.Name, index uint64) error {
	return t.unlessPaused(ctx, w, func(t *Triggers, ctx context.Context, w stage.Name) error {
		switch l2 := t.Settings.Layer == stage.L2; {
		case l2 && w == stage.AggregatorBatching:
			return t.Batching.CloseAggregator(ctx, index)
		case !l2 && w == stage.SnosBatching:
			return t.Batching.CloseSnos(ctx, index)
		}
		return t.run(ctx, w)
	})
}

func (t *Triggers) unlessPaused(ctx context.Context, w stage.Name,
	run func(*Triggers, context.Context, stage.Name) error) error {
	if _, ok := stage.Of(w); !ok {
		return fmt.Errorf("unknown stage %.80q, want one of %v", w, stage.Names())
	}
	if !t.Settings.Layer.Has(w) {
		return nil
	}
	t, err := t.rewound(ctx, w) // also where the stage is paused: a rewind is none of its work
	if err != nil {
		return fmt.Errorf("trigger worker of %s: %w", w, err)
	}
	pauses, err := schedule.Paused(ctx, t.Control)
	if err != nil {
		return fmt.Errorf("read paused stages: %w", err)
	}
	if p, paused := pauses.Of(w); paused {
		t.log().InfoContext(ctx, "stage is paused", "stage", string(w), "by", p.By, "reason", p.Reason)
		if w == stage.Reconcile { // the alarms must see the chain all the same, and others may be resumed
			return t.always(ctx)
		}
		return nil
	}
	if err := run(t, ctx, w); err != nil {
		return fmt.Errorf("trigger worker of %s: %w", w, err)
	}
	return nil
}

// always is what each run of Reconcile does, paused or not. It never fails a worker: a missing value shows in the
// alarms, and a schedule that fires in vain, or not, changes cost and latency only.
func (t *Triggers) always(ctx context.Context) error {
	if t.Timers != nil {
		if err := t.Timers.Run(ctx); err != nil {
			t.log().WarnContext(ctx, "schedules not kept, the next run will", "error", err)
		}
	}
	if err := t.Lag.Run(ctx); err != nil {
		t.log().WarnContext(ctx, "lag not measured", "error", err)
	}
	return ctx.Err()
}

func (t *Triggers) run(ctx context.Context, w stage.Name) error {
	l2 := t.Settings.Layer == stage.L2
	switch w {
	case stage.AggregatorBatching:
		return t.Batching.RunAggregator(ctx)
	case stage.SnosBatching:
		if l2 {
			return t.Batching.RunSnosOfAggregators(ctx)
		}
		return t.Batching.RunSnos(ctx)
	case stage.SnosRun:
		return t.snos(ctx)
	case stage.ProofCreation:
		return t.proving(ctx)
	case stage.ProofRegistration:
		return t.registration(ctx)
	case stage.DataSubmission:
		return t.dataSubmission(ctx)
	case stage.Aggregator:
		return t.aggregator(ctx)
	case stage.StateTransition:
		return t.updateState(ctx)
	case stage.StorageCleanup:
		err := t.Cleanup.Run(ctx)
		if t.Retention != nil {
			err = errors.Join(err, t.Retention.Run(ctx))
		}
		return err
	case stage.Reconcile:
		return errors.Join(t.Reconcile.Run(ctx), t.always(ctx))
	}
	return fmt.Errorf("stage %s has no trigger worker: add it to package triggering", w)
}

// create stores a job unless it exists and sends its first wake-up. If the process dies in between, reconcile finds the
// job by its due time.
func (t *Triggers) create(ctx context.Context, internalID, epoch uint64, m job.Metadata, trace string) error {
	j := job.New(t.NewID(), internalID, m, trace, t.Now()).InEpoch(epoch)
	err := t.Jobs.Create(ctx, j)
	if errors.Is(err, job.ErrExists) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("create %s job of batch %d: %w", j.Type, internalID, err)
	}
	t.log().InfoContext(ctx, "job created", "job_id", j.ID, "job_type", j.Type, "batch", internalID, "trace_id", trace)
	if err := t.Executor.Dispatch(ctx, j); err != nil {
		t.log().WarnContext(ctx, "wake-up not sent, reconcile will", "job_id", j.ID, "error", err)
	}
	return nil
}

// move sets a SNOS batch's status. Another run that was faster is not an error.
func (t *Triggers) move(ctx context.Context, b batch.SnosBatch, to batch.Status) error {
	if err := t.moveSnos(ctx, b, to); err != nil && !errors.Is(err, batch.ErrConflict) {
		return err
	}
	return nil
}

// lost makes one error of a batch that another run has moved and of one that a rewind has discarded.
func lost(err error) error {
	if errors.Is(err, batch.ErrNotFound) {
		return fmt.Errorf("%w: %w", batch.ErrConflict, err)
	}
	return err
}

// moveSnos sets a SNOS batch's status. Where another run was faster the error is batch.ErrConflict: what follows from
// the move is that run's.
func (t *Triggers) moveSnos(ctx context.Context, b batch.SnosBatch, to batch.Status) error {
	b.Status, b.UpdatedAt = to, t.Now()
	if _, err := t.Batches.UpdateSnos(ctx, b); err != nil {
		return fmt.Errorf("move SNOS batch %d to %s: %w", b.Index, to, lost(err))
	}
	return nil
}

func (t *Triggers) moveAggregator(ctx context.Context, b batch.AggregatorBatch,
	to batch.Status) (batch.AggregatorBatch, error) {
	b.Status, b.UpdatedAt = to, t.Now()
	stored, err := t.Batches.UpdateAggregator(ctx, b)
	if err != nil {
		return b, fmt.Errorf("move aggregator batch %d to %s: %w", b.Index, to, lost(err))
	}
	return stored, nil
}

// finished returns the SNOS batches with a status whose job of a type is completed, with that job, in order.
func (t *Triggers) finished(ctx context.Context, s batch.Status,
	jt job.Type) ([]batch.SnosBatch, map[uint64]job.Job, error) {
	bs, err := t.snosWith(ctx, s, page)
	if err != nil {
		return nil, nil, fmt.Errorf("list SNOS batches with status %s: %w", s, err)
	}
	if len(bs) == 0 {
		return nil, nil, nil
	}
	done, err := t.Jobs.List(ctx, job.Filter{
		Type: jt, Statuses: []job.Status{job.Completed}, From: bs[0].Index, To: bs[len(bs)-1].Index, Limit: job.MaxPage,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("list completed %s jobs: %w", jt, err)
	}
	byIndex := make(map[uint64]job.Job, len(done))
	for _, j := range done {
		byIndex[j.Batch] = j
	}
	out := bs[:0]
	for _, b := range bs {
		if j, ok := byIndex[b.Index]; ok && j.Epoch == b.Epoch {
			out = append(out, b)
		}
	}
	return out, byIndex, nil
}

// advance creates the next job of every SNOS batch whose job before is completed, and moves the batch.
func (t *Triggers) advance(ctx context.Context, from batch.Status, before job.Type, to batch.Status,
	next func(batch.SnosBatch, job.Job) (job.Metadata, error)) error {
	bs, jobs, err := t.finished(ctx, from, before)
	if err != nil {
		return err
	}
	var faults []error
	for _, b := range bs {
		if next != nil {
			m, err := next(b, jobs[b.Index])
			if err == nil {
				err = t.create(ctx, b.Index, b.Epoch, m, b.TraceID)
			}
			if err != nil {
				faults = append(faults, err) // the batches above go on
				continue
			}
		}
		if err := t.move(ctx, b, to); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

func (t *Triggers) log() *slog.Logger {
	if t.Log == nil {
		return slog.Default()
	}
	return t.Log
}
