package executor_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/service/alerting"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const (
	jobQueue     = "jobs"
	triggerQueue = "trigger"
)

// handler does what a row says and counts its calls.
type handler struct {
	process func(*executor.Run) error
	verify  func(*executor.Run) (job.Verdict, error)
	calls   int
}

func (h *handler) Process(_ context.Context, r *executor.Run) error {
	h.calls++
	return h.process(r)
}

func (h *handler) Verify(_ context.Context, r *executor.Run) (job.Verdict, error) {
	h.calls++
	return h.verify(r)
}

// world is an executor on ports in memory, with one ProofCreation job.
type world struct {
	*executor.Executor
	t       *testing.T
	now     time.Time
	jobs    *memory.Jobs
	queues  *memory.Queues
	alerts  *memory.Alerts
	events  *memory.Events
	handler handler
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: start}
	env := &fault.Env{Now: func() time.Time { return w.now }}
	queues, err := memory.NewQueues(env, memory.Declaration{Name: jobQueue}, memory.Declaration{Name: triggerQueue})
	if err != nil {
		t.Fatal(err)
	}
	w.jobs, w.queues, w.alerts, w.events = memory.NewJobs(env), queues, memory.NewAlerts(env), memory.NewEvents(env)
	w.handler = handler{
		process: func(*executor.Run) error { return nil },
		verify:  func(*executor.Run) (job.Verdict, error) { return job.Verified(), nil },
	}
	log := slog.New(slog.DiscardHandler)
	w.Executor = &executor.Executor{
		Jobs: w.jobs, Queue: queues, Route: func(job.Type, job.Action, bool) string { return jobQueue },
		Wake:   &executor.Waker{Queue: queues, QueueName: triggerQueue, Layer: stage.L2, Log: log},
		Alerts: &alerting.Reporter{Notifier: w.alerts, Store: memory.NewReports(env), Now: env.Now, Log: log},
		Events: w.events, Control: memory.NewControls(env),
		Handlers: map[job.Type]executor.Handler{job.ProofCreation: &w.handler}, Policies: job.Policies(),
		Now: env.Now, NewOwner: func() string { return "me" }, Chain: "dev", Log: log,
	}
	return w
}

// create stores the job as change makes it of a new one, and returns it.
func (w *world) create(change func(job.Job) job.Job) job.Job {
	w.t.Helper()
	j := job.New(strings.Repeat("a", 32), 7, &job.ProofCreationMeta{PIEKey: "k"}, "trace", start)
	if change != nil {
		j = change(j)
		j.Version = 1
	}
	if err := w.jobs.Create(w.t.Context(), j); err != nil {
		w.t.Fatal(err)
	}
	return j
}

func (w *world) stored(id string) job.Job {
	w.t.Helper()
	j, err := w.jobs.Get(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return j
}

// sent is how many messages a queue holds, whether they are delayed or not.
func (w *world) sent(queue string) int {
	w.t.Helper()
	d, err := w.queues.Depth(w.t.Context(), queue)
	if err != nil {
		w.t.Fatal(err)
	}
	return d.Ready + d.Delayed + d.InFlight
}

func policy() job.Policy { return job.Policies()[job.ProofCreation] }

// claimed is the job as another invocation has claimed it.
func claimed(j job.Job) job.Job {
	next, _ := j.Claim(j.Wakeup(), "other", start, policy())
	return next
}

// panicked is the job after all panics but one that its policy allows; crashing is claimed besides.
func panicked(j job.Job) job.Job {
	j.Attempts.Crashes = policy().MaxCrashes - 1
	return j
}

// otherGeneration is a wake-up that is not the job's current one.
func otherGeneration(j job.Job) job.Message {
	m := j.Wakeup()
	m.Generation += 8
	return m
}

func crashing(j job.Job) job.Job { return panicked(claimed(j)) }

// One row for each result of a claim: whether the handler runs, what is stored, what is sent.
func TestHandleByClaim(t *testing.T) {
	t.Parallel()
	for result, tt := range map[job.ClaimResult]struct {
		job     func(job.Job) job.Job
		message func(job.Job) job.Message
		after   time.Duration // when the wake-up comes
		runs    int
		status  job.Status
		wakeups int // sent for the job's next action
		alerts  int
	}{
		job.Claimed: {nil, job.Job.Wakeup, 0, 1, job.PendingVerification, 1, 0},
		job.Stale:   {nil, otherGeneration, 0, 0, job.Created, 0, 0},
		job.Early: {func(j job.Job) job.Job { j.DueAt = start.Add(time.Hour); return j }, job.Job.Wakeup,
			0, 0, job.Created, 1, 0},
		job.Busy:  {claimed, job.Job.Wakeup, time.Second, 0, job.LockedForProcessing, 0, 0},
		job.Spent: {crashing, job.Job.Wakeup, time.Hour, 0, job.Failed, 0, 1},
	} {
		t.Run(string(result), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			j := w.create(tt.job)
			w.now = start.Add(tt.after)
			if _, got := j.Claim(tt.message(j), "me", w.now, policy()); got != result {
				t.Fatalf("the row's claim is %s", got)
			}
			if err := w.Handle(t.Context(), tt.message(j)); err != nil {
				t.Fatal(err)
			}
			now := w.stored(j.ID)
			if w.handler.calls != tt.runs || now.Status != tt.status {
				t.Errorf("the handler ran %d times, the job is %s; want %d, %s",
					w.handler.calls, now.Status, tt.runs, tt.status)
			}
			if n, alerts := w.sent(jobQueue), len(w.alerts.Sent()); n != tt.wakeups || alerts != tt.alerts {
				t.Errorf("%d wake-ups and %d alerts, want %d and %d", n, alerts, tt.wakeups, tt.alerts)
			}
		})
	}
}

// One row for each outcome of processing and of verification.
func TestHandleByOutcome(t *testing.T) {
	t.Parallel()
	submitted := func(j job.Job) job.Job {
		next := claimed(j).Submitted(start, policy())
		next.DueAt = start
		return next
	}
	verdict := func(v job.Verdict) func(*world) {
		return func(w *world) { w.handler.verify = func(*executor.Run) (job.Verdict, error) { return v, nil } }
	}
	fails := func(err error) func(*world) {
		return func(w *world) {
			w.handler.process = func(*executor.Run) error { return err }
			w.handler.verify = func(*executor.Run) (job.Verdict, error) { return job.Verdict{}, err }
		}
	}
	panics := func(w *world) { w.handler.process = func(*executor.Run) error { panic("x") } }
	for name, tt := range map[string]struct {
		job    func(job.Job) job.Job
		set    func(*world)
		status job.Status
		next   job.Action
		alerts int
		wakes  int // messages to trigger workers
		crash  int
	}{
		"processing submits":           {nil, func(*world) {}, job.PendingVerification, job.Verify, 0, 0, 0},
		"processing fails transiently": {nil, fails(errors.New("down")), job.Created, job.Process, 0, 0, 0},
		"processing fails permanently": {nil, fails(job.Permanentf("no")), job.Failed, job.None, 1, 0, 0},
		"processing panics":            {nil, panics, job.Created, job.Process, 0, 0, 1},
		"verification verifies":        {submitted, verdict(job.Verified()), job.Completed, job.None, 0, 1, 0},
		"verification is pending": {submitted, verdict(job.Pending("wait")), job.PendingVerification, job.Verify,
			0, 0, 0},
		"verification rejects": {submitted, verdict(job.Rejected("no")), job.Failed, job.None, 1, 0, 0},
		"verification lost it": {submitted, verdict(job.Lost("gone")), job.PendingRetry, job.Process, 0, 0,
			0},
		"verification is impossible": {submitted, verdict(job.NeverPossible("no")), job.Failed, job.None, 1, 0, 0},
		"verification fails transiently": {submitted, fails(errors.New("down")), job.PendingVerification, job.Verify, 0,
			0, 0},
		"verification fails permanently": {submitted, fails(job.Permanentf("no")), job.Failed, job.None, 1, 0, 0},
		"verification is watched": {submitted, verdict(job.Verdict{Kind: job.VerdictVerified, Watch: true}),
			job.Completed, job.Verify, 0, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			j := w.create(tt.job)
			tt.set(w)
			if err := w.Handle(t.Context(), j.Wakeup()); err != nil {
				t.Fatal(err)
			}
			now := w.stored(j.ID)
			if now.Status != tt.status || now.NextAction != tt.next ||
				now.Attempts.Crashes != tt.crash || now.Lease.Owner != "" {
				t.Errorf("%s, next %q, %d crashes, lease %+v; want %s, %q, %d, free",
					now.Status, now.NextAction, now.Attempts.Crashes,
					now.Lease, tt.status, tt.next, tt.crash)
			}
			if n := len(w.alerts.Sent()); n != tt.alerts {
				t.Errorf("%d alerts, want %d", n, tt.alerts)
			}
			if n := w.sent(triggerQueue); n != tt.wakes {
				t.Errorf("%d stages were woken, want %d", n, tt.wakes)
			}
			want := 0 // a wake-up for the next action
			if tt.next != job.None {
				want = 1
			}
			if n := w.sent(jobQueue); n != want {
				t.Errorf("%d wake-ups, want %d", n, want)
			}
		})
	}
}

// A completed job whose watch can't go on stays completed and is stored. Operators are alerted once, after as many
// tries as of any failure, and it is over when the watch works again.
func TestWatchThatFails(t *testing.T) {
	t.Parallel()
	watched := func(j job.Job) job.Job {
		next := claimed(j).Submitted(start, policy())
		return next.WithVerdict(job.Verdict{Kind: job.VerdictVerified, Watch: true}, start, policy())
	}
	for name, verify := range map[string]func() (job.Verdict, error){
		"a permanent error": func() (job.Verdict, error) { return job.Verdict{}, job.Permanentf("corrupt") },
		"rejected":          func() (job.Verdict, error) { return job.Rejected("corrupt"), nil },
		"lost":              func() (job.Verdict, error) { return job.Lost("corrupt"), nil },
		"never possible":    func() (job.Verdict, error) { return job.NeverPossible("corrupt"), nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			j := w.create(watched)
			w.handler.verify = func(*executor.Run) (job.Verdict, error) { return verify() }
			try := func() job.Job {
				t.Helper()
				now := w.stored(j.ID)
				w.now = now.DueAt
				if err := w.Handle(t.Context(), now.Wakeup()); err != nil {
					t.Fatal(err)
				}
				return w.stored(j.ID)
			}
			for n := 1; n <= policy().AlertAfter+3; n++ {
				now := try()
				if now.Status != job.Completed || now.NextAction != job.Verify || now.Lease.Owner != "" ||
					now.Attempts.Transient != n || !now.EndedAt.Equal(start) {
					t.Fatalf("try %d: %s, next %q, lease %+v, %d failures in a row, ended %v", n, now.Status,
						now.NextAction, now.Lease, now.Attempts.Transient, now.EndedAt)
				}
				want := 0
				if n >= policy().AlertAfter {
					want = 1
				}
				sent := w.alerts.Sent()
				if len(sent) != want || want == 1 && !strings.Contains(sent[0].Detail, "corrupt") {
					t.Fatalf("try %d: alerts %+v, want %d", n, sent, want)
				}
			}
			w.handler.verify = func(*executor.Run) (job.Verdict, error) {
				return job.Verdict{Kind: job.VerdictFinal}, nil
			}
			now := try()
			if now.Status != job.Completed || now.NextAction != job.None {
				t.Errorf("%s, next %q", now.Status, now.NextAction)
			}
			if sent := w.alerts.Sent(); len(sent) != 2 || !strings.HasPrefix(sent[1].Title, "Resolved: ") {
				t.Errorf("alerts %+v, want an all-clear", sent)
			}
		})
	}
}

// A change of status is published, once.
func TestChangesArePublished(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	j := w.create(nil)
	for range 2 { // the second wake-up is stale
		if err := w.Handle(t.Context(), j.Wakeup()); err != nil {
			t.Fatal(err)
		}
	}
	es := w.events.Published()
	if len(es) != 1 || es[0].Type != event.JobChanged || es[0].Status != string(job.PendingVerification) ||
		es[0].Batch != 7 {
		t.Errorf("published %+v", es)
	}
}

// A message of a job that another function serves, or that does not exist, is not taken for done.
func TestHandleRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	j := w.create(nil)
	for name, m := range map[string]job.Message{
		"another type": {JobID: j.ID, Type: job.SnosRun, Action: job.Process, Generation: 1},
		"a job that is absent": {JobID: strings.Repeat("b", 32), Type: job.ProofCreation,
			Action: job.Process, Generation: 1},
	} {
		if err := w.Handle(t.Context(), m); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if w.handler.calls != 0 {
		t.Errorf("the handler ran %d times", w.handler.calls)
	}
}

// A paused stage drops wake-ups and changes nothing.
func TestHandlePaused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	j := w.create(nil)
	if err := w.Control.Pause(t.Context(), schedule.Pause{Stage: stage.ProofCreation, Since: start}); err != nil {
		t.Fatal(err)
	}
	if err := w.Handle(t.Context(), j.Wakeup()); err != nil || w.handler.calls != 0 ||
		w.stored(j.ID).Version != j.Version {
		t.Errorf("a paused stage: %v, the handler ran %d times, the job is %+v", err, w.handler.calls, w.stored(j.ID))
	}
}

// A result is not stored once another invocation has taken the job; that one's result counts.
func TestLostLease(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	j := w.create(nil)
	w.handler.process = func(r *executor.Run) error {
		taken := w.stored(j.ID)
		taken.ExternalID = "of the other"
		if _, err := w.jobs.Update(t.Context(), taken); err != nil {
			t.Error(err)
		}
		return r.Checkpoint(t.Context())
	}
	if err := w.Handle(t.Context(), j.Wakeup()); err != nil {
		t.Fatal(err)
	}
	if now := w.stored(j.ID); now.ExternalID != "of the other" || now.Status != job.LockedForProcessing {
		t.Errorf("stored %s, %q", now.Status, now.ExternalID)
	}
}

// Delay is in whole seconds and never longer than a queue holds a message.
func TestDelay(t *testing.T) {
	t.Parallel()
	for wait, want := range map[time.Duration]time.Duration{
		-time.Hour: 0, 0: 0, time.Millisecond: time.Second, 1500 * time.Millisecond: 2 * time.Second,
		time.Minute: time.Minute, time.Hour: 15 * time.Minute,
	} {
		if got := executor.Delay(start.Add(wait), start); got != want {
			t.Errorf("due in %v: delay %v, want %v", wait, got, want)
		}
	}
}
