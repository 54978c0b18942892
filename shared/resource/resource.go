// Package resource is the one declarative description of everything the orchestrator needs of a cloud: functions,
// queues, schedules, bucket, topic, bus, database indexes and secrets. The CDK app provisions it, the local run
// imitates it, and the functions take their names from it. Plain data: it imports no cloud SDK.
package resource

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// Function is one Lambda function.
type Function struct {
	Name     string // also the folder below functions/
	MemoryMB int
	Timeout  time.Duration
	// ScratchMB is the space of /tmp; 0 is Lambda's 512 MB.
	ScratchMB int
	// Concurrency is the reserved concurrency; 0 reserves none. Lambda turns away what comes beyond it, so that it is
	// never below AtOnce.
	Concurrency int
	// Optional says that a deployment has the function only where it asks for it.
	Optional bool
	Layers   []stage.Layer
}

// Queue is one SQS queue.
type Queue struct {
	Name     string
	Function string // the consumer
	// Visibility is at least six times the function's timeout, as AWS advises for event source mappings.
	Visibility  time.Duration
	Retention   time.Duration
	MaxReceives int    // then the message goes to DeadLetter
	DeadLetter  string // "" for the dead-letter queue itself
	BatchSize   int
	// Window is how long the mapping waits for more messages before it invokes the function, in whole seconds.
	Window time.Duration
	// MaxConcurrency bounds the event source mapping's invocations at a time; at least 2 (SQS's own lower bound).
	MaxConcurrency int
	Layers         []stage.Layer
}

// Schedule is one EventBridge Scheduler schedule: it runs a stage's trigger worker.
type Schedule struct {
	Stage  stage.Name
	Every  time.Duration // whole minutes, the scheduler's finest step
	Layers []stage.Layer
}

var both = []stage.Layer{stage.L2, stage.L3}

// Names of the functions.
const (
	FnSnosRun           = "snosrun"
	FnProofCreation     = "proofcreation"
	FnProofRegistration = "proofregistration"
	FnDataSubmission    = "datasubmission"
	FnAggregator        = "aggregator"
	FnStateTransition   = "statetransition"
	FnTrigger           = "trigger"
	FnJobFailure        = "jobfailure"
	FnAPI               = "api"
	FnHooks             = "hooks"
	FnHeads             = "heads"
)

// Names of the queues that serve no single job type.
const (
	TriggerQueue         = "trigger"
	PriorityProcessQueue = "priority-process"
	PriorityVerifyQueue  = "priority-verify"
	DeadLetterQueue      = "dead-letter"
)

// size is what the function and the queues of a stage with jobs are given.
type size struct {
	timeout     time.Duration // of the function
	memoryMB    int
	batch       int // messages an invocation
	concurrency int // invocations at a time, a queue
}

var sizes = map[stage.Name]size{
	stage.SnosRun:           {time.Minute, 256, 10, 5},
	stage.ProofCreation:     {5 * time.Minute, 512, 5, 5},
	stage.ProofRegistration: {5 * time.Minute, 512, 5, 5},
	stage.DataSubmission:    {time.Minute, 1024, 1, 2}, // with DA_KIND ethereum it proves blobs as StateTransition does
	stage.Aggregator:        {5 * time.Minute, 512, 5, 3},
	stage.StateTransition:   {2 * time.Minute, 1024, 1, 2},
}

// stages are the stages that have jobs, and so a function and queues of their own.
func stages() []stage.Stage {
	return slices.DeleteFunc(stage.All(), func(s stage.Stage) bool { return !s.Jobs })
}

// Reserved concurrencies of the functions that serve HTTP: however many requests come, they leave the account's other
// concurrency to the functions that settle, and a flood of webhooks leaves the API alone.
const (
	apiConcurrency   = 10
	hooksConcurrency = 5
)

// HeadsEvery is how often the function heads is started. It listens a little longer than that, so that the next one
// listens before it ends; headsConcurrency has both of them run.
const (
	HeadsEvery       = time.Minute
	headsConcurrency = 2
)

// priorityQueues are the queues that go past the stages' own; priorityConcurrency is how many messages of each are
// worked on at a time.
var priorityQueues = []string{PriorityProcessQueue, PriorityVerifyQueue}

const priorityConcurrency = 2

// AtOnce is how many invocations of a function the queues start at a time: its own queues' and, of a function with
// jobs, those that the priority queues pass on.
func AtOnce(function string) int {
	n := 0
	for _, q := range Queues() {
		if q.Function == function {
			n += q.MaxConcurrency
		}
	}
	if slices.ContainsFunc(stages(), func(s stage.Stage) bool { return FunctionOf(s.Name) == function }) {
		n += len(priorityQueues) * priorityConcurrency
	}
	return n
}

// WakesItself says whether what a function sends or invokes may, over any number of steps, start the same function
// again. Lambda takes that for a mistake and ends it after 16 rounds, unless the function allows it (AWS Lambda,
// "Recursive loop detection").
func WakesItself(function string) bool {
	queues := map[string]Queue{}
	for _, q := range Queues() {
		queues[q.Name] = q
	}
	seen := map[string]bool{}
	var reach func(string) bool
	reach = func(f string) bool {
		a := AccessOf(f)
		next := slices.Clone(a.Invokes)
		for _, name := range a.Sends {
			next = append(next, queues[name].Function)
			if dead := queues[name].DeadLetter; dead != "" {
				next = append(next, queues[dead].Function)
			}
		}
		for _, n := range next {
			if n == function {
				return true
			}
			if !seen[n] {
				seen[n] = true
				if reach(n) {
					return true
				}
			}
		}
		return false
	}
	return reach(function)
}

// pieScratchMB is the space for a PIE, which is copied to disk to be read: the largest that is taken (starknet/pie
// DefaultLimits.Zip, 4 GiB; a test holds both together) and some for the rest. Lambda has up to 10,240 MB.
const pieScratchMB = 4<<10 + 256

// Functions are all functions.
func Functions() []Function {
	var fs []Function
	for _, s := range stages() {
		z := sizes[s.Name]
		f := Function{Name: FunctionOf(s.Name), MemoryMB: z.memoryMB, Timeout: timeout(FunctionOf(s.Name)),
			Layers: s.Layers}
		if s.Name == stage.Aggregator {
			f.ScratchMB = pieScratchMB
		}
		if s.Name == stage.StateTransition {
			f.Concurrency = AtOnce(f.Name) // a busy account must not starve it; leases keep the order
		}
		fs = append(fs, f)
	}
	return append(fs,
		Function{Name: FnTrigger, MemoryMB: 1024, Timeout: timeout(FnTrigger), Layers: both},
		Function{Name: FnJobFailure, MemoryMB: 256, Timeout: timeout(FnJobFailure), Layers: both},
		Function{Name: FnAPI, MemoryMB: 256, Timeout: timeout(FnAPI), Concurrency: apiConcurrency, Layers: both},
		Function{Name: FnHooks, MemoryMB: 256, Timeout: timeout(FnHooks), Concurrency: hooksConcurrency, Layers: both},
		Function{Name: FnHeads, MemoryMB: 128, Timeout: timeout(FnHeads), Concurrency: headsConcurrency, Optional: true,
			Layers: both},
	)
}

// timeout is how long an invocation of a function may take.
func timeout(function string) time.Duration {
	for _, s := range stages() {
		if FunctionOf(s.Name) == function {
			return sizes[s.Name].timeout
		}
	}
	switch function {
	case FnTrigger:
		return 2 * time.Minute
	case FnJobFailure:
		return 30 * time.Second
	case FnHeads:
		return HeadsEvery + 8*time.Second
	}
	return 20 * time.Second // what serves HTTP
}

// FunctionOf names the function of a stage that has jobs: the stage's name in lower case.
func FunctionOf(n stage.Name) string { return strings.ToLower(string(n)) }

// queueStem is what the names of a stage's queues begin with: the stage's name in lower case, its words joined by
// hyphens.
func queueStem(n stage.Name) string {
	var b strings.Builder
	for i, r := range string(n) {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// verifyWindow is how long the mappings of verification queues wait for more messages; verifyBatch is how many they
// take at a time. Polls of many jobs are due at the same time (job.NextPoll), and their messages are sent this much
// earlier (Held): so one invocation makes several, and none comes later.
const (
	verifyWindow = time.Second
	verifyBatch  = 10
)

// Held is how long the mapping of a stage's verification queue may hold a message back.
func Held(t job.Type) time.Duration {
	name := Route(t, job.Verify, false)
	i := slices.IndexFunc(declared, func(q Queue) bool { return q.Name == name })
	if i < 0 {
		return 0
	}
	return declared[i].Window
}

// declared are the queues, for look-ups.
var declared = Queues()

// visibilityFactor is how many function timeouts a message stays invisible.
const visibilityFactor = 6

// maxReceives is how often a message is delivered before it is a dead letter.
const maxReceives = 5

// retention is how long messages are kept; the longest that SQS offers.
const retention = 14 * 24 * time.Hour

// Queues are all queues.
func Queues() []Queue {
	var qs []Queue
	add := func(name, function string, batch, most int, layers []stage.Layer) {
		q := Queue{
			Name: name, Function: function, Retention: retention, MaxReceives: maxReceives, DeadLetter: DeadLetterQueue,
			BatchSize: batch, MaxConcurrency: most, Layers: layers,
		}
		q.Visibility = visibilityFactor * timeout(function)
		qs = append(qs, q)
	}
	for _, s := range stages() {
		z := sizes[s.Name]
		for _, a := range []job.Action{job.Process, job.Verify} {
			add(Route(s.Name, a, false), FunctionOf(s.Name), z.batch, z.concurrency, s.Layers)
			if last := &qs[len(qs)-1]; a == job.Verify && z.batch > 1 {
				last.Window = verifyWindow
				last.Visibility += verifyWindow
				if s.Name != stage.Aggregator { // which may copy a PIE for each
					last.BatchSize = verifyBatch
				}
			}
		}
	}
	add(TriggerQueue, FnTrigger, 10, 5, both)
	for _, name := range priorityQueues {
		add(name, FnTrigger, 1, priorityConcurrency, both)
	}
	add(DeadLetterQueue, FnJobFailure, 10, 2, both)
	qs[len(qs)-1].DeadLetter, qs[len(qs)-1].MaxReceives = "", 0
	return qs
}

// Route names the queue of an action of a stage's jobs. With priority it is one of the two queues that go past the
// stages' own. It is "" for a stage without jobs.
func Route(t job.Type, a job.Action, priority bool) string {
	if priority {
		if a == job.Verify {
			return PriorityVerifyQueue
		}
		return PriorityProcessQueue
	}
	if s, _ := stage.Of(t); !s.Jobs {
		return ""
	}
	return queueStem(t) + "-" + string(a)
}

// ScheduleGroup is the name of the group of a deployment's schedules.
const ScheduleGroup = "schedules"

// Schedules are all schedules. Completion wakes the next stage at once, so they are the safety net and the clock of
// what nothing wakes: new blocks, ages, overdue jobs.
func Schedules() []Schedule {
	var out []Schedule
	for _, s := range stage.All() {
		out = append(out, Schedule{Stage: s.Name, Every: every(s.Name), Layers: s.Layers})
	}
	return out
}

// Intervals are how often the trigger workers of a layer run, with those of the settings in the place of the defaults.
func Intervals(l stage.Layer, settings schedule.Intervals) map[stage.Name]time.Duration {
	out := map[stage.Name]time.Duration{}
	for _, s := range Schedules() {
		if slices.Contains(s.Layers, l) {
			out[s.Stage] = cmp.Or(settings[s.Stage], s.Every)
		}
	}
	return out
}

// every is how often a stage's trigger worker runs by its schedule.
func every(n stage.Name) time.Duration {
	switch n {
	case stage.AggregatorBatching, stage.SnosBatching, stage.Reconcile:
		return time.Minute
	case stage.StorageCleanup:
		return time.Hour
	}
	return 5 * time.Minute
}

// Physical is a resource's name in the cloud: the chain's name keeps several chains apart in one account.
func Physical(chain, name string) string { return chain + "-" + name }

// Dashboard is the name of the dashboard.
const Dashboard = "settlement"

// Stack is the name of a chain's CloudFormation stack.
func Stack(chain string) string { return "Orchestrator-" + chain }
