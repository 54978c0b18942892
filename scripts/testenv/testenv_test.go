package testenv_test

import (
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/scripts/testenv"
)

// Every component starts, and starts once.
func TestStart(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB) string{
		"mongod": testenv.Mongod, "moto": testenv.Moto, "redis": testenv.Redis,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := start(t)
			if !strings.Contains(url, "127.0.0.1:") || start(t) != url {
				t.Errorf("%s is at %q, then at %q", name, url, start(t))
			}
		})
	}
	t.Run("anvil", func(t *testing.T) {
		t.Parallel()
		if a, b := testenv.Anvil(t), testenv.Anvil(t); a == b {
			t.Errorf("two anvils at %s", a)
		}
	})
}
