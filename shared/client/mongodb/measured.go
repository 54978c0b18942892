package mongodb

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/event"

	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
)

// Measured returns a monitor for Config that measures every command.
func Measured() *event.CommandMonitor {
	return &event.CommandMonitor{
		Succeeded: func(ctx context.Context, e *event.CommandSucceededEvent) {
			metric.Called(ctx, metric.Database, e.CommandName, e.Duration, nil)
		},
		Failed: func(ctx context.Context, e *event.CommandFailedEvent) {
			metric.Called(ctx, metric.Database, e.CommandName, e.Duration, e.Failure)
		},
	}
}
