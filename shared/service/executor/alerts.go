package executor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/service/alerting"
)

// The keys of the causes that are reported here begin with these. After each comes what keeps causes apart: the stage,
// and a fingerprint of the reason, so that one cause that strikes many jobs makes one alert.
const (
	WaitsPrefix      = "waiting/" // jobs that wait for an operator
	FailingPrefix    = "failing/" // jobs that fail transiently again and again
	DeadLetterPrefix = "dead-letter/"
	AwaitingPrefix   = "awaiting/" // jobs that wait for a change that somebody outside makes
)

// Waits is the cause for which a job waits for an operator.
func (w *Executor) Waits(j job.Job) alert.Cause {
	return alert.Cause{
		Key:      fmt.Sprintf("%s%s/%s/%s", WaitsPrefix, j.Type, j.Status, alert.Fingerprint(j.Reason())),
		Severity: alert.Critical, Job: touched(j),
		Title: fmt.Sprintf("%s of %s: %s", j.Type, w.batchOf(j), j.Status),
		Detail: fmt.Sprintf("%sReason: %s. What follows %s is blocked. Fix the cause, then retry.",
			blocksOf(j), j.Reason(), w.batchOf(j)),
		Retry: true,
	}
}

// keepsFailing is the cause for which a job fails transiently again and again.
func (w *Executor) keepsFailing(j job.Job, err error) alert.Cause {
	return alert.Cause{
		Key:      fmt.Sprintf("%s%s/%s", FailingPrefix, j.Type, alert.Fingerprint(err.Error())),
		Severity: alert.Warning, Job: touched(j),
		Title: fmt.Sprintf("%s of %s keeps failing on an external service", j.Type, w.batchOf(j)),
		Detail: fmt.Sprintf("%s%d tries in a row ended in: %v. The job goes on trying; nothing is lost.",
			blocksOf(j), j.Attempts.Transient, err),
	}
}

// awaited is a transient failure with a cause of its own.
type awaited struct {
	cause alert.Cause
	err   error
}

func (a *awaited) Error() string { return a.err.Error() }
func (a *awaited) Unwrap() error { return a.err }

// Await marks err as a wait for a change that somebody outside makes, such as the owner of the core contract. The
// cause, whose key begins with AwaitingPrefix, is reported at once and while it lasts, and no other for this error. The
// job looks again after d at the earliest.
func Await(c alert.Cause, d time.Duration, err error) error {
	return &awaited{cause: c, err: job.RetryAfter(d, err)}
}

// waits says whether an error is a wait of Await.
func waits(err error) bool {
	var a *awaited
	return errors.As(err, &a)
}

// transient reports a transient failure where one is due.
func (w *Executor) transient(ctx context.Context, next job.Job, err error, p job.Policy) {
	var a *awaited
	switch {
	case errors.As(err, &a):
		a.cause.Job = touched(next)
		w.raise(ctx, a.cause)
	case p.AlertAfter > 0 && next.Attempts.Transient >= p.AlertAfter:
		w.raise(ctx, w.keepsFailing(next, err))
	}
}

func touched(j job.Job) alert.Job { return alert.Job{ID: j.ID, Type: string(j.Type), Batch: j.Batch} }

// batchOf names a job's batch: a number alone may be that of a SNOS batch or of an aggregator batch.
func (w *Executor) batchOf(j job.Job) string {
	return w.Wake.Layer.BatchName(j.Type, j.Batch)
}

// blocksOf names a job's blocks as the beginning of an alert's text; "" where its document does not have them.
func blocksOf(j job.Job) string {
	if from, to, ok := j.Blocks(); ok {
		return fmt.Sprintf("Blocks %d-%d. ", from, to)
	}
	return ""
}

// report raises what a stored transition brought, and takes the job off what it ended.
func (w *Executor) report(ctx context.Context, old, now job.Job) {
	if now.Status.NeedsOperator() {
		w.raise(ctx, w.Waits(now))
	}
	p := w.Policies[now.Type]
	if old.Status.NeedsOperator() && !now.Status.NeedsOperator() {
		w.release(ctx, WaitsPrefix+string(now.Type)+"/", now.ID)
	}
	failing := func(j job.Job) bool { return p.AlertAfter > 0 && j.Attempts.Transient >= p.AlertAfter }
	if failing(old) && !failing(now) {
		w.release(ctx, FailingPrefix+string(now.Type)+"/", now.ID)
	}
	if old.Attempts.Transient > 0 && now.Attempts.Transient == 0 {
		w.release(ctx, AwaitingPrefix, now.ID)
	}
}

// raise reports a cause. What is not reported now is at the job's next failure, or by reconcile.
func (w *Executor) raise(ctx context.Context, c alert.Cause) {
	if err := w.Alerts.Raise(ctx, c); err != nil && !errors.Is(err, alerting.ErrBusy) {
		w.log().ErrorContext(ctx, "alert not sent", "key", c.Key, "title", c.Title, "error", err)
	}
}

// Forget ends what was reported of jobs that will be no more.
func (w *Executor) Forget(ctx context.Context, jobIDs ...string) { w.release(ctx, "", jobIDs...) }

func (w *Executor) release(ctx context.Context, prefix string, jobIDs ...string) {
	if err := w.Alerts.Release(ctx, prefix, jobIDs...); err != nil {
		w.log().WarnContext(ctx, "report not ended, reconcile will", "job_ids", jobIDs, "error", err)
	}
}
