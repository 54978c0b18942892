package mongodb

import (
	"context"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
)

// Measured returns a monitor for Config that measures every command.
func Measured() *event.CommandMonitor {
	return &event.CommandMonitor{
		Started: func(ctx context.Context, _ *event.CommandStartedEvent) {
			if sent, ok := ctx.Value(sentKey{}).(*atomic.Bool); ok {
				sent.Store(true)
			}
		},
		Succeeded: func(ctx context.Context, e *event.CommandSucceededEvent) {
			metric.Called(ctx, metric.Database, e.CommandName, e.Duration, nil)
		},
		Failed: func(ctx context.Context, e *event.CommandFailedEvent) {
			metric.Called(ctx, metric.Database, e.CommandName, e.Duration, e.Failure)
		},
	}
}

type sentKey struct{}

// calling begins an operation. The monitor sees commands, and where no server can be reached no command is sent: what
// it returns, called with the operation's error, measures that.
func calling(ctx context.Context, what string) (context.Context, func(error)) {
	if !metric.Wanted(ctx) {
		return ctx, func(error) {}
	}
	sent, began := new(atomic.Bool), time.Now()
	return context.WithValue(ctx, sentKey{}, sent), func(err error) {
		if err != nil && !sent.Load() {
			metric.Called(ctx, metric.Database, what, time.Since(began), err)
		}
	}
}

// collection is a collection whose operations are measured also where they reach no server.
type collection struct{ c *mongo.Collection }

func (d *DB) collection(name string) collection { return collection{d.db.Collection(name)} }

func (c collection) createIndex(ctx context.Context, m mongo.IndexModel) error {
	ctx, done := calling(ctx, "createIndexes")
	_, err := c.c.Indexes().CreateOne(ctx, m)
	done(err)
	return err
}

func (c collection) insertOne(ctx context.Context, doc any) error {
	ctx, done := calling(ctx, "insert")
	_, err := c.c.InsertOne(ctx, doc)
	done(err)
	return err
}

func (c collection) findOne(ctx context.Context, filter any,
	o ...options.Lister[options.FindOneOptions]) *mongo.SingleResult {
	ctx, done := calling(ctx, "find")
	res := c.c.FindOne(ctx, filter, o...)
	done(res.Err())
	return res
}

func (c collection) find(ctx context.Context, filter any, o ...options.Lister[options.FindOptions]) (*mongo.Cursor,
	error) {
	ctx, done := calling(ctx, "find")
	cur, err := c.c.Find(ctx, filter, o...)
	done(err)
	return cur, err
}

func (c collection) findOneAndUpdate(ctx context.Context, filter, change any,
	o ...options.Lister[options.FindOneAndUpdateOptions]) *mongo.SingleResult {
	ctx, done := calling(ctx, "findAndModify")
	res := c.c.FindOneAndUpdate(ctx, filter, change, o...)
	done(res.Err())
	return res
}

func (c collection) replaceOne(ctx context.Context, filter, doc any) (*mongo.UpdateResult, error) {
	ctx, done := calling(ctx, "update")
	res, err := c.c.ReplaceOne(ctx, filter, doc)
	done(err)
	return res, err
}

// swap replaces a document if its stored version is the one that was read; swapped is false where it is not, or where
// there is no such document.
func (c collection) swap(ctx context.Context, id any, read uint64, doc any) (swapped bool, err error) {
	res, err := c.replaceOne(ctx, versioned(id, read), doc)
	return err == nil && res.MatchedCount == 1, err
}

// put is swap for documents that the first writer makes, which has read version 0. conflict is the error where another
// writer was faster.
func (c collection) put(ctx context.Context, id any, read uint64, doc any, conflict error) error {
	if read == 0 {
		err := c.insertOne(ctx, doc)
		if mongo.IsDuplicateKeyError(err) {
			return conflict
		}
		return err
	}
	swapped, err := c.swap(ctx, id, read, doc)
	if err == nil && !swapped {
		return conflict
	}
	return err
}

// drop removes a document if its stored version is the one that was read.
func (c collection) drop(ctx context.Context, id any, read uint64) (dropped bool, err error) {
	res, err := c.deleteOne(ctx, versioned(id, read))
	return err == nil && res.DeletedCount == 1, err
}

// versioned selects a document if its version is the one that was read.
func versioned(id any, read uint64) bson.D {
	return bson.D{{Key: "_id", Value: id}, {Key: "version", Value: bound(read)}}
}

func (c collection) updateOne(ctx context.Context, filter, change any,
	o ...options.Lister[options.UpdateOneOptions]) (*mongo.UpdateResult, error) {
	ctx, done := calling(ctx, "update")
	res, err := c.c.UpdateOne(ctx, filter, change, o...)
	done(err)
	return res, err
}

func (c collection) deleteOne(ctx context.Context, filter any) (*mongo.DeleteResult, error) {
	ctx, done := calling(ctx, "delete")
	res, err := c.c.DeleteOne(ctx, filter)
	done(err)
	return res, err
}

func (c collection) deleteMany(ctx context.Context, filter any) error {
	ctx, done := calling(ctx, "delete")
	_, err := c.c.DeleteMany(ctx, filter)
	done(err)
	return err
}

func (c collection) count(ctx context.Context, filter any, most int) (int, error) {
	ctx, done := calling(ctx, "aggregate")
	n, err := c.c.CountDocuments(ctx, filter, options.Count().SetLimit(int64(max(most, 1))))
	done(err)
	return int(n), err
}
