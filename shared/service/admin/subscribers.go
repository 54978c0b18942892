package admin

import (
	"context"
	"errors"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/redact"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
)

// Subscriber is who gets the alerts.
type Subscriber struct {
	ID       string         `json:"id"`
	Protocol alert.Protocol `json:"protocol"`
	Endpoint string         `json:"endpoint"` // of a URL scheme and host: the rest may be a secret
	Pending  bool           `json:"pending"`  // it has not confirmed yet: it gets nothing
}

// SubscriberList is who gets the alerts, by protocol and endpoint.
type SubscriberList struct {
	Subscribers []Subscriber `json:"subscribers"`
}

func shownSubscriber(s alert.Subscriber) Subscriber {
	out := Subscriber{ID: s.ID, Protocol: s.Protocol, Endpoint: s.Endpoint, Pending: s.Pending}
	if s.Protocol == alert.HTTPS || s.Protocol == alert.HTTP {
		out.Endpoint = redact.Host(s.Endpoint)
	}
	return out
}

// topic is the topic of the alerts; ErrUnknown where this deployment can't manage who gets them.
func (s *Service) topic() (alert.Topic, error) {
	if s.Topic == nil {
		return nil, fmt.Errorf("this deployment does not manage who gets its alerts: %w", ErrUnknown)
	}
	return s.Topic, nil
}

// Subscribers lists who gets the alerts. Errors: ErrUnknown.
func (s *Service) Subscribers(ctx context.Context) (SubscriberList, error) {
	out := SubscriberList{Subscribers: []Subscriber{}}
	t, err := s.topic()
	if err != nil {
		return out, err
	}
	all, err := t.Subscribers(ctx)
	for _, x := range all {
		out.Subscribers = append(out.Subscribers, shownSubscriber(x))
	}
	return out, err
}

// AddSubscriber sends the alerts to a mail address, a webhook or a queue too, once it has confirmed. Errors:
// ErrInvalid, ErrUnknown.
func (s *Service) AddSubscriber(ctx context.Context, endpoint string, o Command) (Subscriber, error) {
	t, err := s.topic()
	if err != nil {
		return Subscriber{}, err
	}
	added, err := t.Subscribe(ctx, endpoint)
	if errors.Is(err, alert.ErrSubscriber) {
		return Subscriber{}, errors.Join(ErrInvalid, err)
	}
	if err != nil {
		return Subscriber{}, err
	}
	s.auditSubscriber(ctx, "added", added.ID, o)
	return shownSubscriber(added), nil
}

// RemoveSubscriber sends the alerts to a subscriber no longer. Errors: ErrUnknown, executor.ErrRefused while it is
// pending.
func (s *Service) RemoveSubscriber(ctx context.Context, id string, o Command) (SubscriberList, error) {
	t, err := s.topic()
	if err != nil {
		return SubscriberList{}, err
	}
	switch err := t.Unsubscribe(ctx, id); {
	case errors.Is(err, alert.ErrNoSubscriber):
		return SubscriberList{}, fmt.Errorf("%w: %w", err, ErrUnknown)
	case errors.Is(err, alert.ErrPending):
		return SubscriberList{}, fmt.Errorf("%w: %w", err, executor.ErrRefused)
	case err != nil:
		return SubscriberList{}, err
	}
	s.auditSubscriber(ctx, "removed", id, o)
	return s.Subscribers(ctx)
}

// ConfirmSubscriber confirms a webhook by the token that was posted to it. Errors: ErrInvalid, ErrUnknown.
func (s *Service) ConfirmSubscriber(ctx context.Context, token string, o Command) (SubscriberList, error) {
	t, err := s.topic()
	if err != nil {
		return SubscriberList{}, err
	}
	err = t.Confirm(ctx, token)
	if errors.Is(err, alert.ErrToken) {
		return SubscriberList{}, errors.Join(ErrInvalid, err)
	}
	if err != nil {
		return SubscriberList{}, err
	}
	s.auditSubscriber(ctx, "confirmed", "", o)
	return s.Subscribers(ctx)
}

// auditSubscriber keeps who changed who gets the alerts: in the log, and as an event. It names no endpoint.
func (s *Service) auditSubscriber(ctx context.Context, change, id string, o Command) {
	s.log().InfoContext(ctx, "command carried out", "command", string(event.SubscribersChanged), "change", change,
		"subscriber", id, "by", o.By, "reason", o.Reason)
	e := event.Event{Type: event.SubscribersChanged, At: s.Now(), Chain: s.Chain,
		Detail: map[string]string{"change": change, "subscriber": id, "by": o.By, "reason": o.Reason}}
	if err := s.Events.Publish(ctx, e); err != nil {
		s.log().WarnContext(ctx, "event not published", "subscriber", id, "error", err)
	}
}
