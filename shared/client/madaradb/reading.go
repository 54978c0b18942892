package madaradb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/core/takeover"
)

// reading gathers one reading.
type reading struct {
	db       *mongo.Database
	out      *takeover.Database
	settling string // the collection of the batches that a state update settles
	l2       bool   // there are aggregator batches
	faults   []string
}

func (r *reading) fault(format string, args ...any) {
	if len(r.faults) < maxFaults {
		r.faults = append(r.faults, fmt.Sprintf(format, args...))
	}
}

// statuses looks at all statuses that there are. One that nobody knows is a fault.
func (r *reading) statuses(ctx context.Context) error {
	known := map[string][]string{
		jobs: takeover.JobStatuses, snosBatches: takeover.BatchStatuses, aggregators: takeover.BatchStatuses,
	}
	for _, name := range []string{aggregators, snosBatches, jobs} {
		group := bson.D{
			{Key: "$group",
				Value: bson.D{{Key: "_id", Value: "$status"}, {Key: "n", Value: bson.D{{Key: "$sum", Value: 1}}}}},
		}
		cur, err := r.db.Collection(name).Aggregate(ctx, mongo.Pipeline{group})
		if err != nil {
			return fmt.Errorf("count the old database's %s: %w", name, err)
		}
		var rows []struct {
			Status any `bson:"_id"`
			N      int `bson:"n"`
		}
		if err := cur.All(ctx, &rows); err != nil {
			return fmt.Errorf("count the old database's %s: %w", name, err)
		}
		for _, row := range rows {
			s, ok := row.Status.(string)
			if !ok || !slices.Contains(known[name], s) {
				r.fault("%s: %d documents have the status %.60q, which the orchestrator at e674321 does not write",
					name, row.N,
					fmt.Sprint(row.Status))
				continue
			}
			r.l2 = r.l2 || name == aggregators
		}
	}
	return nil
}

// layer says which layer the chain is: only an L2 has aggregator batches.
func (r *reading) layer(context.Context) error {
	r.settling = snosBatches
	if r.l2 {
		r.out.Layer, r.settling = stage.L2, aggregators
	}
	return nil
}

// batches reads the newest completed batch and all that are not completed.
func (r *reading) batches(ctx context.Context) error {
	c := r.db.Collection(r.settling)
	newest := options.Find().SetSort(bson.D{{Key: "index", Value: -1}}).SetLimit(1)
	done, err := r.list(ctx, c, bson.D{{Key: "status", Value: takeover.BatchCompleted}}, newest)
	if err != nil {
		return err
	}
	if len(done) == 1 {
		r.out.Settled = &done[0]
	}
	open := bson.D{{Key: "status", Value: bson.D{{Key: "$ne", Value: takeover.BatchCompleted}}}}
	r.out.Unsettled, err = r.list(
		ctx,
		c,
		open,
		options.Find().SetSort(bson.D{{Key: "index", Value: 1}}).SetLimit(maxBatches+1),
	)
	if err == nil && len(r.out.Unsettled) > maxBatches {
		r.fault("%s: more than %d batches are not completed", r.settling, maxBatches)
		r.out.Unsettled = r.out.Unsettled[:maxBatches]
	}
	return err
}

func (r *reading) list(
	ctx context.Context,
	c *mongo.Collection,
	filter bson.D,
	o *options.FindOptionsBuilder,
) ([]takeover.Batch, error) {
	cur, err := c.Find(ctx, filter, o)
	if err != nil {
		return nil, fmt.Errorf("read the old database's %s: %w", c.Name(), err)
	}
	defer cur.Close(ctx)
	var out []takeover.Batch
	for cur.Next(ctx) {
		d := document{raw: cur.Current}
		b := takeover.Batch{
			Index: d.number("index"), StartBlock: d.number("start_block"), EndBlock: d.number("end_block"),
			Status: d.text("status"), StarknetVersion: d.text("starknet_version"), Bucket: d.optional("bucket_id"),
		}
		if d.err == nil && b.EndBlock < b.StartBlock {
			d.err = fmt.Errorf("it ends at block %d, before it starts at %d", b.EndBlock, b.StartBlock)
		}
		if d.err != nil {
			r.fault("%s: batch %d: %v", c.Name(), b.Index, d.err)
			continue
		}
		out = append(out, b)
	}
	if err := cur.Err(); err != nil {
		return nil, fmt.Errorf("read the old database's %s: %w", c.Name(), err)
	}
	return out, nil
}

// snos reads the highest SNOS batch up to the settled batch's end.
func (r *reading) snos(ctx context.Context) error {
	if r.out.Settled == nil {
		return nil
	}
	if r.out.Layer == stage.L3 {
		r.out.LastSnos = r.out.Settled.Index
		return nil
	}
	of := bson.D{
		{Key: "aggregator_batch_index", Value: int64(r.out.Settled.Index)},
	}
	last, err := r.list(
		ctx,
		r.db.Collection(snosBatches),
		of,
		options.Find().SetSort(bson.D{{Key: "index", Value: -1}}).SetLimit(1),
	)
	if err != nil {
		return err
	}
	if len(last) != 1 || last[0].EndBlock != r.out.Settled.EndBlock {
		r.fault("%s: the last SNOS batch of aggregator batch %d does not end with it at block %d",
			snosBatches, r.out.Settled.Index, r.out.Settled.EndBlock)
		return nil
	}
	r.out.LastSnos = last[0].Index
	return nil
}

// children reads the SNOS batches of the aggregator batches that are not settled.
func (r *reading) children(ctx context.Context) error {
	if r.out.Layer != stage.L2 || len(r.out.Unsettled) == 0 {
		return nil
	}
	for _, a := range r.out.Unsettled {
		of := bson.D{{Key: "aggregator_batch_index", Value: int64(a.Index)}}
		bs, err := r.list(ctx, r.db.Collection(snosBatches), of,
			options.Find().SetSort(bson.D{{Key: "index", Value: 1}}).SetLimit(maxBatches))
		if err != nil {
			return err
		}
		for _, b := range bs {
			r.out.Snos = append(r.out.Snos, takeover.Snos{Batch: b, Aggregator: a.Index})
		}
	}
	return nil
}

// proven are the statuses of proof jobs whose task the prover works on or has finished.
var proven = []string{takeover.JobCompleted, "PendingVerification"}

// tasks reads the prover's tasks of those SNOS batches.
func (r *reading) tasks(ctx context.Context) error {
	r.out.Tasks = map[uint64]string{}
	if len(r.out.Snos) == 0 {
		return nil
	}
	first, last := r.out.Snos[0].Index, r.out.Snos[len(r.out.Snos)-1].Index
	of := bson.D{{Key: "job_type", Value: "ProofCreation"},
		{Key: "status", Value: bson.D{{Key: "$in", Value: proven}}},
		{Key: "internal_id", Value: bson.D{{Key: "$gte", Value: int64(first)}, {Key: "$lte", Value: int64(last)}}}}
	cur, err := r.db.Collection(jobs).Find(ctx, of, options.Find().SetLimit(maxJobs))
	if err != nil {
		return fmt.Errorf("read the old database's proof jobs: %w", err)
	}
	defer cur.Close(ctx)
	for cur.Next(ctx) {
		d := document{raw: cur.Current}
		index, task := d.number("internal_id"), d.external("external_id")
		if d.err != nil {
			r.fault("jobs: ProofCreation of batch %d: %v", index, d.err)
			continue
		}
		r.out.Tasks[index] = task
	}
	if err := cur.Err(); err != nil {
		return fmt.Errorf("read the old database's proof jobs: %w", err)
	}
	return nil
}

// jobs reads the jobs that are not completed.
func (r *reading) jobs(ctx context.Context) error {
	open := bson.D{{Key: "status", Value: bson.D{{Key: "$ne", Value: takeover.JobCompleted}}}}
	by := bson.D{{Key: "job_type", Value: 1}, {Key: "internal_id", Value: 1}}
	cur, err := r.db.Collection(jobs).Find(ctx, open, options.Find().SetSort(by).SetLimit(maxJobs+1))
	if err != nil {
		return fmt.Errorf("read the old database's jobs: %w", err)
	}
	defer cur.Close(ctx)
	for cur.Next(ctx) {
		if len(r.out.Jobs) == maxJobs {
			r.fault("jobs: more than %d are not completed", maxJobs)
			break
		}
		d := document{raw: cur.Current}
		j := takeover.Job{
			Type: d.text(
				"job_type",
			), Batch: d.number("internal_id"), Status: d.text("status"), External: d.external("external_id"),
			Transactions: d.transactions(),
		}
		if d.err != nil {
			r.fault("jobs: %s: %v", j.Name(), d.err)
			continue
		}
		r.out.Jobs = append(r.out.Jobs, j)
	}
	if err := cur.Err(); err != nil {
		return fmt.Errorf("read the old database's jobs: %w", err)
	}
	return nil
}

// lastWrite finds the newest change of a batch or a job.
func (r *reading) lastWrite(ctx context.Context) error {
	for _, name := range []string{aggregators, snosBatches, jobs} {
		var d bson.Raw
		newest := options.FindOne().SetSort(
			bson.D{{Key: "updated_at", Value: -1}},
		).SetProjection(
			bson.D{{Key: "updated_at", Value: 1}},
		)
		err := r.db.Collection(name).FindOne(ctx, bson.D{}, newest).Decode(&d)
		if errors.Is(err, mongo.ErrNoDocuments) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read the old database's %s: %w", name, err)
		}
		doc := document{raw: d}
		at := doc.moment("updated_at")
		if doc.err != nil {
			r.fault("%s: %v", name, doc.err)
			continue
		}
		if at.After(r.out.LastWrite) {
			r.out.LastWrite = at
		}
	}
	return nil
}

// locks reads the leases that are not over.
func (r *reading) locks(ctx context.Context, now time.Time) error {
	live := bson.D{{Key: "expires_at", Value: bson.D{{Key: "$gt", Value: bson.NewDateTimeFromTime(now)}}}}
	cur, err := r.db.Collection(
		locks,
	).Find(
		ctx,
		live,
		options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(maxBatches),
	)
	if err != nil {
		return fmt.Errorf("read the old database's locks: %w", err)
	}
	defer cur.Close(ctx)
	for cur.Next(ctx) {
		d := document{raw: cur.Current}
		l := takeover.Lock{Name: d.text("_id"), ExpiresAt: d.moment("expires_at")}
		if d.err != nil {
			r.fault("locks: %v", d.err)
			continue
		}
		r.out.Locks = append(r.out.Locks, l)
	}
	if err := cur.Err(); err != nil {
		return fmt.Errorf("read the old database's locks: %w", err)
	}
	return nil
}

// sequence checks that the unsettled batches follow the settled one and one another.
func (r *reading) sequence() {
	last := r.out.Settled
	for i := range r.out.Unsettled {
		b := &r.out.Unsettled[i]
		if last != nil && b.Index > last.Index && (b.Index != last.Index+1 || b.StartBlock != last.EndBlock+1) {
			r.fault("%s: batch %d starts at block %d, but batch %d before it ends at block %d",
				r.settling, b.Index, b.StartBlock, last.Index, last.EndBlock)
		}
		if last != nil && b.Index < last.Index {
			r.fault("%s: batch %d is %s although batch %d is completed", r.settling, b.Index, b.Status, last.Index)
			continue
		}
		last = b
	}
}
