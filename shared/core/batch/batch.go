// Package batch groups blocks: SNOS batches, which one SNOS run executes, and on an L2 aggregator batches, which one
// state update settles. It holds the closing rules (rules.go) as pure functions and the port to the store.
package batch

import (
	"crypto/rand"
	"encoding/hex"
	"math/big"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// Status says how far a batch is. From Closed on, In... names the newest stage that has a job of the batch.
type Status string

// The statuses. A SNOS batch of an L2 goes from Open to Proven: the aggregator batch that it belongs to does the rest.
// A SNOS batch of an L3 goes through all stages of its layer itself.
const (
	Open                Status = "Open"
	Closed              Status = "Closed"
	InSnosRun           Status = Status(stage.SnosRun)
	InProofCreation     Status = Status(stage.ProofCreation)
	InProofRegistration Status = Status(stage.ProofRegistration) // L3
	InDataSubmission    Status = Status(stage.DataSubmission)    // L3
	// L2: the SNOS batch, or all SNOS batches of the aggregator batch
	Proven            Status = "Proven"
	InAggregator      Status = Status(stage.Aggregator)      // L2
	InStateTransition Status = Status(stage.StateTransition) // all before it is done: the state update is next
	Completed         Status = "Completed"                   // settled
	Archived          Status = "Archived"                    // settled for good: its artifacts expire
)

// Statuses are all statuses.
var Statuses = []Status{Open, Closed, InSnosRun, InProofCreation, InProofRegistration, InDataSubmission, Proven,
	InAggregator, InStateTransition, Completed, Archived}

// Reason is why a batch was closed.
type Reason string

// The closing rules.
const (
	BlockCount     Reason = "block count"
	Age            Reason = "age"
	WeightLimit    Reason = "weights"
	BlobCapacity   Reason = "blob capacity"
	DACapacity     Reason = "DA words of a transaction" // L3
	InputSize      Reason = "aggregator input size"
	SnosCount      Reason = "SNOS batch count"
	VersionChange  Reason = "Starknet version change"
	ProverChange   Reason = "prover change"
	ParentClosed   Reason = "parent closed"
	ByOperator     Reason = "an operator's command"
	EndOfRecording Reason = "end of the configured range"        // max_block is reached
	Adopted        Reason = "adopted from Madara's orchestrator" // settled before this deployment began
)

// Reasons are all closing rules.
var Reasons = []Reason{BlockCount, Age, WeightLimit, BlobCapacity, DACapacity, InputSize, SnosCount, VersionChange,
	ProverChange, ParentClosed, ByOperator, EndOfRecording, Adopted}

// Span is a run of blocks with what the closing rules need to know of it.
type Span struct {
	StartBlock, EndBlock uint64
	EndHash              felt.Felt // of the last block; zero in documents of release 0.1
	Weights              block.Weights
	StarknetVersion      string
	OpenedAt             time.Time
	ClosedAt             time.Time // zero while open
	Reason               Reason    // "" while open
}

// Blocks is the number of blocks.
func (s Span) Blocks() uint64 { return s.EndBlock - s.StartBlock + 1 }

// SnosBatch is a SNOS batch. Its index is global, from 1.
type SnosBatch struct {
	Span
	Index      uint64
	Epoch      uint64 // in which it was made: how many rewinds there were before (package rewind)
	Aggregator uint64 // index of its aggregator batch; 0 on an L3
	// DAWords is an upper bound of the length of an L3's compressed state diff in words: by the weights, and by the
	// state diff itself where that might be over the limit. 0 in documents of release 0.1.
	DAWords int
	// AccumulatorKey is what earlier builds named an L3's accumulator by. Batching leaves it empty.
	AccumulatorKey string
	Status         Status
	TraceID        string
	Ledger         Ledger // L3; on an L2 the aggregator batch's counts

	Version   uint64 // grows with every write
	Fence     uint64 // of the lease under which it was last written by batching
	CreatedAt time.Time
	UpdatedAt time.Time
}

// AggregatorBatch is an aggregator batch: what one state update of an L2 settles. Its index is from 1.
//
// Its document alone says which SNOS batches it consists of, so batching writes one document and nothing can be torn;
// the SNOS batches' own documents follow from it.
type AggregatorBatch struct {
	Span
	Index     uint64
	Epoch     uint64 // as of a SNOS batch; its SNOS batches have the same
	FirstSnos uint64 // index of Snos[0]
	Snos      []Span // its SNOS batches in order; the last may be open
	DAWords   int    // length of the compressed state diff in words, an upper bound while open
	InputSize int    // upper bound of the aggregator's input in felts
	// AccumulatorKey names the state-diff accumulator of the open batch.
	AccumulatorKey string
	Bucket         string // the prover's; "" for provers without, and before it is opened
	Prover         string // its name; "" in documents of earlier releases
	Status         Status
	TraceID        string
	Ledger         Ledger

	Version   uint64
	Fence     uint64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Origin is what the batch was begun with.
func (a AggregatorBatch) Origin() proof.Origin {
	return proof.Origin{Prover: a.Prover, Bucket: a.Bucket}
}

// LastSnos is the index of the last SNOS batch.
func (a AggregatorBatch) LastSnos() uint64 { return a.FirstSnos + uint64(len(a.Snos)) - 1 }

// Ledger is what a batch cost and when it passed each stage. Gas and fee are those of all its transactions on the
// settlement layer: the state update, and on an L3 the publications of its data.
type Ledger struct {
	Stages      map[string]Stage // by job type
	GasUsed     uint64
	DataGasUsed uint64
	Blobs       int
	Fee         *big.Int // in the settlement layer's smallest unit: wei, on Starknet fri; nil until settled
	// DataFee is what publications on a layer of their own cost, in that layer's unit: wei; nil where there are none.
	DataFee     *big.Int `json:",omitempty"`
	FeeSaved    *big.Int // by waiting for lower fees, at base fees; nil where nothing was compared
	Tx          string   // hash of the transaction that settled it
	ProverTask  string
	ProverSteps uint64         // Cairo steps given to the prover, by which provers charge; 0 where unknown
	Requests    map[string]int // attempts of the jobs, by job type
	StoredBytes int64          // of its artifacts, counted when they may expire; 0 before
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
