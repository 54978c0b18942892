// Package batch groups blocks: SNOS batches, which one SNOS run executes, and on an L2 aggregator batches, which one
// state update settles. It holds the closing rules (rules.go) as pure functions and the port to the store.
package batch

import (
	"crypto/rand"
	"encoding/hex"
	"math/big"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
)

// SnosStatus is how far a SNOS batch is.
type SnosStatus string

// The statuses of a SNOS batch. From Closed on each says which job was created last.
const (
	SnosOpen          SnosStatus = "Open"
	SnosClosed        SnosStatus = "Closed"
	SnosRunning       SnosStatus = "SnosJobCreated"
	SnosProving       SnosStatus = "ProofJobCreated"
	SnosRegistering   SnosStatus = "RegistrationJobCreated" // L3
	SnosPublishing    SnosStatus = "DataJobCreated"         // L3
	SnosReadyToSettle SnosStatus = "ReadyForStateUpdate"    // L3
	SnosCompleted     SnosStatus = "Completed"              // L2: proven; L3: settled
	SnosArchived      SnosStatus = "Archived"               // settled for good, its artifacts expire
)

// AggregatorStatus is how far an aggregator batch is.
type AggregatorStatus string

// The statuses of an aggregator batch.
const (
	Open                          AggregatorStatus = "Open"
	Closed                        AggregatorStatus = "Closed"
	PendingAggregatorRun          AggregatorStatus = "PendingAggregatorRun"          // all children are proven
	PendingAggregatorVerification AggregatorStatus = "PendingAggregatorVerification" // its job exists
	ReadyForStateUpdate           AggregatorStatus = "ReadyForStateUpdate"
	Completed                     AggregatorStatus = "Completed"
	VerificationFailed            AggregatorStatus = "VerificationFailed"
	Archived                      AggregatorStatus = "Archived" // settled for good, its artifacts expire
)

// Reason is why a batch was closed.
type Reason string

// The closing rules.
const (
	BlockCount     Reason = "block count"
	Age            Reason = "age"
	WeightLimit    Reason = "weights"
	BlobCapacity   Reason = "blob capacity"
	InputSize      Reason = "aggregator input size"
	SnosCount      Reason = "SNOS batch count"
	VersionChange  Reason = "Starknet version change"
	ParentClosed   Reason = "parent closed"
	EndOfRecording Reason = "end of the configured range" // max_block is reached
)

// Span is a run of blocks with what the closing rules need to know of it.
type Span struct {
	StartBlock, EndBlock uint64
	Weights              block.Weights
	StarknetVersion      string
	OpenedAt             time.Time
	ClosedAt             time.Time // zero while open
	Reason               Reason    // "" while open
}

// Blocks is the number of blocks.
func (s Span) Blocks() uint64 { return s.EndBlock - s.StartBlock + 1 }

// Snos is a SNOS batch. Its index is global, from 1.
type Snos struct {
	Span
	Index      uint64
	Aggregator uint64 // index of its aggregator batch; 0 on an L3
	Status     SnosStatus
	TraceID    string
	Ledger     Ledger // L3; on an L2 the aggregator batch's counts

	Version   uint64 // grows with every write
	Fence     uint64 // of the lease under which it was last written by batching
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Aggregator is an aggregator batch: what one state update of an L2 settles. Its index is from 1.
//
// Its document alone says which SNOS batches it consists of, so batching writes one document and nothing can be torn;
// the SNOS batches' own documents follow from it.
type Aggregator struct {
	Span
	Index     uint64
	FirstSnos uint64 // index of Snos[0]
	Snos      []Span // its SNOS batches in order; the last may be open
	DAWords   int    // length of the compressed state diff in words, an upper bound while open
	InputSize int    // upper bound of the aggregator's input in felts
	// AccumulatorKey names the state-diff accumulator of the open batch.
	AccumulatorKey string
	Bucket         string // the prover's; "" for provers without, and before it is opened
	Status         AggregatorStatus
	TraceID        string
	Ledger         Ledger

	Version   uint64
	Fence     uint64
	Schema    int
	CreatedAt time.Time
	UpdatedAt time.Time
}

// LastSnos is the index of the last SNOS batch.
func (a Aggregator) LastSnos() uint64 { return a.FirstSnos + uint64(len(a.Snos)) - 1 }

// Ledger is what a batch cost and when it passed each stage.
type Ledger struct {
	Stages      map[string]Stage // by job type
	GasUsed     uint64
	BlobGasUsed uint64
	Blobs       int
	FeeWei      *big.Int // nil until settled
	Tx          string   // hash of the transaction that settled it
	ProverTask  string
	Requests    map[string]int // requests to the outside world by kind
}

// Stage is a batch's passage through one stage: over its jobs, the first start and the last end.
type Stage struct {
	Jobs      int
	StartedAt time.Time
	EndedAt   time.Time
}

// Pass records a job's passage.
func (l *Ledger) Pass(stage string, from, to time.Time) {
	if l.Stages == nil {
		l.Stages = map[string]Stage{}
	}
	s := l.Stages[stage]
	s.Jobs++
	if s.StartedAt.IsZero() || from.Before(s.StartedAt) {
		s.StartedAt = from
	}
	if to.After(s.EndedAt) {
		s.EndedAt = to
	}
	l.Stages[stage] = s
}

// NewTraceID returns a random trace id: 32 hex digits, as W3C Trace Context has them.
func NewTraceID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}
