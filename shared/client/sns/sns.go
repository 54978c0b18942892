// Package sns is Amazon SNS: an alert.Notifier.
package sns

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
)

// Topic is an alert.Notifier.
type Topic struct {
	api   *sns.Client
	arn   string
	chain string
}

var _ alert.Notifier = (*Topic)(nil)

// New returns the notifier of a topic; chain is the deployment's name, which each alert starts with. It makes no
// request.
func New(cfg aws.Config, topicARN, chain string) *Topic {
	return &Topic{api: sns.NewFromConfig(cfg), arn: topicARN, chain: chain}
}

// Message is an alert as subscribers get it, in JSON.
type Message struct {
	Chain    string         `json:"chain"`
	Severity alert.Severity `json:"severity"`
	Key      string         `json:"key"`
	Title    string         `json:"title"`
	Detail   string         `json:"detail"`
	// Command is what an operator types to act on it, Page what shows the status page, Runbook the section that says
	// what to do.
	Command   string    `json:"command,omitempty"`
	Page      string    `json:"page,omitempty"`
	Runbook   string    `json:"runbook,omitempty"`
	Dashboard string    `json:"dashboard,omitempty"` // URL
	Jobs      []Job     `json:"jobs,omitempty"`      // that the cause touches, the first 100
	At        time.Time `json:"at"`
}

// Job is a job in a Message.
type Job struct {
	ID    string `json:"id"`
	Type  string `json:"type"`
	Batch uint64 `json:"batch"`
}

// maxSubject is SNS's limit for subjects, in characters.
const maxSubject = 100

// subject makes SNS take the title: ASCII without control characters, of limited length.
func (t *Topic) subject(a alert.Alert) string {
	s := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, fmt.Sprintf("[%s] %s: %s", t.chain, a.Severity, a.Title))
	return s[:min(len(s), maxSubject)]
}

// marshal encodes a message with its quotes and ampersands as people read and copy them.
func marshal(m Message) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(m)
	return b.Bytes(), err
}

// Notify implements alert.Notifier. Severity and chain are message attributes, for subscription filters.
func (t *Topic) Notify(ctx context.Context, a alert.Alert) error {
	m := Message{Chain: t.chain, Severity: a.Severity, Key: a.Key, Title: a.Title, Detail: a.Detail, At: a.At,
		Command: a.Command, Page: a.Page, Runbook: a.Runbook, Dashboard: a.Dashboard}
	for _, j := range a.Jobs {
		m.Jobs = append(m.Jobs, Job(j))
	}
	body, err := marshal(m)
	if err != nil {
		return fmt.Errorf("encode alert %s: %w", a.Key, err)
	}
	attribute := func(v string) types.MessageAttributeValue {
		return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(v)}
	}
	_, err = t.api.Publish(ctx, &sns.PublishInput{
		TopicArn: &t.arn, Subject: aws.String(t.subject(a)), Message: aws.String(string(body)),
		MessageAttributes: map[string]types.MessageAttributeValue{"severity": attribute(string(a.Severity)),
			"chain": attribute(t.chain)},
	})
	if err != nil {
		return fmt.Errorf("send alert %s: %w", a.Key, err)
	}
	return nil
}

// Ping implements alert.Notifier.
func (t *Topic) Ping(ctx context.Context) error {
	if _, err := t.api.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: &t.arn}); err != nil {
		return fmt.Errorf("look at the alerts topic: %w", err)
	}
	return nil
}
