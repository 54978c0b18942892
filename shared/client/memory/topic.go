package memory

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/internal/outbound"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
)

// Topics are alert.Topics whose topics keep what is sent to mail addresses and queues, and post to webhooks.
type Topics struct {
	env *fault.Env

	mu  sync.Mutex
	all map[string]*Alerts
}

var (
	_ alert.Topics = (*Topics)(nil)
	_ alert.Topic  = (*Alerts)(nil)
)

// NewTopics returns no topics.
func NewTopics(e *fault.Env) *Topics { return &Topics{env: e, all: map[string]*Alerts{}} }

// Create implements alert.Topics.
func (t *Topics) Create(ctx context.Context, name string) (alert.Topic, error) {
	var out *Alerts
	err := fault.Act(ctx, t.env, "topics", "Create", name, func(fault.Fault) error {
		t.mu.Lock()
		defer t.mu.Unlock()
		if out = t.all[name]; out == nil || out.isGone() {
			out = NewAlerts(t.env)
			out.id, t.all[name] = name, out
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// subscribers are who gets the alerts of a topic.
type subscribers struct {
	mu   sync.Mutex
	all  map[string]alert.Subscriber // by id
	keys map[string]string           // id by the token that confirms it
	gone bool
}

func (s *Alerts) isGone() bool {
	s.to.mu.Lock()
	defer s.to.mu.Unlock()
	return s.to.gone
}

// onTopic makes one call that needs the topic, with the lock held.
func (s *Alerts) onTopic(ctx context.Context, method, key string, do func() error) error {
	return fault.Act(ctx, s.env, "alerts", method, key, func(fault.Fault) error {
		s.to.mu.Lock()
		defer s.to.mu.Unlock()
		if s.to.gone {
			return alert.ErrNoTopic
		}
		return do()
	})
}

// ID implements alert.Topic.
func (s *Alerts) ID() string { return cmp.Or(s.id, "alerts") }

// Subscribe implements alert.Topic. A webhook is sent a token, as SNS does; others are confirmed at once.
func (s *Alerts) Subscribe(ctx context.Context, endpoint string) (alert.Subscriber, error) {
	x, err := alert.NewSubscriber(endpoint)
	if err != nil {
		return x, err
	}
	token := ""
	err = s.onTopic(ctx, "Subscribe", "", func() error {
		if s.to.all == nil {
			s.to.all, s.to.keys = map[string]alert.Subscriber{}, map[string]string{}
		}
		is, there := s.to.all[x.ID]
		if x.Pending = x.Protocol == alert.HTTPS || x.Protocol == alert.HTTP; there {
			x = is
		}
		if x.Pending {
			token = rand.Text()
			s.to.keys[token] = x.ID
		}
		s.to.all[x.ID] = x
		return nil
	})
	if err == nil && token != "" { // a receiver that is down is asked again by subscribing again
		_ = post(ctx, endpoint, "SubscriptionConfirmation", map[string]string{"Type": "SubscriptionConfirmation",
			"TopicArn": s.ID(), "Token": token})
	}
	return x, err
}

// Confirm implements alert.Topic.
func (s *Alerts) Confirm(ctx context.Context, token string) error {
	return s.onTopic(ctx, "Confirm", "", func() error {
		x, ok := s.to.all[s.to.keys[token]]
		if !ok {
			return alert.ErrToken
		}
		x.Pending = false
		s.to.all[x.ID] = x
		return nil
	})
}

// Subscribers implements alert.Topic.
func (s *Alerts) Subscribers(ctx context.Context) (out []alert.Subscriber, err error) {
	err = s.onTopic(ctx, "Subscribers", "", func() error { out = s.to.list(); return nil })
	return out, err
}

// list are the subscribers. The caller holds the lock.
func (s *subscribers) list() []alert.Subscriber {
	out := make([]alert.Subscriber, 0, len(s.all))
	for _, x := range s.all {
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b alert.Subscriber) int {
		return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Endpoint, b.Endpoint))
	})
	return out
}

// Unsubscribe implements alert.Topic.
func (s *Alerts) Unsubscribe(ctx context.Context, id string) error {
	return s.onTopic(ctx, "Unsubscribe", id, func() error {
		x, ok := s.to.all[id]
		switch {
		case !ok:
			return fmt.Errorf("%s: %w", id, alert.ErrNoSubscriber)
		case x.Pending:
			return fmt.Errorf("%s: %w", id, alert.ErrPending)
		}
		delete(s.to.all, id)
		return nil
	})
}

// Delete implements alert.Topic.
func (s *Alerts) Delete(ctx context.Context) error {
	err := s.onTopic(ctx, "Delete", "", func() error { s.to.gone, s.to.all = true, nil; return nil })
	if errors.Is(err, alert.ErrNoTopic) {
		return nil
	}
	return err
}

// deliver posts an alert to the webhooks that have confirmed.
func (s *Alerts) deliver(ctx context.Context, a alert.Alert) {
	s.to.mu.Lock()
	all := s.to.list()
	s.to.mu.Unlock()
	for _, x := range all {
		if x.Pending || x.Protocol != alert.HTTPS && x.Protocol != alert.HTTP {
			continue
		}
		text, err := json.Marshal(a)
		if err == nil { // one that is down misses it, as after SNS's last try
			_ = post(ctx, x.Endpoint, "Notification", map[string]string{"Type": "Notification", "TopicArn": s.ID(),
				"Subject": a.Title, "Message": string(text)})
		}
	}
}

// postTime is how long a webhook may take.
const postTime = 5 * time.Second

// post sends a message in the form of SNS's to a webhook.
func post(ctx context.Context, url, kind string, message map[string]string) error {
	ctx, cancel := context.WithTimeout(ctx, postTime)
	defer cancel()
	body, err := json.Marshal(message)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "text/plain; charset=UTF-8")
	r.Header.Set("X-Amz-Sns-Message-Type", kind)
	resp, err := outbound.Client(nil, postTime).Do(r)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16))
	return resp.Body.Close()
}
