package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
)

// Scheduler is a schedule.Scheduler. Its timers do not fire: whoever owns the clock asks Fires.
type Scheduler struct {
	env *fault.Env

	mu     sync.Mutex
	timers map[string]schedule.Timer
}

var _ schedule.Scheduler = (*Scheduler)(nil)

// NewScheduler returns a scheduler without timers.
func NewScheduler(e *fault.Env) *Scheduler {
	return &Scheduler{env: e, timers: map[string]schedule.Timer{}}
}

// Fires says whether a timer is there and enabled. It never fails.
func (s *Scheduler) Fires(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.timers[name]
	return ok && !t.Disabled
}

// act makes one call with the lock held.
func (s *Scheduler) act(ctx context.Context, method, name string, do func() error) error {
	return fault.Act(ctx, s.env, "scheduler", method, name, func(fault.Fault) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		return do()
	})
}

// change changes a timer that is there.
func (s *Scheduler) change(ctx context.Context, method, name string, f func(*schedule.Timer)) error {
	return s.act(ctx, method, name, func() error {
		t, ok := s.timers[name]
		if !ok {
			return fmt.Errorf("timer %s: %w", name, schedule.ErrNoTimer)
		}
		f(&t)
		s.timers[name] = t
		return nil
	})
}

// Create implements schedule.Scheduler.
func (s *Scheduler) Create(ctx context.Context, t schedule.Timer) error {
	if err := t.Check(); err != nil {
		return err
	}
	return s.act(ctx, "Create", t.Name, func() error {
		if _, ok := s.timers[t.Name]; !ok {
			s.timers[t.Name] = t
		}
		return nil
	})
}

// Get implements schedule.Scheduler.
func (s *Scheduler) Get(ctx context.Context, name string) (out schedule.Timer, err error) {
	err = s.change(ctx, "Get", name, func(t *schedule.Timer) { out = *t })
	if err != nil {
		return schedule.Timer{}, err
	}
	return out, nil
}

// Update implements schedule.Scheduler.
func (s *Scheduler) Update(ctx context.Context, t schedule.Timer) error {
	if err := t.Check(); err != nil {
		return err
	}
	return s.change(ctx, "Update", t.Name, func(is *schedule.Timer) { t.Disabled = is.Disabled; *is = t })
}

// Enable implements schedule.Scheduler.
func (s *Scheduler) Enable(ctx context.Context, name string) error {
	return s.change(ctx, "Enable", name, func(t *schedule.Timer) { t.Disabled = false })
}

// Disable implements schedule.Scheduler.
func (s *Scheduler) Disable(ctx context.Context, name string) error {
	return s.change(ctx, "Disable", name, func(t *schedule.Timer) { t.Disabled = true })
}

// List implements schedule.Scheduler.
func (s *Scheduler) List(ctx context.Context) (out []string, err error) {
	err = s.act(ctx, "List", "", func() error { out = slices.Sorted(maps.Keys(s.timers)); return nil })
	return out, err
}

// Delete implements schedule.Scheduler.
func (s *Scheduler) Delete(ctx context.Context, name string) error {
	return s.act(ctx, "Delete", name, func() error { delete(s.timers, name); return nil })
}
