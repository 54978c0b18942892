// Package redis is Redis: a cache.Cache of chain reads that never change.
package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/madara-orchestrator/orchestrator/shared/core/cache"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
)

// Cache is a cache.Cache. Keys start with its prefix, so that chains can share a server.
type Cache struct {
	api    *redis.Client
	prefix string
}

var _ cache.Cache = (*Cache)(nil)

// quiet drops what go-redis logs by itself, plain lines to stderr: each fault is returned too, and a function's log
// holds JSON alone.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

var setQuiet = sync.OnceFunc(func() { redis.SetLogger(quiet{}) })

// New returns the cache at a URL redis://[user:password@]host:port/db or rediss://. It makes no request. The error
// never shows the URL.
func New(url, prefix string) (*Cache, error) {
	setQuiet()
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New("Redis: the URL is not valid (it is not shown, it may carry a password)")
	}
	o.PoolSize, o.MaxRetries = 4, 1
	// a cache must be quick or absent
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = time.Second, time.Second, time.Second
	o.ContextTimeoutEnabled = true
	return &Cache{api: redis.NewClient(o), prefix: prefix + ":"}, nil
}

// Close ends the connections.
func (c *Cache) Close() error { return c.api.Close() }

// Get implements cache.Cache.
func (c *Cache) Get(ctx context.Context, key string) ([]byte, bool, error) {
	done := metric.Call(ctx, metric.Cache, "get")
	b, err := c.api.Get(ctx, c.prefix+key).Bytes()
	if errors.Is(err, redis.Nil) {
		done(nil)
		return nil, false, nil
	}
	if done(err); err != nil {
		return nil, false, fmt.Errorf("read %s from Redis: %w", key, err)
	}
	return b, true, nil
}

// Set implements cache.Cache.
func (c *Cache) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	done := metric.Call(ctx, metric.Cache, "set")
	err := c.api.Set(ctx, c.prefix+key, value, ttl).Err()
	if done(err); err != nil {
		return fmt.Errorf("write %s to Redis: %w", key, err)
	}
	return nil
}

// Delete implements cache.Cache.
func (c *Cache) Delete(ctx context.Context, key string) error {
	if err := c.api.Del(ctx, c.prefix+key).Err(); err != nil {
		return fmt.Errorf("delete %s from Redis: %w", key, err)
	}
	return nil
}

// Ping implements cache.Cache.
func (c *Cache) Ping(ctx context.Context) error {
	if err := c.api.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("ping Redis: %w", err)
	}
	return nil
}
