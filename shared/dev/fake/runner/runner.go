// Package runner is a fake of a SNOS runner in memory. Its runs end as a plan says; a function of the caller does the
// work.
package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
)

// Config is how a runner behaves. With the zero value every run succeeds at the first Status and writes nothing.
type Config struct {
	// Polls is how many times Status reports a run queued or running before it ends.
	Polls int
	// Capacity is how many runs there may be at a time; 0 means no limit. Submit returns ErrBusy for more.
	Capacity int
	// Plan, if set, decides for each run when it starts. Polls is then ignored.
	Plan func(t snos.Task, number int) Plan
	// Execute does the run's work, which is to write its artifacts, unless the plan lets the run fail. An *Error fails
	// the run with its kind, any other error as Interrupted. The Status that finds the run at its end calls it. If the
	// context of this Status ends meanwhile, the next Status calls it again.
	Execute func(ctx context.Context, t snos.Task) error
}

// Plan is how one run ends.
type Plan struct {
	Polls   int              // how many times it is queued or running before it ends
	Takes   time.Duration    // how long it takes; 0: it ends by Polls
	Failure snos.FailureKind // "" if it succeeds
	Detail  string
	Lose    bool // the runner loses it instead of ending it
}

// Error is the error of Execute for a failed run.
type Error struct {
	Kind   snos.FailureKind
	Detail string
}

// Error gives kind and detail.
func (e *Error) Error() string { return fmt.Sprintf("run failed (%s): %s", e.Kind, e.Detail) }

// State is a run as the runner knows it.
type State struct {
	Handle   string
	Task     snos.Task
	Progress snos.Progress
	Canceled bool
	Began    time.Time
	Ends     time.Time // when it ends, where it takes a time
	Found    time.Time // when somebody who asked learned first that it had ended
}

// Runner is a snos.Runner whose runs end as a plan says.
type Runner struct {
	env *fault.Env
	cfg Config

	mu       sync.Mutex
	runs     []*run
	byHandle map[string]*run // not the forgotten ones
	byID     map[string]*run // likewise
}

var _ snos.Runner = (*Runner)(nil)

type run struct {
	State
	plan      Plan
	polls     int
	executing bool
}

// New returns a runner without runs.
func New(e *fault.Env, c Config) *Runner {
	return &Runner{env: e, cfg: c, byHandle: map[string]*run{}, byID: map[string]*run{}}
}

// Submit implements snos.Runner.
func (s *Runner) Submit(ctx context.Context, t snos.Task) (string, error) {
	return fault.Call(ctx, s.env, "runner", "Submit", t.ID, func(f fault.Fault) (string, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if r := s.byID[t.ID]; r != nil {
			return r.Handle, nil
		}
		if s.cfg.Capacity > 0 && s.active() >= s.cfg.Capacity {
			return "", fmt.Errorf("submit %s: %w", t.ID, snos.ErrBusy)
		}
		t.Inputs = slices.Clone(t.Inputs)
		number := len(s.runs) + 1
		r := &run{
			State: State{Handle: fmt.Sprintf("run-%06d", number), Task: t, Progress: snos.Progress{State: snos.Queued}},
			plan:  Plan{Polls: s.cfg.Polls},
		}
		if s.cfg.Plan != nil {
			r.plan = s.cfg.Plan(t, number)
		}
		if r.plan.Takes > 0 {
			r.Began = s.env.Time()
			r.Ends = r.Began.Add(r.plan.Takes)
		}
		s.runs = append(s.runs, r)
		s.byHandle[r.Handle], s.byID[t.ID] = r, r
		if f.Is(fault.Lose) {
			s.forget(r)
		}
		return r.Handle, nil
	})
}

// active is how many runs go on. The caller holds the lock.
func (s *Runner) active() int {
	n := 0
	for _, r := range s.byHandle {
		if !r.ended() {
			n++
		}
	}
	return n
}

func (r *run) ended() bool {
	return r.Progress.State == snos.Succeeded || r.Progress.State == snos.Failed
}

func (r *run) fail(kind snos.FailureKind, detail string) {
	r.Progress = snos.Progress{State: snos.Failed, Failure: kind, Detail: detail}
}

// forget makes the runner lose a run. The caller holds the lock.
func (s *Runner) forget(r *run) {
	r.Progress = snos.Progress{State: snos.Lost}
	delete(s.byHandle, r.Handle)
	delete(s.byID, r.Task.ID)
}

// Status implements snos.Runner.
func (s *Runner) Status(ctx context.Context, handle string) (snos.Progress, error) {
	return fault.Call(ctx, s.env, "runner", "Status", handle, func(fault.Fault) (snos.Progress, error) {
		p, task := s.advance(handle)
		if task == nil {
			return p, nil
		}
		err := s.cfg.Execute(ctx, *task)
		s.mu.Lock()
		defer s.mu.Unlock()
		r := s.byHandle[handle]
		if r == nil {
			return snos.Progress{State: snos.Lost}, nil
		}
		r.executing = false
		var failed *Error
		switch {
		case r.ended(): // canceled meanwhile
		case err != nil && ctx.Err() != nil:
			return snos.Progress{}, fmt.Errorf("execute %s: %w", task.ID, err)
		case err == nil:
			r.Progress = snos.Progress{State: snos.Succeeded}
		case errors.As(err, &failed):
			r.fail(failed.Kind, failed.Detail)
		default:
			r.fail(snos.Interrupted, err.Error())
		}
		return r.Progress, nil
	})
}

// advance counts one call of Status. It returns the task if it must be executed now.
func (s *Runner) advance(handle string) (snos.Progress, *snos.Task) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.byHandle[handle]
	if r == nil {
		return snos.Progress{State: snos.Lost}, nil
	}
	if r.ended() || r.executing {
		return r.Progress, nil
	}
	r.polls++
	if now := s.env.Time(); r.plan.Takes > 0 && !now.Before(r.Ends) && r.Found.IsZero() {
		r.Found = now
	}
	if r.plan.Takes > 0 && r.Found.IsZero() || r.plan.Takes == 0 && r.polls <= r.plan.Polls {
		if r.polls > 1 {
			r.Progress.State = snos.Running
		}
		return r.Progress, nil
	}
	switch {
	case r.plan.Lose:
		s.forget(r)
	case r.plan.Failure != "":
		r.fail(r.plan.Failure, r.plan.Detail)
	case s.cfg.Execute == nil:
		r.Progress = snos.Progress{State: snos.Succeeded}
	default:
		r.executing, r.Progress.State = true, snos.Running
		t := r.Task
		t.Inputs = slices.Clone(t.Inputs)
		return r.Progress, &t
	}
	return r.Progress, nil
}

// Cancel implements snos.Runner. A canceled run is Failed as Interrupted.
func (s *Runner) Cancel(ctx context.Context, handle string) error {
	return fault.Act(ctx, s.env, "runner", "Cancel", handle, func(fault.Fault) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if r := s.byHandle[handle]; r != nil && !r.ended() {
			r.fail(snos.Interrupted, "canceled")
			r.Canceled = true
		}
		return nil
	})
}

// Ping implements snos.Runner.
func (s *Runner) Ping(ctx context.Context) error { return fault.Ping(ctx, s.env, "runner") }

// Forget makes the runner lose a run.
func (s *Runner) Forget(handle string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.byHandle[handle]; r != nil {
		s.forget(r)
	}
}

// Runs returns every run that was ever started, in that order; the forgotten ones are Lost.
func (s *Runner) Runs() []State {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]State, len(s.runs))
	for i, r := range s.runs {
		out[i] = r.State
		out[i].Task.Inputs = slices.Clone(r.Task.Inputs)
	}
	return out
}
