package artifact

import (
	"fmt"
	"path"
	"strings"
)

// TagExpire is the tag that the bucket's lifecycle rule acts on. StorageCleanup puts it on a batch's objects once the
// batch is settled for good.
const TagExpire = "orchestrator-expire"

// The values of TagExpire: each class of objects expires in its own time after its batch is settled for good.
const (
	// TagExpireValue is that of what audits need: outputs, state diffs, transactions.
	TagExpireValue = "true"
	// TagExpireWork is that of what only the work on the batch needed: PIEs, proofs, accumulators. They are most of
	// the bytes.
	TagExpireWork = "work"
)

// ExpireClass is the value of TagExpire for an object.
func ExpireClass(key string) string {
	switch path.Base(key) {
	case PIE, Proof, BridgeProof:
		return TagExpireWork
	}
	if strings.Contains(key, openFolder) {
		return TagExpireWork
	}
	return TagExpireValue
}

// openFolder is where the accumulators of a batch lie.
const openFolder = "/open/"

// Names of artifacts within a batch's prefix.
const (
	PIE           = "pie.zip"             // Cairo PIE
	ProgramOutput = "program_output.json" // JSON list of hex felts: the run's whole output
	OSOutput      = "os_output.json"      // JSON list of hex felts: the OS output within it
	DASegment     = "da_segment.json"     // JSON list of hex felts
	Proof         = "proof.json"          // as the prover gives it
	BridgeProof   = "bridge_proof.json"   // proof of the layout bridge (L3)
	RunResult     = "result.json"         // what the runner says of its run (package snos)
)

// SNOSKey is the key of an artifact of a SNOS batch that was made in an epoch.
func SNOSKey(index, epoch uint64, name string) string { return SNOSPrefix(index, epoch) + name }

// SNOSPrefix is what the keys of a SNOS batch's artifacts start with. Batches of different epochs have different
// artifacts: what a discarded batch left behind is never taken for that of the batch that has its index now.
func SNOSPrefix(index, epoch uint64) string { return prefix("snos", index, epoch) }

// AggregatorKey is the key of an artifact of an aggregator batch.
func AggregatorKey(index, epoch uint64, name string) string {
	return AggregatorPrefix(index, epoch) + name
}

// AggregatorPrefix is what the keys of an aggregator batch's artifacts start with, as SNOSPrefix.
func AggregatorPrefix(index, epoch uint64) string { return prefix("aggregator", index, epoch) }

// prefix of a later epoch begins with that of epoch 0, under which all of an index is found.
func prefix(kind string, index, epoch uint64) string {
	if epoch == 0 {
		return fmt.Sprintf("%s/%010d/", kind, index)
	}
	return fmt.Sprintf("%s/%010d/epoch%d/", kind, index, epoch)
}

// Prefixes are what the keys of the artifacts start with of what one state update settles: aggregator batch index with
// the SNOS batches first..last, or on an L3 SNOS batch index alone, beside which earlier builds kept accumulators. They
// cover every epoch: what discarded batches with these indices left behind goes with them.
func Prefixes(index, first, last uint64) []string {
	out := []string{AggregatorPrefix(index, 0)}
	for i := first; i <= last; i++ {
		out = append(out, SNOSPrefix(i, 0))
	}
	return out
}

// BlobKey is the key of blob i of an aggregator batch: 131,072 raw bytes.
func BlobKey(index, epoch uint64, i int) string {
	return AggregatorKey(index, epoch, fmt.Sprintf("blob_%02d.bin", i))
}

// AccumulatorKey is the key of an open batch's state-diff accumulator after block end, as the holder of the lease with
// the fence wrote it. No key is ever written with other content, so a crash between storage and database leaves the one
// that the document names intact.
func AccumulatorKey(index, epoch, fence, end uint64) string {
	return AggregatorKey(index, epoch, fmt.Sprintf("open/%010d-%d.bin", end, fence))
}

// TransactionKey is the key of a signed transaction's raw bytes.
func TransactionKey(jobID, hash string) string { return TransactionPrefix(jobID) + hash + ".bin" }

// TransactionPrefix is what the keys of a job's signed transactions start with.
func TransactionPrefix(jobID string) string { return Transactions + jobID + "/" }

// Transactions is what the keys of all signed transactions start with.
const Transactions = "tx/"

// History is what the keys of exported batches and jobs start with.
const History = "history/"

// HistoryKey is the key of the export of what one state update settled: JSON lines (package history).
func HistoryKey(index uint64) string { return fmt.Sprintf("%s%010d.jsonl", History, index) }
