package fault

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// Clock tells the time.
type Clock func() time.Time

// Env is what components share: the time and the faults. A nil Env has neither clock nor hook. Set the fields before
// the first call.
type Env struct {
	// Now is the clock; nil is the machine's. With a clock of its own nothing ever waits: calls that would return what
	// there is, and whoever owns the clock moves it.
	Now Clock
	// Hook decides what goes wrong; nil is nothing.
	Hook Hook

	seq atomic.Uint64
}

// now returns the time.
func (e *Env) Time() time.Time {
	if e == nil || e.Now == nil {
		return time.Now()
	}
	return e.Now()
}

// real says whether the machine's clock is used, so that waiting makes sense.
func (e *Env) RealTime() bool { return e == nil || e.Now == nil }

// hooked says whether calls can go wrong.
func (e *Env) Hooked() bool { return e != nil && e.Hook != nil }

// call does one I/O call of a component with whatever its hook adds. do gets the fault, which is the zero one but for
// faults of the component's own kind. It is called without a lock held, so a hook may look at every component.
func Call[T any](ctx context.Context, e *Env, component, method, key string, do func(Fault) (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, fmt.Errorf("%s %s %s: %w", component, method, key, err)
	}
	if !e.Hooked() {
		return do(Fault{})
	}
	op := Op{Component: component, Method: method, Key: key, Seq: e.seq.Add(1)}
	f := e.Hook.Before(op)
	if err := f.before(op); err != nil {
		return none, e.Hook.After(op, err)
	}
	v, err := do(f)
	if err == nil {
		err = f.after(op)
	}
	if err = e.Hook.After(op, err); err != nil {
		return none, err
	}
	return v, nil
}

// act is call for what returns nothing.
func Act(ctx context.Context, e *Env, component, method, key string, do func(Fault) error) error {
	_, err := Call(ctx, e, component, method, key, func(f Fault) (struct{}, error) { return struct{}{}, do(f) })
	return err
}

// ping is a call without an effect.
func Ping(ctx context.Context, e *Env, component string) error {
	return Act(ctx, e, component, "Ping", "", func(Fault) error { return nil })
}
