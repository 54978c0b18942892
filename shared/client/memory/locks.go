package memory

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/lock"
)

// Locks is a lock.Locker.
type Locks struct {
	env *fault.Env

	mu     sync.Mutex
	leases map[string]lock.Lease // the last of each name; free when its owner is ""
}

var _ lock.Locker = (*Locks)(nil)

// NewLocks returns a locker with all leases free.
func NewLocks(e *fault.Env) *Locks { return &Locks{env: e, leases: map[string]lock.Lease{}} }

// Acquire implements lock.Locker.
func (s *Locks) Acquire(ctx context.Context, name, owner string, ttl time.Duration) (lock.Lease, error) {
	return fault.Call(ctx, s.env, "locks", "Acquire", name, func(fault.Fault) (lock.Lease, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		now, l := s.env.Time(), s.leases[name]
		if l.Owner != "" && l.Owner != owner && now.Before(l.ExpiresAt) {
			return lock.Lease{}, fmt.Errorf("acquire %s, held by %s until %s: %w",
				name, l.Owner, l.ExpiresAt.Format(time.RFC3339), lock.ErrHeld)
		}
		l = lock.Lease{Name: name, Owner: owner, Fence: l.Fence + 1, ExpiresAt: now.Add(ttl)}
		s.leases[name] = l
		return l, nil
	})
}

// Renew implements lock.Locker.
func (s *Locks) Renew(ctx context.Context, l lock.Lease, ttl time.Duration) (lock.Lease, error) {
	return fault.Call(ctx, s.env, "locks", "Renew", l.Name, func(fault.Fault) (lock.Lease, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		now, held := s.env.Time(), s.leases[l.Name]
		if held.Owner != l.Owner || held.Fence != l.Fence || !now.Before(held.ExpiresAt) {
			return lock.Lease{}, fmt.Errorf("renew %s as %s with fence %d: %w", l.Name, l.Owner, l.Fence, lock.ErrLost)
		}
		held.ExpiresAt = now.Add(ttl)
		s.leases[l.Name] = held
		return held, nil
	})
}

// Release implements lock.Locker.
func (s *Locks) Release(ctx context.Context, l lock.Lease) error {
	return fault.Act(ctx, s.env, "locks", "Release", l.Name, func(fault.Fault) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if held := s.leases[l.Name]; held.Owner == l.Owner && held.Fence == l.Fence {
			s.leases[l.Name] = lock.Lease{Name: l.Name, Fence: l.Fence}
		}
		return nil
	})
}
