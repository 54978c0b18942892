package executor

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
)

// Run is one invocation's hold of a job. The handler changes Job.Metadata and Job.ExternalID in place.
type Run struct {
	Job   job.Job
	store job.Store
	log   *slog.Logger
	lost  bool

	blocked bool // see Blocked

	due  time.Time // when the action was due
	part string    // of the stage's work, that is waited for
	took []took    // work that was found done

	// how the attempt ended, for the measurements
	outcome string
	err     error
}

// NewRun returns a run for tests of handlers.
func NewRun(j job.Job, s job.Store) *Run { return &Run{Job: j, store: s, log: slog.Default()} }

// WaitFor names the part of the stage's work that is waited for from now on, where a stage has several: each takes its
// own time.
func (r *Run) WaitFor(part string) { r.part = part }

// Blocked says that other jobs left the action no room: what was found of this job's work before holds still. Failures
// in a row go on being counted, and what was reported of them is not over.
func (r *Run) Blocked() { r.blocked = true }

// Checkpoint stores the document as the handler has changed it. It must return nil before the change is acted on: an
// error means that the write did not happen or that another invocation has taken the job.
func (r *Run) Checkpoint(ctx context.Context) error {
	stored, err := r.store.Update(ctx, r.Job)
	if taken(err) {
		r.lost = true
	}
	if err != nil {
		return fmt.Errorf("record job %s before acting: %w", r.Job.ID, err)
	}
	r.Job.Version = stored.Version // only that: handlers hold a pointer to the metadata
	return nil
}

// Log is the run's logger, with the job's keys.
func (r *Run) Log() *slog.Logger { return r.log }

// Meta returns the job's metadata as the type that belongs to its job type. Another type is a permanent error: the
// document is corrupt.
func Meta[M job.Metadata](r *Run) (M, error) {
	m, ok := r.Job.Metadata.(M)
	if !ok {
		return m, job.Permanentf("job %s of type %s has metadata %T, want %T", r.Job.ID, r.Job.Type, r.Job.Metadata, m)
	}
	return m, nil
}
