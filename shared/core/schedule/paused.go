package schedule

import (
	"context"
	"math"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/once"
)

// Paused returns the paused stages, those that this invocation has read before if it has.
func Paused(ctx context.Context, c Control) (Pauses, error) {
	return once.Read(ctx, time.Time{}, math.MaxInt64, c.Pauses)
}
