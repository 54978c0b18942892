// Package lambda invokes other functions: the trigger function serves the priority queues with it, the API asks others
// whether what they alone use can be used.
package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// Client invokes functions and waits for their answers.
type Client struct{ api *lambda.Client }

// New returns a client. It makes no request.
func New(cfg aws.Config) *Client { return &Client{api: lambda.NewFromConfig(cfg)} }

// maxAnswer is how much of a function's answer an error shows, in bytes.
const maxAnswer = 300

// ErrWanted says that the function wants the message again.
var ErrWanted = errors.New("the function wants the message again")

// InvokeMessage invokes a function with an SQS event of one message with the body. ErrWanted when it names the message
// as failed; another error when it failed as a whole.
func (c *Client) InvokeMessage(ctx context.Context, function, body string) error {
	const id = "priority"
	payload, err := json.Marshal(events.SQSEvent{Records: []events.SQSMessage{{
		MessageId: id, Body: body, EventSource: "aws:sqs",
		Attributes: map[string]string{"ApproximateReceiveCount": "1"},
	}}})
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	answer, err := c.Invoke(ctx, function, payload)
	if err != nil {
		return err
	}
	var resp events.SQSEventResponse
	if err := json.Unmarshal(answer, &resp); err != nil {
		return fmt.Errorf("invoke %s: its answer is not a batch response: %w", function, err)
	}
	if len(resp.BatchItemFailures) > 0 {
		return fmt.Errorf("invoke %s: %w", function, ErrWanted)
	}
	return nil
}

// Invoke invokes a function with an event in JSON and returns its answer.
func (c *Client) Invoke(ctx context.Context, function string, event []byte) ([]byte, error) {
	out, err := c.api.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String(function), Payload: event})
	if err != nil {
		return nil, fmt.Errorf("invoke %s: %w", function, err)
	}
	if out.FunctionError != nil {
		return nil, fmt.Errorf("invoke %s: %s: %s",
			function, *out.FunctionError, out.Payload[:min(len(out.Payload), maxAnswer)])
	}
	return out.Payload, nil
}
