package executor

import (
	"context"
	"errors"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
)

// ErrRefused says that the state machine has no such transition now; the wrapping text gives the job's state.
var ErrRefused = errors.New("not possible in the job's present state")

// Command is what an operator asks for, with what the audit needs.
type Command struct {
	By       string // who asks; "" is unknown
	Reason   string // why, in the operator's words; may be empty
	Priority bool   // wake the job past its stage's queue
	Reported bool   // a service reports the end of the work; nobody's command
}

// Retry starts a job again that waits for an operator. ErrRefused for one that does not, job.ErrNotFound,
// job.ErrSchema, and job.ErrConflict when others keep writing the job.
func (w *Executor) Retry(ctx context.Context, id string, o Command) (job.Job, error) {
	return w.command(ctx, id, "retry", o, func(j job.Job) (job.Job, error) {
		next, ok := j.Retried(w.Now())
		if !ok {
			return j, fmt.Errorf("job %s is %s; only %s and %s jobs are retried: %w",
				id, j.Status, job.Failed, job.VerificationTimeout, ErrRefused)
		}
		return next, nil
	})
}

// RunNow makes a job's next action due now. ErrRefused when that is not its next action or an invocation works on it;
// the other errors are those of Retry.
func (w *Executor) RunNow(ctx context.Context, id string, a job.Action, o Command) (job.Job, error) {
	return w.command(ctx, id, string(a), o, func(j job.Job) (job.Job, error) {
		next, ok := j.RunNow(a, w.Now(), o.Reported)
		switch {
		case ok:
			return next, nil
		case j.NextAction == job.None:
			return j, fmt.Errorf("job %s is %s and has no next action: %w", id, j.Status, ErrRefused)
		case j.NextAction != a:
			return j, fmt.Errorf("job %s is %s and its next action is %s: %w", id, j.Status, j.NextAction, ErrRefused)
		}
		return j, fmt.Errorf("an invocation works on job %s until %s: %w",
			id, j.Lease.ExpiresAt.UTC().Format("15:04:05Z"), ErrRefused)
	})
}

// operateTries is how often a command is decided again because another writer was faster.
const operateTries = 3

// command applies a command by compare-and-set and reports it.
func (w *Executor) command(ctx context.Context, id, what string, o Command,
	decide func(job.Job) (job.Job, error)) (job.Job, error) {
	var err error
	for range operateTries {
		var old, next, stored job.Job
		if old, err = w.Jobs.Get(ctx, id); err != nil {
			return job.Job{}, fmt.Errorf("read job %s: %w", id, err)
		}
		if err := w.refuseDiscarded(ctx, old); err != nil {
			return job.Job{}, err
		}
		if next, err = decide(old); err != nil {
			return job.Job{}, err
		}
		if old.Status != next.Status && !job.CanMove(old.Status, next.Status) {
			return job.Job{}, fmt.Errorf("job %s: no transition from %s to %s: %w",
				id, old.Status, next.Status, ErrRefused)
		}
		if stored, err = w.Jobs.Update(ctx, next); err == nil {
			w.commanded(ctx, old, stored, what, o)
			return stored, nil
		}
		if !errors.Is(err, job.ErrConflict) {
			break
		}
	}
	return job.Job{}, fmt.Errorf("%s job %s: %w", what, id, err)
}

// commanded does what follows from a stored command: audit, event, wake-up. The wake-up is a hint that reconcile gives
// again.
func (w *Executor) commanded(ctx context.Context, old, now job.Job, what string, o Command) {
	w.log().InfoContext(ctx, "command carried out", "command", what, "by", o.By, "reason", o.Reason, "job_id", now.ID,
		"job_type", now.Type, "batch", now.Batch, "was", string(old.Status), "status", string(now.Status))
	w.report(ctx, old, now)
	if old.Status != now.Status {
		e := w.changed(now)
		e.Detail = map[string]string{"order": what, "by": o.By, "reason": o.Reason}
		w.send(ctx, e)
	}
	if err := w.dispatch(ctx, now, o.Priority); err != nil {
		w.log().WarnContext(ctx, "wake-up not sent, reconcile will", "job_id", now.ID, "error", err)
	}
}

func (w *Executor) changed(j job.Job) event.Event {
	return event.Event{
		Type: event.JobChanged, At: w.Now(), Chain: w.Chain, JobID: j.ID, JobType: string(j.Type),
		Status: string(j.Status), Batch: j.Batch, TraceID: j.TraceID,
	}
}

func (w *Executor) send(ctx context.Context, e event.Event) {
	if err := w.Events.Publish(ctx, e); err != nil {
		w.log().WarnContext(ctx, "event not published", "job_id", e.JobID, "error", err)
	}
}
