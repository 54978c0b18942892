package budget_test

import (
	"context"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/budget"
)

// A run goes on for its time, and leaves half of what its invocation has to what comes behind it.
func TestSpent(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		left      time.Duration // of the invocation; 0: it has no end
		goes, end time.Duration // it goes on after goes, and not after end
	}{
		"no end":         {0, budget.Most - time.Nanosecond, budget.Most},
		"much is left":   {time.Hour, budget.Most - time.Nanosecond, budget.Most},
		"little is left": {40 * time.Second, 10 * time.Second, 20 * time.Second},
		"nothing is":     {-time.Second, -time.Hour, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			now, ctx := start, t.Context()
			if tt.left != 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, tt.left)
				defer cancel()
			}
			b := budget.Begin(ctx, func() time.Time { return now })
			if now = start.Add(tt.goes); b.Spent() {
				t.Errorf("spent after %v", tt.goes)
			}
			if now = start.Add(tt.end); !b.Spent() {
				t.Errorf("not spent after %v", tt.end)
			}
		})
	}
}
