// Package cachetest is the conformance suite of cache.Cache.
package cachetest

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/cache"
)

// Harness makes caches and moves the time for them.
type Harness struct {
	New func(t *testing.T) cache.Cache
	// Pass lets d pass for a cache; nil leaves out what needs it.
	Pass func(c cache.Cache, d time.Duration)
}

// TestCache tests a cache by the contract of cache.Cache.
func TestCache(t *testing.T, h Harness) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	c := h.New(t)
	want := func(key string, value []byte) {
		t.Helper()
		got, ok, err := c.Get(ctx, key)
		if err != nil || ok != (value != nil) || !bytes.Equal(got, value) {
			t.Errorf("%s is %q, %v, %v, want %q", key, got, ok, err, value)
		}
	}
	set := func(key string, value []byte, ttl time.Duration) {
		t.Helper()
		if err := c.Set(ctx, key, value, ttl); err != nil {
			t.Fatal(err)
		}
	}
	want("a", nil)
	set("a", []byte("1"), 0)
	set("b", []byte{0, 255}, time.Hour)
	want("a", []byte("1"))
	want("b", []byte{0, 255})
	set("a", []byte("2"), 0)
	want("a", []byte("2"))
	for range 2 {
		if err := c.Delete(ctx, "a"); err != nil {
			t.Fatal(err)
		}
	}
	want("a", nil)
	if h.Pass != nil {
		h.Pass(c, time.Hour)
		want("b", nil)
	}
	if err := c.Ping(ctx); err != nil {
		t.Error(err)
	}
	ended, stop := context.WithCancel(ctx)
	stop()
	if _, ok, err := c.Get(ended, "b"); err == nil && ok {
		t.Error("Get with an ended context found a value")
	}
}
