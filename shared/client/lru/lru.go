// Package lru is a cache in the process's own memory, of a bounded size: a cache.Cache that forgets what was longest
// unused. Another cache, such as Redis, may lie behind it.
package lru

import (
	"bytes"
	"container/list"
	"context"
	"sync"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/cache"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
)

// Config says how much a cache keeps.
type Config struct {
	// Bytes bounds what it keeps; 0 is DefaultBytes. A value of more than a quarter of it is not kept.
	Bytes int64
	// Behind is asked for what is not here, and gets what is set; nil for none.
	Behind cache.Cache
	// Now is the time; nil: time.Now.
	Now func() time.Time
}

// DefaultBytes is the bound of a cache that is made without one.
const DefaultBytes = 64 << 20

// overhead is what an entry takes besides its key and value.
const overhead = 200

// largest is the part of the bound that one value may take: a few large ones must not push out all others.
const largest = 4

// rest is how long the cache behind is left alone after it failed: each of its calls may take its whole time limit.
const rest = 10 * time.Second

// borrowed is how long what came from the cache behind is kept: it may end or be deleted there meanwhile.
const borrowed = 5 * time.Minute

// Cache is a cache.Cache.
type Cache struct {
	cfg Config

	mu      sync.Mutex
	entries map[string]*list.Element
	used    *list.List // of *entry, the newest first
	size    int64
	until   time.Time // before then, the cache behind is left alone
	counts  Counts
}

// Counts are how many reads each cache had, and how many found what they looked for.
type Counts struct{ Reads, Hits, BehindReads, BehindHits int }

var _ cache.Cache = (*Cache)(nil)

type entry struct {
	key   string
	value []byte
	until time.Time // zero: for ever
}

func (e *entry) size() int64 { return int64(len(e.key)+len(e.value)) + overhead }

// New returns an empty cache.
func New(c Config) *Cache {
	if c.Bytes <= 0 {
		c.Bytes = DefaultBytes
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Cache{cfg: c, entries: map[string]*list.Element{}, used: list.New()}
}

// Get implements cache.Cache. A failure of the cache behind is a miss: the caller reads the source either way.
func (c *Cache) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	v, ok := c.here(key)
	c.count(ctx, metric.Memory, result(ok, nil))
	if ok || !c.asks() {
		return v, ok, nil
	}
	v, ok, err := c.cfg.Behind.Get(ctx, key)
	c.count(ctx, metric.Redis, result(ok, err))
	if err != nil {
		c.leave()
		return nil, false, err
	}
	if ok {
		c.keep(key, bytes.Clone(v), borrowed)
	}
	return v, ok, nil
}

// Set implements cache.Cache.
func (c *Cache) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.keep(key, value, ttl)
	if !c.asks() {
		return nil
	}
	err := c.cfg.Behind.Set(ctx, key, value, ttl)
	if err != nil {
		c.leave()
	}
	return err
}

// Delete implements cache.Cache. What a cache behind that failed does not hear of comes back from it until it ends
// there.
func (c *Cache) Delete(ctx context.Context, key string) error {
	c.mu.Lock()
	c.forget(key)
	c.mu.Unlock()
	if !c.asks() {
		return ctx.Err()
	}
	err := c.cfg.Behind.Delete(ctx, key)
	if err != nil {
		c.leave()
	}
	return err
}

// Ping implements cache.Cache: it is the cache behind that can fail.
func (c *Cache) Ping(ctx context.Context) error {
	if c.cfg.Behind == nil {
		return ctx.Err()
	}
	return c.cfg.Behind.Ping(ctx)
}

// Counts returns how the caches were used.
func (c *Cache) Counts() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts
}

// Size is how many bytes it keeps.
func (c *Cache) Size() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.size
}

// here looks for a key in the memory.
func (c *Cache) here(key string) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	el := c.entries[key]
	if el == nil {
		return nil, false
	}
	e := el.Value.(*entry)
	if !e.until.IsZero() && !c.cfg.Now().Before(e.until) {
		c.forget(key)
		return nil, false
	}
	c.used.MoveToFront(el)
	return bytes.Clone(e.value), true
}

// keep puts a value into the memory, which owns it then.
func (c *Cache) keep(key string, value []byte, ttl time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(key)
	e := &entry{key: key, value: value}
	if e.size() > c.cfg.Bytes/largest {
		return
	}
	if ttl > 0 {
		e.until = c.cfg.Now().Add(ttl)
	}
	c.entries[key] = c.used.PushFront(e)
	c.size += e.size()
	for c.size > c.cfg.Bytes {
		c.forget(c.used.Back().Value.(*entry).key)
	}
}

// forget drops an entry. The caller holds the lock.
func (c *Cache) forget(key string) {
	if el := c.entries[key]; el != nil {
		c.size -= el.Value.(*entry).size()
		c.used.Remove(el)
		delete(c.entries, key)
	}
}

// asks says whether the cache behind is to be asked.
func (c *Cache) asks() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cfg.Behind != nil && !c.cfg.Now().Before(c.until)
}

// leave leaves the cache behind alone for a while.
func (c *Cache) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = c.cfg.Now().Add(rest)
}

func result(ok bool, err error) string {
	switch {
	case err != nil:
		return metric.Failed
	case ok:
		return metric.Hit
	}
	return metric.Miss
}

// count measures a read.
func (c *Cache) count(ctx context.Context, tier, result string) {
	c.mu.Lock()
	reads, hits := &c.counts.Reads, &c.counts.Hits
	if tier == metric.Redis {
		reads, hits = &c.counts.BehindReads, &c.counts.BehindHits
	}
	*reads++
	if result == metric.Hit {
		*hits++
	}
	now := c.cfg.Now()
	c.mu.Unlock()
	metric.Record(ctx, now, metric.Value{Name: metric.CacheReads, Value: 1,
		Labels: metric.Labels{metric.Tier: tier, metric.Result: result}})
}
