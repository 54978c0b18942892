package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// Controls is a schedule.Control.
type Controls struct {
	env *fault.Env

	mu     sync.Mutex
	paused map[stage.Name]schedule.Pause
	before map[stage.Name]schedule.Pause // before the last change
}

var _ schedule.Control = (*Controls)(nil)

// NewControls returns a control with no stage paused.
func NewControls(e *fault.Env) *Controls {
	return &Controls{env: e, paused: map[stage.Name]schedule.Pause{}}
}

// Pauses implements schedule.Control, by stage.
func (s *Controls) Pauses(ctx context.Context) (schedule.Pauses, error) {
	return fault.Call(ctx, s.env, "controls", "Pauses", "", func(f fault.Fault) (schedule.Pauses, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		all := s.paused
		if f.Is(fault.Stale) {
			all = s.before
		}
		return slices.SortedFunc(maps.Values(all),
			func(a, b schedule.Pause) int { return cmp.Compare(a.Stage, b.Stage) }), nil
	})
}

// Pause implements schedule.Control.
func (s *Controls) Pause(ctx context.Context, p schedule.Pause) error {
	return fault.Act(ctx, s.env, "controls", "Pause", string(p.Stage), func(fault.Fault) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if _, ok := s.paused[p.Stage]; !ok {
			s.before = maps.Clone(s.paused)
			s.paused[p.Stage] = p
		}
		return nil
	})
}

// Resume implements schedule.Control.
func (s *Controls) Resume(ctx context.Context, n stage.Name) error {
	return fault.Act(ctx, s.env, "controls", "Resume", string(n), func(fault.Fault) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if _, ok := s.paused[n]; ok {
			s.before = maps.Clone(s.paused)
			delete(s.paused, n)
		}
		return nil
	})
}
