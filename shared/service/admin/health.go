package admin

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Check is one dependency that Ready asks, by Ping or, where it has details, by Look.
type Check struct {
	Name string
	Ping func(ctx context.Context) error
	Look func(ctx context.Context) (detail string, err error)
}

// CheckResult is what came of a check.
type CheckResult struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Reason string `json:"reason,omitempty"` // why not, without secrets
	Detail string `json:"detail,omitempty"` // details
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
	type answer struct {
		detail string
		err    error
	}
	done := make(chan answer, 1)
	go func() {
		defer func() {
			if recover() != nil {
				done <- answer{err: errors.New("the check panicked")}
			}
		}()
		if c.Look == nil {
			done <- answer{err: c.Ping(ctx)}
			return
		}
		detail, err := c.Look(ctx)
		done <- answer{detail, err}
	}()
	var a answer
	select {
	case a = <-done:
	case <-ctx.Done():
		a.err = ctx.Err()
	}
	err := a.err
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.New("no answer in time")
	}
	return CheckResult{Name: c.Name, OK: err == nil, Reason: reasonOf(err), Detail: a.detail,
		Millis: time.Since(began).Milliseconds()}
}
