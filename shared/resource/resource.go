// Package resource is the one declarative description of everything the orchestrator needs of a cloud: functions, queues,
// schedules, bucket, topic, bus, database indexes and secrets. The CDK app provisions it, the local run imitates it, and
// the functions take their names from it. Plain data: it imports no cloud SDK.
package resource

import (
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
)

// Function is one Lambda function.
type Function struct {
	Name     string // also the folder below functions/
	MemoryMB int
	Timeout  time.Duration
	// Concurrency is the reserved concurrency; 0 reserves none. 1 where order matters.
	Concurrency int
	Layers      []schedule.Layer
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
	// MaxConcurrency bounds the event source mapping's invocations at a time; at least 2 (SQS's own lower bound).
	MaxConcurrency int
	Layers         []schedule.Layer
}

// Schedule is one EventBridge Scheduler schedule: it runs a trigger worker.
type Schedule struct {
	Worker schedule.Worker
	Every  time.Duration // whole minutes, the scheduler's finest step
	Layers []schedule.Layer
}

var both = []schedule.Layer{schedule.L2, schedule.L3}

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
)

// Names of the queues that serve no single job type.
const (
	TriggerQueue         = "trigger"
	PriorityProcessQueue = "priority-process"
	PriorityVerifyQueue  = "priority-verify"
	DeadLetterQueue      = "dead-letter"
)

// stage ties a job type to its function and to the stem of its queues' names.
type stage struct {
	job      job.Type
	function string
	queue    string
	timeout  time.Duration
	memory   int
	batch    int
	most     int // concurrent invocations
	layers   []schedule.Layer
}

var stages = []stage{
	{job.SnosRun, FnSnosRun, "snos-run", time.Minute, 256, 10, 5, both},
	{job.ProofCreation, FnProofCreation, "proof-creation", 5 * time.Minute, 512, 5, 5, both},
	{job.ProofRegistration, FnProofRegistration, "proof-registration", 5 * time.Minute, 512, 5, 5, []schedule.Layer{schedule.L3}},
	{job.DataSubmission, FnDataSubmission, "data-submission", time.Minute, 256, 1, 2, []schedule.Layer{schedule.L3}},
	{job.Aggregator, FnAggregator, "aggregator", 5 * time.Minute, 512, 5, 3, []schedule.Layer{schedule.L2}},
	{job.StateTransition, FnStateTransition, "state-transition", 2 * time.Minute, 1024, 1, 2, both},
}

// Functions are all functions.
func Functions() []Function {
	fs := make([]Function, 0, len(stages)+3)
	for _, s := range stages {
		f := Function{Name: s.function, MemoryMB: s.memory, Timeout: s.timeout, Layers: s.layers}
		if s.job == job.StateTransition {
			f.Concurrency = 2 // its event source mappings may not be starved; leases keep the order
		}
		fs = append(fs, f)
	}
	return append(fs,
		Function{Name: FnTrigger, MemoryMB: 1024, Timeout: 2 * time.Minute, Layers: both},
		Function{Name: FnJobFailure, MemoryMB: 256, Timeout: 30 * time.Second, Layers: both},
		Function{Name: FnAPI, MemoryMB: 256, Timeout: 20 * time.Second, Layers: both},
	)
}

// FunctionOf names the function of a job type.
func FunctionOf(t job.Type) string {
	for _, s := range stages {
		if s.job == t {
			return s.function
		}
	}
	return ""
}

// visibilityFactor is how many function timeouts a message stays invisible.
const visibilityFactor = 6

// maxReceives is how often a message is delivered before it is a dead letter.
const maxReceives = 5

// retention is how long messages are kept; the longest that SQS offers.
const retention = 14 * 24 * time.Hour

// Queues are all queues.
func Queues() []Queue {
	var qs []Queue
	add := func(name, function string, batch, most int, layers []schedule.Layer) {
		q := Queue{
			Name: name, Function: function, Retention: retention, MaxReceives: maxReceives, DeadLetter: DeadLetterQueue,
			BatchSize: batch, MaxConcurrency: most, Layers: layers,
		}
		for _, f := range Functions() {
			if f.Name == function {
				q.Visibility = visibilityFactor * f.Timeout
			}
		}
		qs = append(qs, q)
	}
	for _, s := range stages {
		add(s.queue+"-process", s.function, s.batch, s.most, s.layers)
		add(s.queue+"-verify", s.function, s.batch, s.most, s.layers)
	}
	add(TriggerQueue, FnTrigger, 10, 5, both)
	add(PriorityProcessQueue, FnTrigger, 1, 2, both)
	add(PriorityVerifyQueue, FnTrigger, 1, 2, both)
	add(DeadLetterQueue, FnJobFailure, 10, 2, both)
	qs[len(qs)-1].DeadLetter, qs[len(qs)-1].MaxReceives = "", 0
	return qs
}

// Route names the queue of a job type's action; with priority it is the pair that goes past the stages' queues.
func Route(t job.Type, a job.Action, priority bool) string {
	if priority {
		if a == job.Verify {
			return PriorityVerifyQueue
		}
		return PriorityProcessQueue
	}
	for _, s := range stages {
		if s.job == t {
			return s.queue + "-" + string(a)
		}
	}
	return ""
}

// Schedules are all schedules. Completion wakes the next stage at once, so they are the safety net and the clock of
// what nothing wakes: new blocks, ages, overdue jobs.
func Schedules() []Schedule {
	l2, l3 := []schedule.Layer{schedule.L2}, []schedule.Layer{schedule.L3}
	return []Schedule{
		{schedule.AggregatorBatching, time.Minute, l2},
		{schedule.SnosBatching, time.Minute, both},
		{schedule.Snos, 5 * time.Minute, both},
		{schedule.Proving, 5 * time.Minute, both},
		{schedule.ProofRegistration, 5 * time.Minute, l3},
		{schedule.DataSubmission, 5 * time.Minute, l3},
		{schedule.Aggregator, 5 * time.Minute, l2},
		{schedule.UpdateState, 5 * time.Minute, both},
		{schedule.StorageCleanup, time.Hour, both},
		{schedule.Reconcile, time.Minute, both},
	}
}

// Physical is a resource's name in the cloud: the chain's name keeps several chains apart in one account.
func Physical(chain, name string) string { return chain + "-" + name }
