package rewind

import (
	"context"
	"sync"
	"time"
)

// Fresh is how long what an invocation has read counts as the record: a rewind that begins in the middle of it is known
// to its next jobs so soon.
const Fresh = 2 * time.Second

// once is what one invocation has read.
type once struct {
	mu sync.Mutex
	at time.Time // zero: not yet
	s  State
}

type onceKey struct{}

// Once returns a context within which Recent reads the record once in Fresh: for one invocation, however many jobs it
// works on.
func Once(ctx context.Context) context.Context { return context.WithValue(ctx, onceKey{}, &once{}) }

// Recent is Of for jobs that only waste work where a rewind has begun just now: what this invocation has read within
// Fresh, or else the record. A job that signs must ask Of.
func Recent(ctx context.Context, s Store, now time.Time) (State, error) {
	o, _ := ctx.Value(onceKey{}).(*once)
	if o == nil {
		return Of(ctx, s)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.at.IsZero() && now.Sub(o.at) < Fresh {
		return o.s, nil
	}
	read, err := Of(ctx, s)
	if err != nil {
		return State{}, err
	}
	o.at, o.s = now, read
	return read, nil
}
