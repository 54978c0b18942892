package executor

import (
	"context"
	"errors"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/rewind"
)

// taken says that a document is not this invocation's to write any more: another one was faster, or a rewind has
// discarded the job.
func taken(err error) bool { return errors.Is(err, job.ErrConflict) || errors.Is(err, job.ErrNotFound) }

// missing is for a message whose job can't be read: nil where a rewind since has discarded the job.
func (w *Executor) missing(ctx context.Context, m job.Message, why error) error {
	if !errors.Is(why, job.ErrNotFound) {
		return why
	}
	s, err := rewind.Of(ctx, w.Rewinds)
	switch {
	case err != nil:
		return err
	case m.Epoch >= s.Epoch():
		return why
	}
	w.log().InfoContext(ctx, "wake-up dropped: a rewind has discarded its job", "job_id", m.JobID, "job_type", m.Type)
	return nil
}

// discarded says whether a rewind has discarded a job: nothing may act on it. Once the rewind is done, what is still
// there was made by an invocation that did not know of it, and is removed; one that has signed something is left to
// whoever looks.
func (w *Executor) discarded(ctx context.Context, j job.Job) (bool, error) {
	s, err := w.record(ctx, j)
	if err != nil || !w.stale(s, j) {
		return false, err
	}
	w.log().InfoContext(ctx, "wake-up dropped: a rewind has discarded the job", "job_id", j.ID, "job_type", j.Type,
		"batch", j.Batch, "epoch", j.Epoch)
	if _, active := s.Active(); active || signed(j) {
		return true, nil
	}
	if err := w.Jobs.Delete(ctx, j); err != nil && !taken(err) {
		return true, fmt.Errorf("remove discarded job %s: %w", j.ID, err)
	}
	return true, nil
}

// record is the record of rewinds that counts for a job. For one that signs it is read after the job, so that a job
// which was written before its rewind is never acted on under a version from after it. The others share what their
// invocation has read within two seconds: a rewind that begins meanwhile removes such a job whatever it does, and its
// result can't be stored, for that is a compare-and-set on a document that is gone.
func (w *Executor) record(ctx context.Context, j job.Job) (rewind.State, error) {
	if len(j.Journals()) > 0 {
		return rewind.Of(ctx, w.Rewinds)
	}
	return rewind.Recent(ctx, w.Rewinds, w.Now())
}

func (w *Executor) stale(s rewind.State, j job.Job) bool {
	return len(s.Rewinds) > 0 && s.Stale(rewind.KindOf(w.Wake.Layer, j.Type), j.Batch, j.Epoch)
}

func signed(j job.Job) bool {
	for _, journal := range j.Journals() {
		if len(journal.Records) > 0 {
			return true
		}
	}
	return false
}

// refuseDiscarded is ErrRefused for a job that a rewind has discarded.
func (w *Executor) refuseDiscarded(ctx context.Context, j job.Job) error {
	s, err := rewind.Of(ctx, w.Rewinds)
	if err != nil {
		return err
	}
	if w.stale(s, j) {
		return fmt.Errorf("a rewind has discarded job %s with its batch: %w", j.ID, ErrRefused)
	}
	return nil
}
