package takeover_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	core "github.com/madara-orchestrator/orchestrator/shared/core/takeover"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/prover"
	"github.com/madara-orchestrator/orchestrator/shared/service/aggregator"
	"github.com/madara-orchestrator/orchestrator/shared/service/alerting"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
	"github.com/madara-orchestrator/orchestrator/shared/service/proofcreation"
	"github.com/madara-orchestrator/orchestrator/shared/service/takeover"
	"github.com/madara-orchestrator/orchestrator/shared/service/triggering"
)

// atProver are the facts of a chain whose old orchestrator had batches 3 and 4 with all their proofs at the prover when
// it was stopped, and batch 5 open.
func atProver() takeover.Facts {
	f := stopped()
	f.Buckets, f.Known = true, map[string]bool{"task-5": true, "task-6": true, "task-7": true, "task-8": true}
	f.Old.Unsettled = []core.Batch{
		{Index: 3, StartBlock: 20, EndBlock: 29, Status: "ReadyForStateUpdate", Bucket: "bucket-3"},
		{Index: 4, StartBlock: 30, EndBlock: 39, Status: "Closed", Bucket: "bucket-4"},
		{Index: 5, StartBlock: 40, EndBlock: 44, Status: "Open", Bucket: "bucket-5"},
	}
	f.Old.Tasks = map[uint64]string{}
	for i := uint64(5); i <= 9; i++ {
		f.Old.Snos = append(f.Old.Snos, core.Snos{Aggregator: (i + 1) / 2, Batch: core.Batch{
			Index: i, StartBlock: 5 * (i - 1), EndBlock: 5*i - 1, Status: "SnosJobCreated", StarknetVersion: "0.14.1"}})
		f.Old.Tasks[i] = fmt.Sprintf("task-%d", i)
	}
	return f
}

// What can be carried on, and what is done again and why.
func TestCarry(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change  func(*takeover.Facts)
		carried []uint64
		begin   uint64
		dropped int
		note    string
	}{
		"all that is at the prover": {func(*takeover.Facts) {}, []uint64{3, 4}, 40, 1,
			"batch 5 and those after it are done again: it is Open"},
		"no buckets": {func(f *takeover.Facts) { f.Buckets = false }, nil, 20, 3,
			"prover has no buckets"},
		"one that is not at the prover yet": {func(f *takeover.Facts) { delete(f.Old.Tasks, 8) }, []uint64{3}, 30, 2,
			"SNOS batch 8 is not at the prover yet"},
		"one that the prover does not know": {func(f *takeover.Facts) { f.Known["task-5"] = false }, nil, 20, 3,
			"does not know task task-5"},
		"one that failed": {func(f *takeover.Facts) { f.Old.Unsettled[0].Status = "AggregationFailed" }, nil, 20, 3,
			"it is AggregationFailed"},
		"one without a bucket": {func(f *takeover.Facts) { f.Old.Unsettled[1].Bucket = "" }, []uint64{3}, 30, 2,
			"it has no bucket"},
		"a SNOS batch is missing": {func(f *takeover.Facts) { f.Old.Snos = f.Old.Snos[1:] }, nil, 20, 3,
			"SNOS batch 6 begins at block 25, not 20"},
		"the last SNOS batch is missing": {func(f *takeover.Facts) { f.Old.Snos = f.Old.Snos[:3] }, []uint64{3}, 30, 2,
			"its SNOS batches end at block 34, it ends at 39"},
		"a refused takeover": {func(f *takeover.Facts) { f.Wallet.Pending = 9 }, nil, 20, 3, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := atProver()
			tt.change(&f)
			p := takeover.Make(f)
			var carried []uint64
			for _, c := range p.Carried {
				carried = append(carried, c.Index)
			}
			if fmt.Sprint(carried) != fmt.Sprint(tt.carried) || p.Begin != tt.begin || len(p.Dropped) != tt.dropped ||
				!strings.Contains(strings.Join(p.Notes, "\n"), tt.note) {
				t.Errorf("carries %v, begins with block %d, drops %d, notes %q", carried, p.Begin, len(p.Dropped),
					p.Notes)
			}
		})
	}
}

// taken is a takeover on a prover that has the old tasks, with today's functions for what is carried on.
type taken struct {
	*takeover.Taker
	prover   *prover.Prover
	batches  *memory.Batches
	jobs     *memory.Jobs
	triggers *triggering.Triggers
	now      time.Time
}

// nothing is batching without new blocks, and workers that do nothing.
type nothing struct{}

func (nothing) Run(context.Context) error                     { return nil }
func (nothing) RunAggregator(context.Context) error           { return nil }
func (nothing) CloseAggregator(context.Context, uint64) error { return nil }
func (nothing) CloseSnos(context.Context, uint64) error       { return nil }
func (nothing) RunSnos(context.Context) error                 { return nil }
func (nothing) RunSnosOfAggregators(context.Context) error    { return nil }

func take(t *testing.T) *taken {
	t.Helper()
	k := &taken{now: now, batches: memory.NewBatches(nil), jobs: memory.NewJobs(nil),
		prover: prover.New(nil, prover.Config{Capabilities: proof.Capabilities{Buckets: true}, Polls: 1})}
	f := atProver()
	for i := range f.Old.Unsettled { // as the old orchestrator has submitted them
		b := &f.Old.Unsettled[i]
		var err error
		if b.Bucket, err = k.prover.OpenBucket(t.Context(), fmt.Sprintf("old-%d", b.Index), "0.14.1"); err != nil {
			t.Fatal(err)
		}
	}
	for i, s := range f.Old.Snos {
		task, err := k.prover.Submit(t.Context(), proof.Request{Kind: proof.Child, DedupID: fmt.Sprint("old", s.Index),
			Batch: s.Index, Bucket: f.Old.Unsettled[s.Aggregator-3].Bucket, Index: uint64(i % 2), InputSize: 3,
			Input: func(context.Context) (io.ReadCloser, error) {
				return io.NopCloser(bytes.NewReader([]byte("pie"))), nil
			}})
		if err != nil {
			t.Fatal(err)
		}
		f.Old.Tasks[s.Index] = task
	}
	k.Taker = taker(f, k.batches)
	k.Jobs, k.Prover = k.jobs, k.prover
	env := &fault.Env{Now: func() time.Time { return k.now }}
	queues, err := memory.NewQueues(env, memory.Declaration{Name: "jobs"}, memory.Declaration{Name: "trigger"})
	if err != nil {
		t.Fatal(err)
	}
	log, control, id := slog.New(slog.DiscardHandler), memory.NewControls(env), 0
	files := memory.NewArtifacts(env)
	e := &executor.Executor{
		Jobs: k.jobs, Queue: queues, Route: func(job.Type, job.Action, bool) string { return "jobs" },
		Wake: &executor.Waker{Queue: queues, QueueName: "trigger", Layer: stage.L2, Log: log},
		Alerts: &alerting.Reporter{Notifier: memory.NewAlerts(env), Store: memory.NewReports(env), Now: env.Now,
			Log: log},
		Events:   memory.NewEvents(env),
		Control:  control,
		Policies: job.Policies(), Now: env.Now, NewOwner: func() string { return "new" }, Chain: "dev", Log: log,
		Handlers: map[job.Type]executor.Handler{
			job.ProofCreation: &proofcreation.Handler{Prover: k.prover, Artifacts: files},
			job.Aggregator:    &aggregator.Handler{Prover: k.prover, Jobs: k.jobs, Artifacts: files},
		},
	}
	k.triggers = &triggering.Triggers{
		Settings: triggering.Settings{Layer: stage.L2, Window: 50, FirstBatch: 1, Chain: "dev"},
		Jobs:     k.jobs, Batches: k.batches, Executor: e, Prover: k.prover, Batching: nothing{}, Lag: nothing{},
		Cleanup: nothing{}, Reconcile: nothing{}, Control: control, Events: e.Events, Now: env.Now, Log: log,
		NewID: func() string { id++; return fmt.Sprintf("%032x", 1000+id) },
	}
	return k
}

// pass runs every worker and what is due of the prover's jobs.
func (k *taken) pass(t *testing.T) {
	t.Helper()
	for _, s := range stage.Names() {
		if err := k.triggers.Run(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	due, err := k.jobs.Due(t.Context(), k.now, job.MaxPage, job.StateTransition)
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range due {
		if err := k.triggers.Executor.Handle(t.Context(), j.Wakeup()); err != nil {
			t.Fatal(err)
		}
	}
	k.now = k.now.Add(10 * time.Minute)
}

// Batches at the prover are carried on: no proof is asked for again, the old buckets are closed and aggregated, and the
// state updates follow the settled batch.
func TestCarriedOn(t *testing.T) {
	t.Parallel()
	k := take(t)
	asked := len(k.prover.Tasks())
	for range 2 { // again changes nothing
		p, err := k.Plan(t.Context())
		if err != nil || len(p.Refusals) > 0 || len(p.Carried) != 2 || p.Begin != 40 {
			t.Fatalf("%+v, %v", p, err)
		}
		if err := k.Apply(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	for range 8 {
		k.pass(t)
	}
	for _, i := range []uint64{3, 4} {
		if b, err := k.batches.Aggregator(t.Context(), i); err != nil || b.Status != batch.InStateTransition {
			t.Errorf("batch %d is %s, %v", i, b.Status, err)
		}
		for _, name := range []string{artifact.PIE, artifact.ProgramOutput, artifact.DASegment} {
			if _, err := k.triggers.Executor.Handlers[job.Aggregator].(*aggregator.Handler).Artifacts.Stat(t.Context(),
				artifact.AggregatorKey(i, 0, name)); err != nil {
				t.Errorf("batch %d: %v", i, err)
			}
		}
	}
	j, err := k.jobs.Find(t.Context(), job.StateTransition, 3)
	if err != nil || j.Metadata.(*job.StateTransitionMeta).StartBlock != 20 {
		t.Errorf("the first state update is %+v, %v", j, err)
	}
	for _, task := range k.prover.Tasks()[asked:] {
		if task.Request.Kind != proof.Aggregation {
			t.Errorf("%s of batch %d was asked for again", task.Request.Kind, task.Request.Batch)
		}
	}
}

// A crash at any document is completed by the next try.
func TestCarriedOnAfterCrash(t *testing.T) {
	t.Parallel()
	for after := 0; ; after++ {
		k := take(t)
		calls := 0
		stop := func() bool { calls++; return calls > after }
		k.Batches, k.Jobs = ending{k.batches, stop}, endingJobs{k.jobs, stop}
		p, err := k.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		err = k.Apply(t.Context(), p)
		if err == nil {
			if after < 10 {
				t.Errorf("only %d documents are written", after)
			}
			return
		}
		if !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
		k.Batches, k.Jobs = k.batches, k.jobs
		if p, err = k.Plan(t.Context()); err != nil || len(p.Refusals) > 0 {
			t.Fatalf("after %d documents: %v, %v", after, p.Refusals, err)
		}
		if err := k.Apply(t.Context(), p); err != nil {
			t.Fatalf("after %d documents: %v", after, err)
		}
		if a, err := k.batches.LastAggregator(t.Context()); err != nil || a.Index != 4 {
			t.Errorf("after %d documents the last batch is %d, %v", after, a.Index, err)
		}
	}
}

type ending struct {
	batch.Store
	stop func() bool
}

func (e ending) CreateSnos(ctx context.Context, b batch.SnosBatch) error {
	if e.stop() {
		return errCrash
	}
	return e.Store.CreateSnos(ctx, b)
}

func (e ending) CreateAggregator(ctx context.Context, b batch.AggregatorBatch) error {
	if e.stop() {
		return errCrash
	}
	return e.Store.CreateAggregator(ctx, b)
}

type endingJobs struct {
	job.Store
	stop func() bool
}

func (e endingJobs) Create(ctx context.Context, j job.Job) error {
	if e.stop() {
		return errCrash
	}
	return e.Store.Create(ctx, j)
}
