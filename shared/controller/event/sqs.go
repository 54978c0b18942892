// Package event decodes what AWS Lambda delivers (SQS messages, schedule events, dead letters), calls the service, and
// encodes the answer. It decides nothing.
package event

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"

	"github.com/aws/aws-lambda-go/events"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
)

// JobHandler works on one wake-up.
type JobHandler interface {
	Handle(ctx context.Context, m job.Message) error
}

// Jobs serves a job type's processing and verification queues.
type Jobs struct {
	Worker JobHandler
	Log    *slog.Logger
}

// Handle works on the messages of an SQS event and names those that are to be delivered again. A failure or panic of
// one record leaves the others alone.
func (c *Jobs) Handle(ctx context.Context, e events.SQSEvent) (events.SQSEventResponse, error) {
	return eachRecord(ctx, c.Log, e, func(ctx context.Context, r events.SQSMessage) error {
		m, err := job.DecodeMessage(r.Body)
		if err != nil {
			return err
		}
		return c.Worker.Handle(ctx, m)
	})
}

// parallel is how many records of one event are worked on at a time: handlers wait for the network most of the time.
const parallel = 4

// eachRecord runs f for each record, and reports the failed ones to SQS (ReportBatchItemFailures).
func eachRecord(ctx context.Context, log *slog.Logger, e events.SQSEvent,
	f func(context.Context, events.SQSMessage) error) (events.SQSEventResponse, error) {
	errs := make([]error, len(e.Records))
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for i, r := range e.Records {
		wg.Add(1)
		slots <- struct{}{}
		go func() {
			defer func() { <-slots; wg.Done() }()
			errs[i] = contained(ctx, r, f)
		}()
	}
	wg.Wait()
	resp := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	for i, err := range errs {
		if err == nil {
			continue
		}
		r := e.Records[i]
		logger(log).ErrorContext(ctx, "message is to be delivered again", "message_id", r.MessageId,
			"receives", r.Attributes["ApproximateReceiveCount"], "error", err)
		resp.BatchItemFailures = append(resp.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: r.MessageId})
	}
	return resp, nil
}

// contained turns a panic into an error of its record.
func contained(ctx context.Context, r events.SQSMessage, f func(context.Context, events.SQSMessage) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return f(ctx, r)
}

func logger(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.Default()
	}
	return l
}

// decodeOnly reads one JSON object into v and says what is wrong with a body that is none.
func decodeOnly(raw json.RawMessage, v any) error {
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("event is not the JSON object that it should be: %w", err)
	}
	return nil
}
