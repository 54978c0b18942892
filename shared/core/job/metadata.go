package job

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// Metadata is what a job type keeps in its document beyond the common fields: one concrete type a job type. Artifacts
// are named by key, never carried.
type Metadata interface {
	// JobType is the type that this metadata belongs to.
	JobType() Type
	clone() Metadata
}

// SnosRunMeta belongs to SnosRun.
type SnosRunMeta struct {
	StartBlock, EndBlock uint64
	StarknetVersion      string // of the blocks; "" for jobs of schema 1, whose blocks are of 0.14.2 at most
	FullOutput           bool   // the output carries the state diff, for an aggregator
	OutputPrefix         string // of the artifacts
	// Set by processing.
	TaskID    string // of the runner's task, recorded before it is submitted
	Handle    string // the runner's
	UseBackup bool   // read the chain from the backup node: the last run could not
	// Set by verification.
	ProgramHash felt.Felt
	Steps       uint64
	Fact        string
}

// ProofCreationMeta belongs to ProofCreation.
type ProofCreationMeta struct {
	StartBlock, EndBlock uint64
	StarknetVersion      string // as in SnosRunMeta
	PIEKey               string
	Steps                uint64
	Fact                 string
	Bucket               string // "" for provers without
	BucketIndex          uint64
	Prover               string `json:",omitempty"` // as of the aggregator batch; "" on an L3
	ProofKey             string // where the proof is stored; "" where it isn't, once the job is completed
	// Set by processing.
	DedupID string // recorded before the request is sent
	Task    string // the prover's
	// Unreadable counts looks that found the finished proof corrupt.
	Unreadable int `json:",omitempty"`
}

// ProofRegistrationMeta belongs to ProofRegistration.
type ProofRegistrationMeta struct {
	StartBlock, EndBlock uint64
	ProofKey             string // the stored proof to register; "" where there is none
	PIEKey               string // the SNOS run's PIE, where the prover registers straight from it
	Steps                uint64 // of that run; 0 where unknown
	StarknetVersion      string // as in SnosRunMeta
	BridgeProofKey       string // as ProofKey of ProofCreationMeta, for the registered (layout bridge) proof
	Fact                 string // the fact that it establishes; "" where unknown
	DedupID              string
	Task                 string
	// Unreadable counts looks that found the finished proof corrupt.
	Unreadable int `json:",omitempty"`
}

// DataSubmissionMeta belongs to DataSubmission.
type DataSubmissionMeta struct {
	StartBlock, EndBlock uint64
	EndHash              felt.Felt `json:",omitzero"` // of the last block; zero where it is not known
	SegmentKey           string
	// Layer names the layer that the transactions were signed for; "": the settlement layer.
	Layer   string `json:",omitempty"`
	Journal tx.Journal
	// Compared is the sum of the segment that was compared with the batch's blocks.
	Compared string `json:",omitempty"`
	// Set when the first transaction is built: of the whole segment.
	DataHash felt.Felt
	DataSize uint64
	// PartWords is how many words each transaction but the last carries, 0 while nothing is built. Journal,
	// VersionedHashes and Included belong to the first one, More are the others.
	PartWords       int           `json:",omitempty"`
	More            []Publication `json:",omitempty"`
	VersionedHashes []string
	Included        *Inclusion // set when the transaction is confirmed
	DoubtedAt       time.Time  // when a look first missed a confirmed transaction; zero while there is no doubt
}

// Publication is one of the transactions that publish a segment.
type Publication struct {
	Journal         tx.Journal
	VersionedHashes []string   `json:",omitempty"`
	Included        *Inclusion `json:",omitempty"` // set when it is confirmed
}

// Journals are the journals of all transactions of the publication, in their order.
func (m *DataSubmissionMeta) Journals() []*tx.Journal {
	out := []*tx.Journal{&m.Journal}
	for i := range m.More {
		out = append(out, &m.More[i].Journal)
	}
	return out
}

// Journals are the journals of a job, one for each payload that it sends; none for the types that send nothing.
func (j Job) Journals() []*tx.Journal {
	switch m := j.Metadata.(type) {
	case *DataSubmissionMeta:
		return m.Journals()
	case *StateTransitionMeta:
		return []*tx.Journal{&m.Journal}
	}
	return nil
}

// Layer names the layer that a job's transactions are on; "": the settlement layer.
func (j Job) Layer() string {
	if m, ok := j.Metadata.(*DataSubmissionMeta); ok {
		return m.Layer
	}
	return ""
}

// Blobs are how many blobs each of Journals' payloads has.
func (j Job) Blobs() []int {
	switch m := j.Metadata.(type) {
	case *DataSubmissionMeta:
		out := []int{len(m.VersionedHashes)}
		for _, p := range m.More {
			out = append(out, len(p.VersionedHashes))
		}
		return out
	case *StateTransitionMeta:
		return []int{m.Blobs}
	}
	return nil
}

// AggregatorMeta belongs to Aggregator.
type AggregatorMeta struct {
	StartBlock, EndBlock uint64
	StarknetVersion      string // as in SnosRunMeta
	FirstSnos, LastSnos  uint64
	Bucket               string // "" where we aggregate ourselves
	Prover               string `json:",omitempty"` // as of the batch
	OutputPrefix         string
	// Set by processing and verification, in this order where we aggregate ourselves.
	RunTaskID string
	RunHandle string
	RunDone   bool
	Fact      string
	DedupID   string
	Task      string // the prover's
	Proven    bool
	// Unreadable counts looks that found an artifact of the prover's corrupt.
	Unreadable int `json:",omitempty"`
}

// StateTransitionMeta belongs to StateTransition.
type StateTransitionMeta struct {
	StartBlock, EndBlock uint64
	EndHash              felt.Felt `json:",omitzero"` // of the last block; zero where it is not known
	StarknetVersion      string    // as in SnosRunMeta
	ProgramOutputKey     string
	DASegmentKey         string // L2
	// L3: proofs of SNOS and of the layout bridge, whose public inputs hold the outputs; "" for none
	ProofKey, BridgeProofKey string
	DataHash                 felt.Felt
	DataSize                 uint64
	OpenedAt                 time.Time `json:",omitzero"` // of the batch; zero in older documents
	// Set by processing and verification.
	Compared   string `json:",omitempty"` // as of DataSubmissionMeta
	Journal    tx.Journal
	FeeWait    *FeeWait `json:",omitempty"` // of an update that fees decide about
	Blobs      int
	DryRun     bool       // the update was checked and not sent
	Included   *Inclusion // confirmed
	Finalized  bool
	DoubtedAt  time.Time // when a look first missed the confirmed update; zero while there is no doubt
	Reopened   int       // how often a reorganisation undid the confirmation
	CleanedUp  bool      // artifacts are tagged for expiry
	SettledBy  string
	LastChecks map[string]string // what the last check before sending saw, for people
}

// FeeWait is what a state update knows of fees until it is signed for (tx.Bid). Amounts are what it costs at least, at
// base fees: decimal, in the chain's smallest unit.
type FeeWait struct {
	Since         time.Time // when it was ready to be sent
	First         string    // amount at that time
	Today, Target string    // amount when it was looked at last, and what is waited for; "" where nothing is compared
	Until         time.Time // it is sent then whatever fees are
	Waits         bool
}

// Says says for people what is waited for. unit is that of the amounts; "" where it is known. The amounts are
// estimates: nobody knows the gas of an update before it is built.
func (w FeeWait) Says(unit string) string {
	if unit != "" {
		unit = " " + unit
	}
	return fmt.Sprintf("waits for lower fees: it would cost about %s%s now, the target is %s; it is settled by "+
		"%s at the latest", w.Today, unit, w.Target, w.Until.UTC().Format(time.RFC3339))
}

// Blocks are the first and the last block of a job's batch. ok is false for a document without metadata.
func (j Job) Blocks() (from, to uint64, ok bool) {
	switch m := j.Metadata.(type) {
	case *SnosRunMeta:
		return m.StartBlock, m.EndBlock, true
	case *ProofCreationMeta:
		return m.StartBlock, m.EndBlock, true
	case *ProofRegistrationMeta:
		return m.StartBlock, m.EndBlock, true
	case *DataSubmissionMeta:
		return m.StartBlock, m.EndBlock, true
	case *AggregatorMeta:
		return m.StartBlock, m.EndBlock, true
	case *StateTransitionMeta:
		return m.StartBlock, m.EndBlock, true
	}
	return 0, 0, false
}

// Inclusion is a transaction in a block, and its cost.
type Inclusion struct {
	Hash      string
	Block     uint64
	BlockHash string
	GasUsed   uint64
	DataGas   uint64 `json:"BlobGas"` // stored under this name since release 0.1
	Fee       string // total paid in the chain's smallest unit, decimal
}

// AddFee adds what the transaction cost to a sum, which is nil before the first. A transaction that is in no block
// (nil), or whose cost is not known, adds nothing.
func (i *Inclusion) AddFee(to **big.Int) {
	if i == nil {
		return
	}
	fee, ok := new(big.Int).SetString(i.Fee, 10)
	if !ok {
		return
	}
	if *to == nil {
		*to = new(big.Int)
	}
	(*to).Add(*to, fee)
}

// JobType implements Metadata.
func (*SnosRunMeta) JobType() Type { return SnosRun }

// JobType implements Metadata.
func (*ProofCreationMeta) JobType() Type { return ProofCreation }

// JobType implements Metadata.
func (*ProofRegistrationMeta) JobType() Type { return ProofRegistration }

// JobType implements Metadata.
func (*DataSubmissionMeta) JobType() Type { return DataSubmission }

// JobType implements Metadata.
func (*AggregatorMeta) JobType() Type { return Aggregator }

// JobType implements Metadata.
func (*StateTransitionMeta) JobType() Type { return StateTransition }

func shallow[T any](m *T) *T { c := *m; return &c }

func (m *SnosRunMeta) clone() Metadata           { return shallow(m) }
func (m *ProofCreationMeta) clone() Metadata     { return shallow(m) }
func (m *ProofRegistrationMeta) clone() Metadata { return shallow(m) }
func (m *AggregatorMeta) clone() Metadata        { return shallow(m) }

func (m *DataSubmissionMeta) clone() Metadata {
	c := shallow(m)
	c.Journal = m.Journal.Clone()
	c.VersionedHashes = slices.Clone(m.VersionedHashes)
	if m.Included != nil {
		c.Included = shallow(m.Included)
	}
	c.More = slices.Clone(m.More)
	for i := range c.More {
		p := &c.More[i]
		p.Journal, p.VersionedHashes = p.Journal.Clone(), slices.Clone(p.VersionedHashes)
		if p.Included != nil {
			p.Included = shallow(p.Included)
		}
	}
	return c
}

func (m *StateTransitionMeta) clone() Metadata {
	c := shallow(m)
	c.Journal = m.Journal.Clone()
	c.LastChecks = maps.Clone(m.LastChecks)
	if m.FeeWait != nil {
		c.FeeWait = shallow(m.FeeWait)
	}
	if m.Included != nil {
		c.Included = shallow(m.Included)
	}
	return c
}

// EncodeMetadata returns the JSON form in which stores keep metadata: an object with the Go field names.
func EncodeMetadata(m Metadata) ([]byte, error) { return json.Marshal(m) }

// DecodeMetadata reads what EncodeMetadata wrote. Fields that it does not know are an error: a build that would drop
// what a newer one wrote must not touch the document (see SchemaMax).
func DecodeMetadata(t Type, b []byte) (Metadata, error) {
	var m Metadata
	switch t {
	case SnosRun:
		m = new(SnosRunMeta)
	case ProofCreation:
		m = new(ProofCreationMeta)
	case ProofRegistration:
		m = new(ProofRegistrationMeta)
	case DataSubmission:
		m = new(DataSubmissionMeta)
	case Aggregator:
		m = new(AggregatorMeta)
	case StateTransition:
		m = new(StateTransitionMeta)
	default:
		return nil, fmt.Errorf("unknown job type %.80q", t)
	}
	if err := decodeStrict(b, m); err != nil {
		return nil, fmt.Errorf("metadata of a %s job: %w", t, err)
	}
	return m, nil
}
