// Package once keeps what an invocation has read, so that it reads it once however many jobs it works on.
package once

import (
	"context"
	"reflect"
	"sync"
	"time"
)

// readings are what one invocation has read, by type.
type readings struct {
	mu sync.Mutex
	of map[reflect.Type]*reading
}

// reading is a value that was read, and when; v is nil before.
type reading struct {
	mu sync.Mutex
	at time.Time
	v  any
}

type key struct{}

// Begin returns a context for one invocation, within which Read keeps what was read.
func Begin(ctx context.Context) context.Context {
	return context.WithValue(ctx, key{}, &readings{of: map[reflect.Type]*reading{}})
}

// Read returns what this invocation has read of a type, if that was less than fresh ago, and reads it otherwise; what
// could not be read is read again. Outside an invocation it always reads.
func Read[T any](ctx context.Context, now time.Time, fresh time.Duration,
	read func(context.Context) (T, error)) (T, error) {
	all, _ := ctx.Value(key{}).(*readings)
	if all == nil {
		return read(ctx)
	}
	r := all.reading(reflect.TypeFor[T]())
	r.mu.Lock()
	defer r.mu.Unlock()
	if v, ok := r.v.(T); ok && now.Sub(r.at) < fresh {
		return v, nil
	}
	v, err := read(ctx)
	if err == nil {
		r.at, r.v = now, v
	}
	return v, err
}

// reading is the one of a type.
func (a *readings) reading(t reflect.Type) *reading {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.of[t] == nil {
		a.of[t] = &reading{}
	}
	return a.of[t]
}
