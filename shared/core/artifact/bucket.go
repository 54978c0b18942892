package artifact

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var (
	// ErrNoBucket says that there is no such bucket.
	ErrNoBucket = errors.New("there is no such bucket")
	// ErrNotEmpty says that a bucket still holds objects.
	ErrNotEmpty = errors.New("the bucket is not empty")
	// ErrLifetime says that a link can't live as long as was asked.
	ErrLifetime = errors.New("a link lives from 1 second to 7 days")
)

// Lifecycle is a rule by which a bucket removes by itself what nobody needs any more. A number of days that is 0
// removes nothing.
type Lifecycle struct {
	ID string // unique in a bucket
	// Tag and Value choose the objects that have the tag; "": all objects.
	Tag, Value string
	// Expire is how many days after it was written an object is removed.
	Expire int
	// Uploads is after how many days an upload in parts that did not end is removed.
	Uploads int
	// Versions is how many days after it was replaced an older version of an object is removed, where there are any.
	Versions int
}

// Bucket is where a Store keeps its objects. Safe for concurrent use.
type Bucket interface {
	// Create makes the bucket, private and with no rules. If it is there already and ours, that is not an error, and
	// it stays as it is.
	Create(ctx context.Context) error
	// Exists says whether the bucket is there and ours.
	Exists(ctx context.Context) (bool, error)
	// SetLifecycle replaces the bucket's rules; none: it has none. ErrNoBucket.
	SetLifecycle(ctx context.Context, rules []Lifecycle) error
	// Lifecycle returns the bucket's rules, by ID. ErrNoBucket.
	Lifecycle(ctx context.Context) ([]Lifecycle, error)
	// Delete removes the bucket. ErrNotEmpty where it still holds objects; a bucket that is not there is not an error.
	Delete(ctx context.Context) error
}

// Bounds of a link's lifetime.
const (
	MinLinkAge = time.Second
	MaxLinkAge = 7 * 24 * time.Hour
)

// Linker makes links to objects. Safe for concurrent use.
type Linker interface {
	// Link returns a URL by which anyone may download the object (GET), and nothing else, until age has passed or the
	// credentials end by which it was made. It is not looked for: where it is missing, the URL answers 404. A URL that
	// is too old or was changed answers 403, with the reason. ErrLifetime where age is out of bounds.
	Link(ctx context.Context, key string, age time.Duration) (string, error)
}

// CheckAge returns ErrLifetime where a link can't be so old.
func CheckAge(age time.Duration) error {
	if age < MinLinkAge || age > MaxLinkAge {
		return fmt.Errorf("%s: %w", age, ErrLifetime)
	}
	return nil
}

// emptyAtOnce is how many objects Empty lists at a time.
const emptyAtOnce = 1000

// Empty removes all objects of a store.
func Empty(ctx context.Context, s Store) error {
	for {
		found, err := s.List(ctx, "", "", emptyAtOnce)
		if err != nil {
			return fmt.Errorf("empty the bucket: %w", err)
		}
		for _, o := range found {
			if err := s.Delete(ctx, o.Key); err != nil {
				return fmt.Errorf("empty the bucket: %w", err)
			}
		}
		if len(found) < emptyAtOnce {
			return nil
		}
	}
}
