// Package schedule names the trigger workers and holds which stages are paused.
package schedule

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Worker is a trigger worker: one a stage, run by its own schedule and woken when its predecessor completes.
type Worker string

// The trigger workers.
const (
	SnosBatching       Worker = "SnosBatching"
	AggregatorBatching Worker = "AggregatorBatching"
	Snos               Worker = "Snos"
	Proving            Worker = "Proving"
	ProofRegistration  Worker = "ProofRegistration"
	DataSubmission     Worker = "DataSubmission"
	Aggregator         Worker = "Aggregator"
	UpdateState        Worker = "UpdateState"
	StorageCleanup     Worker = "StorageCleanup"
	Reconcile          Worker = "Reconcile"
)

// Workers are all trigger workers, in the order of the pipeline.
var Workers = []Worker{
	AggregatorBatching, SnosBatching, Snos, Proving, ProofRegistration, DataSubmission, Aggregator, UpdateState,
	StorageCleanup, Reconcile,
}

// ParseWorker returns the worker with the name; the error lists the known ones.
func ParseWorker(name string) (Worker, error) {
	if w := Worker(name); slices.Contains(Workers, w) {
		return w, nil
	}
	return "", fmt.Errorf("unknown worker %.80q, want one of %v", name, Workers)
}

// Layer is where a chain settles, which decides its stages.
type Layer string

// The layers.
const (
	L2 Layer = "l2" // on Ethereum, with aggregation and blobs
	L3 Layer = "l3" // on Starknet, with calldata
)

// Serves says whether a chain of the layer has the worker's stage.
func (l Layer) Serves(w Worker) bool {
	switch w {
	case AggregatorBatching, Aggregator:
		return l == L2
	case ProofRegistration, DataSubmission:
		return l == L3
	}
	return true
}

// Wakeup is the body of a message or schedule that runs a worker once: {"worker":"Proving"}.
type Wakeup struct {
	Worker Worker `json:"worker"`
}

// Pause says that a stage is paused: its worker and its jobs do nothing until it is resumed.
type Pause struct {
	Stage  string // a Worker's or a job type's name
	Since  time.Time
	By     string // who asked, for the audit
	Reason string
}

// Control keeps which stages are paused. Safe for concurrent use.
type Control interface {
	// Pauses lists the paused stages.
	Pauses(ctx context.Context) ([]Pause, error)
	// Pause pauses a stage; paused already is no error and keeps the first pause's data.
	Pause(ctx context.Context, p Pause) error
	// Resume resumes a stage; not paused is no error.
	Resume(ctx context.Context, stage string) error
}
