// Package sqs is Amazon SQS: a queue.Queue. Functions only send; receiving is Lambda's work in the cloud, and the local
// run's and the tests' elsewhere.
package sqs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
)

// batchSize is how many messages SQS takes and gives in one request.
const batchSize = 10

// maxWait is SQS's longest long poll.
const maxWait = 20 * time.Second

// Client is a queue.Queue. It finds each queue's URL once.
type Client struct {
	api *sqs.Client

	mu   sync.Mutex
	urls map[string]string
}

var _ queue.Queue = (*Client)(nil)

// New returns a client. It makes no request.
func New(cfg aws.Config) *Client {
	return &Client{api: sqs.NewFromConfig(cfg), urls: map[string]string{}}
}

// url looks a queue's URL up, once.
func (c *Client) url(ctx context.Context, name string) (*string, error) {
	c.mu.Lock()
	u, ok := c.urls[name]
	c.mu.Unlock()
	if ok {
		return &u, nil
	}
	found, err := c.find(ctx, name)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.urls[name] = aws.ToString(found)
	return found, nil
}

// find asks SQS for a queue's URL.
func (c *Client) find(ctx context.Context, name string) (*string, error) {
	out, err := c.api.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name})
	if err != nil {
		return nil, translate(name, "find", err)
	}
	return out.QueueUrl, nil
}

// translate turns SQS's errors into the port's.
func translate(name, what string, err error) error {
	var api smithy.APIError
	if errors.As(err, &api) {
		switch code := api.ErrorCode(); {
		case strings.Contains(code, "NonExistentQueue"), code == "QueueDoesNotExist":
			return fmt.Errorf("%s queue %s: %w (deploy the stack, or check CHAIN_NAME)",
				what, name, queue.ErrUnknownQueue)
		case code == "BatchRequestTooLong", code == "InvalidMessageContents":
			return fmt.Errorf("%s queue %s: %w: %w", what, name, queue.ErrTooLarge, err)
		}
	}
	return fmt.Errorf("%s queue %s: %w", what, name, err)
}

// Send implements queue.Sender.
func (c *Client) Send(ctx context.Context, name string, ms ...queue.Outgoing) error {
	for _, m := range ms {
		if len(m.Body) > queue.MaxBody {
			return fmt.Errorf("send to queue %s: %d bytes: %w", name, len(m.Body), queue.ErrTooLarge)
		}
	}
	if len(ms) == 0 {
		return ctx.Err()
	}
	url, err := c.url(ctx, name)
	if err != nil {
		return err
	}
	var errs []error
	for part := range slices.Chunk(ms, batchSize) {
		errs = append(errs, c.sendBatch(ctx, name, url, part))
	}
	return errors.Join(errs...)
}

func (c *Client) sendBatch(ctx context.Context, name string, url *string, ms []queue.Outgoing) error {
	in := &sqs.SendMessageBatchInput{QueueUrl: url}
	for i, m := range ms {
		delay := min(max(m.Delay, 0), queue.MaxDelay)
		in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{
			Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(m.Body),
			DelaySeconds: int32((delay + time.Second - 1) / time.Second), // whole seconds, never too early
		})
	}
	out, err := c.api.SendMessageBatch(ctx, in)
	if err != nil {
		return translate(name, "send to", err)
	}
	var errs []error
	for _, f := range out.Failed {
		errs = append(errs, fmt.Errorf("send to queue %s: message %s of the batch: %s: %s",
			name, aws.ToString(f.Id), aws.ToString(f.Code), aws.ToString(f.Message)))
	}
	return errors.Join(errs...)
}

// Receive implements queue.Queue by long polling.
func (c *Client) Receive(ctx context.Context, name string, most int, wait time.Duration) ([]queue.Delivery, error) {
	url, err := c.url(ctx, name)
	if err != nil {
		return nil, err
	}
	out, err := c.api.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: url, MaxNumberOfMessages: int32(min(max(most, 1), batchSize)),
		WaitTimeSeconds: int32(min(max(wait, 0), maxWait) / time.Second),
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{
			types.MessageSystemAttributeNameApproximateReceiveCount, types.MessageSystemAttributeNameSentTimestamp,
		},
	})
	if err != nil {
		return nil, translate(name, "receive from", err)
	}
	ds := make([]queue.Delivery, 0, len(out.Messages))
	for _, m := range out.Messages {
		receives, _ := strconv.Atoi(m.Attributes["ApproximateReceiveCount"])
		sent, _ := strconv.ParseInt(m.Attributes["SentTimestamp"], 10, 64)
		ds = append(ds, queue.Delivery{
			ID: aws.ToString(m.MessageId), Handle: aws.ToString(m.ReceiptHandle), Body: aws.ToString(m.Body),
			Receives: receives, SentAt: time.UnixMilli(sent).UTC(),
		})
	}
	return ds, nil
}

// Delete implements queue.Queue.
func (c *Client) Delete(ctx context.Context, name, handle string) error {
	url, err := c.url(ctx, name)
	if err != nil {
		return err
	}
	_, err = c.api.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: &handle})
	var api smithy.APIError
	if errors.As(err, &api) && strings.Contains(api.ErrorCode(), "ReceiptHandleIsInvalid") { // deleted already
		return nil
	}
	if err != nil {
		return translate(name, "delete from", err)
	}
	return nil
}

// ChangeVisibility implements queue.Queue.
func (c *Client) ChangeVisibility(ctx context.Context, name, handle string, d time.Duration) error {
	url, err := c.url(ctx, name)
	if err != nil {
		return err
	}
	in := &sqs.ChangeMessageVisibilityInput{QueueUrl: url, ReceiptHandle: &handle,
		VisibilityTimeout: int32(d / time.Second)}
	if _, err := c.api.ChangeMessageVisibility(ctx, in); err != nil {
		return translate(name, "change visibility in", err)
	}
	return nil
}

// Depth implements queue.Queue. SQS counts approximately.
func (c *Client) Depth(ctx context.Context, name string) (queue.Depth, error) {
	url, err := c.url(ctx, name)
	if err != nil {
		return queue.Depth{}, err
	}
	names := []types.QueueAttributeName{
		types.QueueAttributeNameApproximateNumberOfMessages,
		types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
	}
	out, err := c.api.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: url, AttributeNames: names})
	if err != nil {
		return queue.Depth{}, translate(name, "count", err)
	}
	var n [3]int
	for i, a := range names {
		if n[i], err = strconv.Atoi(out.Attributes[string(a)]); err != nil {
			return queue.Depth{}, fmt.Errorf("count queue %s: %s is %q", name, a, out.Attributes[string(a)])
		}
	}
	return queue.Depth{Ready: n[0], InFlight: n[1], Delayed: n[2]}, nil
}

// Purge implements queue.Queue.
func (c *Client) Purge(ctx context.Context, name string) error {
	url, err := c.url(ctx, name)
	if err != nil {
		return err
	}
	if _, err := c.api.PurgeQueue(ctx, &sqs.PurgeQueueInput{QueueUrl: url}); err != nil {
		return translate(name, "purge", err)
	}
	return nil
}

// Ping implements queue.Queue by GetQueueUrl, which every role that sends may call.
func (c *Client) Ping(ctx context.Context, name string) error {
	_, err := c.find(ctx, name)
	return err
}
