package event

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Listener listens to a node until its context ends.
type Listener interface {
	Listen(ctx context.Context) error
}

// Heads serves the schedule that keeps a listener running.
type Heads struct{ Service Listener }

// ListenEvent is the schedule's event.
const ListenEvent = `{"listen":true}`

// ListenMargin is how long before the function's end it stops listening.
const ListenMargin = 3 * time.Second

// Handle listens until the function's time ends.
func (c *Heads) Handle(ctx context.Context, raw json.RawMessage) (any, error) {
	var e struct {
		Listen bool `json:"listen"`
	}
	if err := decodeOnly(raw, &e); err != nil {
		return nil, err
	}
	if !e.Listen {
		return nil, errors.New("event is not the schedule's: want " + ListenEvent)
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		return nil, errors.New("the function has no end of its time: it would listen for ever")
	}
	ctx, cancel := context.WithDeadline(ctx, deadline.Add(-ListenMargin))
	defer cancel()
	return nil, c.Service.Listen(ctx)
}
