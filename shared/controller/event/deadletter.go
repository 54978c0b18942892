package event

import (
	"context"
	"encoding/json"

	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
)

// DeadLetterService takes note of a message that could not be worked on.
type DeadLetterService interface {
	DeadLetter(ctx context.Context, messageID, body string) error
}

// DeadLetters serves the dead-letter queue.
type DeadLetters struct {
	Messages
	Service DeadLetterService
}

// Handle takes note of each dead letter.
func (c *DeadLetters) Handle(ctx context.Context, event json.RawMessage) (any, error) {
	return c.each(ctx, event, func(ctx context.Context, d queue.Delivery) error {
		return c.Service.DeadLetter(ctx, d.ID, d.Body)
	})
}
