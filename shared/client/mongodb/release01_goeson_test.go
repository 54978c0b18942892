package mongodb_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/client/mongodb"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/prover"
	"github.com/madara-orchestrator/orchestrator/shared/service/alerting"
	"github.com/madara-orchestrator/orchestrator/shared/service/cleanup"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
	"github.com/madara-orchestrator/orchestrator/shared/service/reconcile"
	"github.com/madara-orchestrator/orchestrator/shared/service/triggering"
)

// good is a handler whose external service does everything well.
type good struct{}

func (good) Process(context.Context, *executor.Run) error { return nil }

func (good) Verify(_ context.Context, r *executor.Run) (job.Verdict, error) {
	if r.Job.Status == job.Completed {
		return job.Verdict{Kind: job.VerdictFinal}, nil
	}
	return job.Verified(), nil
}

// nothing is batching without new blocks, and lag that is not measured.
type nothing struct{}

func (nothing) Run(context.Context) error                     { return nil }
func (nothing) RunAggregator(context.Context) error           { return nil }
func (nothing) CloseAggregator(context.Context, uint64) error { return nil }
func (nothing) CloseSnos(context.Context, uint64) error       { return nil }
func (nothing) RunSnos(context.Context) error                 { return nil }
func (nothing) RunSnosOfAggregators(context.Context) error    { return nil }

// upgraded is today's executor and trigger workers on a database that release 0.1 left.
type upgraded struct {
	*triggering.Triggers
	t   *testing.T
	db  *mongodb.DB
	now time.Time
}

func upgrade(t *testing.T, file string, l stage.Layer) *upgraded {
	t.Helper()
	db, _ := release01(t, file)
	u := &upgraded{t: t, db: db, now: wrote.Add(time.Hour)}
	env := &fault.Env{Now: func() time.Time { return u.now }}
	queues, err := memory.NewQueues(env, memory.Declaration{Name: "jobs"}, memory.Declaration{Name: "trigger"})
	if err != nil {
		t.Fatal(err)
	}
	log, id, handlers := slog.New(slog.DiscardHandler), 0, map[job.Type]executor.Handler{}
	for _, jt := range job.Types {
		handlers[jt] = good{}
	}
	e := &executor.Executor{
		Jobs: db.Jobs(), Queue: queues, Route: func(job.Type, job.Action, bool) string { return "jobs" },
		Wake:   &executor.Waker{Queue: queues, QueueName: "trigger", Layer: l, Log: log},
		Alerts: &alerting.Reporter{Notifier: memory.NewAlerts(env), Store: db.Reports(), Now: env.Now, Log: log},
		Events: memory.NewEvents(env), Control: db.Controls(), Handlers: handlers,
		Policies: job.Policies(), Now: env.Now, NewOwner: func() string { return "new" }, Chain: "dev", Log: log,
	}
	u.Triggers = &triggering.Triggers{
		Settings: triggering.Settings{Layer: l, Window: 50, FirstBatch: 1, Chain: "dev"},
		Jobs:     db.Jobs(), Batches: db.Batches(), Executor: e, Prover: prover.New(nil, prover.Config{}),
		Batching: nothing{}, Lag: nothing{}, Control: db.Controls(), Events: e.Events, Now: env.Now, Log: log,
		Cleanup: &cleanup.Cleaner{
			Layer: l, Jobs: db.Jobs(), Batches: db.Batches(), Artifacts: memory.NewArtifacts(env), Now: env.Now,
		},
		Reconcile: &reconcile.Reconciler{Jobs: db.Jobs(), Executor: e, Control: db.Controls(), Now: env.Now, Log: log},
		NewID:     func() string { id++; return fmt.Sprintf("%032x", 1000+id) },
	}
	return u
}

// pass runs every trigger worker and everything that is due, n times with ten minutes in between.
func (u *upgraded) pass(n int) {
	u.t.Helper()
	for range n {
		for _, s := range stage.Names() {
			if err := u.Run(u.t.Context(), s); err != nil {
				u.t.Fatal(err)
			}
		}
		due, err := u.db.Jobs().Due(u.t.Context(), u.now, job.MaxPage)
		if err != nil {
			u.t.Fatal(err)
		}
		for _, j := range due {
			if err := u.Executor.Handle(u.t.Context(), j.Wakeup()); err != nil {
				u.t.Fatal(err)
			}
		}
		u.now = u.now.Add(10 * time.Minute)
	}
}

// count is how many jobs of a type there are with one of the statuses; none: any.
func (u *upgraded) count(jt job.Type, statuses ...job.Status) int {
	u.t.Helper()
	js, err := u.db.Jobs().List(u.t.Context(), job.Filter{Type: jt, Statuses: statuses, Limit: job.MaxPage})
	if err != nil {
		u.t.Fatal(err)
	}
	return len(js)
}

// retry retries every job that waits for an operator, and returns how many.
func (u *upgraded) retry() int {
	u.t.Helper()
	n := 0
	for _, jt := range job.Types {
		waiting := job.Filter{Type: jt, Statuses: []job.Status{job.Failed, job.VerificationTimeout}, Limit: 100}
		js, err := u.db.Jobs().List(u.t.Context(), waiting)
		if err != nil {
			u.t.Fatal(err)
		}
		for _, j := range js {
			if _, err := u.Executor.Retry(u.t.Context(), j.ID, executor.Command{By: "ann"}); err != nil {
				u.t.Error(err)
			}
			n++
		}
	}
	return n
}

func (u *upgraded) resume(ns ...stage.Name) {
	u.t.Helper()
	for _, n := range ns {
		if err := u.db.Controls().Resume(u.t.Context(), n); err != nil {
			u.t.Fatal(err)
		}
	}
}

// An L2 that release 0.1 left goes on from where each of its jobs and batches was: what was paused stays paused until
// it is resumed, and then every closed batch settles, once and in order.
func TestRelease01_GoesOnL2(t *testing.T) {
	t.Parallel()
	u := upgrade(t, "release-0.1-l2.jsonl", stage.L2)
	proofs, updates := u.count(job.ProofCreation), u.count(job.StateTransition)
	u.pass(5)
	if p, s := u.count(job.ProofCreation), u.count(job.StateTransition); p != proofs || s != updates {
		t.Errorf("paused stages made jobs: %d proofs and %d state updates, were %d and %d", p, s, proofs, updates)
	}
	if n := u.count(job.StateTransition, job.PendingVerification); n != 1 {
		t.Errorf("the paused state update was verified: %d are pending, want 1", n)
	}
	if n := u.count(job.SnosRun, job.Completed); n != 13 {
		t.Errorf("%d SNOS runs are completed, want all 13: their stage was not paused", n)
	}
	u.resume(stage.ProofCreation, stage.StateTransition, stage.Reconcile)
	u.pass(60)
	if n := u.retry(); n != 2 {
		t.Errorf("%d jobs wait for an operator, want the failed one and the timed out one", n)
	}
	u.pass(60)
	for n := uint64(1); n <= 13; n++ {
		want := []batch.Status{batch.Completed, batch.Archived}
		if n == 13 {
			want = []batch.Status{batch.Open}
		}
		if st, err := aggregatorStatus(t.Context(), u.db, n); err != nil || !slices.Contains(want, st) {
			t.Errorf("aggregator batch %d is %s, %v, want %v", n, st, err, want)
		}
		if st, err := snosStatus(t.Context(), u.db, n); err != nil || st != batch.Proven {
			t.Errorf("SNOS batch %d is %s, %v, want Proven", n, st, err)
		}
	}
	for jt, want := range map[job.Type]int{
		job.SnosRun: 13, job.ProofCreation: 13, job.Aggregator: 12, job.StateTransition: 12,
	} {
		if all, done := u.count(jt), u.count(jt, job.Completed); all != want || done != want {
			t.Errorf("%d %s jobs, %d of them completed, want %d", all, jt, done, want)
		}
	}
}

// An L3 goes on likewise.
func TestRelease01_GoesOnL3(t *testing.T) {
	t.Parallel()
	u := upgrade(t, "release-0.1-l3.jsonl", stage.L3)
	runs := u.count(job.SnosRun)
	u.pass(5)
	if n := u.count(job.SnosRun); n != runs || u.count(job.SnosRun, job.LockedForProcessing) != 1 {
		t.Errorf("the paused stage went on: %d SNOS runs, were %d", n, runs)
	}
	u.resume(stage.SnosRun)
	u.pass(100)
	for n := uint64(1); n <= 9; n++ {
		want := []batch.Status{batch.Completed, batch.Archived}
		if n == 9 {
			want = []batch.Status{batch.Open}
		}
		if st, err := snosStatus(t.Context(), u.db, n); err != nil || !slices.Contains(want, st) {
			t.Errorf("SNOS batch %d is %s, %v, want %v", n, st, err, want)
		}
	}
	for _, jt := range job.Types {
		if !stage.L3.Has(jt) {
			continue
		}
		if all, done := u.count(jt), u.count(jt, job.Completed); all != 8 || done != 8 {
			t.Errorf("%d %s jobs, %d of them completed, want 8", all, jt, done)
		}
	}
}
