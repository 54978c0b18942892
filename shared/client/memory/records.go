package memory

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/event"
)

// MaxRecords is how many alerts and events are kept, the newest ones.
const MaxRecords = 10_000

// record is a bounded list of what was sent.
type record[T any] struct {
	mu   sync.Mutex
	list []T
}

func (r *record[T]) add(f fault.Fault, items ...T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch f.Kind {
	case fault.Lose:
		return
	case fault.Reorder:
		items = slices.Clone(items)
		slices.Reverse(items)
		r.list = slices.Insert(r.list, max(0, len(r.list)-1), items...)
		return
	case fault.Twice:
		r.list = append(r.list, items...)
	}
	r.list = append(r.list, items...)
	if over := len(r.list) - MaxRecords; over >= MaxRecords/10 {
		r.list = slices.Delete(r.list, 0, over)
	}
}

func (r *record[T]) all() []T {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.list)
}

// Alerts is an alert.Topic that keeps the alerts.
type Alerts struct {
	env  *fault.Env
	sent record[alert.Alert]
	id   string
	to   subscribers
}

var _ alert.Notifier = (*Alerts)(nil)

// NewAlerts returns a notifier without alerts.
func NewAlerts(e *fault.Env) *Alerts { return &Alerts{env: e} }

// Notify implements alert.Notifier.
func (s *Alerts) Notify(ctx context.Context, a alert.Alert) error {
	return fault.Act(ctx, s.env, "alerts", "Notify", a.Key, func(f fault.Fault) error {
		if s.isGone() {
			return alert.ErrNoTopic
		}
		s.sent.add(f, a)
		s.deliver(ctx, a)
		return nil
	})
}

// Ping implements alert.Notifier.
func (s *Alerts) Ping(ctx context.Context) error {
	return fault.Act(ctx, s.env, "alerts", "Ping", "", func(fault.Fault) error { return nil })
}

// Sent returns the alerts in the order in which they arrived.
func (s *Alerts) Sent() []alert.Alert { return s.sent.all() }

// Events is an event.Bus that keeps what is published.
type Events struct {
	env       *fault.Env
	published record[event.Event]
}

var _ event.Bus = (*Events)(nil)

// NewEvents returns a bus on which nothing was published yet.
func NewEvents(e *fault.Env) *Events { return &Events{env: e} }

// Publish implements event.Bus.
func (s *Events) Publish(ctx context.Context, events ...event.Event) error {
	if len(events) == 0 {
		return nil
	}
	return fault.Act(ctx, s.env, "events", "Publish", string(events[0].Type), func(f fault.Fault) error {
		s.published.add(f, cloneEvents(events)...)
		return nil
	})
}

// Ping implements event.Bus.
func (s *Events) Ping(ctx context.Context) error {
	return fault.Act(ctx, s.env, "events", "Ping", "", func(fault.Fault) error { return nil })
}

// Published returns the events in the order in which they arrived.
func (s *Events) Published() []event.Event { return cloneEvents(s.published.all()) }

func cloneEvents(events []event.Event) []event.Event {
	out := slices.Clone(events)
	for i := range out {
		out[i].Detail = maps.Clone(out[i].Detail)
	}
	return out
}
