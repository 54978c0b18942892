// Package madaradb reads the MongoDB database of Madara's own orchestrator, as its source at commit e674321 writes it
// (orchestrator/src/types and orchestrator/src/core/client/{database,lock}). It sends finds, counts and aggregations
// only.
package madaradb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"

	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/core/takeover"
)

// The collections (orchestrator/src/core/client/database/constant.rs and lock/constant.rs).
const (
	jobs        = "jobs"
	snosBatches = "snos_batches"
	aggregators = "aggregator_batches"
	locks       = "locks"
)

// DefaultDatabase is the database's name where MADARA_ORCHESTRATOR_DATABASE_NAME does not say another.
const DefaultDatabase = "orchestrator"

// Most documents of a kind that one reading takes: a chain with more under way is not one that can be taken over.
const (
	maxBatches = 1000
	maxJobs    = 10000
	maxFaults  = 20
)

// Config says how to connect.
type Config struct {
	URI      string // a secret: it may carry credentials
	Database string // "" is DefaultDatabase
	// Monitor, when set, sees every command.
	Monitor *event.CommandMonitor
}

// DB is the old database.
type DB struct {
	client *mongo.Client
	db     *mongo.Database
}

var _ takeover.Reader = (*DB)(nil)

// Connect prepares a client; the server is first asked by Read. The error never shows the URI.
func Connect(c Config) (*DB, error) {
	if c.Database == "" {
		c.Database = DefaultDatabase
	}
	o := options.Client().ApplyURI(c.URI).SetAppName("orchestrator-adopt").SetMaxPoolSize(2).
		SetTimeout(time.Minute).SetServerSelectionTimeout(5 * time.Second).
		SetReadConcern(readconcern.Majority()).SetRetryWrites(false).SetMonitor(c.Monitor)
	if o.Validate() != nil {
		return nil, errInvalidURI
	}
	client, err := mongo.Connect(o)
	if err != nil {
		return nil, errInvalidURI
	}
	return &DB{client: client, db: client.Database(c.Database)}, nil
}

var errInvalidURI = errors.New(
	"connect to the old database: the URI is not valid (it is not shown, it may carry a password)",
)

// Close ends all connections.
func (d *DB) Close(ctx context.Context) error { return d.client.Disconnect(ctx) }

// Read implements takeover.Reader.
func (d *DB) Read(ctx context.Context, now time.Time) (takeover.Database, error) {
	out := takeover.Database{Layer: stage.L3}
	names, err := d.db.ListCollectionNames(ctx, bson.D{})
	if err != nil {
		return out, fmt.Errorf("list the old database's collections: %w", err)
	}
	for _, want := range []string{jobs, snosBatches} {
		if !slices.Contains(names, want) {
			return out, fmt.Errorf("%w: %s has no collection %q (it has %d others); check the URI and the database's "+
				"name",
				takeover.ErrForeign, d.db.Name(), want, len(names))
		}
	}
	r := &reading{db: d.db, out: &out}
	steps := []func(context.Context) error{
		r.statuses, r.layer, r.batches, r.snos, r.children, r.tasks, r.jobs, r.lastWrite,
		func(ctx context.Context) error { return r.locks(ctx, now) },
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return out, err
		}
	}
	r.sequence()
	if len(r.faults) > 0 {
		return out, &takeover.FaultError{Faults: r.faults}
	}
	return out, nil
}
