package cloud

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	clientsns "github.com/madara-orchestrator/orchestrator/shared/client/sns"
)

// Alerts is a queue that is subscribed to a topic of alerts.
type Alerts struct {
	api *sqs.Client
	url *string
}

// Subscribe makes a queue and subscribes it to a topic of alerts.
func Subscribe(ctx context.Context, cfg aws.Config, topicARN, queueName string) (*Alerts, error) {
	a := &Alerts{api: sqs.NewFromConfig(cfg)}
	made, err := a.api.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &queueName})
	if err != nil {
		return nil, fmt.Errorf("make a queue for alerts: %w", err)
	}
	a.url = made.QueueUrl
	is, err := a.api.GetQueueAttributes(ctx,
		&sqs.GetQueueAttributesInput{QueueUrl: a.url, AttributeNames: []types.QueueAttributeName{"QueueArn"}})
	if err != nil {
		return nil, fmt.Errorf("read the ARN of %s: %w", queueName, err)
	}
	if _, err := clientsns.New(cfg, topicARN, "").Subscribe(ctx, is.Attributes["QueueArn"]); err != nil {
		return nil, fmt.Errorf("subscribe %s to the alerts: %w", queueName, err)
	}
	return a, nil
}

// New are the alerts that came since the last call, at most ten. What is not an alert of ours has only a
// Detail.
func (a *Alerts) New(ctx context.Context) ([]clientsns.Message, error) {
	got, err := a.api.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: a.url, MaxNumberOfMessages: 10})
	if err != nil {
		return nil, fmt.Errorf("receive alerts: %w", err)
	}
	var out []clientsns.Message
	for _, m := range got.Messages {
		body := aws.ToString(m.Body)
		var envelope struct{ Message string }
		var is clientsns.Message
		if json.Unmarshal([]byte(body), &envelope) != nil || json.Unmarshal([]byte(envelope.Message), &is) != nil {
			is = clientsns.Message{Detail: body}
		}
		out = append(out, is)
		if _, err := a.api.DeleteMessage(ctx,
			&sqs.DeleteMessageInput{QueueUrl: a.url, ReceiptHandle: m.ReceiptHandle}); err != nil {
			return out, fmt.Errorf("delete a received alert: %w", err)
		}
	}
	return out, nil
}
