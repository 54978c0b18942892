package httpcall

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
)

// Passing says whether another attempt may succeed where this one returned err.
func Passing(err error) bool {
	var status *StatusError
	var transport *TransportError
	switch {
	case errors.As(err, &status):
		return status.Passing()
	case errors.As(err, &transport):
		return true
	}
	return errors.Is(err, ErrMalformed)
}

// Retry calls f until it succeeds, its error is not passing, the attempts are used up or ctx ends. It pauses between
// calls: exponential backoff with full jitter, or longer where the service asks for it (Retry-After). A pause that the
// context's deadline would cut off, or longer than MaxWait, does not begin; the error then carries the requested delay
// (job.RetryDelay).
func (c *Caller) Retry(ctx context.Context, f func(ctx context.Context) error) error {
	for i := 0; ; i++ {
		err := f(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%w (%w)", err, ctx.Err())
		}
		if !Passing(err) {
			return err
		}
		if i+1 >= c.cfg.Attempts {
			return requested(err, fmt.Errorf("give up after %d attempts: %w", c.cfg.Attempts, err))
		}
		c.deps.Log.DebugContext(ctx, "request failed, will be repeated", "service",
			c.name, "attempt", i+1, "error", err)
		if err := c.pause(ctx, i, err); err != nil {
			return err
		}
	}
}

// requested marks err with the delay that cause's service asked for.
func requested(cause, err error) error {
	var status *StatusError
	if errors.As(cause, &status) && status.RetryAfter > 0 {
		return job.RetryAfter(status.RetryAfter, err)
	}
	return err
}

func (c *Caller) pause(ctx context.Context, round int, cause error) error {
	most := min(float64(c.cfg.MinBackoff)*math.Pow(2, float64(min(round, 30))), float64(c.cfg.MaxBackoff))
	d := time.Duration(c.deps.Jitter() * most)
	var status *StatusError
	if errors.As(cause, &status) && status.RetryAfter > 0 {
		if status.RetryAfter > c.cfg.MaxWait {
			return requested(cause, fmt.Errorf("%w (it asks for a pause of %s)", cause, status.RetryAfter))
		}
		d += status.RetryAfter // the jitter on top spreads those that were refused together
	}
	if deadline, ok := ctx.Deadline(); ok && c.deps.Now().Add(d).After(deadline) {
		return requested(cause, fmt.Errorf("%w (no time for another attempt)", cause))
	}
	if err := c.deps.Sleep(ctx, d); err != nil {
		return fmt.Errorf("%w (%w)", cause, err)
	}
	return nil
}
