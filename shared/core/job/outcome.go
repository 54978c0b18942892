package job

import (
	"errors"
	"fmt"
	"time"
)

// What processing returns: nil when the work is submitted, an error of Fatal when it can never succeed, any other error
// when the outside world is in trouble (the default, because it loses nothing). RetryAfter adds a wish for when.

type retryError struct {
	after time.Duration
	err   error
}

func (e *retryError) Error() string { return e.err.Error() }
func (e *retryError) Unwrap() error { return e.err }

// RetryAfter marks err as a trouble of the outside world that is worth another try after d at the earliest. It uses up no
// attempt.
func RetryAfter(d time.Duration, err error) error { return &retryError{after: d, err: err} }

// RetryDelay returns the wish of RetryAfter in err's chain, 0 where there is none.
func RetryDelay(err error) time.Duration {
	var r *retryError
	if errors.As(err, &r) {
		return r.after
	}
	return 0
}

type fatalError struct{ err error }

func (e *fatalError) Error() string { return e.err.Error() }
func (e *fatalError) Unwrap() error { return e.err }

// Fatal marks err as one that no retry can mend: the job fails and an operator is told.
func Fatal(err error) error { return &fatalError{err: err} }

// Fatalf is Fatal(fmt.Errorf(format, args...)).
func Fatalf(format string, args ...any) error { return Fatal(fmt.Errorf(format, args...)) }

// IsFatal says whether err was marked by Fatal.
func IsFatal(err error) bool {
	var f *fatalError
	return errors.As(err, &f)
}

// Verdict is what a verification found.
type Verdict struct {
	Kind   VerdictKind
	Reason string        // for StillPending what is waited for; for the others why
	After  time.Duration // for StillPending: a wish for the next poll; 0 for the policy's
	// Watch keeps a verified job under watch for finality: it is Completed, its successors go on, and verification runs on
	// until it is Final or Undone.
	Watch bool
}

// VerdictKind is a kind of verdict.
type VerdictKind string

// The verdicts.
const (
	StillPending VerdictKind = "pending"  // ask again later
	IsVerified   VerdictKind = "verified" // done
	IsRejected   VerdictKind = "rejected" // the submission was refused; process again while attempts last
	IsLost       VerdictKind = "lost"     // the outside world lost it; process again, no attempt used up
	IsFinal      VerdictKind = "final"    // a watched job can't be undone any more
	IsUndone     VerdictKind = "undone"   // a watched job was undone (reorganisation): it is pending again
	IsHopeless   VerdictKind = "hopeless" // no retry can mend it: fail
	IsUnderWatch VerdictKind = "watching" // a watched job is not final yet
)

// Pending is the verdict that more time is needed.
func Pending(format string, args ...any) Verdict {
	return Verdict{Kind: StillPending, Reason: fmt.Sprintf(format, args...)}
}

// Verified is the verdict that the job is done.
func Verified() Verdict { return Verdict{Kind: IsVerified} }

// Rejected is the verdict that the submission was refused.
func Rejected(format string, args ...any) Verdict {
	return Verdict{Kind: IsRejected, Reason: fmt.Sprintf(format, args...)}
}

// Lost is the verdict that the outside world does not know the submission any more, or could not finish it.
func Lost(format string, args ...any) Verdict {
	return Verdict{Kind: IsLost, Reason: fmt.Sprintf(format, args...)}
}

// Hopeless is the verdict that no retry can mend the job.
func Hopeless(format string, args ...any) Verdict {
	return Verdict{Kind: IsHopeless, Reason: fmt.Sprintf(format, args...)}
}
