package admin

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Check is one dependency that Ready asks.
type Check struct {
	Name string
	Ping func(ctx context.Context) error
}

// CheckResult is what came of a check.
type CheckResult struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Reason string `json:"reason,omitempty"` // why not, without secrets
	Millis int64  `json:"millis"`
}

// Readiness says whether everything that the pipeline needs can be used.
type Readiness struct {
	Ready  bool          `json:"ready"`
	Reason string        `json:"reason,omitempty"` // names what can't be used
	Checks []CheckResult `json:"checks"`
}

// checkTimeout is how long one dependency may take to answer.
const checkTimeout = 4 * time.Second

// Ready asks all dependencies at once.
func (s *Service) Ready(ctx context.Context) Readiness {
	r := Readiness{Ready: true, Checks: make([]CheckResult, len(s.Checks))}
	var wg sync.WaitGroup
	for i, c := range s.Checks {
		wg.Go(func() { r.Checks[i] = c.run(ctx) })
	}
	wg.Wait()
	for _, c := range r.Checks {
		if c.OK {
			continue
		}
		if r.Reason != "" {
			r.Reason += ", "
		} else {
			r.Reason = "can't be used: "
		}
		r.Ready, r.Reason = false, r.Reason+c.Name
	}
	return r
}

// run asks one dependency. One that ignores the context is given up all the same.
func (c Check) run(ctx context.Context) CheckResult {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	began := time.Now()
	done := make(chan error, 1)
	go func() {
		defer func() {
			if recover() != nil {
				done <- errors.New("the check panicked")
			}
		}()
		done <- c.Ping(ctx)
	}()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.New("no answer in time")
	}
	return CheckResult{Name: c.Name, OK: err == nil, Reason: reasonOf(err), Millis: time.Since(began).Milliseconds()}
}
