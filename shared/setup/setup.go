// Package setup puts services together from ports. It knows no client: the functions and the local run bring those, so
// each program links only what it uses, and both run the same code.
package setup

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	eventcontroller "github.com/madara-orchestrator/orchestrator/shared/controller/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/history"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/lock"
	"github.com/madara-orchestrator/orchestrator/shared/core/operator"
	"github.com/madara-orchestrator/orchestrator/shared/core/pace"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/core/rewind"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
	"github.com/madara-orchestrator/orchestrator/shared/service/aggregator"
	"github.com/madara-orchestrator/orchestrator/shared/service/alerting"
	"github.com/madara-orchestrator/orchestrator/shared/service/batching"
	"github.com/madara-orchestrator/orchestrator/shared/service/cleanup"
	"github.com/madara-orchestrator/orchestrator/shared/service/cutover"
	"github.com/madara-orchestrator/orchestrator/shared/service/datasubmission"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
	"github.com/madara-orchestrator/orchestrator/shared/service/lag"
	"github.com/madara-orchestrator/orchestrator/shared/service/listening"
	"github.com/madara-orchestrator/orchestrator/shared/service/proofcreation"
	"github.com/madara-orchestrator/orchestrator/shared/service/proofregistration"
	"github.com/madara-orchestrator/orchestrator/shared/service/reconcile"
	"github.com/madara-orchestrator/orchestrator/shared/service/retention"
	"github.com/madara-orchestrator/orchestrator/shared/service/rewinding"
	"github.com/madara-orchestrator/orchestrator/shared/service/sending"
	"github.com/madara-orchestrator/orchestrator/shared/service/snosrun"
	"github.com/madara-orchestrator/orchestrator/shared/service/statetransition"
	"github.com/madara-orchestrator/orchestrator/shared/service/timing"
	"github.com/madara-orchestrator/orchestrator/shared/service/triggering"
)

// App is what every function needs. All fields are required except Return, Hold, Links, Topic, History, Log, Policies
// (nil: the defaults), NewID and QueueName.
type App struct {
	Chain   string // the deployment's name
	Layer   stage.Layer
	Jobs    job.Store
	Batches batch.Store
	Locks   lock.Locker
	Control schedule.Control
	Rewinds rewind.Store
	Queue   queue.Sender
	// Return takes failed messages back where queues are Kafka's topics; nil: SQS does so itself.
	Return queue.Returner
	// Hold waits in the place of queues that have no delays and drop what is to come later (Kafka's topics); nil: they
	// have them. Without delays, Reconcile alone wakes a job that becomes due, and does so at once.
	Hold      func(context.Context, time.Duration) error
	Artifacts artifact.Store
	Links     artifact.Linker // to artifacts; nil: none are given out
	Alerts    alert.Notifier
	Topic     alert.Topic   // of Alerts; nil: who gets them can't be changed
	Reports   alert.Store   // of what was reported
	History   history.Store // of what was removed; nil: nothing is
	Events    event.Bus
	Policies  map[job.Type]job.Policy
	Paces     pace.Store // nil: polls come as the policies say
	// Held is how long the consumer of a type's verification queue waits for more messages; nil: it does not.
	Held func(job.Type) time.Duration
	// Pace is how the records of one event are worked on.
	Pace eventcontroller.Pace
	// QueueName turns a declared queue's name into the one that Queue knows; nil leaves it.
	QueueName func(string) string
	Now       func() time.Time
	// Needs is what the core contract must hold at a Starknet version by the chain's settings; outputs and contract are
	// compared with it. nil: they are compared with each other alone.
	Needs func(starknetVersion string) (settlement.Needs, error)
	// NewID makes ids of jobs and of leases' owners, which must never come twice; nil: job.NewID.
	NewID func() string
	// Seat is from where operators act on this deployment; zero: from nowhere, and alerts name no commands.
	Seat operator.Seat
	// Dashboard is the URL of the chain's dashboard; "": there is none.
	Dashboard string
	Log       *slog.Logger
}

// configHash is the config hash of Needs.
func (c App) configHash() func(string) (felt.Felt, error) {
	if c.Needs == nil {
		return nil
	}
	return func(v string) (felt.Felt, error) {
		n, err := c.Needs(v)
		return n.ConfigHash, err
	}
}

func (c App) newID() func() string {
	if c.NewID == nil {
		return job.NewID
	}
	return c.NewID
}

func (c App) queueName(n string) string {
	if c.QueueName == nil {
		return n
	}
	return c.QueueName(n)
}

func (c App) policies() map[job.Type]job.Policy {
	if c.Policies == nil {
		return job.Policies()
	}
	return c.Policies
}

func (c App) reporter() *alerting.Reporter {
	return &alerting.Reporter{
		Notifier: c.Alerts, Store: c.Reports, Now: c.Now, Layer: c.Layer, Seat: c.Seat,
		Dashboard: c.Dashboard, Log: c.Log,
	}
}

// Waker wakes trigger workers.
func (c App) Waker() *executor.Waker {
	return &executor.Waker{Queue: queue.Gathered{To: c.Queue}, QueueName: c.queueName(resource.TriggerQueue),
		Layer: c.Layer,
		Hold:  c.Hold, Log: c.Log}
}

// Executor serves the job types of the handlers.
func (c App) Executor(handlers map[job.Type]executor.Handler) *executor.Executor {
	return &executor.Executor{
		Jobs: c.Jobs, Queue: queue.Gathered{To: c.Queue}, Wake: c.Waker(), Alerts: c.reporter(),
		Events: c.Events, Control: c.Control, Rewinds: c.Rewinds,
		Handlers: handlers, Policies: c.policies(), Pace: c.pacer(), Held: c.Held,
		Now: c.Now, NewOwner: c.newID(), Chain: c.Chain, Log: c.Log,
		Route: func(t job.Type, a job.Action, priority bool) string {
			return c.queueName(resource.Route(t, a, priority))
		},
	}
}

func (c App) messages() eventcontroller.Messages {
	return eventcontroller.Messages{Return: c.Return, Hold: c.Hold, Pace: c.Pace, Log: c.Log}
}

func (c App) pacer() *executor.Pacer {
	if c.Paces == nil {
		return nil
	}
	return &executor.Pacer{Store: c.Paces, Now: c.Now}
}

// JobFunction is the handler of a job type's function.
func (c App) JobFunction(t job.Type, h executor.Handler) *eventcontroller.Jobs {
	return &eventcontroller.Jobs{Messages: c.messages(), Worker: c.Executor(map[job.Type]executor.Handler{t: h})}
}

// SnosRun is the SnosRun function's handler.
func (c App) SnosRun(r snos.Runner) *eventcontroller.Jobs {
	return c.JobFunction(job.SnosRun,
		&snosrun.Handler{Runner: measuredRunner{r}, Artifacts: c.Artifacts, ConfigHash: c.configHash()})
}

// ProofCreation is the ProofCreation function's handler.
func (c App) ProofCreation(p proof.Prover) *eventcontroller.Jobs {
	return c.JobFunction(job.ProofCreation, &proofcreation.Handler{Prover: measuredProver{p}, Artifacts: c.Artifacts})
}

// ProofRegistration is the ProofRegistration function's handler.
func (c App) ProofRegistration(p proof.Prover) *eventcontroller.Jobs {
	return c.JobFunction(job.ProofRegistration,
		&proofregistration.Handler{Prover: measuredProver{p}, Artifacts: c.Artifacts})
}

// Aggregator is the Aggregator function's handler.
func (c App) Aggregator(p proof.Prover, r snos.Runner) *eventcontroller.Jobs {
	return c.JobFunction(job.Aggregator,
		&aggregator.Handler{Prover: measuredProver{p}, Runner: measuredRunner{r}, Jobs: c.Jobs, Artifacts: c.Artifacts})
}

// Wallet is what sends transactions.
type Wallet struct {
	Chain tx.Chain
	Name  string // of the wallet: chain and address
	// Layer names the layer that it is on, where that only gets the chain's data; "": the settlement layer.
	Layer  string
	Policy tx.Policy
	DryRun bool
}

func (c App) sender(w Wallet) *sending.Sender {
	types := []job.Type{job.StateTransition}
	if c.Layer == stage.L3 {
		types = append(types, job.DataSubmission)
	}
	return &sending.Sender{
		Chain: w.Chain, Raw: c.Artifacts, Policy: w.Policy, Now: c.Now, DryRun: w.DryRun,
		Log: c.Log, Jobs: c.Jobs, Types: types, Layer: w.Layer,
		Lease: c.Locks, LeaseName: "wallet/" + w.Name,
	}
}

// Publishing is how the data of an L3 are published.
type Publishing struct {
	Layer   da.Layer
	Wallet  Wallet
	Archive da.Archive // reads back what was published; nil: it is not
	Compare da.Compare // compares it with the batch's blocks before; nil: it is not
}

// DataSubmission is the DataSubmission function's handler.
func (c App) DataSubmission(p Publishing) *eventcontroller.Jobs {
	return c.JobFunction(job.DataSubmission, &datasubmission.Handler{
		Layer: p.Layer, Sender: c.sender(p.Wallet), Artifacts: c.Artifacts, Archive: p.Archive, Compare: p.Compare})
}

// NoData is the DataSubmission function's handler of a chain whose data nobody publishes.
func (c App) NoData(commit func([]felt.Felt) da.Commitment) *eventcontroller.Jobs {
	return c.JobFunction(job.DataSubmission, &datasubmission.Unpublished{Commit: commit, Artifacts: c.Artifacts})
}

// StateTransition is the StateTransition function's handler.
func (c App) StateTransition(k settlement.Contract, w Wallet, codec statetransition.Codec) *eventcontroller.Jobs {
	return c.StateTransitionReading(k, w, codec, nil)
}

// StateTransitionReading is StateTransition where what was published is read back from an archive, if it is not nil.
func (c App) StateTransitionReading(k settlement.Contract, w Wallet, codec statetransition.Codec,
	archive da.Archive) *eventcontroller.Jobs {
	s := c.sender(w)
	s.Sent = func(ctx context.Context) { c.Waker().Run(ctx, stage.StateTransition) } // the next batch's job
	return c.JobFunction(job.StateTransition, &statetransition.Handler{
		Contract: k, Sender: s, Artifacts: c.Artifacts, Codec: codec, Jobs: c.Jobs, Needs: c.Needs,
		Archive: archive,
	})
}

// DeadLetters is the jobfailure function's handler.
func (c App) DeadLetters() *eventcontroller.DeadLetters {
	return &eventcontroller.DeadLetters{Messages: c.messages(), Service: c.Executor(nil)}
}

// spacing is the least time between two wake-ups for new blocks.
const spacing = time.Second

// Listener listens for new blocks and wakes batching. It needs the queue alone.
func (c App) Listener(a block.Announcer) *listening.Listener {
	return &listening.Listener{Heads: a, Wake: c.Waker(), Layer: c.Layer, Spacing: spacing, Log: c.Log}
}

// Heads is the heads function's handler.
func (c App) Heads(a block.Announcer) *eventcontroller.Heads {
	return &eventcontroller.Heads{Service: c.Listener(a)}
}

// Trigger is what the trigger function needs beyond the core.
type Trigger struct {
	Source          block.Source
	Prover          proof.Prover
	NewSizer        func(version string, saved []byte) (batching.Sizer, error)
	SupportsVersion func(version string) bool
	Limits          batch.Limits
	// Settled reads what the core contract has settled: batching begins after it, see batching.Batcher. nil: at
	// FirstBlock.
	Settled func(context.Context) (settlement.State, error)
	// Contract reads what the core contract holds: what a new Starknet version needs of it is announced. nil: it is
	// not.
	Contract   func(context.Context) (settlement.Config, error)
	FirstBlock uint64
	ReadAtOnce bool // see batching.Batcher.AtOnce and cleanup.Cleaner.AtOnce
	FirstBatch uint64
	Window     uint64
	Unsettled  int // see triggering.Settings; 0: 1
	WantProofs bool
	// Invoke runs a job type's function with an SQS event of one message; it serves the priority queues.
	Invoke func(ctx context.Context, t job.Type, body string) error
	// Retention is how long documents of batches and jobs stay once nothing changes them any more; 0: for ever.
	Retention time.Duration
	// Timers are the schedules of the trigger workers, which pauses disable; nil: there are none. Intervals are those
	// of the settings.
	Timers    schedule.Scheduler
	Intervals schedule.Intervals
	// ReconcileGrace is how long a job may be overdue before it is woken; 0: 30 seconds.
	ReconcileGrace time.Duration
}

// watch compares the core contract with what the newest batch needs.
func (c App) watch(t Trigger) *cutover.Watch {
	if c.Needs == nil || t.Contract == nil {
		return nil
	}
	return &cutover.Watch{Config: t.Contract, Needs: c.Needs, Alerts: c.reporter(), Log: c.Log}
}

// keeper keeps the schedules as pauses and settings say.
func (c App) keeper(t Trigger) triggering.Runner {
	if t.Timers == nil {
		return nil
	}
	return &timing.Keeper{Scheduler: t.Timers, Control: c.Control, Every: resource.Intervals(c.Layer, t.Intervals),
		Log: c.Log}
}

// retention moves old documents to history.
func (c App) retention(t Trigger) triggering.Runner {
	if t.Retention == 0 || c.History == nil {
		return nil
	}
	return &retention.Keeper{Layer: c.Layer, Jobs: c.Jobs, Batches: c.Batches, History: c.History,
		Artifacts: c.Artifacts, After: t.Retention, Now: c.Now, Log: c.Log}
}

type invoker func(ctx context.Context, t job.Type, body string) error

func (f invoker) Invoke(ctx context.Context, t job.Type, body string) error { return f(ctx, t, body) }

// Triggers is the trigger function's service.
func (c App) Triggers(t Trigger) *triggering.Triggers {
	w := c.Executor(nil)
	grace := cmp.Or(t.ReconcileGrace, 30*time.Second)
	late := 2 * grace // nobody has taken what is due
	if c.Hold != nil {
		grace, late = 0, late+2*time.Minute // the schedule's minute, and another one
	}
	rewinder := c.Rewinder()
	return &triggering.Triggers{
		Timers: c.keeper(t), Retention: c.retention(t),
		Settings: triggering.Settings{
			Layer: c.Layer, Window: t.Window, FirstBatch: t.FirstBatch, Unsettled: t.Unsettled,
			WantProofs: t.WantProofs, Chain: c.Chain,
		},
		Jobs: c.Jobs, Batches: c.Batches, Executor: w, Prover: t.Prover, Control: c.Control, Events: c.Events,
		Now: c.Now, NewID: c.newID(), Log: c.Log, Rewinder: rewinder,
		Batching: &batching.Batcher{
			Source: t.Source, Batches: c.Batches, Locks: c.Locks, Artifacts: c.Artifacts,
			Prover: measuredProver{t.Prover}, NewSizer: t.NewSizer,
			Alerts: c.reporter(), Events: c.Events, Wake: c.Waker(), Limits: t.Limits,
			SupportsVersion: t.SupportsVersion,
			Settled:         t.Settled, Cutover: c.watch(t), Rewinds: c.Rewinds, Sweep: rewinder.Sweep,
			FirstBlock: t.FirstBlock,
			AtOnce:     t.ReadAtOnce, Chain: c.Chain,
			Now: c.Now, NewOwner: c.newID(), Log: c.Log,
		},
		Cleanup: &cleanup.Cleaner{Layer: c.Layer, Jobs: c.Jobs, Batches: c.Batches,
			Artifacts: c.Artifacts, Now: c.Now, Wake: c.Waker().Run, AtOnce: t.ReadAtOnce},
		Reconcile: &reconcile.Reconciler{Jobs: c.Jobs, Executor: w, Control: c.Control,
			Grace: grace, Now: c.Now, Log: c.Log},
		Lag: &lag.Meter{Source: t.Source, Jobs: c.Jobs, Control: c.Control, Settled: t.Settled,
			FirstBlock: t.FirstBlock, Grace: late, Now: c.Now},
	}
}

// Rewinder carries out rewinds. To plan one it needs the contract and the wallet too.
func (c App) Rewinder() *rewinding.Rewinder {
	return &rewinding.Rewinder{
		Layer: c.Layer, Chain: c.Chain, Jobs: c.Jobs, Batches: c.Batches, Rewinds: c.Rewinds, Locks: c.Locks,
		Events: c.Events, Wake: c.Waker().Run, Release: c.Executor(nil).Forget, NewOwner: c.newID(), Now: c.Now,
		Log: c.Log,
	}
}

// TriggerFunction is the trigger function's handler.
func (c App) TriggerFunction(t Trigger) *eventcontroller.Triggers {
	return &eventcontroller.Triggers{Messages: c.messages(), Service: c.Triggers(t), Invoker: invoker(t.Invoke)}
}
