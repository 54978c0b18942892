// Package proof is the port to proving services and to the registries that say which facts are proven.
package proof

import (
	"context"
	"errors"
	"io"
)

// Kind is what a prover is asked for.
type Kind string

const (
	// Child proves one SNOS batch on its way into an aggregation (L2), or on its own (L3).
	Child Kind = "child"
	// Aggregation proves an aggregator batch over its children.
	Aggregation Kind = "aggregation"
	// Registration verifies a proof on the settlement layer, so that its fact is registered there (L3).
	Registration Kind = "registration"
)

// Request asks for one proof.
type Request struct {
	Kind Kind
	// DedupID names the request for good: a service that has it already must not start another.
	DedupID string
	// Batch is the SNOS batch's index for Child and Registration, the aggregator batch's for Aggregation.
	Batch uint64
	// Input opens the PIE (Child, Aggregation, Registration where the prover is Direct) or the proof (Registration)
	// again; InputSize is its length in bytes. Both are unset for an Aggregation in a bucket, whose children are the
	// input.
	Input     func(ctx context.Context) (io.ReadCloser, error)
	InputSize int64
	// StarknetVersion is that of the blocks, which decides how programs are hashed; "" where unknown: 0.14.2 at most.
	StarknetVersion string
	// Steps is the run's number of Cairo steps; 0 where unknown.
	Steps uint64
	// Bucket and Index place a Child in an aggregation (Index from 0 in the batch's order); Bucket is "" where the
	// prover has none.
	Bucket string
	Index  uint64
	// Children are the prover's tasks of the children in order; Aggregation only.
	Children []string
	// Fact is the fact that the proof establishes, "0x" and 64 hex digits; "" where unknown.
	Fact string
}

// State says how far a proof is.
type State string

// States of a proof.
const (
	InProgress State = "in_progress"
	Done       State = "done"
	Rejected   State = "rejected" // the service says that this input can't be proven, or gave up
	Lost       State = "lost"     // the service does not know the task: submit it again
)

// Progress is a task's state as the service reports it.
type Progress struct {
	State  State
	Detail string // why it was rejected
}

// Artifact names what can be fetched of a finished task.
type Artifact string

// Artifacts of a task.
const (
	ProofFile     Artifact = "proof"
	PIE           Artifact = "pie"            // aggregations in a bucket
	DASegment     Artifact = "da_segment"     // aggregations in a bucket
	ProgramOutput Artifact = "program_output" // aggregations in a bucket
)

// Capabilities say what a prover does itself, which decides the stages around it.
type Capabilities struct {
	// Name is the prover's name, such as "atlantic".
	Name string
	// Buckets: children are put into a bucket that is opened with its batch, and closing it starts the aggregation.
	// Without it we run the aggregator program ourselves and submit its PIE.
	Buckets bool
	// Proofs: the finished proof can be fetched with ProofFile.
	Proofs bool
	// Direct: a Registration takes the SNOS run's PIE and proves it too, so there is no Child to pay for before it
	// (L3).
	Direct bool
}

var (
	// ErrRejected says that the service will never take this request as it is; the wrapping text says why.
	ErrRejected = errors.New("request is rejected by the prover")
	// ErrNotReady says that an artifact is not there yet.
	ErrNotReady = errors.New("artifact of the prover is not ready")
)

// Prover starts proofs and reports how they stand. Safe for concurrent use. Errors other than this package's are
// transient failures.
type Prover interface {
	// Capabilities is constant.
	Capabilities() Capabilities
	// Submit starts a proof, or returns the task that exists for the request's DedupID.
	Submit(ctx context.Context, r Request) (task string, err error)
	// Status returns how a task stands.
	Status(ctx context.Context, task string) (Progress, error)
	// Fetch opens an artifact of a finished task; the caller closes it. ErrNotReady where it isn't there yet.
	Fetch(ctx context.Context, task string, a Artifact) (io.ReadCloser, error)
	// OpenBucket opens the bucket of an aggregator batch, or returns the one that exists for externalID. Only with
	// Capabilities.Buckets.
	OpenBucket(ctx context.Context, externalID string, starknetVersion string) (bucket string, err error)
	// CloseBucket closes a bucket and starts its aggregation; one that is already closed is not an error. It returns
	// the aggregation's task.
	CloseBucket(ctx context.Context, bucket string) (task string, err error)
	// Ping returns an error when the service can't be used.
	Ping(ctx context.Context) error
}

// Registry is a FactChecker that registers facts too: a development chain's.
type Registry interface {
	FactChecker
	// Register starts the registration of a fact ("0x" and 64 hex digits) and does not wait for it; a second call is
	// not an error.
	Register(ctx context.Context, fact string) error
}

// FactChecker says which facts are registered on the settlement layer. Safe for concurrent use.
type FactChecker interface {
	// Valid answers for each fact ("0x" and 64 hex digits), in order.
	Valid(ctx context.Context, facts []string) ([]bool, error)
}
