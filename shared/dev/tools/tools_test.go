package tools_test

import (
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

// Every component starts, and starts once.
func TestStart(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB) string{
		"mongod": tools.Mongod, "moto": tools.Moto, "redis": tools.Redis,
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
		if a, b := tools.Anvil(t), tools.Anvil(t); a == b {
			t.Errorf("two anvils at %s", a)
		}
	})
}
