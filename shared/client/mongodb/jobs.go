package mongodb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// Jobs is a job.Store.
type Jobs struct {
	db *DB
	c  collection
}

var _ job.Store = (*Jobs)(nil)

var jobErrors = sentinels{notFound: job.ErrNotFound, exists: job.ErrExists}

// Jobs returns the store of jobs.
func (d *DB) Jobs() *Jobs { return &Jobs{db: d, c: d.collection(resource.JobsCollection)} }

// Create implements job.Store.
func (s *Jobs) Create(ctx context.Context, j job.Job) error {
	d, err := toJobDoc(j)
	if err != nil {
		return fmt.Errorf("create job %s: %w", j.ID, err)
	}
	err = s.c.insertOne(ctx, d)
	if mongo.IsDuplicateKeyError(err) && d.Epoch > 0 { // one of an earlier epoch gives way
		res, derr := s.c.deleteOne(ctx, bson.D{{Key: "type", Value: d.Type},
			{Key: "internal_id", Value: d.InternalID}, earlier(d.Epoch)})
		switch {
		case derr != nil:
			err = derr
		case res.DeletedCount == 1:
			err = s.c.insertOne(ctx, d)
		}
	}
	return jobErrors.translate(err, "create %s job of batch %d", j.Type, j.Batch)
}

// Get implements job.Store.
func (s *Jobs) Get(ctx context.Context, id string) (job.Job, error) {
	return s.one(ctx, bson.D{{Key: "_id", Value: id}}, fmt.Sprintf("read job %.40q", id))
}

// Find implements job.Store.
func (s *Jobs) Find(ctx context.Context, t job.Type, internalID uint64) (job.Job, error) {
	return s.one(ctx, bson.D{{Key: "type", Value: t}, {Key: "internal_id", Value: bound(internalID)}},
		fmt.Sprintf("read %s job of batch %d", t, internalID))
}

func (s *Jobs) one(ctx context.Context, filter bson.D, what string) (job.Job, error) {
	var d jobDoc
	if err := s.c.findOne(ctx, filter).Decode(&d); err != nil {
		return job.Job{}, jobErrors.translate(err, "%s", what)
	}
	return d.job()
}

// Update implements job.Store.
func (s *Jobs) Update(ctx context.Context, j job.Job) (job.Job, error) {
	read := j.Version
	j.Version++
	d, err := toJobDoc(j)
	if err != nil {
		return j, fmt.Errorf("update job %s: %w", j.ID, err)
	}
	swapped, err := s.c.swap(ctx, j.ID, read, d)
	if err != nil {
		return j, jobErrors.translate(err, "update job %s", j.ID)
	}
	if swapped {
		return j.Clone(), nil
	}
	if _, err := s.Get(ctx, j.ID); errors.Is(err, job.ErrNotFound) {
		return j, err
	}
	return j, fmt.Errorf("update job %s at version %d: %w", j.ID, read, job.ErrConflict)
}

// Delete implements job.Store.
func (s *Jobs) Delete(ctx context.Context, j job.Job) error {
	dropped, err := s.c.drop(ctx, j.ID, j.Version)
	if err != nil {
		return jobErrors.translate(err, "delete job %s", j.ID)
	}
	if dropped {
		return nil
	}
	if _, err := s.Get(ctx, j.ID); errors.Is(err, job.ErrNotFound) {
		return err
	}
	return fmt.Errorf("delete job %s at version %d: %w", j.ID, j.Version, job.ErrConflict)
}

// Due implements job.Store.
func (s *Jobs) Due(ctx context.Context, t time.Time, limit int, without ...job.Type) ([]job.Job, error) {
	o := options.Find().SetSort(bson.D{{Key: "due_at", Value: 1}, {Key: "_id", Value: 1}}).SetLimit(page(limit))
	if len(without) > 0 { // else the server prefers an index on types, and sorts what it finds in memory
		o.SetHint(resource.DueIndex)
	}
	return s.find(ctx, dueFilter(t, without), o, "list overdue jobs")
}

func dueFilter(t time.Time, without []job.Type) bson.D {
	f := bson.D{{Key: "due_at",
		Value: bson.D{{Key: "$exists", Value: true}, {Key: "$lte", Value: bson.NewDateTimeFromTime(t)}}}}
	if len(without) > 0 { // the window bounds how many of them are read and left out
		f = append(f, bson.E{Key: "type", Value: bson.D{{Key: "$nin", Value: without}}})
	}
	return f
}

// List implements job.Store.
func (s *Jobs) List(ctx context.Context, f job.Filter) ([]job.Job, error) {
	if len(f.Statuses) <= 1 {
		return s.find(ctx, listFilter(f), listOptions(f), "list jobs")
	}
	// One query a status keeps each on the index without a sort in memory; merged they are the page.
	var merged []job.Job
	for _, st := range f.Statuses {
		one := f
		one.Statuses = []job.Status{st}
		js, err := s.find(ctx, listFilter(one), listOptions(one), "list jobs")
		if err != nil {
			return nil, err
		}
		merged = mergeJobs(merged, js, f.Order)
	}
	return merged[:min(len(merged), int(page(f.Limit)))], nil
}

func listFilter(f job.Filter) bson.D {
	filter := bson.D{{Key: "type", Value: f.Type}}
	if len(f.Statuses) == 1 {
		filter = append(filter, bson.E{Key: "status", Value: f.Statuses[0]})
	}
	ids := bson.D{{Key: "$gte", Value: bound(f.From)}}
	if f.To != 0 {
		ids = append(ids, bson.E{Key: "$lte", Value: bound(f.To)})
	}
	return append(filter, bson.E{Key: "internal_id", Value: ids})
}

func listOptions(f job.Filter) *options.FindOptionsBuilder {
	order := 1
	if f.Order == job.Descending {
		order = -1
	}
	return options.Find().SetSort(bson.D{{Key: "internal_id", Value: order}}).SetLimit(page(f.Limit))
}

func mergeJobs(a, b []job.Job, o job.SortOrder) []job.Job {
	out := make([]job.Job, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		first := a[0].Batch <= b[0].Batch
		if o == job.Descending {
			first = a[0].Batch >= b[0].Batch
		}
		if first {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

func (s *Jobs) find(ctx context.Context, filter bson.D, o *options.FindOptionsBuilder, what string) ([]job.Job, error) {
	cur, err := s.c.find(ctx, filter, o)
	if err != nil {
		return nil, jobErrors.translate(err, "%s", what)
	}
	js, err := all(ctx, cur, jobDoc.job)
	return js, jobErrors.translate(err, "%s", what)
}

// page is a limit within 1..job.MaxPage.
func page(limit int) int64 { return int64(min(max(limit, 1), job.MaxPage)) }

// Count implements job.Store.
func (s *Jobs) Count(ctx context.Context, t job.Type, statuses []job.Status, most int) (map[job.Status]int, error) {
	out := make(map[job.Status]int, len(statuses))
	for _, st := range statuses {
		n, err := s.c.count(ctx, bson.D{{Key: "type", Value: t}, {Key: "status", Value: st}}, most)
		if err != nil {
			return nil, jobErrors.translate(err, "count %s jobs with status %s", t, st)
		}
		out[st] = n
	}
	return out, nil
}

// Ping implements job.Store.
func (s *Jobs) Ping(ctx context.Context) error { return s.db.Ping(ctx) }

// EnsureIndexes creates the database's indexes; see DB.EnsureIndexes.
func (s *Jobs) EnsureIndexes(ctx context.Context) error { return s.db.EnsureIndexes(ctx) }
