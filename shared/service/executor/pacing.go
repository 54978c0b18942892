package executor

import (
	"context"
	"sync"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/pace"
)

// Pacer plans polls by what was learned of how long the work of others takes. What it can't read it does without: then
// polls come as often as without history.
type Pacer struct {
	Store pace.Store
	Now   func() time.Time

	mu    sync.Mutex
	known map[pace.Kind]expected
}

// expected is what was read, and when.
type expected struct {
	window pace.Window
	at     time.Time
}

// fresh is how long a process goes by what it has read.
const fresh = time.Minute

// expect is when work of a kind ends.
func (p *Pacer) expect(ctx context.Context, k pace.Kind) (pace.Window, error) {
	now := p.Now()
	p.mu.Lock()
	e, ok := p.known[k]
	p.mu.Unlock()
	if age := now.Sub(e.at); ok && age >= 0 && age < fresh {
		return e.window, nil
	}
	s, err := p.Store.Summary(ctx, k)
	if err != nil {
		return pace.Window{}, err
	}
	e = expected{window: s.Expect(), at: now}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		p.known = map[pace.Kind]expected{}
	}
	p.known[k] = e
	return e.window, nil
}

// begin begins a wait for a part of a job's work.
func (w *Executor) begin(ctx context.Context, r *Run, part string) job.Wait {
	wait := r.Job.WaitFor(part, w.Now())
	var err error
	if wait.Expect, err = w.Pace.expect(ctx, wait.Kind()); err != nil {
		r.log.WarnContext(ctx, "not known how long the work takes: polling as often as without history",
			"work", wait.Work, "error", err)
	}
	return wait
}

// ended notes how long work took that was found done; it is stored with the job.
func (r *Run) ended(now time.Time) {
	if wait := r.Job.Wait; wait.Work != "" {
		r.took = append(r.took, took{wait.Kind(), wait.Sample(r.found(now))})
	}
}

// found is when work was found done: when its poll was due, if it came in time.
func (r *Run) found(now time.Time) time.Time {
	const inTime = 5 * time.Second
	if late := now.Sub(r.due); late > 0 && late < inTime && r.due.After(r.Job.Wait.Since) {
		return r.due
	}
	return now
}

// took is how long a kind of work took.
type took struct {
	kind   pace.Kind
	sample pace.Sample
}

// submitted plans the first poll of what was submitted.
func (w *Executor) submitted(ctx context.Context, r *Run, p job.Policy) job.Job {
	now := w.Now()
	next := r.Job.Submitted(now, p)
	if w.Pace == nil {
		return next
	}
	return next.Paced(w.begin(ctx, r, r.part), now, p, 0, false)
}

// verified applies a verdict and plans the next poll.
func (w *Executor) verified(ctx context.Context, r *Run, v job.Verdict, p job.Policy) job.Job {
	now := w.Now()
	next := r.Job.WithVerdict(v, now, p)
	if w.Pace == nil {
		return next
	}
	wait := r.Job.Wait
	wait.Asked, wait.Reported = now, false
	switch v.Kind {
	case job.VerdictPending:
		switch {
		case v.Waits && !v.Queued: // nothing is submitted
			wait = job.Wait{}
		case !wait.Is(r.Job.Type, r.part):
			r.ended(now)
			wait = w.begin(ctx, r, r.part)
		}
	case job.VerdictVerified:
		r.ended(now)
		wait = job.Wait{}
		if v.Watch {
			wait = w.begin(ctx, r, job.Finality)
		}
	case job.VerdictWatching:
		if !wait.Is(r.Job.Type, job.Finality) { // of a job that an earlier release began to watch
			wait = w.begin(ctx, r, job.Finality)
		}
	case job.VerdictFinal:
		r.ended(now)
		wait = job.Wait{}
	default:
		wait = job.Wait{}
	}
	return next.Paced(wait, now, p, v.After, v.Waits)
}

// learn stores how long work took. What gets lost is one sample.
func (w *Executor) learn(ctx context.Context, r *Run) {
	for _, t := range r.took {
		if err := w.Pace.Store.Add(ctx, t.kind, t.sample); err != nil {
			r.log.WarnContext(ctx, "how long the work took is not stored", "work", t.kind.Key(), "error", err)
		}
	}
	r.took = nil
}
