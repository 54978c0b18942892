package memory

import (
	"bytes"
	"container/list"
	"context"
	"sync"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/cache"
)

// DefaultCacheEntries is the bound of a cache that is made without one.
const DefaultCacheEntries = 4096

// Cache is a cache.Cache that forgets what was longest unused.
type Cache struct {
	env  *fault.Env
	most int

	mu      sync.Mutex
	entries map[string]*list.Element
	used    *list.List // of *entry, the newest first
}

var _ cache.Cache = (*Cache)(nil)

type entry struct {
	key   string
	value []byte
	until time.Time // zero: for ever
}

// NewCache returns an empty cache of at most most entries; 0 is DefaultCacheEntries.
func NewCache(e *fault.Env, most int) *Cache {
	if most <= 0 {
		most = DefaultCacheEntries
	}
	return &Cache{env: e, most: most, entries: map[string]*list.Element{}, used: list.New()}
}

// Get implements cache.Cache.
func (c *Cache) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	value, err = fault.Call(ctx, c.env, "cache", "Get", key, func(f fault.Fault) ([]byte, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		el := c.entries[key]
		if el == nil {
			return nil, nil
		}
		e := el.Value.(*entry)
		if f.Is(fault.Lose) || !e.until.IsZero() && !c.env.Time().Before(e.until) {
			c.forget(key)
			return nil, nil
		}
		c.used.MoveToFront(el)
		ok = true
		return append([]byte{}, e.value...), nil
	})
	return value, ok && err == nil, err
}

// Set implements cache.Cache.
func (c *Cache) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return fault.Act(ctx, c.env, "cache", "Set", key, func(f fault.Fault) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.forget(key)
		if f.Is(fault.Lose) {
			return nil
		}
		e := &entry{key: key, value: bytes.Clone(value)}
		if ttl > 0 {
			e.until = c.env.Time().Add(ttl)
		}
		c.entries[key] = c.used.PushFront(e)
		for c.used.Len() > c.most {
			c.forget(c.used.Back().Value.(*entry).key)
		}
		return nil
	})
}

// Delete implements cache.Cache.
func (c *Cache) Delete(ctx context.Context, key string) error {
	return fault.Act(ctx, c.env, "cache", "Delete", key, func(fault.Fault) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.forget(key)
		return nil
	})
}

// forget drops an entry. The caller holds the lock.
func (c *Cache) forget(key string) {
	if el := c.entries[key]; el != nil {
		c.used.Remove(el)
		delete(c.entries, key)
	}
}

// Len is how many entries there are, expired ones that nobody asked for included.
func (c *Cache) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used.Len()
}

// Ping implements cache.Cache.
func (c *Cache) Ping(ctx context.Context) error { return fault.Ping(ctx, c.env, "cache") }
