package alert

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"regexp"
	"strings"
)

var (
	// ErrSubscriber says that alerts can't be sent to what was named.
	ErrSubscriber = errors.New("alerts can't be sent there")
	// ErrPending says that a subscriber has not confirmed yet, so that it can't be removed: it is forgotten by itself.
	ErrPending = errors.New("the subscriber has not confirmed yet; it is forgotten after two days")
	// ErrToken says that a token confirms no subscriber of this topic.
	ErrToken = errors.New("the token confirms no subscriber")
	// ErrNoTopic says that there is no such topic.
	ErrNoTopic = errors.New("there is no such topic")
	// ErrNoSubscriber says that no subscriber has the id.
	ErrNoSubscriber = errors.New("there is no such subscriber")
)

// Protocol is how a subscriber gets alerts.
type Protocol string

// Protocols.
const (
	Email Protocol = "email" // confirms by a link in a mail
	HTTPS Protocol = "https" // confirms by the token that is posted to it
	HTTP  Protocol = "http"  // the same, on this machine alone: for development
	SQS   Protocol = "sqs"   // the queue's policy must allow the topic to send
)

// Subscriber is who gets the alerts of a topic.
type Subscriber struct {
	ID       string // made of protocol and endpoint (SubscriberID)
	Protocol Protocol
	Endpoint string // an address, a URL, or a queue's ARN; a URL may hold a secret
	Pending  bool   // it has not confirmed yet: it gets nothing
}

// SubscriberID is the id of a subscriber.
func SubscriberID(p Protocol, endpoint string) string {
	sum := sha256.Sum256([]byte(string(p) + " " + endpoint))
	const bytes = 6
	return hex.EncodeToString(sum[:bytes])
}

// queueARN is that of a queue: one that is not FIFO, which a standard topic can't send to.
var queueARN = regexp.MustCompile(`^arn:aws[a-z-]*:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,80}$`)

// maxEndpoint is the longest endpoint, in bytes.
const maxEndpoint = 2048

// NewSubscriber reads who is to get alerts from an address, a URL or a queue's ARN. ErrSubscriber.
func NewSubscriber(endpoint string) (Subscriber, error) {
	wrong := func(why string) (Subscriber, error) { return Subscriber{}, fmt.Errorf("%w: %s", ErrSubscriber, why) }
	if len(endpoint) > maxEndpoint {
		return wrong(fmt.Sprintf("more than %d bytes", maxEndpoint))
	}
	s := Subscriber{Endpoint: endpoint}
	scheme, _, _ := strings.Cut(endpoint, ":")
	switch scheme {
	case "http", "https":
		u, err := url.Parse(endpoint)
		if err != nil || u.Hostname() == "" || u.Fragment != "" {
			return wrong("want a URL such as https://alerts.example/hook")
		}
		if ip := net.ParseIP(u.Hostname()); scheme == "http" && u.Hostname() != "localhost" &&
			(ip == nil || !ip.IsLoopback()) {
			return wrong("want https: alerts do not travel in plain text")
		}
		s.Protocol = Protocol(scheme)
	case "arn":
		if !queueARN.MatchString(endpoint) {
			return wrong("want the ARN of a standard queue, such as arn:aws:sqs:eu-west-1:123456789012:alerts")
		}
		s.Protocol = SQS
	default:
		a, err := mail.ParseAddress(endpoint)
		if err != nil || a.Address != endpoint {
			return wrong("want an e-mail address, an https URL, or a queue's ARN")
		}
		s.Protocol = Email
	}
	s.ID = SubscriberID(s.Protocol, endpoint)
	return s, nil
}

// Topics makes topics. Safe for concurrent use.
type Topics interface {
	// Create makes the topic of a name, or returns the one that has it, with its subscribers.
	Create(ctx context.Context, name string) (Topic, error)
}

// Topic sends each alert to its subscribers, of which there are at most 1,000. Safe for concurrent use.
type Topic interface {
	Notifier
	// ID names the topic, as settings do: on AWS its ARN.
	ID() string
	// Subscribe adds a subscriber (see NewSubscriber). Who is there already stays as it is, and is asked to confirm
	// again where it has not yet. It gets alerts once it has confirmed. ErrSubscriber, ErrNoTopic.
	Subscribe(ctx context.Context, endpoint string) (Subscriber, error)
	// Confirm confirms a subscriber by the token that was sent to it. ErrToken, ErrNoTopic.
	Confirm(ctx context.Context, token string) error
	// Subscribers lists the subscribers by protocol and endpoint. ErrNoTopic.
	Subscribers(ctx context.Context) ([]Subscriber, error)
	// Unsubscribe removes a subscriber; it gets no alert that is sent afterwards. ErrNoSubscriber, ErrPending,
	// ErrNoTopic.
	Unsubscribe(ctx context.Context, id string) error
	// Delete removes the topic with its subscribers; one that is not there is not an error.
	Delete(ctx context.Context) error
}
