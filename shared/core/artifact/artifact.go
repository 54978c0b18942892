// Package artifact is the store of the pipeline's files (PIEs, program outputs, DA segments, proofs, signed
// transactions) and the layout of their keys.
package artifact

import (
	"context"
	"errors"
	"io"
	"time"
)

var (
	// ErrNotFound says that no object has the key.
	ErrNotFound = errors.New("artifact not found")
	// ErrExists says that PutNew found another object under the key.
	ErrExists = errors.New("artifact exists already with other content")
	// ErrTooLarge says that an object is larger than the reader allows.
	ErrTooLarge = errors.New("artifact is larger than allowed")
)

// Info describes a stored object.
type Info struct {
	Key      string
	Size     int64
	Modified time.Time
}

// Store keeps objects under keys. Writes are atomic: a reader sees a whole object or none, and a read after a
// successful write sees it. Implementations stream: memory stays bounded whatever an object's size. Safe for
// concurrent use.
type Store interface {
	// Put writes r under key, replacing what is there. It reads r to its end, or fails and leaves what was there.
	Put(ctx context.Context, key string, r io.Reader) error
	// PutNew writes r under key if the key is free. When it is taken by the same bytes the call succeeds, so a repeated
	// call is harmless; otherwise it returns ErrExists.
	PutNew(ctx context.Context, key string, r io.Reader) error
	// Get opens an object; the caller closes it. ErrNotFound where there is none.
	Get(ctx context.Context, key string) (io.ReadCloser, error)
	// Stat describes an object. ErrNotFound where there is none.
	Stat(ctx context.Context, key string) (Info, error)
	// List returns up to limit objects whose key starts with prefix and is greater than after, in ascending order of
	// keys.
	List(ctx context.Context, prefix, after string, limit int) ([]Info, error)
	// Tag sets an object's tags; those that it had are gone, so nothing has to be read first. ErrNotFound where there
	// is no object.
	Tag(ctx context.Context, key string, tags map[string]string) error
	// Delete removes an object; a key without one is not an error.
	Delete(ctx context.Context, key string) error
	// Ping returns an error when the store can't be used, without changing it.
	Ping(ctx context.Context) error
}

// ReadAll reads an object of at most most bytes; a larger one is ErrTooLarge.
func ReadAll(ctx context.Context, s Store, key string, most int64) ([]byte, error) {
	r, err := s.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > most {
		return nil, ErrTooLarge
	}
	return b, nil
}
