package job

import (
	"context"
	"errors"
	"time"
)

var (
	// ErrNotFound says that there is no such job.
	ErrNotFound = errors.New("job not found")
	// ErrExists says that a job with this id, or with this type and internal id, exists.
	ErrExists = errors.New("job exists already")
	// ErrConflict says that the stored version is not the one the caller read: read again and decide again.
	ErrConflict = errors.New("job was changed by another writer")
	// ErrSchema says that a document's schema is outside SchemaMin..SchemaMax: another version's, left alone.
	ErrSchema = errors.New("job document has another schema")
)

// MaxPage is the most that one List or Due returns.
const MaxPage = 1000

// SortOrder is the order of a listing.
type SortOrder int

// Orders of a listing, by internal id.
const (
	Ascending SortOrder = iota
	Descending
)

// Filter selects jobs. Type is required: listings are served by the index on type, status, internal id.
type Filter struct {
	Type     Type
	Statuses []Status // empty: any
	// From and To bound InternalID, both inclusive; To 0 means no bound.
	From, To uint64
	Order    SortOrder
	Limit    int // 1..MaxPage
}

// Store keeps jobs. Every call is bounded and served by an index, whatever the history. Reads that follow a write of
// the same process see it. Safe for concurrent use. Errors other than this package's are transient failures.
type Store interface {
	// Create stores a new job. ErrExists where the id or (type, internal id) is taken. A job of an earlier epoch with
	// the same type and internal id gives way: it was discarded, and whoever made it did not know yet.
	Create(ctx context.Context, j Job) error
	// Get returns a job by id, or ErrNotFound.
	Get(ctx context.Context, id string) (Job, error)
	// Find returns the job of a type for a batch, or ErrNotFound.
	Find(ctx context.Context, t Type, internalID uint64) (Job, error)
	// Update replaces the document if its stored version is j.Version, and returns it with Version+1. Otherwise
	// ErrConflict, or ErrNotFound, and nothing is changed. After another error the write may have happened.
	Update(ctx context.Context, j Job) (Job, error)
	// Delete removes the document if its stored version is j.Version. Otherwise ErrConflict or ErrNotFound.
	Delete(ctx context.Context, j Job) error
	// Due returns up to limit jobs whose next action was due at or before t, the longest overdue first, but none of the
	// types without.
	Due(ctx context.Context, t time.Time, limit int, without ...Type) ([]Job, error)
	// List returns the selected jobs.
	List(ctx context.Context, f Filter) ([]Job, error)
	// Count returns how many jobs of a type have each of the statuses, counting at most most for each.
	Count(ctx context.Context, t Type, statuses []Status, most int) (map[Status]int, error)
	// Ping returns an error when the store can't be used.
	Ping(ctx context.Context) error
}
