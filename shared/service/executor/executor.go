// Package executor takes a wake-up, claims the job, runs the stage's handler, applies the state machine to what came of
// it, and wakes whatever comes next. It writes job status; beside it only StateTransition does, which reopens the job
// whose fact a reorganisation took back.
package executor

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/core/rewind"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/service/alerting"
)

// Handler does the work of one job type. Both calls must be safe to repeat at any point: what they do at external
// services is recorded with Run.Checkpoint before it is done, and asked about before it is done again.
type Handler interface {
	// Process submits the job's work. nil: submitted. An error of job.Permanent: it can never succeed. Any other error:
	// a transient failure; it is called again later.
	Process(ctx context.Context, r *Run) error
	// Verify asks how the submitted work stands. An error is a transient failure to ask.
	Verify(ctx context.Context, r *Run) (job.Verdict, error)
}

// Router names the queue of a job type's action.
type Router func(t job.Type, a job.Action, priority bool) string

// Executor runs jobs. All fields but Pace (nil: polls come as the policies say), Held and Log are required.
type Executor struct {
	Jobs     job.Store
	Queue    queue.Sender
	Route    Router
	Wake     *Waker
	Alerts   *alerting.Reporter
	Events   event.Bus
	Control  schedule.Control
	Rewinds  rewind.Store         // says which jobs were discarded; nil: none ever
	Handlers map[job.Type]Handler // of the types that this process serves
	Policies map[job.Type]job.Policy
	Pace     *Pacer
	// Held is how long the queues' consumer holds a type's verifications back, to take several at a time; nil: not.
	Held     func(job.Type) time.Duration
	Now      func() time.Time
	NewOwner func() string // a new name for each invocation
	Chain    string        // the chain's name, for events
	Log      *slog.Logger
}

// saveMargin is kept of an invocation's time to store what came of it.
const saveMargin = 2 * time.Second

// Handle works on one wake-up. nil means that the message is done with; an error that it should be delivered again.
func (w *Executor) Handle(ctx context.Context, m job.Message) error {
	h, ok := w.Handlers[m.Type]
	if !ok {
		return fmt.Errorf("this function does not serve %s jobs: the queue's event source mapping is wrong", m.Type)
	}
	log := w.log().With("job_id", m.JobID, "job_type", m.Type, "action", m.Action, "trace_id", m.TraceID)
	j, err := w.Jobs.Get(ctx, m.JobID)
	if err != nil {
		return w.missing(ctx, m, fmt.Errorf("read job %s: %w", m.JobID, err))
	}
	if j.Type != m.Type {
		return fmt.Errorf("job %s is of type %s, the message says %s: %w", j.ID, j.Type, m.Type, job.ErrBadMessage)
	}
	if discarded, err := w.discarded(ctx, j); err != nil || discarded {
		return err
	}
	if paused, err := w.paused(ctx, j.Type); err != nil || paused {
		return err // while paused the document keeps the action; resuming wakes it
	}
	claimed, result := j.Claim(m, w.NewOwner(), w.Now(), w.Policies[j.Type])
	switch result {
	case job.Stale, job.Busy:
		log.DebugContext(ctx, "wake-up dropped", "why", string(result))
		return nil
	case job.Early:
		return w.Dispatch(ctx, j)
	case job.Spent:
		return w.store(ctx, j, claimed)
	}
	claimed, err = w.Jobs.Update(ctx, claimed)
	if taken(err) {
		return nil // another invocation was faster
	}
	if err != nil {
		return fmt.Errorf("claim job %s: %w", j.ID, err)
	}
	run := &Run{Job: claimed, store: w.Jobs, log: log.With("batch", j.Batch), due: j.DueAt}
	ctx, done := w.measured(ctx, j, run, m.Action)
	defer done()
	return w.finish(ctx, run, w.act(ctx, h, run, m.Action))
}

// act runs the handler and returns the document as the state machine has it afterwards.
func (w *Executor) act(ctx context.Context, h Handler, r *Run, a job.Action) (next job.Job) {
	p := w.Policies[r.Job.Type]
	defer func() {
		if v := recover(); v != nil {
			r.log.ErrorContext(ctx, "handler panicked", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			r.outcome, r.err = metric.Panicked, errPanic
			next = r.Job.Crashed(w.Now(), fmt.Sprintf("%s panicked: %v", a, v), p)
		}
	}()
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-saveMargin))
		defer cancel()
	}
	if a == job.Process {
		if err := h.Process(ctx, r); err != nil {
			return w.failed(ctx, r, err, p)
		}
		r.outcome = metric.Submitted
		return r.counted(w.submitted(ctx, r, p))
	}
	v, err := h.Verify(ctx, r)
	if err == nil {
		err = w.noEdge(r.Job, v, p)
	}
	if err != nil {
		return w.failed(ctx, r, err, p)
	}
	r.log.InfoContext(ctx, "verified", "verdict", string(v.Kind), "reason", v.Reason)
	r.outcome, r.err = outcomeOf(v)
	return r.counted(w.verified(ctx, r, v, p))
}

// counted is the document after an action, with the failures in a row as they were where the action was blocked.
func (r *Run) counted(next job.Job) job.Job {
	if r.blocked {
		next.Attempts.Transient = r.Job.Attempts.Transient
	}
	return next
}

// noEdge is an error where a verdict asks for a status that the job can't have. Without it nothing would be stored and
// nobody alerted, each time that the lease runs out.
func (w *Executor) noEdge(j job.Job, v job.Verdict, p job.Policy) error {
	to := j.WithVerdict(v, w.Now(), p).Status
	if to == j.Status || job.CanMove(j.Status, to) {
		return nil
	}
	return fmt.Errorf("the job is %s, verification says %s: %s", j.Status, v.Kind, v.Reason)
}

// failed is an action that ended in an error. A completed job that is only watched never fails for good: it has done
// its work, so the watch is tried again, and operators are alerted as of any failure that stays.
func (w *Executor) failed(ctx context.Context, r *Run, err error, p job.Policy) job.Job {
	r.err = err
	if job.IsPermanent(err) && r.Job.Status != job.Completed {
		r.outcome = metric.Permanent
		r.log.ErrorContext(ctx, "job failed", "error", err)
		return r.Job.FailedPermanently(w.Now(), err)
	}
	r.outcome = metric.Transient
	return w.failedTransiently(ctx, r, err, p)
}

func (w *Executor) failedTransiently(ctx context.Context, r *Run, err error, p job.Policy) job.Job {
	r.log.WarnContext(ctx, "transient failure, trying again later", "error", err,
		"in_a_row", r.Job.Attempts.Transient+1)
	next := r.Job.FailedTransiently(w.Now(), err, p)
	if waits(err) { // for others, however long that takes: it counts as no failure
		next.Attempts.Transient = max(1, r.Job.Attempts.Transient)
	}
	w.transient(ctx, next, err, p)
	return next
}

// finish stores what came of an invocation. A conflict means that the lease was lost to another invocation, whose
// result counts.
func (w *Executor) finish(ctx context.Context, r *Run, next job.Job) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveMargin)
	defer cancel()
	if r.lost {
		r.log.WarnContext(ctx, "lease was lost to another invocation; its result counts")
		return nil
	}
	err := w.store(ctx, r.Job, next)
	if err == nil {
		w.learn(ctx, r)
	}
	return err
}

// store writes a transition and does what follows from it.
func (w *Executor) store(ctx context.Context, old, next job.Job) error {
	if old.Status != next.Status && !job.CanMove(old.Status, next.Status) {
		return fmt.Errorf("job %s: no transition from %s to %s", old.ID, old.Status, next.Status)
	}
	stored, err := w.Jobs.Update(ctx, next)
	if taken(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("store job %s as %s: %w", next.ID, next.Status, err)
	}
	w.follow(ctx, old, stored)
	return nil
}

// follow does what follows from a stored transition. Everything here is a hint: if it is lost, reconcile or a schedule
// does it again.
func (w *Executor) follow(ctx context.Context, old, now job.Job) {
	if now.NextAction != job.None {
		if err := w.Dispatch(ctx, now); err != nil {
			w.log().WarnContext(ctx, "wake-up not sent, reconcile will", "job_id", now.ID, "error", err)
		}
	}
	if old.Status != now.Status {
		w.publish(ctx, now)
	}
	if now.Status == job.Completed && old.Status != job.Completed {
		w.Wake.After(ctx, now.Type)
		w.completed(ctx, now)
	}
	w.report(ctx, old, now)
}

// Dispatch sends the wake-up of a job's next action for when it is due.
func (w *Executor) Dispatch(ctx context.Context, j job.Job) error { return w.dispatch(ctx, j, false) }

// DispatchPriority sends the wake-up past the stage's queue.
func (w *Executor) DispatchPriority(ctx context.Context, j job.Job) error {
	return w.dispatch(ctx, j, true)
}

func (w *Executor) dispatch(ctx context.Context, j job.Job, priority bool) error {
	if j.NextAction == job.None {
		return nil
	}
	due := j.DueAt
	if j.NextAction == job.Verify && !priority && w.Held != nil {
		due = due.Add(-w.Held(j.Type))
	}
	m := queue.Outgoing{Body: j.Wakeup().Encode(), Delay: Delay(due, w.Now())}
	if err := w.Queue.Send(ctx, w.Route(j.Type, j.NextAction, priority), m); err != nil {
		return fmt.Errorf("send wake-up of job %s: %w", j.ID, err)
	}
	return nil
}

// Delay is how long a queue must hold a message for an action that is due at due: whole seconds, rounded up, at most
// what a queue allows.
func Delay(due, now time.Time) time.Duration {
	d := due.Sub(now)
	if d <= 0 {
		return 0
	}
	return min((d + time.Second - 1).Truncate(time.Second), queue.MaxDelay)
}

func (w *Executor) paused(ctx context.Context, n stage.Name) (bool, error) {
	pauses, err := schedule.Paused(ctx, w.Control)
	if err != nil {
		return false, fmt.Errorf("read paused stages: %w", err)
	}
	_, paused := pauses.Of(n)
	return paused, nil
}

func (w *Executor) publish(ctx context.Context, j job.Job) { w.send(ctx, w.changed(j)) }

func (w *Executor) log() *slog.Logger {
	if w.Log == nil {
		return slog.Default()
	}
	return w.Log
}
