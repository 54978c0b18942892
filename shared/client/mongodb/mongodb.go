// Package mongodb keeps jobs, batches, leases and pauses in MongoDB or Amazon DocumentDB. Every query is bounded and
// served by an index of shared/resource. Writes are acknowledged by a majority, and reads see them: compare-and-set on
// a document's version is what the whole pipeline stands on.
package mongodb

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// Config says how to connect.
type Config struct {
	URI      string // a secret: it may carry credentials
	Database string
	// CAFile, when set, holds the PEM certificates of the only authorities that are trusted, as DocumentDB needs; it
	// implies TLS.
	CAFile string
	// PoolSize bounds the connections of this process: concurrency of the functions times this must stay below the
	// server's limit. 0 is 2.
	PoolSize uint64
	// Timeout bounds each operation whose context has no nearer deadline; 0 is 10 s.
	Timeout time.Duration
	// IdleTime is how long a connection may lie unused before another one takes its place; 0 is DefaultIdleTime.
	IdleTime time.Duration
	// Monitor, when set, sees every command: Measured, or a test's.
	Monitor *event.CommandMonitor
}

// DefaultIdleTime is Config's. A function that is not invoked is frozen, and routers forget its connections meanwhile
// (a NAT gateway of AWS after 350 s): one that was not used for a minute is not trusted.
const DefaultIdleTime = time.Minute

// DB is a connected database. One a process, used over its invocations.
type DB struct {
	client *mongo.Client
	db     *mongo.Database
}

// Connect prepares a client; the server is first talked to by the first operation. The error never shows the URI.
//
// What compare-and-set needs is not the URI's to decide: writes are acknowledged by a majority and tried again once,
// reads are the primary's. A URI that says otherwise (w, readPreference, retryWrites, ...) is corrected, one that binds
// to a single member of a replica set is refused. DocumentDB has no retryable writes, so a URI of it keeps
// retryWrites=false.
func Connect(c Config) (*DB, error) {
	if c.PoolSize == 0 {
		c.PoolSize = 2
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.IdleTime == 0 {
		c.IdleTime = DefaultIdleTime
	}
	if c.Database == "" {
		return nil, errors.New("connect to MongoDB: the database's name is missing")
	}
	o := options.Client().ApplyURI(c.URI)
	if err := checkURI(o); err != nil {
		return nil, err
	}
	if !documentDB(o.Hosts) {
		o.SetRetryWrites(true)
	}
	o.
		SetAppName("orchestrator").
		SetMaxPoolSize(c.PoolSize).SetMinPoolSize(0).SetMaxConnIdleTime(c.IdleTime).
		SetRetryReads(true).
		SetTimeout(c.Timeout).
		SetServerSelectionTimeout(min(c.Timeout, 5*time.Second)).
		SetReadPreference(readpref.Primary()).
		SetReadConcern(readconcern.Majority()).
		SetWriteConcern(writeconcern.Majority()).
		SetMonitor(c.Monitor)
	if c.CAFile != "" {
		trusted, err := trust(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("connect to MongoDB: %w", err)
		}
		o.SetTLSConfig(trusted)
	}
	client, err := mongo.Connect(o)
	if err != nil {
		return nil, errURI
	}
	return &DB{client: client, db: client.Database(c.Database)}, nil
}

// Close ends all connections.
func (d *DB) Close(ctx context.Context) error { return d.client.Disconnect(ctx) }

// Ping returns an error when the server can't be reached.
func (d *DB) Ping(ctx context.Context) error {
	ctx, done := calling(ctx, "ping")
	err := d.client.Ping(ctx, readpref.Primary())
	if done(err); err != nil {
		return fmt.Errorf("ping MongoDB: %w", err)
	}
	return nil
}

// Drop removes the database, for tests.
func (d *DB) Drop(ctx context.Context) error { return d.db.Drop(ctx) }

// EnsureIndexes creates the indexes that shared/resource describes. Those that exist are left alone, so it may run at
// any time and any number of times.
func (d *DB) EnsureIndexes(ctx context.Context) error {
	for _, ix := range resource.Indexes() {
		keys := bson.D{}
		for _, k := range ix.Keys {
			keys = append(keys, bson.E{Key: k.Field, Value: k.Order})
		}
		o := options.Index().SetName(ix.Name).SetUnique(ix.Unique)
		if ix.Partial != "" { // only documents that have the field: DocumentDB and MongoDB both serve $exists
			o.SetPartialFilterExpression(bson.D{{Key: ix.Partial, Value: bson.D{{Key: "$exists", Value: true}}}})
		}
		if err := d.collection(ix.Collection).createIndex(ctx, mongo.IndexModel{Keys: keys, Options: o}); err != nil {
			return fmt.Errorf("create index %s on %s: %w", ix.Name, ix.Collection, err)
		}
	}
	return nil
}

// sentinels are a port's errors, so that one translator serves all collections.
type sentinels struct{ notFound, exists error }

// translate turns the driver's errors into the port's. What it does not know stays, wrapped with what was done.
func (s sentinels) translate(err error, format string, args ...any) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, mongo.ErrNoDocuments):
		err = s.notFound
	case mongo.IsDuplicateKeyError(err):
		err = s.exists
	}
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err)
}

// number stores an unsigned integer: BSON has none. Indices and block numbers are far below 2^63.
func number(n uint64) (int64, error) {
	if n > math.MaxInt64 {
		return 0, fmt.Errorf("%d does not fit in a BSON integer", n)
	}
	return int64(n), nil
}

// bound is number for query bounds, where the largest integer is as good as a larger one.
func bound(n uint64) int64 { return int64(min(n, math.MaxInt64)) }

// all reads a cursor to its end, decoding each document and turning it into a T.
func all[D, T any](ctx context.Context, cur *mongo.Cursor, turn func(D) (T, error)) ([]T, error) {
	defer cur.Close(ctx)
	out := []T{}
	for cur.Next(ctx) {
		var d D
		if err := cur.Decode(&d); err != nil {
			return nil, fmt.Errorf("decode document: %w", err)
		}
		v, err := turn(d)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, cur.Err()
}
