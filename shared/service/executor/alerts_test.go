package executor_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/service/alerting"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
	"github.com/madara-orchestrator/orchestrator/shared/service/reconcile"
)

// service is a handler whose external service answers with an error, or with none.
type service struct {
	err     func(j job.Job) error
	blocked bool // by others
}

func (s *service) Process(_ context.Context, r *executor.Run) error {
	if s.blocked {
		r.Blocked()
		return nil
	}
	return s.err(r.Job)
}

func (s *service) Verify(_ context.Context, r *executor.Run) (job.Verdict, error) {
	if s.blocked {
		r.Blocked()
		return job.Waiting("the wallet is busy"), nil
	}
	if err := s.err(r.Job); err != nil {
		return job.Verdict{}, err
	}
	return job.Verdict{Kind: job.VerdictVerified}, nil
}

// bench is an executor with SnosRun jobs, a clock and the reconcile worker.
type bench struct {
	t         *testing.T
	now       time.Time
	jobs      *memory.Jobs
	alerts    *memory.Alerts
	executor  *executor.Executor
	reconcile *reconcile.Reconciler
	service   service
}

func setup(t *testing.T, jobs int) *bench {
	t.Helper()
	b := &bench{t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	env := &fault.Env{Now: func() time.Time { return b.now }}
	b.jobs, b.alerts = memory.NewJobs(env), memory.NewAlerts(env)
	queues, err := memory.NewQueues(env, memory.Declaration{Name: "q"})
	if err != nil {
		t.Fatal(err)
	}
	log, owners := slog.New(slog.DiscardHandler), 0
	b.executor = &executor.Executor{
		Jobs: b.jobs, Queue: queues, Route: func(job.Type, job.Action, bool) string { return "q" },
		Wake:     &executor.Waker{Queue: queues, QueueName: "q", Layer: stage.L2},
		Alerts:   &alerting.Reporter{Notifier: b.alerts, Store: memory.NewReports(env), Now: env.Now, Log: log},
		Events:   memory.NewEvents(env),
		Control:  memory.NewControls(env),
		Handlers: map[job.Type]executor.Handler{job.SnosRun: &b.service}, Policies: job.Policies(), Now: env.Now,
		Log:      log,
		NewOwner: func() string { owners++; return fmt.Sprint(owners) },
	}
	b.reconcile = &reconcile.Reconciler{Jobs: b.jobs, Executor: b.executor, Control: b.executor.Control, Now: env.Now,
		Log: log}
	for i := range jobs {
		if err := b.jobs.Create(t.Context(),
			job.New(fmt.Sprintf("job%02d", i+1), uint64(i+1), &job.SnosRunMeta{}, "", b.now)); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// pass lets time go on minute by minute: what is due is done, and reconcile runs.
func (b *bench) pass(d time.Duration) {
	b.t.Helper()
	for end := b.now.Add(d); b.now.Before(end); b.now = b.now.Add(time.Minute) {
		due, err := b.jobs.Due(b.t.Context(), b.now, 100)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, j := range due {
			if err := b.executor.Handle(b.t.Context(), j.Wakeup()); err != nil {
				b.t.Fatal(err)
			}
		}
		if err := b.reconcile.Run(b.t.Context()); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *bench) titles() string {
	var all []string
	for _, a := range b.alerts.Sent() {
		all = append(all, a.Title)
	}
	return strings.Join(all, "; ")
}

// Case C6: a runner that is down while 50 jobs want it made 50 alerts in 10 minutes and 250 in 6 hours.
func TestRunnerDownIsOneAlert(t *testing.T) {
	t.Parallel()
	b := setup(t, 50)
	b.service.err = func(j job.Job) error {
		return fmt.Errorf("submit SNOS batch %d: dial tcp 10.0.0.%d:80: connection refused", j.Batch, j.Batch)
	}
	b.pass(6 * time.Hour)
	const title = "SnosRun of SNOS batch 1 keeps failing on an external service"
	if got := b.titles(); got != title {
		t.Fatalf("alerts in 6 hours: %s", got)
	}
	b.pass(20 * time.Hour)
	as := b.alerts.Sent()
	if got := b.titles(); got != title+"; Reminder: "+as[1].Title[len("Reminder: "):] || len(as[1].Jobs) != 50 {
		t.Fatalf("alerts in 26 hours: %s", got)
	}
	b.service.err = func(job.Job) error { return nil }
	b.pass(time.Hour)
	as = b.alerts.Sent()
	if len(as) != 3 || as[2].Severity != alert.Resolved {
		t.Errorf("alerts at the end: %s", b.titles())
	}
}

// Jobs that fail for one reason make one critical alert, a reminder a day while one of them waits, and an all-clear
// once an operator has retried the last.
func TestFailedJobsAreOneAlert(t *testing.T) {
	t.Parallel()
	b := setup(t, 50)
	b.service.err = func(j job.Job) error { return job.Permanentf("batch %d has no artifact 0x%x", j.Batch, j.Batch) }
	b.pass(23 * time.Hour)
	if got := b.titles(); got != "SnosRun of SNOS batch 1: Failed" {
		t.Fatalf("alerts in 23 hours: %s", got)
	}
	b.pass(24 * time.Hour)
	if as := b.alerts.Sent(); len(as) != 2 || len(as[1].Jobs) != 50 || as[1].Severity != alert.Critical {
		t.Fatalf("alerts in 47 hours: %s", b.titles())
	}
	b.service.err = func(job.Job) error { return nil }
	for i := range 50 {
		if _, err := b.executor.Retry(t.Context(), fmt.Sprintf("job%02d", i+1), executor.Command{}); err != nil {
			t.Fatal(err)
		}
		if n := len(b.alerts.Sent()); (n == 3) != (i == 49) {
			t.Fatalf("after %d retries: %s", i+1, b.titles())
		}
	}
}

// Different reasons are different causes.
func TestEachReasonIsReported(t *testing.T) {
	t.Parallel()
	b := setup(t, 2)
	reasons := []string{"the artifact is corrupt", "the run was refused"}
	b.service.err = func(j job.Job) error { return job.Permanent(errors.New(reasons[j.Batch-1])) }
	b.pass(time.Hour)
	if as := b.alerts.Sent(); len(as) != 2 || !strings.Contains(as[0].Detail+as[1].Detail, reasons[0]) ||
		!strings.Contains(as[0].Detail+as[1].Detail, reasons[1]) {
		t.Errorf("alerts: %s", b.titles())
	}
}

// Unreadable messages make one alert, however many there are, and an all-clear a day after the last.
func TestDeadLettersAreOneAlert(t *testing.T) {
	t.Parallel()
	b := setup(t, 0)
	for i := range 100 {
		if err := b.executor.DeadLetter(t.Context(), fmt.Sprint(i), "{"); err != nil {
			t.Fatal(err)
		}
	}
	b.pass(23 * time.Hour)
	if got := b.titles(); got != "A message could not be read" {
		t.Fatalf("alerts: %s", got)
	}
	b.pass(3 * time.Hour)
	if got := b.titles(); got != "A message could not be read; Resolved: A message could not be read" {
		t.Errorf("alerts: %s", got)
	}
}

// The beginning of a message that nobody can read is shown without secrets.
func TestUnreadableIsRedacted(t *testing.T) {
	t.Parallel()
	b := setup(t, 0)
	if err := b.executor.DeadLetter(t.Context(), "m", `{"rpc":"https://node.example/v2/SECRETKEY"}`); err != nil {
		t.Fatal(err)
	}
	as := b.alerts.Sent()
	if len(as) != 1 || strings.Contains(as[0].Detail, "SECRETKEY") || !strings.Contains(as[0].Detail, "node.example") {
		t.Errorf("alerts %+v", as)
	}
}

// A job that waits for somebody outside is one alert of its own, at once, with a reminder a day; the all-clear comes
// when the job goes on.
func TestAwaitIsOneAlert(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.service.err = func(job.Job) error {
		return executor.Await(alert.Cause{Key: executor.AwaitingPrefix + "x", Severity: alert.Critical,
			Title: "It waits"}, time.Minute, errors.New("not changed yet"))
	}
	b.pass(23 * time.Hour)
	if as := b.alerts.Sent(); len(as) != 1 || as[0].Severity != alert.Critical ||
		len(as[0].Jobs) != 1 || as[0].Jobs[0].ID != "job01" {
		t.Fatalf("alerts in 23 hours: %+v", as)
	}
	b.pass(26 * time.Hour)
	b.service.err = func(job.Job) error { return nil }
	b.pass(time.Hour)
	if got := b.titles(); got != "It waits; Reminder: It waits; Reminder: It waits; Resolved: It waits" {
		t.Errorf("alerts: %s", got)
	}
}

// A wallet that is busy when a failing job comes to it says nothing of the failure: no all-clear and no second alert.
func TestBlockedIsNoAllClear(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"failing": errors.New("fees are above the cap"),
		"awaiting": executor.Await(alert.Cause{Key: executor.AwaitingPrefix + "x", Severity: alert.Critical,
			Title: "It waits"}, time.Minute, errors.New("not changed yet")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, 1)
			b.service.err = func(job.Job) error { return err }
			b.pass(3 * time.Hour)
			first := b.titles()
			if first == "" || strings.Contains(first, ";") {
				t.Fatalf("alerts: %q, want one", first)
			}
			for range 5 { // in the processing, then in the verification
				b.service.blocked = true
				b.pass(20 * time.Minute)
				b.service.blocked = false
				b.pass(20 * time.Minute)
			}
			if got := b.titles(); got != first {
				t.Errorf("alerts: %s", got)
			}
			b.service.err = func(job.Job) error { return nil }
			b.pass(2 * time.Hour)
			if got := b.titles(); got != first+"; Resolved: "+first {
				t.Errorf("alerts: %s", got)
			}
		})
	}
}

// The all-clear of a job that waited comes also where the process ended before it could take itself off the report.
func TestAwaitEndsWithoutItsJob(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.service.err = func(job.Job) error {
		c := alert.Cause{Key: executor.AwaitingPrefix + "x", Severity: alert.Critical, Title: "It waits"}
		return executor.Await(c, time.Minute, errors.New("not changed yet"))
	}
	b.pass(time.Hour)
	j, err := b.jobs.Get(t.Context(), "job01")
	if err != nil {
		t.Fatal(err)
	}
	j.Attempts.Transient, j.Status, j.NextAction = 0, job.Completed, job.None // as its process stored it
	if _, err := b.jobs.Update(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	b.pass(2 * time.Minute)
	if got := b.titles(); got != "It waits; Resolved: It waits" {
		t.Errorf("alerts: %s", got)
	}
}
