package stack

import (
	"context"
	"sync"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
)

// steadyWithin is how long anvil may take to add a block that it has executed, on a busy machine.
const steadyWithin = 10 * time.Second

// steady is a core contract on anvil whose state does not go back.
//
// While anvil (1.7.1) adds a block that it has executed, it answers for the block before it with the state of the new
// one; the next read may get the right state again, which is older. Nothing was reorganised, but who waits until a
// batch is settled and then reads the contract would see that it is not.
type steady struct {
	settlement.Contract
	within time.Duration

	mu     sync.Mutex
	newest settlement.State // that was read
}

// State implements settlement.Contract. A state that is older than one that was read before is read again, for a time:
// after a reorganisation it stays.
func (c *steady) State(ctx context.Context, finalized bool) (settlement.State, error) {
	if finalized {
		return c.Contract.State(ctx, true)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(c.within); ; {
		s, err := c.Contract.State(ctx, false)
		if err != nil {
			return s, err
		}
		if s.Next() >= c.newest.Next() || time.Now().After(end) {
			c.newest = s
			return s, nil
		}
		select {
		case <-ctx.Done():
			return s, ctx.Err()
		case <-tick.C:
		}
	}
}
