// Package history is what stays of batches and jobs whose documents are removed from the database: their export, one
// file for what one state update settled, and what they sum up to.
package history

import (
	"context"
	"errors"
	"math/big"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
)

var (
	// ErrConflict says that the stored version is not the one the caller read.
	ErrConflict = errors.New("the totals were changed by another writer")
	// ErrCorrupt says that a file is not a whole export.
	ErrCorrupt = errors.New("this is not a whole export")
)

// Unit is what one state update settled, with all its documents: an aggregator batch with its SNOS batches, or on an L3
// one SNOS batch.
type Unit struct {
	Index      uint64
	Aggregator *batch.AggregatorBatch // nil on an L3
	Snos       []batch.SnosBatch      // ascending
	Jobs       []job.Job              // by type and batch
}

// Ledger is what the unit cost: on an L2 the aggregator batch's ledger counts.
func (u Unit) Ledger() batch.Ledger {
	if u.Aggregator != nil {
		return u.Aggregator.Ledger
	}
	if len(u.Snos) > 0 {
		return u.Snos[0].Ledger
	}
	return batch.Ledger{}
}

// Totals are what the units sum up to that were exported and removed.
type Totals struct {
	// Through is the index of the last unit that is counted here; 0: none. Documents of it and of those below may still
	// be in the database for a while: they count here and not there.
	Through uint64
	Units   uint64 // aggregator batches, or on an L3 SNOS batches
	Snos    uint64 // SNOS batches
	Blocks  uint64
	Jobs    map[job.Type]uint64 // all of them completed

	GasUsed, DataGasUsed uint64
	Blobs                uint64
	Fee, FeeSaved        *big.Int // never nil after Add
	DataFee              *big.Int // likewise, of the ledgers
	ProverSteps          uint64
	Requests             uint64
	StoredBytes          int64

	Version uint64
}

// Add returns the totals with one unit more.
func (t Totals) Add(u Unit) Totals {
	l := u.Ledger()
	t.Through, t.Units, t.Snos = u.Index, t.Units+1, t.Snos+uint64(len(u.Snos))
	for _, b := range u.Snos {
		t.Blocks += b.Blocks()
	}
	jobs := make(map[job.Type]uint64, len(t.Jobs)+1)
	for k, n := range t.Jobs {
		jobs[k] = n
	}
	for _, j := range u.Jobs {
		jobs[j.Type]++
	}
	t.Jobs = jobs
	t.GasUsed += l.GasUsed
	t.DataGasUsed += l.DataGasUsed
	t.Blobs += uint64(max(l.Blobs, 0))
	t.ProverSteps += l.ProverSteps
	t.StoredBytes += l.StoredBytes
	for _, n := range l.Requests {
		t.Requests += uint64(max(n, 0))
	}
	t.Fee, t.FeeSaved = plus(t.Fee, l.Fee), plus(t.FeeSaved, l.FeeSaved)
	t.DataFee = plus(t.DataFee, l.DataFee)
	return t
}

// plus is the sum of two numbers, of which nil is 0.
func plus(a, b *big.Int) *big.Int {
	out := new(big.Int)
	for _, x := range []*big.Int{a, b} {
		if x != nil {
			out.Add(out, x)
		}
	}
	return out
}

// MaxRange is the most batches that one call removes.
const MaxRange = 1000

// Store keeps the totals, and removes documents. Every call is bounded and served by an index, whatever the history.
// Safe for concurrent use.
type Store interface {
	// Totals returns the totals; before anything was counted the zero value.
	Totals(ctx context.Context) (Totals, error)
	// Count replaces the totals if their stored version is t.Version, and returns them with Version+1; otherwise
	// ErrConflict. After another error the write may have happened.
	Count(ctx context.Context, t Totals) (Totals, error)
	// RemoveJobs removes the completed jobs of a type without a next action, of the batches first..last.
	RemoveJobs(ctx context.Context, t job.Type, first, last uint64) error
	// RemoveSnos removes the SNOS batches first..last.
	RemoveSnos(ctx context.Context, first, last uint64) error
	// RemoveAggregator removes an aggregator batch; one that is not there is not an error.
	RemoveAggregator(ctx context.Context, index uint64) error
}
