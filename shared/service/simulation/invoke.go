package simulation

import (
	"context"
	"errors"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
)

// gate lets faults into the calls of functions only: what the world does itself is AWS's part and the tests' own look.
type gate struct {
	w    *World
	next memory.Hook
}

// Before implements memory.Hook.
func (g *gate) Before(op memory.Op) memory.Fault {
	if !g.w.inside {
		return memory.Fault{}
	}
	f := g.next.Before(op)
	if f.Kind != memory.NoFault {
		g.w.Injected[f.Kind]++
	}
	return f
}

// After implements memory.Hook.
func (g *gate) After(op memory.Op, err error) error {
	if !g.w.inside {
		return err
	}
	return g.next.After(op, err)
}

// process is a hook that can end the function's process.
type process interface {
	Gone() bool
	Restart()
}

// errCrashed is what is left of an invocation whose process ended.
var errCrashed = errors.New("the function's process ended")

// invoke runs a function. When its process ends meanwhile its answer is lost, and a new process takes the next event.
func (w *World) invoke(ctx context.Context, f func(context.Context) (any, error)) (any, error) {
	w.inside = true
	out, err := f(ctx)
	w.inside = false
	if p, ok := w.cfg.Hook.(process); ok && p.Gone() {
		p.Restart()
		w.Crashes++
		w.deploy()
		return nil, errCrashed
	}
	return out, err
}
