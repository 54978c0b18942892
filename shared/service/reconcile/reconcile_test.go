package reconcile_test

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/service/alerting"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
	"github.com/madara-orchestrator/orchestrator/shared/service/reconcile"
)

const grace = 30 * time.Second

// world is the worker on ports in memory, at a time that the test moves.
type world struct {
	*reconcile.Reconciler
	t      *testing.T
	now    time.Time
	jobs   *memory.Jobs
	queues *memory.Queues
	alerts *memory.Alerts
	rules  *fault.Rules
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), rules: fault.NewRules()}
	env := &fault.Env{Now: func() time.Time { return w.now }, Hook: w.rules}
	queues, err := memory.NewQueues(env, memory.Declaration{Name: "jobs"})
	if err != nil {
		t.Fatal(err)
	}
	w.jobs, w.queues, w.alerts = memory.NewJobs(env), queues, memory.NewAlerts(env)
	control, log := memory.NewControls(env), slog.New(slog.DiscardHandler)
	w.Reconciler = &reconcile.Reconciler{
		Jobs: w.jobs, Control: control, Grace: grace, Now: env.Now, Log: log,
		Executor: &executor.Executor{
			Jobs: w.jobs, Queue: queues, Route: func(job.Type, job.Action, bool) string { return "jobs" },
			Alerts:  &alerting.Reporter{Notifier: w.alerts, Store: memory.NewReports(env), Now: env.Now},
			Control: control, Policies: job.Policies(), Now: env.Now, Log: log, Wake: &executor.Waker{Layer: stage.L2},
		},
	}
	return w
}

// create stores a SnosRun job as change makes it of one that is due now.
func (w *world) create(n uint64, change func(job.Job) job.Job) {
	w.t.Helper()
	j := change(job.New(fmt.Sprintf("%032x", n), n, &job.SnosRunMeta{}, "", w.now))
	j.Version = 1
	if err := w.jobs.Create(w.t.Context(), j); err != nil {
		w.t.Fatal(err)
	}
}

// woken runs the worker and returns how many wake-ups it sent.
func (w *world) woken() int {
	w.t.Helper()
	before := w.depth()
	if err := w.Run(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return w.depth() - before
}

func (w *world) depth() int {
	w.t.Helper()
	d, err := w.queues.Depth(w.t.Context(), "jobs")
	if err != nil {
		w.t.Fatal(err)
	}
	return d.Ready + d.Delayed + d.InFlight
}

func same(j job.Job) job.Job { return j }

// One row for each kind of job that the worker finds: whether it is woken, and from when.
func TestWhoIsWoken(t *testing.T) {
	t.Parallel()
	p := job.Policies()[job.SnosRun]
	claimed := func(j job.Job) job.Job {
		next, _ := j.Claim(j.Wakeup(), "o", j.DueAt, p)
		return next
	}
	for name, tt := range map[string]struct {
		job   func(job.Job) job.Job
		after time.Duration // from when it is woken; 0: never
	}{
		"created, its wake-up lost":    {same, grace},
		"claimed, its invocation died": {claimed, p.LeaseTTL + grace},
		"submitted": {func(j job.Job) job.Job { return claimed(j).Submitted(j.DueAt, p) },
			p.Poll.Delay(0) + grace},
		"failed": {func(j job.Job) job.Job { return claimed(j).FailedPermanently(j.DueAt, errors.New("no")) }, 0},
		"completed": {func(j job.Job) job.Job {
			return claimed(j).Submitted(j.DueAt, p).WithVerdict(job.Verified(), j.DueAt, p)
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.create(1, tt.job)
			begin := w.now
			if tt.after == 0 {
				w.now = begin.Add(100 * time.Hour)
				if n := w.woken(); n != 0 {
					t.Errorf("%d wake-ups, want none", n)
				}
				return
			}
			w.now = begin.Add(tt.after - time.Second)
			if n := w.woken(); n != 0 {
				t.Errorf("%d wake-ups a second too early", n)
			}
			w.now = begin.Add(tt.after)
			if n := w.woken(); n != 1 {
				t.Errorf("%d wake-ups, want 1", n)
			}
		})
	}
}

// A paused stage's jobs are left alone; once it is resumed they are woken.
func TestPausedStage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(1, same)
	if err := w.Control.Pause(t.Context(), schedule.Pause{Stage: stage.SnosRun, Since: w.now}); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(time.Hour)
	if n := w.woken(); n != 0 {
		t.Errorf("%d wake-ups while paused", n)
	}
	if err := w.Control.Resume(t.Context(), stage.SnosRun); err != nil {
		t.Fatal(err)
	}
	if n := w.woken(); n != 1 {
		t.Errorf("%d wake-ups once resumed, want 1", n)
	}
}

// However many jobs of a paused stage are overdue for longer, those of the others are woken.
func TestPausedJobsTakeNoPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n := range uint64(job.MaxPage + 5) {
		w.create(n+1, same)
	}
	w.now = w.now.Add(time.Minute)
	if err := w.jobs.Create(t.Context(), job.New(fmt.Sprintf("%032x", job.MaxPage*2), 1, &job.ProofCreationMeta{}, "",
		w.now)); err != nil {
		t.Fatal(err)
	}
	if err := w.Control.Pause(t.Context(), schedule.Pause{Stage: stage.SnosRun, Since: w.now}); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(time.Hour)
	if n := w.woken(); n != 1 {
		t.Errorf("%d wake-ups, want that of the stage that runs", n)
	}
}

// A queue that fails for one job does not keep the others from being woken, and the run reports it.
func TestOneFailureIsOneFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n := range uint64(3) {
		w.create(n+1, same)
	}
	w.now = w.now.Add(time.Hour)
	w.rules.Add(fault.Rule{Component: "queues", Method: "Send", Fault: fault.Fault{Kind: fault.FailBefore}})
	if err := w.Run(t.Context()); !errors.Is(err, fault.ErrInjected) {
		t.Errorf("error %v, want the queue's", err)
	}
	if n := w.depth(); n != 2 {
		t.Errorf("%d wake-ups, want 2", n)
	}
}

// The alert of a job that waits for an operator is sent if it was lost, and again after a day.
func TestLostAlert(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(1, func(j job.Job) job.Job {
		next, _ := j.Claim(j.Wakeup(), "o", j.DueAt, job.Policies()[job.SnosRun])
		return next.FailedPermanently(j.DueAt, errors.New("no"))
	})
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{time.Minute, 1}, {time.Minute, 1}, {23 * time.Hour, 1}, {time.Hour, 2}} {
		w.now = w.now.Add(step.after)
		w.woken()
		if n := len(w.alerts.Sent()); n != step.want {
			t.Errorf("%s later %d alerts, want %d", step.after, n, step.want)
		}
	}
}
