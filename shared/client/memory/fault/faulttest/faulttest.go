// Package faulttest has what the tests of the stores in memory and of the fakes share: a clock that a test moves, an
// environment with faults, and a shorter check of errors.
package faulttest

import (
	"sync"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
)

// Clock is a virtual clock. It moves only by Advance.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that starts at 2026-01-02 03:04:05 UTC.
func NewClock() *Clock { return &Clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

// Now is the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock forward.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Env returns an environment with a virtual clock and rules.
func Env(rules ...fault.Rule) (*fault.Env, *Clock) {
	c := NewClock()
	return &fault.Env{Now: c.Now, Hook: fault.NewRules(rules...)}, c
}

// Must ends the test if err is set, and returns v otherwise: Must(store.Get(ctx, id))(t).
func Must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
