package triggering_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/prover"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
	"github.com/madara-orchestrator/orchestrator/shared/service/triggering"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// world is the trigger workers on ports in memory. ran are the parts with packages of their own that were run.
type world struct {
	*triggering.Triggers
	t       *testing.T
	jobs    *memory.Jobs
	batches *memory.Batches
	queues  *memory.Queues
	events  *memory.Events
	ran     []string
}

// part is one of those parts.
type part struct {
	w    *world
	name string
}

func (p part) Run(context.Context) error { p.w.ran = append(p.w.ran, p.name); return nil }

func (w *world) RunAggregator(ctx context.Context) error {
	return part{w, "aggregator batching"}.Run(ctx)
}

func (w *world) RunSnos(ctx context.Context) error { return part{w, "SNOS batching"}.Run(ctx) }

func (w *world) RunSnosOfAggregators(ctx context.Context) error {
	return part{w, "SNOS batches of aggregator batches"}.Run(ctx)
}

func (w *world) CloseAggregator(ctx context.Context, i uint64) error {
	return part{w, fmt.Sprintf("close aggregator batch %d", i)}.Run(ctx)
}

func (w *world) CloseSnos(ctx context.Context, i uint64) error {
	return part{w, fmt.Sprintf("close SNOS batch %d", i)}.Run(ctx)
}

func newWorld(t *testing.T, l stage.Layer, c proof.Capabilities) *world {
	t.Helper()
	env := &fault.Env{Now: func() time.Time { return now }}
	queues, err := memory.NewQueues(env, memory.Declaration{Name: "jobs"})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, jobs: memory.NewJobs(env), batches: memory.NewBatches(env), queues: queues,
		events: memory.NewEvents(env)}
	log, ids := slog.New(slog.DiscardHandler), 0
	control := memory.NewControls(env)
	w.Triggers = &triggering.Triggers{
		Settings: triggering.Settings{Layer: l, Window: 3, FirstBatch: 1, Chain: "dev"},
		Jobs:     w.jobs, Batches: w.batches, Prover: prover.New(nil, prover.Config{Capabilities: c}),
		Executor: &executor.Executor{
			Jobs: w.jobs, Queue: queues, Route: func(job.Type, job.Action, bool) string { return "jobs" },
			Control: control, Policies: job.Policies(), Now: env.Now, Log: log,
		},
		Batching: w, Cleanup: part{w, "cleanup"}, Reconcile: part{w, "reconcile"}, Lag: part{w, "lag"},
		Control: control, Events: w.events, Now: env.Now, Log: log,
		NewID: func() string { ids++; return fmt.Sprintf("%032x", ids) },
	}
	return w
}

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// snos stores SNOS batches from index 1 on, of two blocks each, with these statuses.
func (w *world) snos(statuses ...batch.Status) {
	w.t.Helper()
	for i, s := range statuses {
		n := uint64(i + 1)
		b := batch.SnosBatch{Index: n, Status: s, TraceID: "trace", Version: 1}
		b.StartBlock, b.EndBlock, b.StarknetVersion = 2*n, 2*n+1, "0.14.1"
		b.EndHash = felt.FromUint64(n)
		if w.Settings.Layer == stage.L2 {
			b.Aggregator = 1
		}
		w.check(w.batches.CreateSnos(w.t.Context(), b))
	}
}

// aggregators stores aggregator batches from index 1 on with these statuses, of one SNOS batch each.
func (w *world) aggregators(statuses ...batch.Status) {
	w.t.Helper()
	for i, s := range statuses {
		n := uint64(i + 1)
		b := batch.AggregatorBatch{Index: n, FirstSnos: n, Snos: make([]batch.Span, 1), Status: s,
			Bucket: "bucket", TraceID: "trace", Version: 1}
		b.StartBlock, b.EndBlock, b.StarknetVersion = 2*n, 2*n+1, "0.14.1"
		b.EndHash = felt.FromUint64(n)
		w.check(w.batches.CreateAggregator(w.t.Context(), b))
	}
}

// job stores a job of a batch with a status.
func (w *world) job(index uint64, s job.Status, m job.Metadata) {
	w.t.Helper()
	j := job.New(fmt.Sprintf("%030x%02d", index, len(m.JobType())), index, m, "trace", now)
	j.Status = s
	if s == job.Completed {
		j.NextAction = job.None
	}
	w.check(w.jobs.Create(w.t.Context(), j))
}

// sent is a state update whose transaction is recorded.
func sent() *job.StateTransitionMeta {
	return &job.StateTransitionMeta{Journal: tx.Journal{Records: []tx.Record{{Hash: "0x1"}}}}
}

// state is what a worker has changed: the jobs that are new, and the batches' statuses.
func (w *world) state() string {
	w.t.Helper()
	var out []string
	for _, t := range job.Types {
		js, err := w.jobs.List(w.t.Context(), job.Filter{Type: t, Statuses: []job.Status{job.Created}, Limit: 100})
		w.check(err)
		for _, j := range js {
			out = append(out, fmt.Sprintf("%s %d", t, j.Batch))
		}
	}
	for _, s := range batch.Statuses {
		bs, err := w.batches.ListSnos(w.t.Context(), s, 0, 100)
		w.check(err)
		for _, b := range bs {
			out = append(out, fmt.Sprintf("snos %d: %s", b.Index, s))
		}
		as, err := w.batches.ListAggregators(w.t.Context(), s, 0, 100)
		w.check(err)
		for _, b := range as {
			out = append(out, fmt.Sprintf("aggregator %d: %s", b.Index, s))
		}
	}
	return strings.Join(append(out, w.ran...), ", ")
}
