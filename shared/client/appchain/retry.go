package appchain

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
)

// verdict is what an error of one attempt means for the next.
type verdict int

const (
	final   verdict = iota // another attempt gives the same
	absent                 // this node has no such thing; another may
	passing                // try again
	refused                // this node won't; another may
)

func judge(err error) verdict {
	var status *statusError
	var rpc *rpcError
	var transport *transportError
	switch {
	case errors.Is(err, block.ErrWrongChain):
		return final
	case errors.Is(err, block.ErrNotFound):
		return absent
	case errors.Is(err, block.ErrMalformed):
		return passing
	case errors.As(err, &status):
		return judgeStatus(status.status)
	case errors.As(err, &rpc):
		return rpc.verdict()
	case errors.As(err, &transport):
		return passing
	case errors.Is(err, errOversized):
		return refused
	}
	return final
}

func judgeStatus(status int) verdict {
	switch {
	case status >= 500, status == http.StatusNotFound, status == http.StatusRequestTimeout,
		status == http.StatusTooEarly, status == http.StatusTooManyRequests, status/100 == 3:
		return passing // 404 and redirects are a load balancer's answers while a node restarts
	}
	return refused
}

// attempt runs f against the nodes until it succeeds, its error is final, the attempts are used up or ctx ends. It
// moves between node and backup at every failure and pauses only before it returns to a node.
func (s *Source) attempt(ctx context.Context, f func(ctx context.Context, e *endpoint) error) error {
	order := s.order()
	var last error
	gone := 0 // how many nodes said absent or refused in a row
	for i := 0; i < s.cfg.Attempts; i++ {
		e := order[i%len(order)]
		err := s.checkChain(ctx, e)
		if err == nil {
			err = f(ctx, e)
		}
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%w (%w)", err, context.Cause(ctx))
		}
		last = preferred(last, err)
		switch judge(err) {
		case final:
			return err
		case absent, refused:
			if gone++; gone >= len(order) {
				return last
			}
			continue
		case passing:
			gone = 0
			if len(order) > 1 {
				e.markDown(s.deps.Now().Add(s.cfg.Cooldown))
			}
		}
		s.deps.Log.DebugContext(ctx, "read of the app chain failed, will be tried again", "node",
			e.label(), "attempt", i+1, "error", err)
		if (i+1)%len(order) == 0 && i+1 < s.cfg.Attempts {
			if err := s.pause(ctx, i/len(order), err); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("give up after %d attempts: %w", s.cfg.Attempts, last)
}

// preferred keeps an error that says more: a transient failure of one node outranks that the other lacks the block,
// since the first may have it.
func preferred(old, new error) error {
	if old != nil && judge(new) == absent && judge(old) == passing {
		return old
	}
	return new
}

// order lists the nodes in the order in which they should be asked now.
func (s *Source) order() []*endpoint {
	switch {
	case s.backup == nil:
		return []*endpoint{s.primary}
	case s.primary.down(s.deps.Now()) && !s.backup.down(s.deps.Now()):
		return []*endpoint{s.backup, s.primary}
	}
	return []*endpoint{s.primary, s.backup}
}

// pause waits before round+1: exponential backoff with full jitter, or what the server asked for. It doesn't begin a
// wait that the context's deadline would cut off.
func (s *Source) pause(ctx context.Context, round int, cause error) error {
	most := float64(s.cfg.MinBackoff) * math.Pow(2, float64(min(round, 30)))
	d := time.Duration(s.deps.Jitter() * min(most, float64(s.cfg.MaxBackoff)))
	var status *statusError
	if errors.As(cause, &status) && status.retryAfter > d {
		d = min(status.retryAfter, s.cfg.MaxBackoff)
	}
	if deadline, ok := ctx.Deadline(); ok && s.deps.Now().Add(d).After(deadline) {
		return fmt.Errorf("%w (no time for another attempt: %w)", cause, context.DeadlineExceeded)
	}
	if err := s.deps.Sleep(ctx, d); err != nil {
		return fmt.Errorf("%w (%w)", cause, err)
	}
	return nil
}

// parseRetryAfter reads the header's seconds or date; 0 where it is absent or unreadable.
func parseRetryAfter(h string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(h); err == nil && n > 0 {
		return time.Duration(min(n, 86400)) * time.Second
	}
	if t, err := http.ParseTime(h); err == nil && t.After(now) {
		return t.Sub(now)
	}
	return 0
}
