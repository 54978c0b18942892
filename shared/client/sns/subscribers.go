package sns

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/smithy-go"

	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
)

// Topics makes topics of a deployment: an alert.Topics.
type Topics struct {
	cfg   aws.Config
	chain string
}

var (
	_ alert.Topics = (*Topics)(nil)
	_ alert.Topic  = (*Topic)(nil)
)

// NewTopics returns what makes topics; chain is as in New.
func NewTopics(cfg aws.Config, chain string) *Topics { return &Topics{cfg: cfg, chain: chain} }

// Create implements alert.Topics.
func (t *Topics) Create(ctx context.Context, name string) (alert.Topic, error) {
	out, err := sns.NewFromConfig(t.cfg).CreateTopic(ctx, &sns.CreateTopicInput{Name: &name})
	if err != nil {
		return nil, fmt.Errorf("create topic %s: %w", name, err)
	}
	return New(t.cfg, aws.ToString(out.TopicArn), t.chain), nil
}

// ID implements alert.Topic: it is the topic's ARN.
func (t *Topic) ID() string { return t.arn }

// translate turns SNS's errors into the port's.
func translate(what string, err error) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return fmt.Errorf("%s: %w", what, err)
	}
	switch code := api.ErrorCode(); {
	case strings.HasPrefix(code, "NotFound"): // ConfirmSubscription answers so for a topic only
		return fmt.Errorf("%s: %w", what, alert.ErrNoTopic)
	case strings.HasPrefix(code, "InvalidParameter"):
		return fmt.Errorf("%s: %w: %s", what, alert.ErrSubscriber, api.ErrorMessage())
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Subscribe implements alert.Topic.
func (t *Topic) Subscribe(ctx context.Context, endpoint string) (alert.Subscriber, error) {
	s, err := alert.NewSubscriber(endpoint)
	if err != nil {
		return s, err
	}
	// With ReturnSubscriptionArn AWS returns an ARN also where it waits for a confirmation: without it, it says so.
	out, err := t.api.Subscribe(ctx, &sns.SubscribeInput{
		TopicArn: &t.arn, Protocol: aws.String(string(s.Protocol)), Endpoint: &endpoint,
	})
	if err != nil {
		return s, translate("subscribe", err)
	}
	s.Pending = !confirmed(aws.ToString(out.SubscriptionArn))
	return s, nil
}

// confirmed says whether a subscription has an ARN yet: in its place SNS says that it is pending.
func confirmed(arn string) bool { return strings.HasPrefix(arn, "arn:") }

// Confirm implements alert.Topic.
func (t *Topic) Confirm(ctx context.Context, token string) error {
	_, err := t.api.ConfirmSubscription(ctx, &sns.ConfirmSubscriptionInput{TopicArn: &t.arn, Token: &token})
	if err == nil {
		return nil
	}
	if err = translate("confirm a subscriber", err); errors.Is(err, alert.ErrSubscriber) {
		return alert.ErrToken
	}
	return err
}

// maxPages bounds the lists of subscribers: 100 a page.
const maxPages = 10

// each calls f for each subscriber with its ARN.
func (t *Topic) each(ctx context.Context, f func(alert.Subscriber, string)) error {
	in := &sns.ListSubscriptionsByTopicInput{TopicArn: &t.arn}
	for range maxPages {
		page, err := t.api.ListSubscriptionsByTopic(ctx, in)
		if err != nil {
			return translate("list subscribers", err)
		}
		for _, s := range page.Subscriptions {
			p, endpoint := alert.Protocol(aws.ToString(s.Protocol)), aws.ToString(s.Endpoint)
			arn := aws.ToString(s.SubscriptionArn)
			f(alert.Subscriber{ID: alert.SubscriberID(p, endpoint), Protocol: p, Endpoint: endpoint,
				Pending: !confirmed(arn)}, arn)
		}
		if in.NextToken = page.NextToken; aws.ToString(in.NextToken) == "" {
			return nil
		}
	}
	return nil
}

// Subscribers implements alert.Topic.
func (t *Topic) Subscribers(ctx context.Context) ([]alert.Subscriber, error) {
	out := []alert.Subscriber{}
	if err := t.each(ctx, func(s alert.Subscriber, _ string) { out = append(out, s) }); err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b alert.Subscriber) int {
		return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Endpoint, b.Endpoint))
	})
	return out, nil
}

// Unsubscribe implements alert.Topic.
func (t *Topic) Unsubscribe(ctx context.Context, id string) error {
	found := ""
	if err := t.each(ctx, func(s alert.Subscriber, arn string) {
		if s.ID == id {
			found = arn
		}
	}); err != nil {
		return err
	}
	switch {
	case found == "":
		return fmt.Errorf("%s: %w", id, alert.ErrNoSubscriber)
	case !confirmed(found):
		return fmt.Errorf("%s: %w", id, alert.ErrPending)
	}
	_, err := t.api.Unsubscribe(ctx, &sns.UnsubscribeInput{SubscriptionArn: &found})
	if err != nil {
		return translate("unsubscribe", err)
	}
	return nil
}

// Delete implements alert.Topic.
func (t *Topic) Delete(ctx context.Context) error {
	_, err := t.api.DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: &t.arn})
	if err != nil {
		if err = translate("delete the topic", err); !errors.Is(err, alert.ErrNoTopic) {
			return err
		}
	}
	return nil
}
