package appchain_test

import (
	"context"
	"sync"
	"time"
)

// memoryCache is a cache that counts.
type memoryCache struct {
	mu   sync.Mutex
	m    map[string][]byte
	hits int
}

func newMemoryCache() *memoryCache { return &memoryCache{m: map[string][]byte{}} }

func (c *memoryCache) Get(_ context.Context, key string) ([]byte, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.m[key]
	if ok {
		c.hits++
	}
	return v, ok, nil
}

func (c *memoryCache) Set(_ context.Context, key string, v []byte, _ time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.m[key] = v
	return nil
}

func (c *memoryCache) Delete(_ context.Context, key string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.m, key)
	return nil
}

func (c *memoryCache) Ping(context.Context) error { return nil }
