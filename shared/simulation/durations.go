package simulation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/pace"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/prover"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/runner"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
)

// failsOf is of how many runs one fails where runs fail.
const failsOf = 3

// golden spreads numbers evenly over 0 to 1: the fractions of its multiples (the golden ratio's).
const golden = 0.6180339887

// takes is how long work takes whose usual time is d.
func (w *World) takes(d time.Duration) time.Duration {
	if d > 0 && w.cfg.Vary {
		d = d/2 + time.Duration(w.rng.Int64N(int64(d)))
	}
	return d
}

// planRun decides how a run ends.
func (w *World) planRun(task snos.Task, number int) (p runner.Plan) {
	p = runner.Plan{Polls: cmp.Or(w.cfg.RunPolls, 1), Takes: w.takes(w.cfg.Run)}
	defer func() {
		t, q := job.SnosRun, resource.Route(job.SnosRun, job.Verify, false)
		if task.Kind == snos.Aggregate {
			t, q = job.Aggregator, resource.Route(job.Aggregator, job.Verify, false)
		}
		w.willEnd(p.Takes, end{job: t, batch: task.Batch, queue: q, body: fmt.Sprintf(`{"ended_run":%q}`,
			snos.RunName(task.Kind, task.Batch, "sim"))})
	}()
	if w.cfg.Fail && number%failsOf == 0 && task.Kind == snos.Run {
		_, part := math.Modf(float64(number) * golden)
		p.Takes, p.Failure = time.Duration(float64(w.cfg.Run)*part), snos.Interrupted
	}
	return p
}

// paces is the store of what is learned; nil where nothing is.
func (w *World) paces() pace.Store {
	if w.cfg.Unlearned {
		return nil
	}
	return w.Paces
}

// Noticed is one piece of work whose end was found.
type Noticed struct {
	Took time.Duration // until its end
	Late time.Duration // from then until it was found
}

// Noticed are for each kind of work how it ended and was found.
func (w *World) Noticed() map[string][]Noticed {
	out := map[string][]Noticed{}
	add := func(kind string, began, ends, found time.Time) {
		if !found.IsZero() {
			out[kind] = append(out[kind], Noticed{ends.Sub(began), found.Sub(ends)})
		}
	}
	for _, r := range w.Runner.Runs() {
		kind := string(job.SnosRun)
		switch {
		case r.Task.Kind == snos.Aggregate:
			kind = string(job.Aggregator) + "/run"
		case r.Progress.State == snos.Failed:
			kind = "failed " + kind
		}
		add(kind, r.Began, r.Ends, r.Found)
	}
	for _, t := range w.Prover.Tasks() {
		kind := string(job.ProofCreation)
		switch t.Request.Kind {
		case proof.Aggregation:
			kind = string(job.Aggregator) + "/proof"
		case proof.Registration:
			kind = string(job.ProofRegistration)
		}
		add(kind, t.Began, t.Ends, t.Found)
	}
	return out
}

// planProof decides how a proof ends.
func (w *World) planProof(t prover.Task) prover.Plan {
	p := prover.Plan{Polls: w.patience(cmp.Or(w.cfg.ProofPolls, 2)), Takes: w.takes(w.cfg.Proof)}
	waits := job.ProofCreation
	switch t.Request.Kind {
	case proof.Aggregation:
		waits = job.Aggregator
	case proof.Registration:
		waits = job.ProofRegistration
	}
	w.willEnd(p.Takes, end{job: waits, batch: t.Request.Batch})
	return p
}

// end is the end of work that is reported.
type end struct {
	at    time.Time
	job   job.Type
	batch uint64
	// of the message that reports it; "": a webhook does
	queue, body string
}

// willEnd has the end of work reported that has begun now.
func (w *World) willEnd(takes time.Duration, e end) {
	if w.cfg.Reports && takes > 0 {
		e.at = w.now.Add(takes)
		w.ends = append(w.ends, e)
	}
}

// nextEnd is the next end, if it comes before a time.
func (w *World) nextEnd(before time.Time) (e end, ok bool) {
	i := 0
	for n := range w.ends {
		if w.ends[n].at.Before(w.ends[i].at) {
			i = n
		}
	}
	if len(w.ends) == 0 || !w.ends[i].at.Before(before) {
		return end{}, false
	}
	e = w.ends[i]
	w.ends = slices.Delete(w.ends, i, i+1)
	return e, true
}

// report reports the end of work: AWS by a message, a prover by its webhook.
func (w *World) report(ctx context.Context, e end) error {
	if err := w.advance(e.at); err != nil {
		return err
	}
	if e.queue != "" {
		var err error
		w.aside(func() { err = w.Queues.Send(ctx, e.queue, queue.Outgoing{Body: e.body}) })
		return err
	}
	_, err := w.invoke(ctx, resource.FnHooks, false, func(ctx context.Context) (any, error) {
		j, err := w.Jobs.Find(ctx, e.job, e.batch)
		if err != nil {
			return nil, err
		}
		_, err = w.operator.RunNow(ctx, j.ID, job.Verify, executor.Command{By: "prover's webhook", Reported: true})
		return nil, ignore(err, executor.ErrRefused)
	})
	return errors.Join(err, w.nested)
}
