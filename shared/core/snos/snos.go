// Package snos is the port to what runs the Starknet OS (SNOS) over a batch's blocks, and the aggregator program over
// a batch's SNOS outputs where the prover doesn't do that itself.
package snos

import (
	"context"
	"errors"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// Kind is a kind of run.
type Kind string

const (
	// Run executes the blocks of a SNOS batch and writes PIE, OS output and program output (L3: the DA segment too).
	Run Kind = "snos"
	// Aggregate combines the SNOS outputs of an aggregator batch and writes PIE, program output and DA segment.
	Aggregate Kind = "aggregate"
)

// Task is what a runner is asked to do. Keys name objects of the artifact store, which the runner reads and writes
// itself.
type Task struct {
	Kind Kind
	// ID names the task for good: submitting the same ID again returns the run that exists. One a job and attempt.
	ID         string
	Batch      uint64
	StartBlock uint64
	EndBlock   uint64
	// StarknetVersion is that of the blocks: it decides how the programs are hashed. "" for jobs from before it was
	// recorded, whose blocks are of Starknet 0.14.2 at most.
	StarknetVersion string
	// FullOutput asks for a program output that carries the whole state diff, which an aggregator needs of its inputs.
	FullOutput bool
	// Inputs are the program outputs of the SNOS batches in order; Aggregate only.
	Inputs []string
	// OutputPrefix is where the artifacts go: OutputPrefix + artifact.PIE and so on, and last artifact.RunResult.
	OutputPrefix string
	// UseBackup asks the runner to read the chain from its backup node.
	UseBackup bool
	// Chain is what the Starknet OS must know of the chain. Zero: as the runner itself is set up.
	Chain Chain
	// RPC is the URL of the node that SNOS reads, which must have starknet_getStorageProof with history. It may hold a
	// key, so it is never logged. "": the runner's own.
	RPC string
	// Callback is a URL to which a runner that can posts once when the run has ended, well or not, with no body. It
	// lets nobody do more than have the runner asked now. "": nobody waits for that.
	Callback string
}

// Chain is what the Starknet OS must know of the chain beside its blocks. The config hash is over it.
type Chain struct {
	ID          string `json:"id,omitempty"`            // text such as SN_SEPOLIA, or a felt in hex
	FeeToken    string `json:"fee_token,omitempty"`     // address, hex
	EthFeeToken string `json:"eth_fee_token,omitempty"` // address, hex
	// of the data availability committee in order, hex; none: no encryption
	PublicKeys []string `json:"public_keys,omitempty"`
}

// State says how far a run is.
type State string

// States of a run.
const (
	Queued    State = "queued"
	Running   State = "running"
	Succeeded State = "succeeded"
	Failed    State = "failed"
	// Lost says that the runner does not know the task: submit it again.
	Lost State = "lost"
)

// FailureKind says why a run failed, as far as it changes what to do next.
type FailureKind string

// Kinds of failure.
const (
	// Interrupted: the machine was taken away (spot, host loss). Run again.
	Interrupted FailureKind = "interrupted"
	// OutOfMemory: run again with more, or with smaller batches.
	OutOfMemory FailureKind = "out_of_memory"
	// TimedOut: the run passed its time limit.
	TimedOut FailureKind = "timed_out"
	// ChainUnavailable: the node could not be read. Run again, with the backup node.
	ChainUnavailable FailureKind = "chain_unavailable"
	// Rejected: the program refused the input; the same run will fail again.
	Rejected FailureKind = "rejected"
)

// Progress is a run's state as the runner reports it.
type Progress struct {
	State   State
	Failure FailureKind // only for Failed
	Detail  string      // of Failed, and of Queued where it can't start: what the runner says, without secrets
}

// Result is the content of artifact.RunResult: what the run says of its own artifacts. It is JSON with these fields.
type Result struct {
	Kind        Kind      `json:"kind"`
	StartBlock  uint64    `json:"start_block"`
	EndBlock    uint64    `json:"end_block"`
	ProgramHash felt.Felt `json:"program_hash"`
	// Steps is the run's number of Cairo steps; 0 where unknown.
	Steps uint64 `json:"steps"`
	// Fact is the fact that a proof of the run establishes, "0x" and 64 hex digits; "" where the runner doesn't say.
	Fact string `json:"fact,omitempty"`
}

// ErrBusy says that the runner takes no further task now.
var ErrBusy = errors.New("runner takes no further task now")

// Runner starts runs and reports how they stand. Nothing waits: a run of minutes is submitted and asked about later.
// Safe for concurrent use. Errors other than ErrBusy are transient failures; Status reports a task that can't
// succeed.
type Runner interface {
	// Submit starts a task unless one with its ID exists, and returns the runner's handle of it.
	Submit(ctx context.Context, t Task) (handle string, err error)
	// Status returns how the run stands. A handle that the runner doesn't know is State Lost, not an error.
	Status(ctx context.Context, handle string) (Progress, error)
	// Cancel stops a run; one that has ended or is unknown is not an error.
	Cancel(ctx context.Context, handle string) error
	// Ping returns an error when the runner can't be used.
	Ping(ctx context.Context) error
}
