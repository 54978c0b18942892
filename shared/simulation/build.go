package simulation

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	eventcontroller "github.com/madara-orchestrator/orchestrator/shared/controller/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/blocks"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/l1"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/prover"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/runner"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
	"github.com/madara-orchestrator/orchestrator/shared/service/batching"
	"github.com/madara-orchestrator/orchestrator/shared/service/statetransition"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
)

// errHeld is where an invocation would wait: nothing waits in the simulation, the message comes again.
var errHeld = errors.New("the simulation waits for nothing")

// version is one deployment of the functions.
type version struct {
	functions map[string]func(context.Context, json.RawMessage) (any, error)
	triggers  *eventcontroller.Triggers
}

func (w *World) clients() error {
	w.Jobs, w.Batches = memory.NewJobs(w.env), memory.NewBatches(w.env)
	w.Artifacts, w.Alerts, w.Events = memory.NewArtifacts(w.env), memory.NewAlerts(w.env), memory.NewEvents(w.env)
	w.rewinds = memory.NewRewinds(w.env)
	w.Control, w.reports, w.Paces = memory.NewControls(w.env), memory.NewReports(w.env), memory.NewPaces(w.env)
	if w.cfg.Learned != nil {
		w.Paces.Learn(w.cfg.Learned)
	}
	w.locks = memory.NewLocks(&fault.Env{Now: w.local, Hook: w.env.Hook}) // a lease goes by its owner's clock
	if other := w.cfg.Beside; other != nil {
		w.now, w.Blocks, w.Data, w.comes, w.grown = other.now, other.Blocks, other.Data, other.comes, len(other.Data)
		w.L1, w.watch.journals = other.L1, other.watch.journals
	} else if err := w.surroundings(); err != nil {
		return err
	}
	var ds []memory.Declaration
	for _, q := range resource.Queues() {
		w.queues = append(w.queues, q)
		d := memory.Declaration{Name: q.Name, Visibility: q.Visibility, MaxReceives: q.MaxReceives,
			DeadLetter: q.DeadLetter}
		if w.cfg.NoDelay {
			d.MaxDelay = -1
		}
		ds = append(ds, d)
	}
	var err error
	if w.Queues, err = memory.NewQueues(w.env, ds...); err != nil {
		return err
	}
	w.Prover = prover.New(w.env, prover.Config{
		Capabilities: proof.Capabilities{Proofs: true},
		Plan:         w.planProof,
	})
	w.Runner = runner.New(w.env, runner.Config{Plan: w.planRun, Execute: w.execute})
	return nil
}

// pastBlocks are more than it takes to compare fees.
const pastBlocks = 400

// surroundings makes the app chain and the settlement layer.
func (w *World) surroundings() error {
	c := l1.Config{BlockTime: 12 * time.Second, Finality: 8, Core: w.held(oldVersion), Facts: true}
	if w.cfg.Turmoil && w.cfg.Seed%4 == 3 { // as long as on Ethereum: what is done before it must show
		c.Finality = 64
	}
	if w.cfg.Turmoil && w.cfg.Layer == stage.L3 {
		c.MaxDAWords = daWords
	}
	w.L1 = l1.New(w.env, c)
	if w.cfg.Target.Percentile > 0 { // blocks with which fees can be compared
		for range pastBlocks {
			w.L1.SetFees(gwei(1+w.rng.Int64N(20)), gwei(1+w.rng.Int64N(20)))
			w.L1.MineEmpty(1)
		}
	}
	for range w.cfg.Nodes {
		w.nodes = append(w.nodes, w.L1.Node())
	}
	w.Blocks = blocks.New(w.env, "SN_SIM")
	first, every := start.Add(-time.Duration(w.cfg.Blocks)*time.Second), time.Second
	if w.cfg.BlockTime > 0 {
		first, every = start, w.cfg.BlockTime
	}
	var prev *blocks.Block
	for i := range w.cfg.Blocks {
		at := first.Add(time.Duration(i) * every)
		b := blocks.Next(prev, at)
		if w.cfg.Turmoil {
			w.unusual(&b)
		}
		b.Header.StarknetVersion = w.versionOf(b.Header.Number)
		w.Data, w.comes = append(w.Data, b), append(w.comes, at)
		prev = &b
	}
	return w.grow()
}

// grow adds the blocks that have come by now to the app chain.
func (w *World) grow() error {
	n := w.grown
	for n < len(w.Data) && !w.comes[n].After(w.now) {
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
	w.blame(w.checkPrefix(t))
	store := w.Artifacts.Direct()
	blobs := 0
	if t.Kind == snos.Aggregate {
		blobs = 1
	}
	output := l1.ProgramOutput(w.Data[t.StartBlock], w.Data[t.EndBlock], blobs)
	needs, err := w.needs(w.Data[t.StartBlock].Header.StarknetVersion)
	if err != nil {
		return err
	}
	output[7] = needs.ConfigHash
	if t.Kind == snos.Aggregate {
		output[6] = needs.ProgramHash
	}
	for name, words := range map[string][]felt.Felt{
		artifact.ProgramOutput: output, artifact.OSOutput: output,
		artifact.DASegment: w.segment(t.StartBlock, t.EndBlock),
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

// words is a sizer that counts three words a written slot.
type words struct{ n int }

func (s *words) Add(u block.StateUpdate) error  { s.n += wordsOf(u); return nil }
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

// patience is how many questions about a task find it in progress: usually as many as asked for, in turmoil sometimes
// more than a job has patience for.
func (w *World) patience(usual int) int {
	if !w.turmoil || w.rng.IntN(50) > 0 {
		return usual
	}
	w.Injected[Strike{"prover is slow", "outside"}]++
	return maxVerify + 10
}

// policies are the real ones, where work does not take real times with less patience, so that it is seen to end.
func (w *World) policies() map[job.Type]job.Policy {
	ps := job.Policies()
	if w.cfg.Proof > 0 {
		return ps
	}
	for t, p := range ps {
		p.MaxVerify = maxVerify
		ps[t] = p
	}
	return ps
}

// newID makes ids as random as the seed.
func (w *World) newID() string { return fmt.Sprintf("%016x%016x", w.rng.Uint64(), w.rng.Uint64()) }

// deploy puts the functions together, as processes that have just started: in turmoil of two versions, the second of
// which has smaller batches.
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
	core := setup.App{
		Chain: "sim", Layer: w.cfg.Layer, Jobs: w.Jobs, Batches: w.Batches, Locks: w.locks,
		Control: w.Control, Rewinds: w.rewinds, Policies: w.policies(), Paces: w.paces(), Held: resource.Held,
		Pace:  eventcontroller.Pace{Parallel: 1},
		Queue: w.Queues, Artifacts: w.Artifacts, Alerts: w.Alerts, Reports: w.reports, Events: w.Events, Now: w.local,
		NewID: w.newID, Log: w.cfg.Log,
		Needs: w.needs,
	}
	if w.cfg.NoDelay {
		core.Hold = func(context.Context, time.Duration) error { return errHeld }
	}
	w.operator = core.Executor(nil)
	policy := tx.DefaultPolicy()
	policy.Gas, policy.FeeCap, policy.InFlight, policy.BlockBlobs = 0, w.cap, cmp.Or(w.cfg.InFlight,
		inFlight), blockBlobs
	policy.Target = w.cfg.Target
	if !w.cfg.Turmoil {
		policy.BlockBlobs = tx.DefaultPolicy().BlockBlobs
	}
	chain, contract := w.settlementLayer()
	w.rewinder = core.Rewinder()
	w.rewinder.Contract, w.rewinder.Wallet = contract, chain
	wallet := setup.Wallet{Chain: chain, Name: "sim", Policy: policy}
	data := setup.Publishing{Layer: w.L1.DA(), Wallet: wallet, Archive: w.L1.DA()}
	codec := statetransition.Codec{
		UpdateWords: func(o []felt.Felt) ([]felt.Felt, error) { return o, nil },
		Blobs:       func([]felt.Felt) ([][]byte, error) { return [][]byte{{1}}, nil },
	}
	v := version{}
	v.functions = map[string]func(context.Context, json.RawMessage) (any, error){
		resource.FnSnosRun:           core.SnosRun(w.Runner).Handle,
		resource.FnProofCreation:     core.ProofCreation(w.Prover).Handle,
		resource.FnProofRegistration: core.ProofRegistration(registering{w.Prover, w.L1}).Handle,
		resource.FnAggregator:        core.Aggregator(registering{w.Prover, w.L1}, w.Runner).Handle,
		resource.FnDataSubmission:    core.DataSubmission(data).Handle,
		resource.FnStateTransition:   core.StateTransition(contract, wallet, codec).Handle,
		resource.FnJobFailure:        core.DeadLetters().Handle,
	}
	v.triggers = core.TriggerFunction(setup.Trigger{
		Source: w.Blocks, Prover: w.Prover, NewSizer: newSizer, Limits: limits, FirstBatch: 1,
		Unsettled: policy.Unsettled(),
		Settled:   func(ctx context.Context) (settlement.State, error) { return contract.State(ctx, false) },
		Window:    cmp.Or(w.cfg.Window, 20),
		Contract:  contract.Config,
		Timers:    w.timers,
		Intervals: w.cfg.Intervals,
		Invoke: func(ctx context.Context, t job.Type, body string) error {
			_, err := v.functions[resource.FunctionOf(t)](ctx, one("priority", body, 1))
			return err
		},
	})
	return v
}
