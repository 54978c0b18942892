// Package simulation runs the whole pipeline in one goroutine: every port in memory, a virtual clock, and a scheduler
// that picks what happens next from a seed. The same seed gives the same run.
package simulation

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/blocks"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/l1"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/prover"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/runner"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
	"github.com/madara-orchestrator/orchestrator/shared/service/rewinding"
)

// Config says what to simulate.
type Config struct {
	Seed   uint64
	Layer  stage.Layer
	Blocks int // of the app chain
	// BlockTime is how long after one another the blocks come; 0: all are there from the start.
	BlockTime time.Duration
	// Prompt delivers every message that is due before time goes on, as where functions are never busy; otherwise a
	// schedule may come first.
	Prompt bool
	// NoDelay has the queues drop every message with a delay, as Kafka does.
	NoDelay bool
	// Intervals are how often trigger workers run by their schedules, where that differs from the defaults.
	Intervals schedule.Intervals
	// Heads has the function heads listen to new blocks and wake batching.
	Heads  bool
	Nodes  int    // of the settlement layer, that fail over to one another; 0: one that everything asks
	Window uint64 // of batches that a stage works on; 0: 20
	// RunPolls and ProofPolls are how often a SNOS run and a proof are found in progress; 0: 1 and 2.
	RunPolls, ProofPolls int
	// Run and Proof are how long a SNOS run and a proof take, at random up to a half more or less where Vary is set; 0:
	// they end by the polls. An aggregation takes as long as either.
	Run, Proof time.Duration
	Vary       bool
	// Fail lets every third run fail, at any moment of its time.
	Fail bool
	// Learned is what an earlier simulation has learned; nil: nothing.
	Learned *memory.Paces
	// Reports lets the runner and the prover report the end of work, as AWS Batch and webhooks do.
	Reports bool
	// Unlearned polls as the policies say, whatever was learned.
	Unlearned bool
	InFlight  int          // transactions of the wallet on their way at a time; 0: 4
	Target    tx.FeeTarget // when a state update waits for lower fees; zero: never
	Limits    batch.Limits
	Hook      fault.Hook // faults of I/O calls; nil for none
	// Beside is another orchestrator that was started for the same chain by mistake: it has a database, queues and
	// artifacts of its own, and the same wallet. Blocks counts for nothing then.
	Beside *World
	// Turmoil ends processes and lets time run out for them, runs several at a time with clocks that differ and of two
	// versions, and lets the world around do what it does, until Calm.
	Turmoil bool
	// Cutover is the first block of a newer Starknet version, for which the contract must change; 0: none. OwnerTakes
	// is how long after the alert its owner changes it; 0: up to two hours.
	Cutover    uint64
	OwnerTakes time.Duration
	// Rewinds is how often an operator discards the unsettled batches from one on, at random, while there is turmoil.
	// RewindAt is a step after which it is done once, without turmoil too; 0: none.
	Rewinds  int
	RewindAt int
	// Rotations is how often another account becomes the wallet, at random, while there is turmoil.
	Rotations int
	Log       *slog.Logger
}

// World is one simulated deployment with everything around it.
type World struct {
	cfg       Config
	now       time.Time
	rng       *rand.Rand
	env       *fault.Env
	Jobs      *memory.Jobs
	Batches   *memory.Batches
	Queues    *memory.Queues
	Artifacts *memory.Artifacts
	Alerts    *memory.Alerts
	Events    *memory.Events
	Control   *memory.Controls
	timers    *memory.Scheduler
	Paces     *memory.Paces
	Blocks    *blocks.Source
	Data      []blocks.Block
	L1        *l1.Chain
	nodes     []*l1.Node // several nodes of it; none: L1 itself is asked
	Prover    *prover.Prover
	Runner    *runner.Runner

	queues     []resource.Queue
	ticks      []*tick
	locks      *memory.Locks
	rewinds    *memory.Rewinds
	chances    *rand.Rand // of rewinds: the others' run stays as it is without them
	rotations  *rand.Rand // of rotations, likewise
	rotated    int
	rewinder   *rewinding.Rewinder
	begun      int               // rewinds
	planned    bool              // RewindAt is done
	discarded  map[string]bool   // ids of jobs
	prefixes   map[string]uint64 // of artifacts, to the epoch of the batch that they are of
	reports    *memory.Reports
	operator   *executor.Executor
	versions   []version // deployed at once; version is the one that the invocation under way runs
	version    int
	frames     []*frame // invocations under way, the innermost last
	turmoil    bool
	outside    bool  // what is done is not a function's
	nested     error // of an invocation within another one
	intruders  map[string]bool
	lost       map[string][]byte // artifacts that vanished, until the operator brings them back
	seen       map[string]job.Job
	comes      []time.Time // when each block of Data is there
	grown      int         // how many blocks of Data the app chain has
	node       *node
	watch      watch
	ends       []end           // of work, that will be reported
	heard      int             // how many blocks were announced
	announced  time.Time       // when batching was woken for that
	touched    map[string]bool // components, since the last Check
	story      []string        // what happened last
	cap        *big.Int        // of a transaction's fees, as the operator has set it
	alertsRead int             // alerts that the operator has looked at for it
	// Starknet versions of which an alert says that the contract must change, and when it will
	asked map[string]time.Time

	Steps    int
	Faults   []error // what functions returned
	Injected map[Strike]int
	Edges    map[Edge]int
	Crashes  int
	Timeouts int
	Retried  int // commands of the operator
	Usage    Usage
}

type tick struct {
	stage stage.Name
	every time.Duration
	next  time.Time
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
		touched: map[string]bool{}, cap: tx.DefaultPolicy().FeeCap,
		rng: rand.New(rand.NewPCG(c.Seed, 0)), turmoil: c.Turmoil,
		intruders: map[string]bool{}, lost: map[string][]byte{}, seen: map[string]job.Job{},
		asked: map[string]time.Time{}, discarded: map[string]bool{}, prefixes: map[string]uint64{},
		chances: rand.New(rand.NewPCG(c.Seed, 1)), rotations: rand.New(rand.NewPCG(c.Seed, 2)),
		Usage: Usage{Invocations: map[string]int{}, Calls: map[Call]int{}},
	}
	w.env = &fault.Env{Now: w.Now, Hook: &gate{w: w}}
	w.unusualLimits()
	if err := w.clients(); err != nil {
		return nil, err
	}
	w.timers = memory.NewScheduler(nil) // another process's: it has no part in the faults
	w.deploy()
	for _, s := range resource.Schedules() {
		if slices.Contains(s.Layers, c.Layer) {
			every := cmp.Or(c.Intervals[s.Stage], s.Every)
			if err := w.timers.Create(context.Background(),
				schedule.Timer{Name: string(s.Stage), Every: every, Target: resource.FnTrigger}); err != nil {
				return nil, err
			}
			w.ticks = append(w.ticks, &tick{stage: s.Stage, every: every, next: w.now})
		}
	}
	return w, nil
}

// Now is the virtual time.
func (w *World) Now() time.Time { return w.now }

// one is the event of one message.
func one(id, body string, receives int) json.RawMessage {
	raw, err := json.Marshal(events.SQSEvent{Records: []events.SQSMessage{{
		MessageId: id, Body: body, Attributes: map[string]string{"ApproximateReceiveCount": strconv.Itoa(receives)},
	}}})
	if err != nil {
		panic(err) // plain strings
	}
	return raw
}

// Meet sets the clocks of two worlds to the later time.
func (w *World) Meet(o *World) error {
	if o.now.After(w.now) {
		return w.advance(o.now)
	}
	return o.advance(w.now)
}
