// Package queue is the port to message queues. Delivery is at least once, in any order: the job's document is the
// truth, a message only a hint.
package queue

import (
	"context"
	"errors"
	"strconv"
	"time"
)

// MaxDelay is the longest delay of a message (SQS: 15 minutes). Longer waits are the document's due time, reached by
// chained messages or by reconcile.
const MaxDelay = 15 * time.Minute

// MaxBody is the largest body in bytes (SQS took 256 KiB before 2025; ours are a few hundred bytes).
const MaxBody = 256 << 10

var (
	// ErrUnknownQueue says that no queue has the name: the resources are not deployed, or the name is wrong.
	ErrUnknownQueue = errors.New("unknown queue")
	// ErrTooLarge says that a body is larger than MaxBody.
	ErrTooLarge = errors.New("message is too large")
)

// Outgoing is a message to send.
type Outgoing struct {
	Body string
	// Delay is at most MaxDelay; longer is cut to it. A queue without delays (Kafka) drops a message that has one: the
	// job's document knows when it is due, and Reconcile wakes it then.
	Delay time.Duration
}

// Delivery is one receipt of a message.
type Delivery struct {
	ID       string // the message's
	Handle   string // this receipt's; only the newest receipt's handle is sure to work
	Body     string
	Receives int // how often the message was delivered, this time included; Kafka counts only what was given back
	SentAt   time.Time
}

// Depth is how many messages a queue holds, approximately.
type Depth struct{ Ready, InFlight, Delayed int }

// Sender sends messages.
type Sender interface {
	// Send sends messages to a queue, in as few requests as the service allows. On an error any of them may have been
	// sent.
	Send(ctx context.Context, queue string, ms ...Outgoing) error
}

// Returner takes messages back that could not be worked on, for a service that does not do so itself: Kafka knows only
// how far a partition was read. Safe for concurrent use.
type Returner interface {
	// Return sends a delivered message to its queue again, counted, or to the dead letters where it was received as
	// often as its queue allows. It keeps its ID. On an error it may not have been sent: the caller must not
	// acknowledge it. ErrUnknownQueue says that the queue is none of this deployment's.
	Return(ctx context.Context, queue string, d Delivery) error
}

// Queue is a set of named queues. In the cloud Lambda receives; Receive, Delete and ChangeVisibility serve the local
// run and tests. Safe for concurrent use.
type Queue interface {
	Sender
	// Receive returns up to most (1 to 10) messages, waiting up to wait for the first. They stay invisible for the
	// queue's visibility timeout. After the queue's limit of receives a message goes to its dead-letter queue.
	Receive(ctx context.Context, queue string, most int, wait time.Duration) ([]Delivery, error)
	// Delete acknowledges a delivery; one that was already deleted is not an error.
	Delete(ctx context.Context, queue, handle string) error
	// ChangeVisibility makes a delivered message visible again after d, counted from now.
	ChangeVisibility(ctx context.Context, queue, handle string, d time.Duration) error
	// Depth counts a queue's messages.
	Depth(ctx context.Context, queue string) (Depth, error)
	// Purge removes all messages of a queue.
	Purge(ctx context.Context, queue string) error
	// Ping returns an error when a queue can't be used, ErrUnknownQueue where none has the name. It asks the service
	// each time and needs no permission that Send does not need.
	Ping(ctx context.Context, queue string) error
}

// Headers of a message that was given back to a service that counts nothing itself.
const (
	IDHeader       = "orchestrator-id"       // where it was written first
	ReceivesHeader = "orchestrator-receives" // how often it was received before
	SentHeader     = "orchestrator-sent"     // when it was written first, in milliseconds
)

// Header takes what a header says into a delivery. What has no meaning is left.
func Header(d *Delivery, key, value string) {
	n, err := strconv.ParseInt(value, 10, 64)
	switch {
	case key == IDHeader && value != "":
		d.ID = value
	case err != nil || n < 0:
	case key == ReceivesHeader && n < 1<<16:
		d.Receives = int(n) + 1
	case key == SentHeader:
		d.SentAt = time.UnixMilli(n).UTC()
	}
}

// HeadersOf are the headers with which a delivery is given back, and its receives counted from there.
func HeadersOf(d Delivery, receives int) map[string]string {
	return map[string]string{IDHeader: d.ID, ReceivesHeader: strconv.Itoa(receives),
		SentHeader: strconv.FormatInt(d.SentAt.UnixMilli(), 10)}
}
