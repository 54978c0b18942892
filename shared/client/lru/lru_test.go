package lru_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/lru"
	"github.com/madara-orchestrator/orchestrator/shared/client/redis"
	"github.com/madara-orchestrator/orchestrator/shared/core/cache"
	"github.com/madara-orchestrator/orchestrator/shared/core/cache/cachetest"
	"github.com/madara-orchestrator/orchestrator/shared/core/lock/locktest"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	c := &locktest.Clock{}
	cachetest.TestCache(t, cachetest.Harness{
		New:  func(*testing.T) cache.Cache { return lru.New(lru.Config{Now: c.Now}) },
		Pass: func(_ cache.Cache, d time.Duration) { c.Advance(d) },
	})
}

// open is a Redis with keys of the test's own.
func open(t *testing.T) *redis.Cache {
	t.Helper()
	r, err := redis.New(tools.Redis(t), t.Name())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func TestConformanceBeforeRedis(t *testing.T) {
	t.Parallel()
	cachetest.TestCache(t, cachetest.Harness{
		New: func(t *testing.T) cache.Cache { return lru.New(lru.Config{Behind: open(t)}) },
	})
}

// What one process has read another one finds in Redis, and then in its own memory.
func TestSharedBehind(t *testing.T) {
	t.Parallel()
	r := open(t)
	one, two := lru.New(lru.Config{Behind: r}), lru.New(lru.Config{Behind: r})
	if err := one.Set(t.Context(), "k", []byte("v"), time.Hour); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if v, ok, err := two.Get(t.Context(), "k"); err != nil || !ok || string(v) != "v" {
			t.Errorf("got %q, %t, %v", v, ok, err)
		}
	}
	if got, want := two.Counts(), (lru.Counts{Reads: 3, Hits: 2, BehindReads: 1, BehindHits: 1}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
	if err := one.Delete(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	if _, ok, _ := r.Get(t.Context(), "k"); ok {
		t.Error("a key that was deleted is in Redis")
	}
}

// However much is set, the memory keeps its bound, and what is used stays.
func TestBounds(t *testing.T) {
	t.Parallel()
	const most = 100 << 10
	c := lru.New(lru.Config{Bytes: most})
	ctx := t.Context()
	set := func(key string, n int) {
		t.Helper()
		if err := c.Set(ctx, key, make([]byte, n), 0); err != nil {
			t.Fatal(err)
		}
	}
	has := func(key string) bool {
		_, ok, _ := c.Get(ctx, key)
		return ok
	}
	set("used", 1000)
	for i := range 1000 {
		set(fmt.Sprint(i), 1000)
		if !has("used") || c.Size() > most {
			t.Fatalf("after %d: %d bytes, of at most %d; used is there: %t", i, c.Size(), most, has("used"))
		}
	}
	if has("0") || !has("999") {
		t.Error("what was longest unused is kept, or what is new is not")
	}
	set("large", most/2)
	if has("large") || !has("999") {
		t.Error("one large value pushes out the others")
	}
	set("999", most/2) // what it was must not stay
	if has("999") {
		t.Error("an older value is kept under a key whose newer one is too large")
	}
}

// broken fails and counts.
type broken struct{ calls int }

var errBroken = errors.New("connection refused")

func (b *broken) Get(context.Context, string) ([]byte, bool, error) {
	b.calls++
	return nil, false, errBroken
}

func (b *broken) Set(context.Context, string, []byte, time.Duration) error {
	b.calls++
	return errBroken
}

func (b *broken) Delete(context.Context, string) error { b.calls++; return errBroken }

func (b *broken) Ping(context.Context) error { return errBroken }

// A Redis that is down is asked once in a while and not at each read; the memory works.
func TestBehindIsDown(t *testing.T) {
	t.Parallel()
	clock, b := &locktest.Clock{}, &broken{}
	c := lru.New(lru.Config{Behind: b, Now: clock.Now})
	if err := c.Set(t.Context(), "k", []byte("v"), 0); !errors.Is(err, errBroken) {
		t.Errorf("Set: %v", err)
	}
	for range 100 {
		if _, ok, err := c.Get(t.Context(), "other"); ok || err != nil {
			t.Fatalf("got %t, %v", ok, err)
		}
	}
	if v, ok, err := c.Get(t.Context(), "k"); !ok || err != nil || string(v) != "v" || b.calls != 1 {
		t.Errorf("got %q, %t, %v after %d calls", v, ok, err, b.calls)
	}
	clock.Advance(time.Minute)
	if _, _, err := c.Get(t.Context(), "other"); !errors.Is(err, errBroken) || b.calls != 2 {
		t.Errorf("a minute later: %v after %d calls", err, b.calls)
	}
	if err := c.Ping(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("Ping: %v", err)
	}
}

// What came from the cache behind is asked for again after a while: it may be deleted there meanwhile.
func TestBorrowedEnds(t *testing.T) {
	t.Parallel()
	clock, r := &locktest.Clock{}, open(t)
	one, two := lru.New(lru.Config{Behind: r, Now: clock.Now}), lru.New(lru.Config{Behind: r, Now: clock.Now})
	has := func() bool {
		t.Helper()
		_, ok, err := two.Get(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	if err := one.Set(t.Context(), "k", []byte("v"), 0); err != nil {
		t.Fatal(err)
	}
	if !has() {
		t.Fatal("it is not found behind")
	}
	if err := one.Delete(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	if !has() {
		t.Error("it is not kept in memory")
	}
	clock.Advance(6 * time.Minute)
	if has() {
		t.Error("six minutes later another process's deletion is not seen")
	}
}

// A key is deleted in memory also while the cache behind is down, which is not asked at each call.
func TestDeleteWhileBehindIsDown(t *testing.T) {
	t.Parallel()
	clock, b := &locktest.Clock{}, &broken{}
	c := lru.New(lru.Config{Behind: b, Now: clock.Now})
	if err := c.Delete(t.Context(), "k"); !errors.Is(err, errBroken) || b.calls != 1 {
		t.Errorf("%v after %d calls", err, b.calls)
	}
	if err := c.Set(t.Context(), "k", []byte("v"), 0); err != nil { // it is left alone: the memory has it
		t.Fatal(err)
	}
	for range 10 {
		if err := c.Delete(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok, err := c.Get(t.Context(), "k"); ok || err != nil || b.calls != 1 {
		t.Errorf("found %t, %v, after %d calls", ok, err, b.calls)
	}
}
