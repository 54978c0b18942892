// Package takeover describes what the database of Madara's own orchestrator (the Rust program that this one replaces)
// says, as far as a takeover needs it, and the port that reads it. Names of statuses are those of that program at
// commit e674321.
package takeover

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// ErrForeign says that a database is not one of Madara's orchestrator: a collection is missing.
var ErrForeign = errors.New("this is not a database of Madara's orchestrator")

// Statuses of batches and jobs that decide something. All others mean "under way" or "failed".
const (
	BatchCompleted = "Completed"
	JobCompleted   = "Completed"
	JobLocked      = "LockedForProcessing"
)

// BatchStatuses are the statuses of aggregator and SNOS batches (orchestrator/src/types/batch.rs).
var BatchStatuses = []string{
	"Open", "Closed", "SnosJobCreated", "PendingAggregatorRun",
	"PendingAggregatorVerification", "ReadyForStateUpdate",
	BatchCompleted, "AggregationFailed", "VerificationFailed", "StateUpdateFailed",
}

// JobStatuses are the statuses of jobs (orchestrator/src/types/jobs/types.rs).
var JobStatuses = []string{
	"Created", JobLocked, "PendingVerification", JobCompleted, "VerificationTimeout",
	"VerificationFailed", "Failed", "PendingRetry",
}

// Batch is a batch that a state update settles: an aggregator batch on an L2, a SNOS batch on an L3.
type Batch struct {
	Index                uint64
	StartBlock, EndBlock uint64 // both inclusive
	Status               string
	StarknetVersion      string
	Bucket               string // Atlantic's bucket; "" without one
}

// Snos is a SNOS batch of an aggregator batch.
type Snos struct {
	Batch
	Aggregator uint64 // index of its aggregator batch
}

// Job is a job that is not completed.
type Job struct {
	Type     string
	Batch    uint64 // the job's internal id: of a SNOS batch or an aggregator batch, as its type has it
	Status   string
	External string // the prover's task, or the transaction's hash; "" before there is one
	// Transactions are hashes that the job has sent, oldest first.
	Transactions []string
}

// Name is the job as people call it.
func (j Job) Name() string { return fmt.Sprintf("%s of batch %d", j.Type, j.Batch) }

// Lock is a lease that was not over when the database was read.
type Lock struct {
	Name      string
	ExpiresAt time.Time
}

// Database is one reading of the old database.
type Database struct {
	Layer stage.Layer
	// Settled is the completed batch with the highest index; nil: none.
	Settled *Batch
	// LastSnos is the highest index of a SNOS batch up to Settled's end, on an L3 Settled's own index; 0: none.
	LastSnos uint64
	// Unsettled are the batches that are not completed, ascending.
	Unsettled []Batch
	// Snos are the SNOS batches of Unsettled on an L2, ascending; Tasks are the prover's tasks for them by their index,
	// of jobs that have not failed.
	Snos  []Snos
	Tasks map[uint64]string
	// Jobs are the jobs that are not completed, ascending by type and batch.
	Jobs []Job
	// LastWrite is the newest time that any document was changed.
	LastWrite time.Time
	Locks     []Lock
}

// FaultError lists the documents that can't be used: half-written ones, unknown statuses, batches that do not follow
// one another. All are listed at once.
type FaultError struct{ Faults []string }

// Error lists the faults, one a line.
func (e *FaultError) Error() string {
	return fmt.Sprintf(
		"%d documents of the old database can't be used:\n  %s",
		len(e.Faults),
		strings.Join(e.Faults, "\n  "),
	)
}

// Reader reads the old database. It changes nothing there.
type Reader interface {
	// Read returns what the database says now. ErrForeign where it is not one of Madara's orchestrator; a *FaultError
	// where documents can't be used.
	Read(ctx context.Context, now time.Time) (Database, error)
}
