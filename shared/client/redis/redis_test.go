package redis_test

import (
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/redis"
	"github.com/madara-orchestrator/orchestrator/shared/core/cache"
	"github.com/madara-orchestrator/orchestrator/shared/core/cache/cachetest"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	cachetest.TestCache(t, cachetest.Harness{New: func(t *testing.T) cache.Cache {
		c, err := redis.New(tools.Redis(t), t.Name())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}})
}

func TestBadURL(t *testing.T) {
	t.Parallel()
	if _, err := redis.New("http://u:hunter2@h", "p"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
	c, err := redis.New("redis://127.0.0.1:1", "p")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := c.Get(t.Context(), "k"); err == nil || ok {
		t.Errorf("a server that is not there: %v, %v", ok, err)
	}
}
