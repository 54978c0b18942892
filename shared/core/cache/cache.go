// Package cache is a cache of chain reads that never change, such as the state update of a block that is accepted.
package cache

import (
	"context"
	"time"
)

// Cache keeps values under keys for a while. It may forget any of them at any time, so an error or a miss is never a
// reason to fail: the caller reads the source. Safe for concurrent use.
type Cache interface {
	// Get returns the value of key; ok is false when there is none.
	Get(ctx context.Context, key string) (value []byte, ok bool, err error)
	// Set keeps value under key for at most ttl (0: as long as the cache likes). The cache owns value afterwards.
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// Delete forgets a key; one that is not there is no error.
	Delete(ctx context.Context, key string) error
	// Ping returns an error when the cache can't be used.
	Ping(ctx context.Context) error
}
