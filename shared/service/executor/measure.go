package executor

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

var (
	errPanic    = errors.New("panic")
	errRejected = errors.New("rejected")
)

// measured begins an attempt: how long its job was due, and what ends it. before is the job as it was found.
func (w *Executor) measured(ctx context.Context, before job.Job, r *Run, a job.Action) (context.Context, func()) {
	began := w.Now()
	labels := metric.Labels{metric.Stage: string(before.Type), metric.Action: string(a)}
	metric.Record(ctx, began, metric.Value{Name: metric.QueueSeconds,
		Value: max(0, began.Sub(before.DueAt).Seconds()), Labels: labels})
	ctx, end := metric.Begin(ctx, metric.Span{Trace: before.TraceID, Parent: metric.JobSpan(before.ID),
		Name: string(a)})
	return ctx, func() {
		now := w.Now()
		vs := []metric.Value{
			{Name: metric.AttemptSeconds, Value: max(0, now.Sub(began).Seconds()), Labels: labels},
			{Name: metric.Attempts, Value: 1, Labels: metric.Labels{metric.Stage: labels[metric.Stage],
				metric.Action: labels[metric.Action], metric.Outcome: r.outcome}},
		}
		attrs := []metric.Attr{{Key: "outcome", Text: r.outcome}, {Key: "attempt", Number: int64(r.Job.Attempts.Total)}}
		if r.err != nil {
			cause := causeOf(r.err)
			vs = append(vs, metric.Value{Name: metric.Failures, Value: 1,
				Labels: metric.Labels{metric.Stage: labels[metric.Stage], metric.Cause: cause}})
			attrs = append(attrs, metric.Attr{Key: "cause", Text: cause})
		}
		metric.Record(ctx, now, vs...)
		end(r.err, attrs...)
	}
}

// completed measures a job that has passed its stage.
func (w *Executor) completed(ctx context.Context, j job.Job) {
	took := max(0, j.EndedAt.Sub(j.CreatedAt))
	metric.Record(ctx, w.Now(), metric.Value{Name: metric.StageSeconds, Value: took.Seconds(),
		Labels: metric.Labels{metric.Stage: string(j.Type)}})
	metric.Trace(ctx, metric.Span{
		Trace: j.TraceID, ID: metric.JobSpan(j.ID), Parent: metric.BatchSpan(j.TraceID),
		Name:  string(j.Type) + " of " + w.batchOf(j),
		Start: j.CreatedAt, End: j.CreatedAt.Add(took.Truncate(time.Microsecond)),
		Attrs: []metric.Attr{{Key: "job_id", Text: j.ID}, {Key: "stage", Text: string(j.Type)},
			{Key: "batch", Number: int64(j.Batch)}, {Key: "attempts", Number: int64(j.Attempts.Total)}},
	})
}

// outcomeOf is what a verdict counts as, with an error where it is a failure.
func outcomeOf(v job.Verdict) (string, error) {
	switch v.Kind {
	case job.VerdictVerified, job.VerdictFinal:
		return metric.Verified, nil
	case job.VerdictWatching:
		return metric.Watching, nil
	case job.VerdictRejected:
		return metric.Rejected, errRejected
	case job.VerdictNeverPossible:
		return metric.Permanent, errRejected
	case job.VerdictLost:
		return metric.Lost, nil
	case job.VerdictUndone:
		return metric.Undone, nil
	default:
		return metric.Pending, nil
	}
}

// causeOf sums up in a word why an attempt failed. Errors' texts hold anything, so none becomes a label.
func causeOf(err error) string {
	var revert *tx.RevertError
	var invalid *settlement.InvalidError
	var network *net.OpError
	var name *net.DNSError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, errPanic):
		return metric.Crash
	case waits(err):
		return metric.Awaited
	case errors.Is(err, tx.ErrFeeCap):
		return metric.Fees
	case errors.Is(err, tx.ErrInsufficientFunds):
		return metric.Funds
	case errors.As(err, &revert), errors.As(err, &invalid):
		return metric.Contract
	case errors.Is(err, errRejected), errors.Is(err, proof.ErrRejected), errors.Is(err, tx.ErrRefused):
		return metric.Refused
	case errors.Is(err, artifact.ErrNotFound), errors.Is(err, artifact.ErrCorrupt),
		errors.Is(err, artifact.ErrTooLarge):
		return metric.Artifact
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return metric.Timeout
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET), errors.As(err, &network),
		errors.As(err, &name):
		return metric.Connection
	default:
		return metric.Other
	}
}
