package admin_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/operator"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
	"github.com/madara-orchestrator/orchestrator/shared/service/alerting"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
)

// bench is a chain with jobs of one type, and an operator.
type bench struct {
	*admin.Service
	t      *testing.T
	now    time.Time
	jobs   *memory.Jobs
	queues *memory.Queues
	events *memory.Events
	worker *executor.Executor
	done   int // jobs that were worked on
}

// Process implements worker.Handler.
func (b *bench) Process(context.Context, *executor.Run) error { b.done++; return nil }

// Verify implements worker.Handler.
func (b *bench) Verify(context.Context, *executor.Run) (job.Verdict, error) {
	return job.Verified(), nil
}

func setup(t *testing.T, layer stage.Layer) *bench {
	t.Helper()
	b := &bench{t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	env := &fault.Env{Now: func() time.Time { return b.now }}
	var ds []memory.Declaration
	for _, q := range resource.Queues() {
		ds = append(ds, memory.Declaration{Name: q.Name})
	}
	queues, err := memory.NewQueues(env, ds...)
	if err != nil {
		t.Fatal(err)
	}
	control := memory.NewControls(env)
	b.jobs, b.queues, b.events = memory.NewJobs(env), queues, memory.NewEvents(env)
	b.worker = &executor.Executor{
		Jobs: b.jobs, Queue: queues, Route: resource.Route, Alerts: &alerting.Reporter{Notifier: memory.NewAlerts(env),
			Store: memory.NewReports(env), Now: time.Now}, Events: b.events, Control: control,
		Wake:     &executor.Waker{Queue: queues, QueueName: resource.TriggerQueue, Layer: layer},
		Handlers: map[job.Type]executor.Handler{job.SnosRun: b},
		Policies: job.Policies(), Now: env.Now, NewOwner: job.NewID, Log: slog.New(slog.DiscardHandler),
	}
	b.Service = &admin.Service{
		Chain: "test", Seat: operator.Seat{Chain: "test"},
		Layer: layer, Jobs: b.jobs, Batches: memory.NewBatches(env), Control: control,
		Executor: b.worker, Queue: queues, Trigger: resource.TriggerQueue,
		Events: b.events, Now: env.Now, Log: slog.New(slog.DiscardHandler),
	}
	return b
}

// create stores the SnosRun jobs of batches 1 to n.
func (b *bench) create(n int, change func(job.Job) job.Job) {
	b.t.Helper()
	for i := range n {
		j := job.New(job.NewID(), uint64(i+1), &job.SnosRunMeta{}, "", b.now)
		if err := b.jobs.Create(b.t.Context(), change(j)); err != nil {
			b.t.Fatal(err)
		}
	}
}

// waiting is how many messages a queue has.
func (b *bench) waiting(name string) int {
	b.t.Helper()
	ds, err := b.queues.Receive(b.t.Context(), name, 10, 0)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, d := range ds {
		if err := b.queues.Delete(b.t.Context(), name, d.Handle); err != nil {
			b.t.Fatal(err)
		}
	}
	return len(ds)
}

func same(j job.Job) job.Job { return j }

var why = admin.Command{By: "ann", Reason: "the prover is being upgraded"}

// Every answer that shows a job says that its stage is paused: a job alone, a list, a batch, a block, what blocks
// settlement, and what a command has done. Where the paused stages can't be read, the answer comes with another hint.
func TestHintOfAPausedStage(t *testing.T) {
	t.Parallel()
	for _, l := range []stage.Layer{stage.L2, stage.L3} {
		b := setup(t, l)
		span := batch.Span{StartBlock: 10, EndBlock: 14, Reason: batch.BlockCount}
		if err := errors.Join(b.Batches.CreateSnos(t.Context(), batch.SnosBatch{Index: 1, Aggregator: 1, Span: span}),
			b.Batches.CreateAggregator(t.Context(), batch.AggregatorBatch{Index: 1, FirstSnos: 1, Span: span,
				Snos: []batch.Span{span}})); err != nil {
			t.Fatal(err)
		}
		b.create(1, same)
		if _, err := b.Pause(t.Context(), "SnosRun", why); err != nil {
			t.Fatal(err)
		}
		for name, shown := range b.shown() {
			if !strings.HasPrefix(shown.Hint, "Its stage is paused. To let it go on: make ops") {
				t.Errorf("%s, %s: the hint is %q", l, name, shown.Hint)
			}
		}
		rules := fault.NewRules(fault.Rule{Times: -1, Fault: fault.Fault{Kind: fault.FailBefore, Err: errDown}})
		b.Control = memory.NewControls(&fault.Env{Hook: rules})
		if shown := b.shown(); len(shown) != 6 || shown["job"].Hint != "It is about to be processed." {
			t.Errorf("%s: the paused stages can't be read: %+v", l, shown)
		}
	}
}

// shown is the first job as each answer shows it.
func (b *bench) shown() map[string]admin.Job {
	b.t.Helper()
	ctx := b.t.Context()
	list, err := b.ListJobs(ctx, admin.JobQuery{})
	if err != nil || len(list.Jobs) != 1 {
		b.t.Fatalf("%+v, %v", list, err)
	}
	one, err := b.JobByID(ctx, list.Jobs[0].ID)
	whole, werr := b.BatchByIndex(ctx, "", 1)
	block, berr := b.Block(ctx, 12)
	done, derr := b.Service.Process(ctx, list.Jobs[0].ID, why)
	lag := b.Lag(ctx)
	if err := errors.Join(err, werr, berr, derr); err != nil || len(whole.Jobs) != 1 || len(block.Jobs) != 1 ||
		lag.Blocking == nil {
		b.t.Fatalf("%v, %+v, %+v, %+v", err, whole.Jobs, block.Jobs, lag)
	}
	return map[string]admin.Job{"list": list.Jobs[0], "job": one.Job, "batch": whole.Jobs[0], "block": block.Jobs[0],
		"command": done, "lag": *lag.Blocking}
}

// Each file has a link for as long as the settings say, except signed transactions; without the setting none has.
func TestArtifactLinks(t *testing.T) {
	t.Parallel()
	b, store := setup(t, stage.L2), memory.NewArtifacts(nil)
	b.Artifacts = store
	j := job.New("00000000000000000000000000000009", 2, &job.StateTransitionMeta{}, "", b.Now())
	if err := errors.Join(
		b.Batches.CreateAggregator(t.Context(), batch.AggregatorBatch{Index: 2, FirstSnos: 2,
			Snos: make([]batch.Span, 1)}),
		b.Jobs.Create(t.Context(), j),
		store.Put(t.Context(), artifact.SNOSKey(2, 0, "x"), strings.NewReader("x")),
		store.Put(t.Context(), artifact.TransactionKey(j.ID, "0x1"), strings.NewReader("x")),
	); err != nil {
		t.Fatal(err)
	}
	for _, age := range []time.Duration{0, time.Hour, 8 * 24 * time.Hour} {
		b.Links, b.LinkAge = memory.NewLinks(store, "http://127.0.0.1:1/files"), age
		l, err := b.ArtifactsOf(t.Context(), "", 2)
		if age > artifact.MaxLinkAge {
			if !errors.Is(err, artifact.ErrLifetime) {
				t.Errorf("%s: %v", age, err)
			}
			continue
		}
		if err != nil || len(l.Artifacts) != 2 {
			t.Fatalf("%+v, %v", l, err)
		}
		if linked := l.Artifacts[0].Link != ""; linked != (age > 0) || l.LinksEnd.IsZero() == linked ||
			linked && !l.LinksEnd.Equal(b.Now().Add(age)) {
			t.Errorf("%s: %+v", age, l)
		}
		if l.Artifacts[1].Link != "" {
			t.Errorf("a signed transaction has the link %s", l.Artifacts[1].Link)
		}
	}
}

// The files of what one state update settles are those of its SNOS batches and its own; on an L3, where that is a SNOS
// batch, its accumulators lie where an L2 has the aggregator batch's.
func TestArtifactsOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		layer stage.Layer
		kind  string
		want  []string
	}{
		{stage.L2, "", []string{artifact.AccumulatorKey(2, 0, 1, 9), artifact.SNOSKey(2, 0, "x"),
			artifact.SNOSKey(3, 0, "x")}},
		{stage.L2, admin.KindSnos, []string{artifact.SNOSKey(2, 0, "x")}},
		{stage.L3, "", []string{artifact.AccumulatorKey(2, 0, 1, 9), artifact.SNOSKey(2, 0, "x")}},
	} {
		b, store := setup(t, tt.layer), memory.NewArtifacts(nil)
		b.Artifacts = store
		err := errors.Join(b.Batches.CreateSnos(t.Context(), batch.SnosBatch{Index: 2}),
			b.Batches.CreateAggregator(t.Context(), batch.AggregatorBatch{Index: 2, FirstSnos: 2,
				Snos: make([]batch.Span, 2)}))
		for i := range uint64(5) {
			err = errors.Join(err, store.Put(t.Context(), artifact.SNOSKey(i, 0, "x"), strings.NewReader("x")),
				store.Put(t.Context(), artifact.AccumulatorKey(i, 0, 1, 9), strings.NewReader("x")))
		}
		list, lerr := b.ArtifactsOf(t.Context(), tt.kind, 2)
		if err := errors.Join(err, lerr); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, a := range list.Artifacts {
			got = append(got, a.Key)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s %q: %v, want %v", tt.layer, tt.kind, got, tt.want)
		}
	}
}

// A paused stage does nothing; resumed, what waited goes on at once. Both are kept for the audit.
func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	b := setup(t, stage.L2)
	b.create(2, same)
	st, err := b.Pause(t.Context(), "SnosRun", why)
	if err != nil || !st.Paused || st.By != "ann" || st.Reason != why.Reason || !st.Since.Equal(b.now) || !st.Jobs {
		t.Fatalf("%+v, %v", st, err)
	}
	js, err := b.jobs.List(t.Context(), job.Filter{Type: job.SnosRun, Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.worker.Handle(t.Context(), js[0].Wakeup()); err != nil || b.done != 0 {
		t.Errorf("a paused stage worked on %d jobs, %v", b.done, err)
	}
	if l := b.Lag(t.Context()); len(l.Paused) != 1 || l.Paused[0] != "SnosRun" {
		t.Errorf("/lag says that %v are paused, %v", l.Paused, err)
	}
	b.now = b.now.Add(time.Hour)
	d, err := b.JobByID(t.Context(), js[0].ID)
	if l := b.Lag(t.Context()); err != nil || l.Blocking == nil || d.Hint != l.Blocking.Hint ||
		!strings.Contains(d.Hint, "paused. To let it go on: make ops") {
		t.Errorf("the hint of a paused stage's job is %q, in /lag %+v, %v", d.Hint, l.Blocking, err)
	}
	later := admin.Command{By: "bob", Reason: "me too"}
	if st, err = b.Pause(t.Context(), "SnosRun", later); err != nil || st.By != "ann" {
		t.Errorf("paused again it is %+v, %v; want the first command's data", st, err)
	}
	if st, err = b.Resume(t.Context(), "SnosRun", later); err != nil || st.Paused {
		t.Errorf("resumed it is %+v, %v", st, err)
	}
	if n := b.waiting(resource.Route(job.SnosRun, job.Process, false)); n != 2 {
		t.Errorf("%d jobs were woken, want 2", n)
	}
	js, err = b.jobs.List(t.Context(), job.Filter{Type: job.SnosRun, Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.worker.Handle(t.Context(), js[0].Wakeup()); err != nil || b.done != 1 {
		t.Errorf("a resumed stage worked on %d jobs, %v", b.done, err)
	}
	var published []string
	for _, e := range b.events.Published() {
		if e.Type == event.StagePaused || e.Type == event.StageResumed {
			published = append(published, string(e.Type)+" "+e.Detail["stage"]+" "+e.Detail["by"])
		}
	}
	if got := strings.Join(published, ", "); got != "StagePaused SnosRun ann, StagePaused SnosRun bob, StageResumed "+
		"SnosRun bob" {
		t.Errorf("events %s", got)
	}
}

// The stages are those of the layer; workers are run by a message.
func TestStages(t *testing.T) {
	t.Parallel()
	for layer, want := range map[stage.Layer]string{
		stage.L2: "AggregatorBatching SnosBatching SnosRun ProofCreation Aggregator StateTransition StorageCleanup " +
			"Reconcile",
		stage.L3: "SnosBatching SnosRun ProofCreation ProofRegistration DataSubmission StateTransition " +
			"StorageCleanup Reconcile",
	} {
		b := setup(t, layer)
		l, err := b.Stages(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, s := range l.Stages {
			names = append(names, string(s.Stage))
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s has %s, want %s", layer, got, want)
		}
		if _, err := b.Requeue(t.Context(), "StorageCleanup", why); err != nil ||
			b.waiting(resource.TriggerQueue) != 1 {
			t.Errorf("%s: a worker was not run: %v", layer, err)
		}
	}
}

// A command about a stage concerns 100 jobs, wants a reason and a stage that there is, and leaves alone what is being
// worked on.
func TestStageCommands(t *testing.T) {
	t.Parallel()
	b := setup(t, stage.L2)
	b.create(130, func(j job.Job) job.Job { return j.FailedPermanently(b.now, errors.New("broken")) })
	for want, o := range map[error]func() error{
		admin.ErrInvalid: func() error {
			_, err := b.RetryAll(t.Context(), "SnosRun", admin.Command{By: "ann"})
			return err
		},
		admin.ErrUnknown: func() error { _, err := b.Pause(t.Context(), "DataSubmission", why); return err },
	} {
		if err := o(); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	if _, err := b.RetryAll(t.Context(), "Reconcile", why); !errors.Is(err, admin.ErrInvalid) {
		t.Errorf("retry of a worker: %v", err)
	}
	got, err := b.RetryAll(t.Context(), "SnosRun", why)
	if err != nil || len(got.Done) != 100 || len(got.Refused) != 0 || !got.More {
		t.Errorf("%d retried, %d refused, more %t, %v", len(got.Done), len(got.Refused), got.More, err)
	}
	if got, err = b.RetryAll(t.Context(), "SnosRun", why); err != nil || len(got.Done) != 30 || got.More {
		t.Errorf("then %d retried, more %t, %v", len(got.Done), got.More, err)
	}
	js, err := b.jobs.List(t.Context(), job.Filter{Type: job.SnosRun, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	held := js[0]
	held.Lease = job.Lease{Owner: "somebody", ExpiresAt: b.now.Add(time.Minute)}
	if _, err := b.jobs.Update(t.Context(), held); err != nil {
		t.Fatal(err)
	}
	if got, err = b.Requeue(t.Context(), "SnosRun", why); err != nil || len(got.Done) != 99 || len(got.Refused) != 1 ||
		got.Refused[0].ID != held.ID || !got.More {
		t.Errorf("%d requeued, refused %v, more %t, %v", len(got.Done), got.Refused, got.More, err)
	}
}
