package job

import (
	"errors"
	"fmt"
	"time"
)

// What processing returns: nil when the work is submitted, an error of Permanent when it can never succeed, any other
// error for a transient failure (the default, because it loses nothing). RetryAfter adds a requested delay.

type retryError struct {
	after time.Duration
	err   error
}

func (e *retryError) Error() string { return e.err.Error() }
func (e *retryError) Unwrap() error { return e.err }

// RetryAfter marks err as a transient failure that is worth another try after d at the earliest. It uses up no
// attempt.
func RetryAfter(d time.Duration, err error) error { return &retryError{after: d, err: err} }

// RetryDelay returns the delay of RetryAfter in err's chain, 0 where there is none.
func RetryDelay(err error) time.Duration {
	var r *retryError
	if errors.As(err, &r) {
		return r.after
	}
	return 0
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// Permanent marks err as one that no retry can fix: the job fails and the operators are alerted.
func Permanent(err error) error { return &permanentError{err: err} }

// Permanentf is Permanent(fmt.Errorf(format, args...)).
func Permanentf(format string, args ...any) error { return Permanent(fmt.Errorf(format, args...)) }

// IsPermanent says whether err was marked by Permanent.
func IsPermanent(err error) bool {
	var f *permanentError
	return errors.As(err, &f)
}

// Verdict is what a verification found.
type Verdict struct {
	Kind   VerdictKind
	Reason string        // for VerdictPending what is waited for; for the others why
	After  time.Duration // for VerdictPending: the requested delay before the next poll; 0 for the policy's
	// Waits is for VerdictPending: others come first. However long that takes, it is not this job's time that is up.
	Waits bool
	// Queued is for Waits: it is submitted, and waits for its turn.
	Queued bool
	// Watch keeps a verified job under watch for finality: it is Completed, its successors go on, and verification runs
	// on until it is Final or Undone.
	Watch bool
}

// VerdictKind is a kind of verdict.
type VerdictKind string

// The verdicts.
const (
	VerdictPending       VerdictKind = "pending"  // ask again later
	VerdictVerified      VerdictKind = "verified" // done
	VerdictRejected      VerdictKind = "rejected" // the submission was refused; process again while attempts last
	VerdictLost          VerdictKind = "lost"     // the external service lost it; process again, no attempt used up
	VerdictFinal         VerdictKind = "final"    // a watched job can't be undone any more
	VerdictUndone        VerdictKind = "undone"   // a watched job was undone (reorganisation): it is pending again
	VerdictNeverPossible VerdictKind = "hopeless" // no retry can fix it: fail
	VerdictWatching      VerdictKind = "watching" // a watched job is not final yet
)

// Pending is the verdict that more time is needed.
func Pending(format string, args ...any) Verdict {
	return Verdict{Kind: VerdictPending, Reason: fmt.Sprintf(format, args...)}
}

// Waiting is Pending where nothing is submitted yet, because other jobs come first.
func Waiting(format string, args ...any) Verdict {
	v := Pending(format, args...)
	v.Waits = true
	return v
}

// Queued is Pending where what is submitted waits for its turn behind others.
func Queued(format string, args ...any) Verdict {
	v := Waiting(format, args...)
	v.Queued = true
	return v
}

// Verified is the verdict that the job is done.
func Verified() Verdict { return Verdict{Kind: VerdictVerified} }

// Rejected is the verdict that the submission was refused.
func Rejected(format string, args ...any) Verdict {
	return Verdict{Kind: VerdictRejected, Reason: fmt.Sprintf(format, args...)}
}

// Lost is the verdict that the external service does not know the submission any more, or could not finish it.
func Lost(format string, args ...any) Verdict {
	return Verdict{Kind: VerdictLost, Reason: fmt.Sprintf(format, args...)}
}

// NeverPossible is the verdict that no retry can fix the job.
func NeverPossible(format string, args ...any) Verdict {
	return Verdict{Kind: VerdictNeverPossible, Reason: fmt.Sprintf(format, args...)}
}
