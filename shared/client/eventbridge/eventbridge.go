// Package eventbridge is Amazon EventBridge: an event.Bus.
package eventbridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/madara-orchestrator/orchestrator/shared/core/event"
)

// batchSize is how many events EventBridge takes in one request.
const batchSize = 10

// Bus is an event.Bus.
type Bus struct {
	api  *eventbridge.Client
	name string
}

var _ event.Bus = (*Bus)(nil)

// New returns the bus with a name or ARN. It makes no request.
func New(cfg aws.Config, name string) *Bus {
	return &Bus{api: eventbridge.NewFromConfig(cfg), name: name}
}

// Publish implements event.Bus.
func (b *Bus) Publish(ctx context.Context, es ...event.Event) error {
	var errs []error
	for part := range slices.Chunk(es, batchSize) {
		errs = append(errs, b.publish(ctx, part))
	}
	return errors.Join(errs...)
}

func (b *Bus) publish(ctx context.Context, es []event.Event) error {
	in := &eventbridge.PutEventsInput{}
	for _, e := range es {
		detail, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("encode event %s: %w", e.Type, err)
		}
		in.Entries = append(in.Entries, types.PutEventsRequestEntry{
			EventBusName: &b.name, Source: aws.String(event.Source), DetailType: aws.String(string(e.Type)),
			Detail: aws.String(string(detail)), Time: aws.Time(e.At),
		})
	}
	out, err := b.api.PutEvents(ctx, in)
	if err != nil {
		return fmt.Errorf("publish %d events: %w", len(es), err)
	}
	if out.FailedEntryCount == 0 {
		return nil
	}
	var errs []error
	for i, r := range out.Entries {
		if r.ErrorCode != nil && i < len(es) {
			errs = append(errs,
				fmt.Errorf("publish event %s: %s: %s", es[i].Type, *r.ErrorCode, aws.ToString(r.ErrorMessage)))
		}
	}
	return errors.Join(errs...)
}

// Ping implements event.Bus.
func (b *Bus) Ping(ctx context.Context) error {
	if _, err := b.api.DescribeEventBus(ctx, &eventbridge.DescribeEventBusInput{Name: &b.name}); err != nil {
		return fmt.Errorf("look at the event bus: %w", err)
	}
	return nil
}
