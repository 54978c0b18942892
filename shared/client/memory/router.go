package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/event"
)

// Router is an event.Router, and the bus whose events it sends on.
type Router struct {
	*Events
	send func(target string, e event.Event)

	mu    sync.Mutex
	rules map[string]event.Rule
}

var (
	_ event.Router = (*Router)(nil)
	_ event.Bus    = (*Router)(nil)
)

// NewRouter returns a bus without rules; send gives an event to a target.
func NewRouter(e *fault.Env, send func(target string, e event.Event)) *Router {
	return &Router{Events: NewEvents(e), send: send, rules: map[string]event.Rule{}}
}

// Publish implements event.Bus.
func (r *Router) Publish(ctx context.Context, es ...event.Event) error {
	if err := r.Events.Publish(ctx, es...); err != nil {
		return err
	}
	rules, err := r.Rules(ctx)
	if err != nil {
		return err
	}
	for _, x := range rules {
		for _, e := range es {
			if x.Disabled || len(x.Types) > 0 && !slices.Contains(x.Types, e.Type) {
				continue
			}
			for _, target := range x.Targets {
				r.send(target, e)
			}
		}
	}
	return nil
}

// act makes one call with the lock held.
func (r *Router) act(ctx context.Context, method, name string, do func() error) error {
	return fault.Act(ctx, r.env, "rules", method, name, func(fault.Fault) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		return do()
	})
}

// Put implements event.Router.
func (r *Router) Put(ctx context.Context, x event.Rule) error {
	if err := x.Check(); err != nil {
		return err
	}
	return r.act(ctx, "Put", x.Name, func() error {
		x.Types, x.Targets = slices.Clone(x.Types), slices.Sorted(slices.Values(x.Targets))
		r.rules[x.Name] = x
		return nil
	})
}

// Rules implements event.Router.
func (r *Router) Rules(ctx context.Context) (out []event.Rule, err error) {
	out = []event.Rule{}
	err = r.act(ctx, "Rules", "", func() error {
		for _, name := range slices.Sorted(maps.Keys(r.rules)) {
			out = append(out, r.rules[name])
		}
		return nil
	})
	return out, err
}

func (r *Router) set(ctx context.Context, method, name string, disabled bool) error {
	return r.act(ctx, method, name, func() error {
		x, ok := r.rules[name]
		if !ok {
			return fmt.Errorf("rule %s: %w", name, event.ErrNoRule)
		}
		x.Disabled = disabled
		r.rules[name] = x
		return nil
	})
}

// Enable implements event.Router.
func (r *Router) Enable(ctx context.Context, name string) error {
	return r.set(ctx, "Enable", name, false)
}

// Disable implements event.Router.
func (r *Router) Disable(ctx context.Context, name string) error {
	return r.set(ctx, "Disable", name, true)
}

// Delete implements event.Router.
func (r *Router) Delete(ctx context.Context, name string) error {
	return r.act(ctx, "Delete", name, func() error { delete(r.rules, name); return nil })
}
