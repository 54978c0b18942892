package batch

import (
	"context"
	"errors"
)

var (
	// ErrNotFound says that there is no such batch.
	ErrNotFound = errors.New("batch not found")
	// ErrExists says that a batch with this index exists.
	ErrExists = errors.New("batch exists already")
	// ErrConflict says that the stored version is not the one the caller read.
	ErrConflict = errors.New("batch was changed by another writer")
	// ErrFenced says that a holder of a newer lease has written: this one's lease is over.
	ErrFenced = errors.New("batch was written under a newer lease")
	// ErrSchema says that a document's schema is outside SchemaMin..SchemaMax: another release wrote it, it is left
	// alone.
	ErrSchema = errors.New("batch document has another schema")
)

// SchemaMin and SchemaMax are the range of document schemas that this build reads. Schema 1 is release 0.1's, whose
// statuses had other names; it is still read. Documents are written with SchemaOf.
const (
	SchemaMin = 1
	SchemaMax = 3
)

// SchemaOf is the schema that a document of an epoch is written with. Only what was made after a rewind has an epoch: a
// build that does not know epochs must leave it alone, and may go on with everything else.
func SchemaOf(epoch uint64) int {
	if epoch == 0 {
		return 2
	}
	return 3
}

// MaxPage is the most that one listing returns.
const MaxPage = 1000

// SnosStore keeps SNOS batches. Every call is bounded and served by an index. Safe for concurrent use.
//
// An index has one document. One of an earlier epoch gives way: it was discarded, and whoever wrote it did not know
// yet.
type SnosStore interface {
	// CreateSnos stores a new batch, in the place of one of an earlier epoch. ErrExists where the index is taken by one
	// of the same or a later epoch.
	CreateSnos(ctx context.Context, b SnosBatch) error
	// Snos returns a batch by index, or ErrNotFound.
	Snos(ctx context.Context, index uint64) (SnosBatch, error)
	// LastSnos returns the batch with the highest index, or ErrNotFound.
	LastSnos(ctx context.Context) (SnosBatch, error)
	// SnosOfBlock returns the batch that holds a block, or ErrNotFound.
	SnosOfBlock(ctx context.Context, number uint64) (SnosBatch, error)
	// ListSnos returns up to limit batches with the status, by ascending index from from on.
	ListSnos(ctx context.Context, s Status, from uint64, limit int) ([]SnosBatch, error)
	// SnosRange returns the batches with indices first..last that exist, ascending; at most MaxPage.
	SnosRange(ctx context.Context, first, last uint64) ([]SnosBatch, error)
	// UpdateSnos replaces a batch if its stored version is b.Version, its epoch b.Epoch, and its stored fence is not
	// above b.Fence; it returns the batch with Version+1. Otherwise ErrConflict, ErrFenced or ErrNotFound.
	UpdateSnos(ctx context.Context, b SnosBatch) (SnosBatch, error)
	// DeleteSnos removes a batch if its stored version is b.Version and its epoch b.Epoch. Otherwise ErrConflict or
	// ErrNotFound.
	DeleteSnos(ctx context.Context, b SnosBatch) error
}

// AggregatorStore keeps aggregator batches, under the same rules as SnosStore.
type AggregatorStore interface {
	// CreateAggregator is CreateSnos for aggregator batches.
	CreateAggregator(ctx context.Context, b AggregatorBatch) error
	// Aggregator returns a batch by index, or ErrNotFound.
	Aggregator(ctx context.Context, index uint64) (AggregatorBatch, error)
	// LastAggregator returns the batch with the highest index, or ErrNotFound.
	LastAggregator(ctx context.Context) (AggregatorBatch, error)
	// AggregatorOfBlock returns the batch that holds a block, or ErrNotFound.
	AggregatorOfBlock(ctx context.Context, number uint64) (AggregatorBatch, error)
	// ListAggregators returns up to limit batches with the status, by ascending index from from on.
	ListAggregators(ctx context.Context, s Status, from uint64, limit int) ([]AggregatorBatch, error)
	// AggregatorRange returns the batches with indices first..last that exist, ascending; at most MaxPage.
	AggregatorRange(ctx context.Context, first, last uint64) ([]AggregatorBatch, error)
	// UpdateAggregator is UpdateSnos for aggregator batches.
	UpdateAggregator(ctx context.Context, b AggregatorBatch) (AggregatorBatch, error)
	// DeleteAggregator is DeleteSnos for aggregator batches.
	DeleteAggregator(ctx context.Context, b AggregatorBatch) error
}

// Store is both.
type Store interface {
	SnosStore
	AggregatorStore
}
