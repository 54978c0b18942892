package fault

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrInjected is in the chain of every error that a fault makes.
	ErrInjected = errors.New("injected fault")
	// ErrThrottled is the error of Throttle.
	ErrThrottled = fmt.Errorf("too many requests: %w", ErrInjected)
	// ErrCrashed is the error of every call of a process that Crash has ended.
	ErrCrashed = fmt.Errorf("process is gone: %w", ErrInjected)
)

// Op is one I/O call.
type Op struct {
	Component string // "jobs", "queues", "l1" ...
	Method    string // the port's method
	Key       string // what it is about: an id, a queue's name, an artifact's key, a hash; "" where there is none
	Seq       uint64 // the call's number, from 1, over all components with the same Env
}

// String names the call as errors do.
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

// Fault is what goes wrong in one call. The zero value is nothing.
type Fault struct {
	Kind Kind
	Err  error         // of FailBefore and FailAfter; nil is a plain ErrInjected
	By   time.Duration // of Late
}

// Is says whether the fault is of the kind.
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

// Hook decides what goes wrong. Both methods are called without any component's lock held and may read components; they
// are called by whatever goroutine makes the call.
type Hook interface {
	// Before is asked before a call has had any effect.
	Before(op Op) Fault
	// After is told of a call's end, with the error that its caller would see, and returns the one that it does see. It
	// returns err where it has nothing to add.
	After(op Op, err error) error
}

// HookFunc is a Hook with only Before.
type HookFunc func(op Op) Fault

// Before implements Hook.
func (f HookFunc) Before(op Op) Fault { return f(op) }

// After implements Hook.
func (f HookFunc) After(_ Op, err error) error { return err }

var _ Hook = HookFunc(nil)
