package memory

import (
	"context"
	"fmt"
	"sync"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/rewind"
)

// Rewinds is a rewind.Store.
type Rewinds struct {
	env *fault.Env

	mu    sync.Mutex
	state rewind.State
}

var _ rewind.Store = (*Rewinds)(nil)

// NewRewinds returns an empty record.
func NewRewinds(e *fault.Env) *Rewinds { return &Rewinds{env: e} }

// Get implements rewind.Store. It is never stale: the port promises that.
func (s *Rewinds) Get(ctx context.Context) (rewind.State, error) {
	return fault.Call(ctx, s.env, "rewinds", "Get", "", func(fault.Fault) (rewind.State, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.state.Clone(), nil
	})
}

// Put implements rewind.Store.
func (s *Rewinds) Put(ctx context.Context, next rewind.State) (rewind.State, error) {
	return fault.Call(ctx, s.env, "rewinds", "Put", "", func(fault.Fault) (rewind.State, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if next.Version != s.state.Version {
			return rewind.State{}, fmt.Errorf("put rewinds at version %d, stored is %d: %w",
				next.Version, s.state.Version, rewind.ErrConflict)
		}
		s.state = next.Clone()
		s.state.Version++
		return s.state.Clone(), nil
	})
}
