package schedule

import (
	"context"
	"sync"
)

// once is what one invocation has read.
type once struct {
	mu   sync.Mutex
	read bool
	ps   Pauses
}

type onceKey struct{}

// Once returns a context within which Paused reads the pauses once: for one invocation, however many jobs it works on.
func Once(ctx context.Context) context.Context { return context.WithValue(ctx, onceKey{}, &once{}) }

// Paused returns the paused stages, those that this invocation has read before if it has.
func Paused(ctx context.Context, c Control) (Pauses, error) {
	o, _ := ctx.Value(onceKey{}).(*once)
	if o == nil {
		return c.Pauses(ctx)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.read {
		return o.ps, nil
	}
	ps, err := c.Pauses(ctx)
	if err != nil {
		return nil, err
	}
	o.read, o.ps = true, ps
	return ps, nil
}
