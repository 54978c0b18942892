package event

import (
	"context"
	"log/slog"

	"github.com/aws/aws-lambda-go/events"
)

// DeadLetterService takes note of a message that could not be worked on.
type DeadLetterService interface {
	DeadLetter(ctx context.Context, messageID, body string) error
}

// DeadLetters serves the dead-letter queue.
type DeadLetters struct {
	Service DeadLetterService
	Log     *slog.Logger
}

// Handle takes note of each dead letter.
func (c *DeadLetters) Handle(ctx context.Context, e events.SQSEvent) (events.SQSEventResponse, error) {
	return eachRecord(ctx, c.Log, e, func(ctx context.Context, r events.SQSMessage) error {
		return c.Service.DeadLetter(ctx, r.MessageId, r.Body)
	})
}
