// Package madara makes documents as Madara's own orchestrator writes them to MongoDB, for tests of the takeover. Shapes
// and names are those of github.com/madara-alliance/madara at commit e674321, folder orchestrator:
//
//   - batches: src/types/batch.rs (AggregatorBatch, SnosBatch): _id is a UUID (binary subtype 4), numbers are 64-bit
//     integers, times are BSON dates, a status is the variant's name, bucket_id is left out where there is none
//   - jobs: src/types/jobs/{job_item,types,external_id}.rs and metadata/mod.rs: _id is an ObjectId, id is the UUID, the
//     metadata's kind stands in "type", times of the common part are seconds
//   - locks: src/core/client/lock/mod.rs (LockInfo): _id is the lock's name
package madara

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// Documents are a database's documents by collection.
type Documents struct {
	Aggregators, Snos, Jobs, Locks []*bson.D
}

// Insert writes the documents.
func (d Documents) Insert(ctx context.Context, db *mongo.Database) error {
	for name, docs := range map[string][]*bson.D{
		"aggregator_batches": d.Aggregators, "snos_batches": d.Snos, "jobs": d.Jobs, "locks": d.Locks,
	} {
		if len(docs) == 0 {
			continue
		}
		if _, err := db.Collection(name).InsertMany(ctx, docs); err != nil {
			return fmt.Errorf("insert into %s: %w", name, err)
		}
	}
	return nil
}

// Set changes a top-level field, Unset takes it away.
func Set(d *bson.D, key string, v any) {
	for i := range *d {
		if (*d)[i].Key == key {
			(*d)[i].Value = v
		}
	}
}

// Unset takes a top-level field away.
func Unset(d *bson.D, key string) {
	var out bson.D
	for _, e := range *d {
		if e.Key != key {
			out = append(out, e)
		}
	}
	*d = out
}

func uuid(of string) bson.Binary {
	h := sha256.Sum256([]byte(of))
	return bson.Binary{Subtype: bson.TypeBinaryUUID, Data: h[:16]}
}

// Hash is a transaction's hash.
func Hash(n int64) string { return fmt.Sprintf("0x%064x", n) }

// Version is what the documents say of their writer (orchestrator/Cargo.toml).
const Version = "0.1.0"

// Aggregator is an aggregator batch. bucket "": none.
func Aggregator(index, start, end int64, status, bucket string, at time.Time) *bson.D {
	d := bson.D{{Key: "_id", Value: uuid(fmt.Sprint("aggregator", index))}, {Key: "index", Value: index}}
	if bucket != "" {
		d = append(d, bson.E{Key: "bucket_id", Value: bucket})
	}
	d = append(d, bson.D{
		{Key: "squashed_state_updates_path", Value: fmt.Sprintf("state_update/batch/%d.json", index)},
		{Key: "blob_path", Value: fmt.Sprintf("blob/batch/%d", index)},
		{Key: "starknet_version", Value: "0.14.1"}, {Key: "orchestrator_version", Value: Version},
		{Key: "start_block", Value: start}, {Key: "end_block", Value: end}, {Key: "num_blocks", Value: end - start + 1},
		{Key: "blob_len", Value: int64(1200)}, {Key: "aggregator_input_size_upper_bound", Value: int64(5000)},
		{
			Key:   "builtin_weights",
			Value: bson.D{{Key: "l1_gas", Value: int64(900)}, {Key: "message_segment_length", Value: int64(40)}},
		},
		{Key: "status", Value: status}, {Key: "created_at", Value: at}, {Key: "updated_at", Value: at},
	}...)
	return &d
}

// SnosBatch is a SNOS batch; aggregator 0: of an L3.
func SnosBatch(index, aggregator, start, end int64, status string, at time.Time) *bson.D {
	var parent any
	if aggregator != 0 {
		parent = aggregator
	}
	return &bson.D{
		{
			Key:   "_id",
			Value: uuid(fmt.Sprint("snos", index)),
		}, {Key: "index", Value: index}, {Key: "aggregator_batch_index", Value: parent},
		{Key: "starknet_version", Value: "0.14.1"}, {Key: "orchestrator_version", Value: Version},
		{Key: "start_block", Value: start}, {Key: "end_block", Value: end}, {Key: "num_blocks", Value: end - start + 1},
		{Key: "builtin_weights", Value: bson.D{
			{
				Key:   "l1_gas",
				Value: int64(900),
			}, {Key: "message_segment_length", Value: int64(40)}, {Key: "n_events", Value: int64(12)},
			{
				Key:   "state_diff_size",
				Value: int64(300),
			}, {Key: "sierra_gas", Value: int64(1000000)}, {Key: "n_txs", Value: int64(9)},
			{Key: "proving_gas", Value: int64(2000000)},
		}},
		{Key: "status", Value: status}, {Key: "created_at", Value: at}, {Key: "updated_at", Value: at},
	}
}

// Job is a job; specific is the metadata of its kind, with its "type".
func Job(kind string, batch int64, status, external string, specific bson.D, at time.Time) *bson.D {
	common := bson.D{
		{Key: "process_attempt_no", Value: int64(1)}, {Key: "process_retry_attempt_no", Value: int64(0)},
		{Key: "verification_attempt_no", Value: int64(1)}, {Key: "verification_retry_attempt_no", Value: int64(0)},
		{Key: "process_started_at", Value: at.Unix()}, {Key: "process_completed_at", Value: nil},
		{Key: "verification_started_at", Value: nil}, {Key: "verification_completed_at", Value: nil},
		{
			Key:   "failure_reason",
			Value: nil,
		}, {Key: "previous_failure_reasons", Value: bson.A{}}, {Key: "orchestrator_version", Value: Version},
	}
	return &bson.D{
		{
			Key:   "_id",
			Value: bson.NewObjectID(),
		}, {Key: "id", Value: uuid(fmt.Sprint(kind, batch))}, {Key: "internal_id", Value: batch},
		{Key: "job_type", Value: kind}, {Key: "status", Value: status}, {Key: "external_id", Value: external},
		{Key: "metadata", Value: bson.D{{Key: "common", Value: common}, {Key: "specific", Value: specific}}},
		{Key: "version", Value: int32(3)}, {Key: "created_at", Value: at}, {Key: "updated_at", Value: at},
	}
}

// Transition is the metadata of a state update with the attempts' transaction hashes.
func Transition(batch int64, hashes ...string) bson.D {
	attempts := bson.A{}
	var last any
	for i, h := range hashes {
		attempts = append(attempts, bson.D{
			{Key: "attempt_no", Value: int64(i + 1)}, {Key: "tx_hash", Value: h}, {Key: "nonce", Value: int64(7)},
			{Key: "gas_multiplier", Value: "1.20"}, {Key: "status", Value: "TimedOut"}, {Key: "error", Value: nil},
		})
		last = h
	}
	return bson.D{
		{Key: "type", Value: "StateUpdate"}, {Key: "snos_output_path", Value: nil},
		{
			Key:   "program_output_path",
			Value: fmt.Sprintf("artifacts/batch/%d/program_output.txt", batch),
		}, {Key: "blob_data_path", Value: nil},
		{Key: "da_segment_path", Value: fmt.Sprintf("artifacts/batch/%d/da_blob.json", batch)},
		{Key: "tx_hash", Value: last}, {Key: "tx_nonce", Value: int64(7)}, {Key: "tx_attempts", Value: attempts},
		{
			Key: "context",
			Value: bson.D{{Key: "type", Value: "Batch"}, {Key: "to_settle", Value: batch},
				{Key: "last_failed", Value: nil}},
		},
		{Key: "storage_artifacts_tagged_at", Value: nil},
	}
}

// Lock is a lease.
func Lock(name string, until time.Time) *bson.D {
	return &bson.D{
		{
			Key:   "_id",
			Value: name,
		}, {Key: "value", Value: bson.D{{Key: "Boolean", Value: false}}}, {Key: "expires_at", Value: until},
		{
			Key:   "created_at",
			Value: until.Add(-time.Hour),
		}, {Key: "updated_at", Value: until.Add(-time.Hour)}, {Key: "owner", Value: nil},
	}
}

// L2 is a chain with ten blocks a batch and five a SNOS batch: batches 1 and 2 are settled up to block 19, batch 3
// waits for its state update, batch 4 is being aggregated, batch 5 is open. Every status of a job that matters stands
// somewhere.
func L2(at time.Time) Documents {
	d := Documents{Aggregators: []*bson.D{
		Aggregator(1, 0, 9, "Completed", "bucket-1", at), Aggregator(2, 10, 19, "Completed", "bucket-2", at),
		Aggregator(
			3,
			20,
			29,
			"ReadyForStateUpdate",
			"bucket-3",
			at,
		), Aggregator(4, 30, 39, "PendingAggregatorRun", "bucket-4", at),
		Aggregator(5, 40, 44, "Open", "bucket-5", at),
	}}
	for i := int64(1); i <= 9; i++ {
		status := "SnosJobCreated"
		if i == 9 {
			status = "Open"
		}
		d.Snos = append(d.Snos, SnosBatch(i, (i+1)/2, 5*(i-1), 5*i-1, status, at))
	}
	proving := func(i int64) bson.D {
		return bson.D{{Key: "type", Value: "Proving"}, {Key: "block_number", Value: i},
			{Key: "n_steps", Value: int64(1000)}}
	}
	for i := int64(1); i <= 8; i++ {
		d.Jobs = append(d.Jobs, Job("SnosRun", i, "Completed", fmt.Sprint(i), bson.D{{Key: "type", Value: "Snos"}}, at),
			Job("ProofCreation", i, "Completed", fmt.Sprintf("task-%d", i), proving(i), at))
	}
	d.Jobs = append(d.Jobs,
		Job("ProofCreation", 9, "PendingVerification", "task-9", proving(9), at),
		Job("SnosRun", 10, "Failed", "", bson.D{{Key: "type", Value: "Snos"}}, at),
		Job("Aggregator", 3, "Completed", "query-3", bson.D{{Key: "type", Value: "Aggregator"}}, at),
		Job("Aggregator", 4, "PendingVerification", "query-4", bson.D{{Key: "type", Value: "Aggregator"}}, at),
		Job("StateTransition", 1, "Completed", Hash(1), Transition(1, Hash(1)), at),
		Job("StateTransition", 2, "Completed", Hash(2), Transition(2, Hash(2)), at),
		Job("StateTransition", 3, "LockedForProcessing", "", Transition(3, Hash(0xaa), Hash(0xbb)), at),
	)
	return d
}

// L3 is a chain with five blocks a batch: batches 1 to 3 are settled up to block 14, batch 4 is being proven, batch 5
// is open.
func L3(at time.Time) Documents {
	var d Documents
	for i, status := range []string{"Completed", "Completed", "Completed", "SnosJobCreated", "Open"} {
		n := int64(i + 1)
		d.Snos = append(d.Snos, SnosBatch(n, 0, 5*(n-1), 5*n-1, status, at))
	}
	for i := int64(1); i <= 3; i++ {
		d.Jobs = append(d.Jobs, Job("StateTransition", i, "Completed", Hash(i), Transition(i, Hash(i)), at))
	}
	d.Jobs = append(
		d.Jobs,
		Job("ProofCreation", 4, "PendingVerification", "task-4", bson.D{{Key: "type", Value: "Proving"}}, at),
	)
	return d
}
