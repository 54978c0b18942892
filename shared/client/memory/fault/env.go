package fault

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// Clock returns the time.
type Clock func() time.Time

// Env is what components share: the time and the faults. A nil Env uses the machine's clock and has no faults. Set the
// fields before the first call.
type Env struct {
	// Now is the clock; nil is the machine's. With another clock no call ever waits: it returns what there is, and the
	// owner of the clock moves it.
	Now Clock
	// Hook decides what goes wrong; with nil nothing does.
	Hook Hook

	seq atomic.Uint64
}

// Time returns the time of the clock.
func (e *Env) Time() time.Time {
	if e == nil || e.Now == nil {
		return time.Now()
	}
	return e.Now()
}

// RealTime reports whether the machine's clock is used, so that waiting makes sense.
func (e *Env) RealTime() bool { return e == nil || e.Now == nil }

// Hooked reports whether calls can go wrong.
func (e *Env) Hooked() bool { return e != nil && e.Hook != nil }

// Call makes one call of a component with the fault that the hook decides on. do gets the fault too, for the kinds that
// only the component itself can act out, such as Stale. Call it without a lock held, so that the hook may read every
// component. If ctx has ended it returns the context's error and does not ask the hook.
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

// Act is Call for a method that returns only an error.
func Act(ctx context.Context, e *Env, component, method, key string, do func(Fault) error) error {
	_, err := Call(ctx, e, component, method, key, func(f Fault) (struct{}, error) { return struct{}{}, do(f) })
	return err
}

// Ping is a call without an effect.
func Ping(ctx context.Context, e *Env, component string) error {
	return Act(ctx, e, component, "Ping", "", func(Fault) error { return nil })
}
