// Package lock is the port to leases: at most one holder at a time by agreement, and fencing tokens for the case that
// a holder outlives its lease without noticing.
package lock

import (
	"context"
	"errors"
	"time"
)

var (
	// ErrHeld says that another owner holds the lease.
	ErrHeld = errors.New("lease is held by another owner")
	// ErrLost says that the lease ran out or was taken over: stop writing.
	ErrLost = errors.New("lease is lost")
)

// Lease is a held lock.
type Lease struct {
	Name  string
	Owner string
	// Fence grows with every acquisition of the same name and never repeats. Writers store it; a store refuses a write
	// whose fence is below the stored one.
	Fence     uint64
	ExpiresAt time.Time
}

// Locker hands out leases. Safe for concurrent use, over processes too.
type Locker interface {
	// Acquire takes the lease for ttl, with a fence above every earlier one. ErrHeld while another owner's lease lasts;
	// the owner that holds it may acquire again, and gets a new fence.
	Acquire(ctx context.Context, name, owner string, ttl time.Duration) (Lease, error)
	// Renew lengthens the lease to ttl from now and keeps the fence. ErrLost when it is not this lease any more.
	Renew(ctx context.Context, l Lease, ttl time.Duration) (Lease, error)
	// Release frees the lease if it still is this one; otherwise nothing happens, so another owner's stays.
	Release(ctx context.Context, l Lease) error
}
