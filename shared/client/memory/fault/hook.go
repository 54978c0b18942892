package fault

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrInjected is wrapped by every error that a fault makes.
	ErrInjected = errors.New("injected fault")
	// ErrThrottled is the error of Throttle.
	ErrThrottled = fmt.Errorf("too many requests: %w", ErrInjected)
	// ErrCrashed is the error of every call after Crash has ended the process.
	ErrCrashed = fmt.Errorf("process is gone: %w", ErrInjected)
)

// Op is one I/O call.
type Op struct {
	Component string // "jobs", "queues", "l1" and so on
	Method    string // the port's method
	Key       string // what it is about: an id, a queue's name, an artifact's key or a hash; "" if there is none
	Seq       uint64 // the call's number, from 1, counted over all components with the same Env
}

// String names the call as it appears in errors.
func (o Op) String() string {
	return fmt.Sprintf("%s.%s %s (call %d)", o.Component, o.Method, o.Key, o.Seq)
}

// Kind is a kind of fault.
type Kind string

// The kinds of fault; the package comment says what each does where.
const (
	NoFault    Kind = ""
	FailBefore Kind = "fail before"
	FailAfter  Kind = "fail after"
	Throttle   Kind = "throttle"
	Twice      Kind = "twice"
	Late       Kind = "late"
	Lose       Kind = "lose"
	Reorder    Kind = "reorder"
	Stale      Kind = "stale"
)

// Kinds are all kinds of fault.
var Kinds = []Kind{FailBefore, FailAfter, Throttle, Twice, Late, Lose, Reorder, Stale}

// Fault is what goes wrong in one call. With the zero value nothing does.
type Fault struct {
	Kind Kind
	Err  error         // of FailBefore and FailAfter; nil means ErrInjected alone
	By   time.Duration // the delay of Late
}

// Is reports whether the fault is of the kind.
func (f Fault) Is(k Kind) bool { return f.Kind == k }

func (f Fault) before(op Op) error {
	switch f.Kind {
	case FailBefore:
		return f.wrap(op)
	case Throttle:
		return fmt.Errorf("%s: %w", op, ErrThrottled)
	}
	return nil
}

func (f Fault) after(op Op) error {
	if f.Kind == FailAfter {
		return f.wrap(op)
	}
	return nil
}

func (f Fault) wrap(op Op) error {
	switch {
	case f.Err == nil:
		return fmt.Errorf("%s: %s: %w", op, f.Kind, ErrInjected)
	case errors.Is(f.Err, ErrInjected):
		return fmt.Errorf("%s: %w", op, f.Err)
	}
	return fmt.Errorf("%s: %w: %w", op, ErrInjected, f.Err)
}

// Hook decides what goes wrong. The goroutine that makes the call calls both methods. It holds no component's lock, so
// they may read components.
type Hook interface {
	// Before is called before the call has any effect. It returns the fault.
	Before(op Op) Fault
	// After is called when the call ends, with the error that the caller would get. It returns the error that the
	// caller gets; a hook that changes nothing returns err.
	After(op Op, err error) error
}

// HookFunc is a Hook with only Before.
type HookFunc func(op Op) Fault

// Before implements Hook.
func (f HookFunc) Before(op Op) Fault { return f(op) }

// After implements Hook.
func (f HookFunc) After(_ Op, err error) error { return err }

var _ Hook = HookFunc(nil)
