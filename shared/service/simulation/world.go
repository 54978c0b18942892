// Package simulation runs the whole pipeline in one goroutine: every port in memory, a virtual clock, and a scheduler that
// picks what happens next from a seed. The same seed gives the same run.
package simulation

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	controller "github.com/madara-orchestrator/orchestrator/shared/controller/worker"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
	"github.com/madara-orchestrator/orchestrator/shared/service/batching"
	"github.com/madara-orchestrator/orchestrator/shared/service/settling"
	"github.com/madara-orchestrator/orchestrator/shared/service/worker"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
)

// Config says what to simulate.
type Config struct {
	Seed   uint64
	Layer  schedule.Layer
	Blocks int // of the app chain
	// BlockTime is how long after one another the blocks come; 0: all are there from the start.
	BlockTime time.Duration
	// Prompt delivers every message that is due before time goes on, as where functions are never busy; otherwise a schedule may come
	// first.
	Prompt bool
	Window uint64 // of batches that a stage works on; 0: 20
	// RunPolls and ProofPolls are how often a SNOS run and a proof are found in progress; 0: 1 and 2.
	RunPolls, ProofPolls int
	Limits               batch.Limits
	Hook                 memory.Hook // faults of I/O calls; nil for none
	// Turmoil ends processes and lets time run out for them, runs several at a time with clocks that differ and of two
	// versions, and lets the world around do what it does, until Calm.
	Turmoil bool
	Log     *slog.Logger
}

// World is one simulated deployment with everything around it.
type World struct {
	cfg       Config
	now       time.Time
	rng       *rand.Rand
	env       *memory.Env
	Jobs      *memory.Jobs
	Batches   *memory.Batches
	Queues    *memory.Queues
	Artifacts *memory.Artifacts
	Alerts    *memory.Alerts
	Events    *memory.Events
	Control   *memory.Controls
	Blocks    *memory.Blocks
	Data      []memory.BlockData
	L1        *memory.L1
	Prover    *memory.Prover
	Runner    *memory.Runner

	queues    []resource.Queue
	ticks     []*tick
	locks     *memory.Locks
	operator  *worker.Worker
	versions  []version // deployed at once; version is the one that the invocation under way runs
	version   int
	frames    []*frame // invocations under way, the innermost last
	turmoil   bool
	outside   bool  // what is done is not a function's
	nested    error // of an invocation within another one
	intruders map[string]bool
	lost      map[string][]byte // artifacts that vanished, until the operator brings them back
	seen      map[string]job.Job
	grown     int // how many blocks of Data the app chain has
	watch     watch
	story     []string // what happened last

	Steps    int
	Faults   []error // what functions returned
	Injected map[Strike]int
	Edges    map[Edge]int
	Crashes  int
	Timeouts int
	Retried  int // orders of the operator
	Usage    Usage
}

// version is one deployment of the functions.
type version struct {
	functions map[string]func(context.Context, events.SQSEvent) (events.SQSEventResponse, error)
	triggers  *controller.Triggers
}

type tick struct {
	worker schedule.Worker
	every  time.Duration
	next   time.Time
}

// start is when every simulation begins.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// New returns a world in which nothing has happened yet.
func New(c Config) (*World, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	w := &World{
		cfg: c, now: start, Injected: map[Strike]int{}, Edges: map[Edge]int{}, watch: newWatch(),
		rng: rand.New(rand.NewPCG(c.Seed, 0)), turmoil: c.Turmoil,
		intruders: map[string]bool{}, lost: map[string][]byte{}, seen: map[string]job.Job{},
		Usage: Usage{Invocations: map[string]int{}, Calls: map[Call]int{}},
	}
	w.env = &memory.Env{Now: w.Now, Hook: &gate{w: w}}
	if err := w.clients(); err != nil {
		return nil, err
	}
	w.deploy()
	for _, s := range resource.Schedules() {
		if slices.Contains(s.Layers, c.Layer) {
			w.ticks = append(w.ticks, &tick{worker: s.Worker, every: s.Every, next: w.now})
		}
	}
	return w, nil
}

// Now is the virtual time.
func (w *World) Now() time.Time { return w.now }

func (w *World) clients() error {
	w.Jobs, w.Batches = memory.NewJobs(w.env), memory.NewBatches(w.env)
	w.Artifacts, w.Alerts, w.Events = memory.NewArtifacts(w.env), memory.NewAlerts(w.env), memory.NewEvents(w.env)
	w.Control = memory.NewControls(w.env)
	w.locks = memory.NewLocks(&memory.Env{Now: w.local, Hook: w.env.Hook}) // a lease goes by its owner's clock
	w.Blocks = memory.NewBlocks(w.env, "SN_SIM")
	first, every := start.Add(-time.Duration(w.cfg.Blocks)*time.Second), time.Second
	if w.cfg.BlockTime > 0 {
		first, every = start, w.cfg.BlockTime
	}
	var prev *memory.BlockData
	for i := range w.cfg.Blocks {
		b := memory.NextBlock(prev, first.Add(time.Duration(i)*every))
		w.Data = append(w.Data, b)
		prev = &b
	}
	if err := w.grow(); err != nil {
		return err
	}
	var ds []memory.Declaration
	for _, q := range resource.Queues() {
		w.queues = append(w.queues, q)
		ds = append(ds, memory.Declaration{Name: q.Name, Visibility: q.Visibility, MaxReceives: q.MaxReceives, DeadLetter: q.DeadLetter})
	}
	var err error
	if w.Queues, err = memory.NewQueues(w.env, ds...); err != nil {
		return err
	}
	w.L1 = memory.NewL1(w.env, memory.L1Config{BlockTime: 12 * time.Second, Finality: 8})
	w.Prover = memory.NewProver(w.env, memory.ProverConfig{
		Capabilities: proof.Capabilities{Proofs: true},
		Plan: func(memory.ProofTask) memory.ProofPlan {
			return memory.ProofPlan{Polls: w.patience(cmp.Or(w.cfg.ProofPolls, 2))}
		},
	})
	w.Runner = memory.NewRunner(w.env, memory.RunnerConfig{Polls: cmp.Or(w.cfg.RunPolls, 1), Execute: w.execute})
	return nil
}

// grow adds the blocks that have come by now to the app chain.
func (w *World) grow() error {
	n := w.grown
	for n < len(w.Data) && !w.Data[n].Header.Timestamp.After(w.now) {
		n++
	}
	if n == w.grown {
		return nil
	}
	if err := w.Blocks.Add(w.Data[w.grown:n]...); err != nil {
		return fmt.Errorf("add blocks: %w", err)
	}
	w.grown = n
	return nil
}

// execute writes the artifacts of a run as a real runner would, past the faults.
func (w *World) execute(ctx context.Context, t snos.Task) error {
	store := w.Artifacts.Direct()
	blobs := 0
	if t.Kind == snos.Aggregate {
		blobs = 1
	}
	output := memory.ProgramOutput(w.Data[t.StartBlock], w.Data[t.EndBlock], blobs)
	for name, words := range map[string][]felt.Felt{
		artifact.ProgramOutput: output, artifact.OSOutput: output, artifact.DASegment: {felt.FromUint64(t.StartBlock)},
	} {
		if err := artifact.WriteFelts(ctx, store, t.OutputPrefix+name, words); err != nil {
			return err
		}
	}
	if err := store.Put(ctx, t.OutputPrefix+artifact.PIE, bytes.NewReader([]byte("PK"))); err != nil {
		return err
	}
	res, err := json.Marshal(snos.Result{Kind: t.Kind, StartBlock: t.StartBlock, EndBlock: t.EndBlock, Steps: 1})
	if err != nil {
		return err
	}
	return store.Put(ctx, t.OutputPrefix+artifact.RunResult, bytes.NewReader(res))
}

// words is a sizer for blocks whose state diffs are all alike: six words a block.
type words struct{ n int }

func (s *words) Add(block.StateUpdate) error    { s.n += 6; return nil }
func (s *words) Words() int                     { return s.n }
func (s *words) MarshalBinary() ([]byte, error) { return []byte(strconv.Itoa(s.n)), nil }

func newSizer(_ string, saved []byte) (batching.Sizer, error) {
	if saved == nil {
		return &words{}, nil
	}
	n, err := strconv.Atoi(string(saved))
	return &words{n: n}, err
}

// maxVerify is how many answers "still pending" end the patience of simulated jobs.
const maxVerify = 60

// patience is how many questions about a task find it in progress: usually as many as asked for, in turmoil sometimes more than
// a job has patience for.
func (w *World) patience(usual int) int {
	if !w.turmoil || w.rng.IntN(50) > 0 {
		return usual
	}
	w.Injected[Strike{"prover is slow", "outside"}]++
	return maxVerify + 10
}

// policies are the real ones with less patience, so that it is seen to end.
func policies() map[job.Type]job.Policy {
	ps := job.Policies()
	for t, p := range ps {
		p.MaxVerify = maxVerify
		ps[t] = p
	}
	return ps
}

// newID makes ids as random as the seed.
func (w *World) newID() string { return fmt.Sprintf("%016x%016x", w.rng.Uint64(), w.rng.Uint64()) }

// deploy puts the functions together, as processes that have just started: in turmoil of two versions, the second of which
// has smaller batches.
func (w *World) deploy() {
	smaller := w.cfg.Limits
	smaller.SnosBlocks, smaller.Blocks = max(smaller.SnosBlocks-1, 1), max(smaller.Blocks-2, 2)
	w.versions = []version{w.functionsWith(w.cfg.Limits)}
	if w.cfg.Turmoil {
		w.versions = append(w.versions, w.functionsWith(smaller))
	}
	w.version = 0
}

func (w *World) functionsWith(limits batch.Limits) version {
	core := setup.Core{
		Chain: "sim", Layer: w.cfg.Layer, Jobs: w.Jobs, Batches: w.Batches, Locks: w.locks, Control: w.Control, Policies: policies(),
		Queue: w.Queues, Artifacts: w.Artifacts, Alerts: w.Alerts, Events: w.Events, Now: w.local, NewID: w.newID, Log: w.cfg.Log,
	}
	w.operator = core.Worker(nil)
	policy := tx.DefaultPolicy()
	policy.Gas = 0
	wallet := setup.Wallet{Chain: w.L1, Name: "sim", Policy: policy}
	codec := settling.Codec{
		UpdateWords: func(o []felt.Felt) ([]felt.Felt, error) { return o, nil },
		Blobs:       func([]felt.Felt) ([][]byte, error) { return [][]byte{{1}}, nil },
	}
	v := version{}
	v.functions = map[string]func(context.Context, events.SQSEvent) (events.SQSEventResponse, error){
		resource.FnSnosRun:           core.SnosRun(w.Runner).Handle,
		resource.FnProofCreation:     core.ProofCreation(w.Prover).Handle,
		resource.FnProofRegistration: core.ProofRegistration(w.Prover).Handle,
		resource.FnAggregator:        core.Aggregator(w.Prover, w.Runner).Handle,
		resource.FnDataSubmission:    core.DataSubmission(w.L1.DA(), wallet).Handle,
		resource.FnStateTransition:   core.StateTransition(w.L1, wallet, codec).Handle,
		resource.FnJobFailure:        core.DeadLetters().Handle,
	}
	v.triggers = core.TriggerFunction(setup.Trigger{
		Source: w.Blocks, Prover: w.Prover, NewSizer: newSizer, Limits: limits, FirstBatch: 1, Window: cmp.Or(w.cfg.Window, 20),
		Invoke: func(ctx context.Context, t job.Type, body string) error {
			_, err := v.functions[resource.FunctionOf(t)](ctx, one("priority", body, 1))
			return err
		},
	})
	return v
}

func one(id, body string, receives int) events.SQSEvent {
	return events.SQSEvent{Records: []events.SQSMessage{{
		MessageId: id, Body: body, Attributes: map[string]string{"ApproximateReceiveCount": strconv.Itoa(receives)},
	}}}
}

// Step lets one thing happen: a schedule fires or a message is delivered, at random among what is due next.
func (w *World) Step(ctx context.Context) error {
	w.Steps++
	if w.turmoil && w.rng.IntN(20) == 0 {
		w.happen()
	}
	if w.Steps%100 == 0 {
		var err error
		if w.aside(func() { err = w.operate(ctx) }); err != nil {
			return err
		}
	}
	due := w.ticks[0]
	for _, t := range w.ticks[1:] {
		if t.next.Before(due.next) {
			due = t
		}
	}
	at := due.next
	if at.Before(w.now) {
		at = w.now
	}
	var ready []resource.Queue // those whose message comes first, if none comes after the schedule
	for _, q := range w.queues {
		when, ok := w.Queues.NextReady(q.Name)
		if !ok {
			continue
		}
		if when.Before(w.now) {
			when = w.now
		}
		if when.After(at) {
			continue
		}
		if when.Before(at) {
			at, ready = when, ready[:0]
		}
		ready = append(ready, q)
	}
	if len(ready) > 0 && (w.cfg.Prompt || at.Before(due.next) || w.rng.IntN(4) > 0) {
		if err := w.advance(at); err != nil {
			return err
		}
		return w.deliver(ctx, ready[w.rng.IntN(len(ready))])
	}
	if err := w.advance(due.next); err != nil {
		return err
	}
	due.next = due.next.Add(due.every)
	if w.turmoil && w.rng.IntN(30) == 0 {
		w.Injected[Strike{"schedule late", "outside"}]++
		due.next = due.next.Add(time.Duration(w.rng.Int64N(int64(3 * due.every))))
	}
	body, err := json.Marshal(schedule.Wakeup{Worker: due.worker})
	if err != nil {
		return err
	}
	for range w.firings() {
		_, err = w.invoke(ctx, resource.FnTrigger, func(ctx context.Context) (any, error) { return w.versions[w.version].triggers.Handle(ctx, body) })
		if err != nil {
			w.Faults = append(w.Faults, err)
		}
	}
	return w.nested
}

// firings is how often a schedule fires when it is due: EventBridge promises at least once, and an account's quota or an
// outage may still swallow one.
func (w *World) firings() int {
	if w.turmoil {
		switch w.rng.IntN(30) {
		case 0:
			w.Injected[Strike{"schedule missed", "outside"}]++
			return 0
		case 1:
			w.Injected[Strike{"schedule twice", "outside"}]++
			return 2
		}
	}
	return 1
}

func (w *World) advance(to time.Time) error {
	if to.After(w.now) {
		w.now = to
	}
	return w.grow()
}

// deliver gives one message of a queue to its function.
func (w *World) deliver(ctx context.Context, q resource.Queue) error {
	var ds []queue.Delivery
	var err error
	w.aside(func() { ds, err = w.Queues.Receive(ctx, q.Name, 1, 0) })
	if err != nil || len(ds) == 0 {
		return err
	}
	d := ds[0]
	e := one(d.ID, d.Body, d.Receives)
	var resp events.SQSEventResponse
	out, err := w.invoke(ctx, q.Function, func(ctx context.Context) (any, error) {
		v := w.versions[w.version]
		if q.Function != resource.FnTrigger {
			return v.functions[q.Function](ctx, e)
		}
		raw, err := json.Marshal(e)
		if err != nil {
			return nil, err
		}
		return v.triggers.Handle(ctx, raw)
	})
	if r, ok := out.(events.SQSEventResponse); ok {
		resp = r
	}
	if err != nil || len(resp.BatchItemFailures) > 0 {
		w.Faults = append(w.Faults, errors.Join(err, fmt.Errorf("message %s on %s is wanted again", d.Body, q.Name)))
		return w.nested
	}
	w.aside(func() { err = w.Queues.Delete(ctx, q.Name, d.Handle) })
	return errors.Join(err, w.nested)
}
