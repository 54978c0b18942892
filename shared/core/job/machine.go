package job

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Edge is a transition that the state machine can make.
type Edge struct {
	From, To Status
	Cause    string
}

// Edges are all transitions. The executor writes no other change of status: it asks CanMove first. docs/jobs.md draws
// this table (`make docs`), and a test compares the two.
var Edges = []Edge{
	{Created, LockedForProcessing, "claimed"},
	{VerificationFailed, LockedForProcessing, "claimed"},
	{PendingRetry, LockedForProcessing, "claimed"},
	{LockedForProcessing, LockedForProcessing, "lease expired, claimed again"},
	{LockedForProcessing, PendingVerification, "submitted"},
	{LockedForProcessing, Created, "transient failure"},
	{LockedForProcessing, VerificationFailed, "transient failure"},
	{LockedForProcessing, PendingRetry, "transient failure"},
	{LockedForProcessing, Failed, "permanent failure or too many crashes"},
	{PendingVerification, PendingVerification, "still pending, polled again"},
	{PendingVerification, Completed, "verified"},
	{PendingVerification, VerificationFailed, "rejected, attempts left"},
	{PendingVerification, PendingRetry, "submission lost by the external service"},
	{PendingVerification, VerificationTimeout, "pending for too many polls"},
	{PendingVerification, Failed, "permanent failure, rejected with no attempt left, or too many crashes"},
	{Completed, Completed, "not final yet, watched"},
	{Completed, PendingVerification, "undone by a reorganisation"},
	{Failed, PendingRetry, "retried by an operator"},
	{VerificationTimeout, PendingRetry, "retried by an operator"},
}

// CanMove says whether the state machine has an edge from one status to the other.
func CanMove(from, to Status) bool {
	return slices.ContainsFunc(Edges, func(e Edge) bool { return e.From == from && e.To == to })
}

// ClaimResult says what a wake-up found.
type ClaimResult string

// What a wake-up finds.
const (
	Claimed ClaimResult = "claimed" // store the returned job, then work
	Stale   ClaimResult = "stale"   // the message is about something that has happened: drop it
	Early   ClaimResult = "early"   // the action is not due yet: send the message again for DueAt
	Busy    ClaimResult = "busy"    // another invocation works on it: drop it, DueAt is that lease's end
	Spent   ClaimResult = "spent"   // too many crashes: store the returned job, which is Failed
)

// Claim decides what to do with a wake-up and, for Claimed and Spent, returns the document to store.
func (j Job) Claim(m Message, owner string, now time.Time, p Policy) (Job, ClaimResult) {
	switch {
	case m.Generation != j.Generation, m.Action != j.NextAction, j.NextAction == None:
		return j, Stale
	case j.Lease.Held(now):
		return j, Busy
	case now.Add(Skew).Before(j.DueAt):
		return j, Early
	}
	next := j.Clone()
	if j.Lease.Owner != "" { // it ran out: whoever held it crashed, or was too slow
		next.Attempts.Crashes++
		next.record(now,
			fmt.Sprintf("invocation %s took the job for %s and never came back", j.Lease.Owner, j.NextAction))
		if next.spent(p) {
			return next.end(Failed, now), Spent
		}
	}
	if j.NextAction == Process && j.Status != LockedForProcessing {
		next.Previous, next.Status = j.Status, LockedForProcessing
	}
	if next.StartedAt.IsZero() {
		next.StartedAt = now
	}
	next.Attempts.Total++
	next.Lease = Lease{Owner: owner, ExpiresAt: now.Add(p.LeaseTTL)}
	next.DueAt = next.Lease.ExpiresAt
	next.UpdatedAt = now
	return next, Claimed
}

// Submitted is processing that went well: verification follows.
func (j Job) Submitted(now time.Time, p Policy) Job {
	next := j.Clone()
	next.Attempts.Process++
	next.Attempts.Verify, next.Attempts.Waits = 0, 0
	next.SubmittedAt = now
	return next.settle(now).plan(PendingVerification, Verify, now.Add(p.Poll.Delay(0)))
}

// FailedTransiently is an action that failed transiently: the status is as before, and the action is tried again.
func (j Job) FailedTransiently(now time.Time, err error, p Policy) Job {
	next := j.Clone()
	next.record(now, err.Error())
	wait := max(p.Retry.Delay(j.Attempts.Transient), RetryDelay(err))
	transient := j.Attempts.Transient + 1
	to := j.Status
	if j.Status == LockedForProcessing {
		to = j.Previous
	}
	next = next.settle(now).plan(to, j.NextAction, now.Add(wait))
	next.Attempts.Transient = transient
	return next
}

// Crashed is an action that ended in a panic: tried again, but not for ever.
func (j Job) Crashed(now time.Time, reason string, p Policy) Job {
	crashes := j.Attempts.Crashes + 1
	next := j.FailedTransiently(now, errors.New(reason), p)
	next.Attempts.Crashes = crashes
	if next.spent(p) {
		return next.end(Failed, now)
	}
	return next
}

// spent says whether a job has crashed too often. One that is completed and only watched never is: it has done its
// work.
func (j Job) spent(p Policy) bool { return j.Status != Completed && j.Attempts.Crashes >= p.MaxCrashes }

// FailedPermanently is processing that can never succeed.
func (j Job) FailedPermanently(now time.Time, err error) Job {
	next := j.Clone()
	next.record(now, err.Error())
	return next.settle(now).end(Failed, now)
}

// WithVerdict applies a verdict of verification.
func (j Job) WithVerdict(v Verdict, now time.Time, p Policy) Job {
	next := j.Clone().settle(now)
	if v.Reason != "" && v.Kind != VerdictPending && v.Kind != VerdictWatching {
		next.record(now, v.Reason)
	}
	switch v.Kind {
	case VerdictVerified:
		next = next.end(Completed, now)
		if v.Watch {
			next = next.plan(Completed, Verify, now.Add(p.Watch.Delay(0)))
		}
		return next
	case VerdictFinal:
		return next.end(Completed, j.EndedAt)
	case VerdictWatching:
		next.Attempts.Verify++
		return next.plan(Completed, Verify, now.Add(p.Watch.Delay(next.Attempts.Verify)))
	case VerdictUndone:
		next.Attempts.Verify, next.Attempts.Waits = 0, 0
		next.EndedAt = time.Time{}
		return next.plan(PendingVerification, Verify, now.Add(p.Poll.Delay(0)))
	case VerdictRejected:
		if next.Attempts.Process >= p.MaxProcess {
			return next.end(Failed, now)
		}
		return next.plan(VerificationFailed, Process, now.Add(p.Retry.Delay(next.Attempts.Process-1)))
	case VerdictLost:
		next.Attempts.Process = max(0, next.Attempts.Process-1)
		next.Attempts.Transient = j.Attempts.Transient + 1
		return next.plan(PendingRetry, Process, now.Add(p.Retry.Delay(j.Attempts.Transient)))
	case VerdictNeverPossible:
		return next.end(Failed, now)
	default: // StillPending
		next.Attempts.Verify++
		if v.Waits {
			next.Attempts.Waits++
		}
		if n := next.Attempts.Verify - next.Attempts.Waits; !v.Waits && p.MaxVerify > 0 && n >= p.MaxVerify {
			next.record(now, fmt.Sprintf("still pending after %d polls: %s", n, v.Reason))
			return next.end(VerificationTimeout, now)
		}
		return next.plan(PendingVerification, Verify, now.Add(max(p.Poll.Delay(next.Attempts.Verify), v.After)))
	}
}

// Undone is a completed job whose work a reorganisation of the settlement layer undid, as a job that needs it found: it
// is verified again, which does again what is missing. ok is false for a job that is not completed.
func (j Job) Undone(now time.Time, reason string) (next Job, ok bool) {
	if j.Status != Completed || j.Lease.Held(now) {
		return j, false
	}
	next = j.Clone()
	if m, is := next.Metadata.(*AggregatorMeta); is {
		m.Proven = false
	}
	next.record(now, reason)
	next.Attempts.Verify, next.Attempts.Waits = 0, 0
	next.EndedAt = time.Time{}
	next.Wait = Wait{}
	return next.settle(now).plan(PendingVerification, Verify, now), true
}

// Retried is an operator's retry of a job that waits for one. ok is false for any other status.
func (j Job) Retried(now time.Time) (next Job, ok bool) {
	if !j.Status.NeedsOperator() {
		return j, false
	}
	next = j.Clone()
	next.Attempts = Attempts{Total: j.Attempts.Total}
	next.EndedAt = time.Time{}
	next.UpdatedAt = now
	next.Wait = Wait{}
	return next.plan(PendingRetry, Process, now), true
}

// RunNow makes the next action due now, with a new generation. reported says that an external service reports the end
// of the work: how long work takes is learned from that, not from an operator who only wants to know. ok is false when
// there is no next action, when it isn't the asked one, or when an invocation works on it.
func (j Job) RunNow(a Action, now time.Time, reported bool) (next Job, ok bool) {
	if j.NextAction == None || j.NextAction != a || j.Lease.Held(now) {
		return j, false
	}
	next = j.Clone()
	next.UpdatedAt = now
	next.Wait.Reported = reported && next.Wait.Work != ""
	return next.plan(j.Status, j.NextAction, now), true
}

// DeadLettered is a job whose wake-up reached the dead-letter queue. Only a message of the current generation about a
// job that keeps crashing its function fails it: an invocation has claimed it and never came back, as others before.
// Any other dead letter comes from an outage, also one of a job that panicked before, and the document knows what is
// next.
func (j Job) DeadLettered(m Message, now time.Time, p Policy) (next Job, failed bool) {
	if m.Generation != j.Generation || j.NextAction == None || j.Lease.Owner == "" || j.Lease.Held(now) ||
		j.Status == Completed || j.Attempts.Crashes+1 < p.MaxCrashes {
		return j, false
	}
	next = j.Clone()
	next.record(now,
		fmt.Sprintf("%s crashed %d invocations and reached the dead-letter queue", j.NextAction, j.Attempts.Crashes+1))
	return next.settle(now).end(Failed, now), true
}

// settle ends an invocation: the lease is free, and it did come back.
func (j Job) settle(now time.Time) Job {
	j.Lease = Lease{}
	j.Attempts.Crashes = 0
	j.Attempts.Transient = 0
	j.UpdatedAt = now
	return j
}

func (j Job) plan(s Status, a Action, due time.Time) Job {
	j.Status, j.NextAction, j.DueAt = s, a, due
	j.Generation++
	return j
}

func (j Job) end(s Status, at time.Time) Job {
	j.Lease = Lease{}
	j.EndedAt = at
	return j.plan(s, None, time.Time{})
}

// record appends a failure; the same one again only moves its time.
func (j *Job) record(now time.Time, reason string) {
	const most = 2000
	if len(reason) > most {
		reason = reason[:most] + " ..."
	}
	if n := len(j.Failures); n > 0 && j.Failures[n-1].Reason == reason {
		j.Failures[n-1].At = now
		return
	}
	j.Failures = append(j.Failures, Failure{At: now, Reason: reason})
	if over := len(j.Failures) - MaxFailures; over > 0 {
		j.Failures = slices.Delete(j.Failures, 0, over)
	}
}
