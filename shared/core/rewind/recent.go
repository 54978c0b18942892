package rewind

import (
	"context"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/once"
)

// Fresh is how long what an invocation has read counts as the record: a rewind that begins in the middle of it is known
// to its next jobs so soon.
const Fresh = 2 * time.Second

// Recent is Of for jobs that only waste work where a rewind has begun just now: what this invocation has read within
// Fresh, or else the record. A job that signs must ask Of.
func Recent(ctx context.Context, s Store, now time.Time) (State, error) {
	return once.Read(ctx, now, Fresh, func(ctx context.Context) (State, error) { return Of(ctx, s) })
}
