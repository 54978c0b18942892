package memory

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/pace"
)

// Paces is a pace.Store.
type Paces struct {
	env *fault.Env

	mu      sync.Mutex
	samples map[pace.Kind][]pace.Sample
}

var _ pace.Store = (*Paces)(nil)

// NewPaces returns a store that has learned nothing yet.
func NewPaces(e *fault.Env) *Paces { return &Paces{env: e, samples: map[pace.Kind][]pace.Sample{}} }

// Learn takes over what another store has learned.
func (s *Paces) Learn(o *Paces) {
	o.mu.Lock()
	known := maps.Clone(o.samples)
	o.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.Copy(s.samples, known)
}

// Summary implements pace.Store.
func (s *Paces) Summary(ctx context.Context, k pace.Kind) (pace.Summary, error) {
	return fault.Call(ctx, s.env, "paces", "Summary", k.Key(), func(fault.Fault) (pace.Summary, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return pace.Summary{Samples: slices.Clone(s.samples[k])}, nil
	})
}

// Add implements pace.Store.
func (s *Paces) Add(ctx context.Context, k pace.Kind, x pace.Sample) error {
	return fault.Act(ctx, s.env, "paces", "Add", k.Key(), func(fault.Fault) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !x.Valid() {
			return nil
		}
		before := s.samples[k]
		s.samples[k] = append(slices.Clone(before[max(0, len(before)+1-pace.Kept):]), x)
		return nil
	})
}
