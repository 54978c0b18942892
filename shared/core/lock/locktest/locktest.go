// Package locktest is the conformance suite of lock.Locker.
package locktest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/lock"
)

// Clock is the time that a locker under test goes by.
type Clock struct{ offset atomic.Int64 }

// Now is the time.
func (c *Clock) Now() time.Time {
	return time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC).Add(time.Duration(c.offset.Load()))
}

// Advance moves the time on.
func (c *Clock) Advance(d time.Duration) { c.offset.Add(int64(d)) }

// TestLocker tests a locker by the contract of lock.Locker. newLocker returns one with all leases free.
func TestLocker(t *testing.T, newLocker func(t *testing.T, c *Clock) lock.Locker) {
	t.Helper()
	for name, run := range map[string]func(*testing.T, context.Context, lock.Locker, *Clock){
		"OneOwner": testOneOwner, "FenceGrows": testFence, "Renew": testRenew, "ReleaseIsOnlyTheOwners": testRelease,
		"OneOfMany": testRace,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			c := &Clock{}
			run(t, ctx, newLocker(t, c), c)
		})
	}
}

const ttl = time.Minute

func acquire(t *testing.T, ctx context.Context, l lock.Locker, owner string) lock.Lease {
	t.Helper()
	x, err := l.Acquire(ctx, "name", owner, ttl)
	if err != nil {
		t.Fatalf("%s: %v", owner, err)
	}
	return x
}

func testOneOwner(t *testing.T, ctx context.Context, l lock.Locker, c *Clock) {
	a := acquire(t, ctx, l, "a")
	if a.Name != "name" || a.Owner != "a" || !a.ExpiresAt.Equal(c.Now().Add(ttl)) {
		t.Errorf("lease %+v", a)
	}
	if _, err := l.Acquire(ctx, "name", "b", ttl); !errors.Is(err, lock.ErrHeld) {
		t.Errorf("b: %v", err)
	}
	if _, err := l.Acquire(ctx, "other", "b", ttl); err != nil {
		t.Errorf("another name: %v", err)
	}
	c.Advance(ttl - time.Millisecond)
	if _, err := l.Acquire(ctx, "name", "b", ttl); !errors.Is(err, lock.ErrHeld) {
		t.Errorf("b before the end: %v", err)
	}
	c.Advance(time.Millisecond)
	acquire(t, ctx, l, "b")
}

func testFence(t *testing.T, ctx context.Context, l lock.Locker, c *Clock) {
	last := uint64(0)
	for i, owner := range []string{"a", "a", "b", "a"} {
		if i >= 2 {
			c.Advance(2 * ttl)
		}
		x := acquire(t, ctx, l, owner)
		if x.Fence <= last {
			t.Errorf("fence %d after %d", x.Fence, last)
		}
		last = x.Fence
		if i == 3 {
			if err := l.Release(ctx, x); err != nil {
				t.Fatal(err)
			}
			if y := acquire(t, ctx, l, "c"); y.Fence <= last {
				t.Errorf("fence %d after a release at %d", y.Fence, last)
			}
		}
	}
}

func testRenew(t *testing.T, ctx context.Context, l lock.Locker, c *Clock) {
	a := acquire(t, ctx, l, "a")
	c.Advance(ttl / 2)
	x, err := l.Renew(ctx, a, ttl)
	if err != nil || x.Fence != a.Fence || !x.ExpiresAt.Equal(c.Now().Add(ttl)) {
		t.Fatalf("%+v, %v", x, err)
	}
	c.Advance(ttl)
	if _, err := l.Renew(ctx, x, ttl); !errors.Is(err, lock.ErrLost) {
		t.Errorf("after its end: %v", err)
	}
	acquire(t, ctx, l, "b")
	if _, err := l.Renew(ctx, x, ttl); !errors.Is(err, lock.ErrLost) {
		t.Errorf("after it was taken over: %v", err)
	}
}

func testRelease(t *testing.T, ctx context.Context, l lock.Locker, c *Clock) {
	a := acquire(t, ctx, l, "a")
	c.Advance(2 * ttl)
	b := acquire(t, ctx, l, "b")
	if err := l.Release(ctx, a); err != nil {
		t.Errorf("release of a lost lease: %v", err)
	}
	if _, err := l.Acquire(ctx, "name", "c", ttl); !errors.Is(err, lock.ErrHeld) {
		t.Errorf("the new owner's lease was released: %v", err)
	}
	if err := l.Release(ctx, b); err != nil {
		t.Fatal(err)
	}
	acquire(t, ctx, l, "c")
}

func testRace(t *testing.T, ctx context.Context, l lock.Locker, _ *Clock) {
	var won atomic.Int64
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if _, err := l.Acquire(ctx, "race", fmt.Sprint(i), ttl); err == nil {
				won.Add(1)
			} else if !errors.Is(err, lock.ErrHeld) {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d owners at once", won.Load())
	}
}
