package batch

import (
	"fmt"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
)

// WordsPerBlob is how many DA words a blob holds (EIP-4844: FIELD_ELEMENTS_PER_BLOB).
const WordsPerBlob = 4096

// Limits are the closing rules. A zero limit does not close.
type Limits struct {
	// SNOS batches.
	SnosBlocks  uint64
	SnosAge     time.Duration
	SnosWeights block.Weights
	// DAWords is how many DA words a SNOS batch may have that settles itself (L3); they are published in transactions'
	// calldata.
	DAWords int
	// Aggregator batches.
	Blocks       uint64
	Age          time.Duration
	SnosBatches  int
	Weights      block.Weights
	Blobs        int // blobs a state update may carry
	BlobBuffer   int // words kept free for what the prover adds (keys of an encrypted segment)
	InputSize    int // felts of the aggregator's input
	MaxBlock     uint64
	HasMaxBlock  bool
	EmptyGas     uint64 // proving gas of a block for which the node says 0
	BlocksPerRun int    // blocks that one run of a batching worker reads at the most
}

// MaxL1Gas is the most l1_gas that one aggregator batch may have. The weight counts what messages take of the state
// update's gas; measured on the core contract it is up to 1.26 times as much (450 messages to L1: 11.1 million by
// weight, 13.4 million of gas). With a million for the rest of the update this stays below what Ethereum allows a
// transaction since Osaka: 16,777,216 (EIP-7825). Messages of one block can't be split, so a block above it can never
// be settled.
const MaxL1Gas = 12_000_000

// DefaultLimits are the reference's defaults (orchestrator/src/cli/batching.rs) with its production values for the
// weights, and with the age as it is deployed.
func DefaultLimits() Limits {
	return Limits{
		SnosWeights: block.Weights{
			L1Gas: 4_400_000, MessageSegmentLength: 3_700, NEvents: 50_000,
			StateDiffSize: 24_556, SierraGas: 4_000_000_000,
			NTxs: 10_000, ProvingGas: 5_000_000_000, ReceiptL2Gas: 2_500_000_000,
		},
		Weights:    block.Weights{L1Gas: 4_400_000, MessageSegmentLength: 3_700},
		SnosBlocks: 10, SnosAge: 10 * time.Minute,
		Blocks: 100, Age: time.Hour, SnosBatches: 50,
		Blobs: 6, BlobBuffer: 15, InputSize: 750_000,
		EmptyGas: 1_500_000, BlocksPerRun: 200,
	}
}

// CalldataWords is how many DA words a transaction on Starknet carries: 5,000 felts of calldata (Starknet's limit of a
// transaction) without the call around them.
const CalldataWords = 4994

// Capacity is how many DA words a batch may have.
func (l Limits) Capacity() int { return l.Blobs*WordsPerBlob - l.BlobBuffer }

// Candidate is a block that is to join a batch, with the batch's sizes as they would be with it.
type Candidate struct {
	Header    block.Header
	Weights   block.Weights
	DAWords   int
	InputSize int
}

// Words of the aggregator's input for each of its parts, an upper bound that counts every child's full output
// (madara-alliance/madara, triggers/batching/aggregator.rs).
const (
	inputTasks     = 1
	inputPerChild  = 2 + 14 // wrapper, fixed words of a SNOS output
	inputContract  = 6
	inputStorage   = 3
	inputClass     = 3
	inputFirstWord = inputTasks
)

// BlockInputSize is the upper bound of the felts that a block adds to the aggregator's input, as if it were a child of
// its own.
func BlockInputSize(d block.StateDiff, messageWords uint64) int {
	touched := map[[32]byte]struct{}{}
	slots := 0
	for _, c := range d.Storage {
		touched[c.Address] = struct{}{}
		slots += len(c.Entries)
	}
	for _, c := range d.Deployed {
		touched[c.Address] = struct{}{}
	}
	for _, c := range d.Replaced {
		touched[c.Address] = struct{}{}
	}
	for _, c := range d.Nonces {
		touched[c.Address] = struct{}{}
	}
	classes := len(d.Declared) + len(d.MigratedCompiledHash)
	return inputPerChild + int(messageWords) + len(touched)*inputContract + slots*inputStorage + classes*inputClass
}

// FirstInputSize is the size of an aggregator's input with no child.
const FirstInputSize = inputFirstWord

// FirstDAWords is the upper bound of the DA words of a batch beside those of its blocks (DAWordsAtMost): 2 counts,
// what the system contracts 1 and 2 begin with (2 words each) and the counter of aliases (2), and the last, not full
// words of each part of the compression (12).
const FirstDAWords = 2 + 2*2 + 2 + 12

// DAWordsAtMost is the upper bound of the DA words that a block adds to a batch, by its weights. The weight
// state_diff_size counts 2 words a contract, a slot and a declared class, and 1 more for a contract's class
// (starkware-libs/sequencer, blockifier, get_onchain_data_segment_length). It leaves out the block hash that contract
// 1 keeps (2 words), and aliases, of which a contract or a slot gets one at the most. A new alias adds its key, a
// word, and makes the key that it stands for an eighth of a word; with what the compression notes of each word that
// is 2.3 words for the 2 that are counted.
func DAWordsAtMost(w block.Weights) int {
	const most = 1 << 40 // far above every limit
	n := int(min(w.StateDiffSize, most))
	return n + n/4 + 3
}

// ShouldCloseSnos says whether a SNOS batch must close before the candidate joins it.
func (l Limits) ShouldCloseSnos(s Span, c Candidate) (Reason, bool) {
	if s.StarknetVersion != c.Header.StarknetVersion {
		return VersionChange, true
	}
	if l.SnosBlocks != 0 && s.Blocks() >= l.SnosBlocks {
		return BlockCount, true
	}
	if sum, ok := s.Weights.Add(c.Weights); !ok || sum.Exceeds(l.SnosWeights) != "" {
		return WeightLimit, true
	}
	if l.DAWords != 0 && c.DAWords > l.DAWords {
		return DACapacity, true
	}
	return "", false
}

// ShouldCloseAggregator says whether an aggregator batch must close before the candidate joins it.
func (l Limits) ShouldCloseAggregator(a AggregatorBatch, c Candidate) (Reason, bool) {
	if a.StarknetVersion != c.Header.StarknetVersion {
		return VersionChange, true
	}
	if l.Blocks != 0 && a.Blocks() >= l.Blocks {
		return BlockCount, true
	}
	if sum, ok := a.Weights.Add(c.Weights); !ok || sum.Exceeds(l.Weights) != "" {
		return WeightLimit, true
	}
	if l.Blobs != 0 && c.DAWords > l.Capacity() {
		return BlobCapacity, true
	}
	if l.InputSize != 0 && c.InputSize > l.InputSize {
		return InputSize, true
	}
	if l.SnosBatches != 0 && len(a.Snos) >= l.SnosBatches {
		last := a.Snos[len(a.Snos)-1]
		if _, closes := l.ShouldCloseSnos(last, c); closes || last.Reason != "" {
			return SnosCount, true
		}
	}
	return "", false
}

// Fits returns an error where no aggregator batch could hold the candidate, whose sizes are those of a batch of its
// own, and says what helps. A block that is over the weights alone gets a batch of its own, as long as that can be
// settled.
func (l Limits) Fits(c Candidate) error {
	switch {
	case l.Blobs != 0 && c.DAWords > l.Capacity():
		return fmt.Errorf("its state diff takes %d words, %d blobs hold %d; raise BATCH_BLOBS if the settlement layer "+
			"takes more blobs in a transaction, and batching goes on", c.DAWords, l.Blobs, l.Capacity())
	case l.InputSize != 0 && c.InputSize > l.InputSize:
		return fmt.Errorf("it takes %d felts of aggregator input, the limit is %d; raise BATCH_INPUT_SIZE if the "+
			"prover takes more, and batching goes on", c.InputSize, l.InputSize)
	case c.Weights.L1Gas > MaxL1Gas:
		return fmt.Errorf("its messages take %d gas by weight, a state update has room for %d: it can't be settled "+
			"in one transaction, and messages of one block can't be split; no setting changes that: revert the "+
			"app chain to the block before this one, and lower the L1 gas that its blocks may take",
			c.Weights.L1Gas, MaxL1Gas)
	}
	return nil
}

// IsSnosFull says whether a SNOS batch is full as it stands, so that it need not wait for a next block, or too old at
// now.
func (l Limits) IsSnosFull(s Span, now time.Time) (Reason, bool) {
	switch {
	case l.SnosBlocks != 0 && s.Blocks() >= l.SnosBlocks:
		return BlockCount, true
	case l.HasMaxBlock && s.EndBlock >= l.MaxBlock:
		return EndOfRecording, true
	case l.SnosAge != 0 && now.Sub(s.OpenedAt) >= l.SnosAge:
		return Age, true
	}
	return "", false
}

// IsAggregatorFull says whether an aggregator batch is full as it stands, or too old at now. An idle chain's batch
// closes by age without a further block.
func (l Limits) IsAggregatorFull(a AggregatorBatch, now time.Time) (Reason, bool) {
	switch {
	case l.Blocks != 0 && a.Blocks() >= l.Blocks:
		return BlockCount, true
	case l.HasMaxBlock && a.EndBlock >= l.MaxBlock:
		return EndOfRecording, true
	case l.Age != 0 && now.Sub(a.OpenedAt) >= l.Age:
		return Age, true
	}
	return "", false
}

// OpenSpan starts a span with the candidate.
func OpenSpan(c Candidate, now time.Time) Span {
	return Span{
		StartBlock: c.Header.Number, EndBlock: c.Header.Number, EndHash: c.Header.Hash, Weights: c.Weights,
		StarknetVersion: c.Header.StarknetVersion, OpenedAt: now,
	}
}

// Extend adds the candidate, which must be the next block, to an open span.
func (s Span) Extend(c Candidate) Span {
	s.EndBlock, s.EndHash = c.Header.Number, c.Header.Hash
	s.Weights, _ = s.Weights.Add(c.Weights) // the rules refused an overflow
	return s
}

// Close ends an open span.
func (s Span) Close(r Reason, now time.Time) Span {
	s.Reason, s.ClosedAt = r, now
	return s
}

// Add puts the candidate into the batch, which the rules allow, and into its open SNOS batch or a new one.
func (a AggregatorBatch) Add(l Limits, c Candidate, now time.Time) AggregatorBatch {
	a.Snos = append([]Span(nil), a.Snos...)
	if n := len(a.Snos); n == 0 {
		a.Span = OpenSpan(c, now)
		a.Snos = []Span{OpenSpan(c, now)}
	} else {
		a.Span = a.Span.Extend(c)
		last := &a.Snos[n-1]
		reason, full := l.ShouldCloseSnos(*last, c)
		switch {
		case last.Reason != "":
			a.Snos = append(a.Snos, OpenSpan(c, now))
		case full:
			*last = last.Close(reason, now)
			a.Snos = append(a.Snos, OpenSpan(c, now))
		default:
			*last = last.Extend(c)
		}
	}
	a.DAWords, a.InputSize = c.DAWords, c.InputSize
	return a.CloseFullSnos(l, now)
}

// CloseFullSnos closes the open SNOS batch if it is full or too old, as long as the batch may have a further one.
func (a AggregatorBatch) CloseFullSnos(l Limits, now time.Time) AggregatorBatch {
	n := len(a.Snos)
	if n == 0 || a.Snos[n-1].Reason != "" {
		return a
	}
	if reason, full := l.IsSnosFull(a.Snos[n-1], now); full {
		a.Snos = append([]Span(nil), a.Snos...)
		a.Snos[n-1] = a.Snos[n-1].Close(reason, now)
	}
	return a
}

// CloseAll closes the batch and its open SNOS batch.
func (a AggregatorBatch) CloseAll(r Reason, now time.Time) AggregatorBatch {
	a.Span = a.Span.Close(r, now)
	a.Status = Closed
	a.Snos = append([]Span(nil), a.Snos...)
	if last := &a.Snos[len(a.Snos)-1]; last.Reason == "" {
		*last = last.Close(ParentClosed, now)
	}
	return a
}
