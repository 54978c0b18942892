// Package event decodes what AWS Lambda delivers (messages of SQS or Kafka, schedule events, dead letters), calls the
// service, and encodes the answer. It decides nothing.
package event

import (
	"context"
	"encoding/json"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
)

// JobHandler works on one wake-up.
type JobHandler interface {
	Handle(ctx context.Context, m job.Message) error
	// Ended takes note that the work of others on a batch's job has ended.
	Ended(ctx context.Context, t job.Type, batch uint64) error
}

// Jobs serves a job type's processing and verification queues.
type Jobs struct {
	Messages
	Worker JobHandler
}

// Handle works on the messages of an event; those that fail are delivered again.
func (c *Jobs) Handle(ctx context.Context, event json.RawMessage) (any, error) {
	return c.each(ctx, event, func(ctx context.Context, d queue.Delivery) error {
		kind, batch, ended, err := snos.DecodeEnded(d.Body)
		switch {
		case err != nil:
			return err
		case ended:
			return c.Worker.Ended(ctx, runs[kind], batch)
		}
		m, err := job.DecodeMessage(d.Body)
		if err != nil {
			return err
		}
		return c.Worker.Handle(ctx, m)
	})
}

// runs are the job types that wait for a kind of run.
var runs = map[snos.Kind]job.Type{snos.Run: job.SnosRun, snos.Aggregate: job.Aggregator}
