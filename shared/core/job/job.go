// Package job is the unit of work of the pipeline: one stage of one batch. It holds the state machine (machine.go), the
// metadata of each type, the wake-up messages and the port to the store.
//
// The document is the truth: Status, NextAction, DueAt and Generation alone say what must happen next and from when. A
// message is a hint.
package job

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// Type is the stage that a job belongs to.
type Type = stage.Name

// The job types.
const (
	SnosRun           = stage.SnosRun
	ProofCreation     = stage.ProofCreation
	ProofRegistration = stage.ProofRegistration // L3
	DataSubmission    = stage.DataSubmission    // L3
	Aggregator        = stage.Aggregator        // L2
	StateTransition   = stage.StateTransition
)

// Types are all job types in the order of the pipeline.
var Types = stage.WithJobs()

// ParseType returns the type with the name; the error lists the known ones.
func ParseType(s string) (Type, error) {
	if t := Type(s); slices.Contains(Types, t) {
		return t, nil
	}
	return "", fmt.Errorf("unknown job type %.80q, want one of %v", s, Types)
}

// Status is a job's state.
type Status string

// The statuses.
const (
	Created             Status = "Created"
	LockedForProcessing Status = "LockedForProcessing"
	PendingVerification Status = "PendingVerification"
	Completed           Status = "Completed"
	VerificationFailed  Status = "VerificationFailed"
	VerificationTimeout Status = "VerificationTimeout"
	Failed              Status = "Failed"
	PendingRetry        Status = "PendingRetry"
)

// Statuses are all statuses.
var Statuses = []Status{Created, LockedForProcessing, PendingVerification, Completed, VerificationFailed,
	VerificationTimeout, Failed, PendingRetry}

// Unfinished are the statuses of jobs that are not completed.
func Unfinished() []Status {
	return slices.DeleteFunc(slices.Clone(Statuses), func(s Status) bool { return s == Completed })
}

// ParseStatus returns the status with the name; the error lists the known ones.
func ParseStatus(s string) (Status, error) {
	if st := Status(s); slices.Contains(Statuses, st) {
		return st, nil
	}
	return "", fmt.Errorf("unknown job status %.80q, want one of %v", s, Statuses)
}

// NeedsOperator says whether a job in this status waits for a person.
func (s Status) NeedsOperator() bool { return s == Failed || s == VerificationTimeout }

// Action is what a wake-up asks for.
type Action string

// The actions. None: no next action; the job is finished or waits for an operator.
const (
	None    Action = ""
	Process Action = "process"
	Verify  Action = "verify"
)

// ParseAction returns the action with the name.
func ParseAction(s string) (Action, error) {
	switch a := Action(s); a {
	case Process, Verify:
		return a, nil
	}
	return "", fmt.Errorf("unknown action %.80q, want process or verify", s)
}

// SchemaMin and SchemaMax are the range of document schemas that this build reads. A document outside the range is left
// alone, so that two versions can run side by side during an upgrade. Schema 2 has the blocks' Starknet version in the
// metadata. New documents are written with it, and after a rewind with schema 3, which has the epoch: a build that does
// not know epochs must leave those alone.
const (
	SchemaMin = 1
	SchemaMax = 3

	schemaBefore = 2 // of documents of epoch 0
)

// Lease says who works on a job now. It is apart from the status: a status says how far a job is, a lease only keeps a
// second invocation from working at the same time.
type Lease struct {
	Owner     string // of one invocation; "" means free
	ExpiresAt time.Time
}

// Held says whether the lease keeps others away at now.
func (l Lease) Held(now time.Time) bool { return l.Owner != "" && now.Before(l.ExpiresAt) }

// Attempts counts what was tried. All but Total are about the current round and start at 0 when an operator retries.
type Attempts struct {
	Process   int // processing rounds that ended in a submission or a rejection
	Verify    int // polls since the last submission, those that were left out included (wait.go)
	Waits     int // those of Verify that found others to come first: they use up no patience
	Crashes   int // invocations in a row that took the job and never came back
	Transient int // transient failures in a row; they only set the backoff
	Total     int // invocations that took the job, ever
}

// Failure is one recorded failure.
type Failure struct {
	At     time.Time
	Reason string
}

// MaxFailures is how many failures a document keeps, newest last.
const MaxFailures = 10

// Job is one job's document.
type Job struct {
	ID         string
	Type       Type
	Batch      uint64 // the SNOS or aggregator batch's index; unique within the type
	Epoch      uint64 // of the batch (package rewind)
	Status     Status
	Previous   Status // the status before LockedForProcessing, to go back to after a transient failure
	ExternalID string // the newest handle at an external service: transaction hash, prover's task, runner's handle
	Metadata   Metadata
	Attempts   Attempts
	Failures   []Failure

	NextAction Action
	DueAt      time.Time // when NextAction is due; zero with None
	Generation uint64    // grows with every scheduled action; older messages are stale
	Version    uint64    // grows with every write
	Lease      Lease
	Wait       Wait // what NextAction Verify waits for
	Schema     int

	TraceID     string // of the batch, 32 hex digits
	CreatedAt   time.Time
	UpdatedAt   time.Time
	StartedAt   time.Time // first processing
	SubmittedAt time.Time // last submission
	EndedAt     time.Time // when it became Completed, Failed or timed out
}

// New returns a job that is due at once. The metadata decides the type.
func New(id string, internalID uint64, m Metadata, traceID string, now time.Time) Job {
	return Job{
		ID: id, Type: m.JobType(), Batch: internalID, Status: Created, Metadata: m,
		NextAction: Process, DueAt: now, Generation: 1, Version: 1, Schema: schemaBefore,
		TraceID: traceID, CreatedAt: now, UpdatedAt: now,
	}
}

// InEpoch is a new job of a batch of an epoch.
func (j Job) InEpoch(epoch uint64) Job {
	if j.Epoch = epoch; epoch > 0 {
		j.Schema = SchemaMax
	}
	return j
}

// NewID returns a random job id: 32 hex digits.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// AttemptID is an id for an external service's task that this invocation starts. Another invocation's is different, so
// the id of a failed task is never used again.
func (j Job) AttemptID() string { return fmt.Sprintf("%s-%d", j.ID, j.Attempts.Total) }

// OfAttempt is the id of the job that an AttemptID was made of.
func OfAttempt(id string) string {
	of, _, _ := strings.Cut(id, "-")
	return of
}

// Reason is the newest recorded failure, "" where there is none.
func (j Job) Reason() string {
	if len(j.Failures) == 0 {
		return ""
	}
	return j.Failures[len(j.Failures)-1].Reason
}

// Wakeup is the message that asks for the job's next action.
func (j Job) Wakeup() Message {
	return Message{JobID: j.ID, Type: j.Type, Action: j.NextAction, Generation: j.Generation, Epoch: j.Epoch,
		TraceID: j.TraceID}
}

// Clone returns a copy that shares nothing that can be changed.
func (j Job) Clone() Job {
	j.Failures = slices.Clone(j.Failures)
	if j.Metadata != nil {
		j.Metadata = j.Metadata.clone()
	}
	return j
}
