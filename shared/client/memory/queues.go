package memory

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
)

// Declaration describes one queue.
type Declaration struct {
	Name string
	// Visibility is how long a received message stays invisible; 0 is 30 s.
	Visibility time.Duration
	// MaxReceives is after how many receives without a delete a message goes to DeadLetter; 0 is never.
	MaxReceives int
	// DeadLetter is the name of the queue for such messages; "" drops them.
	DeadLetter string
	// MaxDelay is the longest delay; 0 is queue.MaxDelay. A negative one is a queue without delays: it drops a message
	// that has one.
	MaxDelay time.Duration
}

const defaultVisibility = 30 * time.Second

// Queues is a queue.Queue.
type Queues struct {
	env *fault.Env

	mu      sync.Mutex
	queues  map[string]*line
	order   []string // names, sorted
	lines   []*line  // in that order: every look at a queue goes through all
	sent    int64    // messages ever
	changed chan struct{}
}

var _ queue.Queue = (*Queues)(nil)

// NewQueues returns the declared queues, empty.
func NewQueues(e *fault.Env, ds ...Declaration) (*Queues, error) {
	s := &Queues{env: e, queues: map[string]*line{}, changed: make(chan struct{})}
	for _, d := range ds {
		if d.Name == "" || s.queues[d.Name] != nil {
			return nil, fmt.Errorf("declare queue %q: want a name of its own", d.Name)
		}
		if d.Visibility <= 0 {
			d.Visibility = defaultVisibility
		}
		if d.MaxDelay == 0 || d.MaxDelay > queue.MaxDelay {
			d.MaxDelay = queue.MaxDelay
		}
		s.queues[d.Name] = &line{Declaration: d}
		s.order = append(s.order, d.Name)
	}
	slices.Sort(s.order)
	for _, name := range s.order {
		s.lines = append(s.lines, s.queues[name])
		if d := s.queues[name]; d.DeadLetter != "" && s.queues[d.DeadLetter] == nil {
			return nil, fmt.Errorf("declare queue %s with dead letters in %s: %w",
				name, d.DeadLetter, queue.ErrUnknownQueue)
		}
	}
	return s, nil
}

// Send implements queue.Sender.
func (s *Queues) Send(ctx context.Context, name string, ms ...queue.Outgoing) error {
	if len(ms) == 0 {
		return nil
	}
	return fault.Act(ctx, s.env, "queues", "Send", name, func(f fault.Fault) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		q, err := s.line(name)
		if err != nil {
			return err
		}
		for _, m := range ms {
			if len(m.Body) > queue.MaxBody {
				return fmt.Errorf("send %d bytes to %s: %w", len(m.Body), name, queue.ErrTooLarge)
			}
		}
		now := s.env.Time()
		for _, m := range ms {
			if q.MaxDelay < 0 && m.Delay > 0 {
				continue
			}
			s.sent++
			q.accept(message{
				id: fmt.Sprintf("m%08d", s.sent), rank: s.sent, body: m.Body, sentAt: now,
				readyAt: now.Add(min(max(m.Delay, 0), max(q.MaxDelay, 0))),
			}, f, now)
		}
		s.wake()
		return nil
	})
}

// line returns a queue. The caller holds the lock.
func (s *Queues) line(name string) (*line, error) {
	if q := s.queues[name]; q != nil {
		return q, nil
	}
	return nil, fmt.Errorf("queue %q: %w", name, queue.ErrUnknownQueue)
}

// wake ends the waiting of all who wait for a change. The caller holds the lock.
func (s *Queues) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Receive implements queue.Queue. With a clock of its own it does not wait: it returns what is there.
func (s *Queues) Receive(ctx context.Context, name string, most int, wait time.Duration) ([]queue.Delivery, error) {
	return fault.Call(ctx, s.env, "queues", "Receive", name, func(fault.Fault) ([]queue.Delivery, error) {
		until := time.Now().Add(wait)
		for {
			got, next, changed, err := s.take(name, min(max(most, 1), 10))
			if err != nil || len(got) > 0 || !s.env.RealTime() {
				return got, err
			}
			left := time.Until(until)
			if left <= 0 {
				return nil, nil
			}
			if !next.IsZero() {
				left = min(left, max(time.Until(next), time.Millisecond))
			}
			timer := time.NewTimer(left)
			select {
			case <-ctx.Done():
				timer.Stop()
				return nil, fmt.Errorf("receive from %s: %w", name, ctx.Err())
			case <-changed:
			case <-timer.C:
			}
			timer.Stop()
		}
	})
}

// take receives what is ready. Where that is nothing it returns when the next message will be, and a channel that is
// closed at the next change.
func (s *Queues) take(name string,
	most int) (got []queue.Delivery, next time.Time, changed <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.line(name)
	if err != nil {
		return nil, next, nil, err
	}
	s.redrive(q)
	got = q.receive(s.env.Time(), most)
	if len(q.messages) > 0 {
		next = q.messages[0].readyAt
	}
	return got, next, s.changed, nil
}

// redrive moves the messages that were received too often to their dead-letter queue, for a queue and for those whose
// dead letters it takes. The caller holds the lock.
func (s *Queues) redrive(q *line) {
	now := s.env.Time()
	for _, from := range s.lines {
		if from != q && from.DeadLetter != q.Name || from.MaxReceives <= 0 {
			continue
		}
		for _, m := range from.exhausted(now) {
			if dead := s.queues[from.DeadLetter]; dead != nil {
				m.inFlight, m.rounds = false, 0
				dead.insert(m)
			}
		}
	}
}

// Delete implements queue.Queue. A handle that a later receipt has made stale deletes nothing.
func (s *Queues) Delete(ctx context.Context, name, handle string) error {
	return fault.Act(ctx, s.env, "queues", "Delete", name, func(fault.Fault) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		q, err := s.line(name)
		if err != nil {
			return err
		}
		if i := q.find(handle); i >= 0 {
			q.messages = slices.Delete(q.messages, i, i+1)
		}
		return nil
	})
}

// ChangeVisibility implements queue.Queue. A handle that is stale changes nothing.
func (s *Queues) ChangeVisibility(ctx context.Context, name, handle string, d time.Duration) error {
	return fault.Act(ctx, s.env, "queues", "ChangeVisibility", name, func(fault.Fault) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		q, err := s.line(name)
		if err != nil {
			return err
		}
		if i := q.find(handle); i >= 0 {
			m := q.messages[i]
			q.messages = slices.Delete(q.messages, i, i+1)
			m.readyAt = s.env.Time().Add(max(d, 0))
			q.insert(m)
			s.wake()
		}
		return nil
	})
}

// Depth implements queue.Queue.
func (s *Queues) Depth(ctx context.Context, name string) (queue.Depth, error) {
	return fault.Call(ctx, s.env, "queues", "Depth", name, func(fault.Fault) (queue.Depth, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		q, err := s.line(name)
		if err != nil {
			return queue.Depth{}, err
		}
		s.redrive(q)
		return q.depth(s.env.Time()), nil
	})
}

// Purge implements queue.Queue.
func (s *Queues) Purge(ctx context.Context, name string) error {
	return fault.Act(ctx, s.env, "queues", "Purge", name, func(fault.Fault) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		q, err := s.line(name)
		if err != nil {
			return err
		}
		q.messages = nil
		return nil
	})
}

// Ping implements queue.Queue.
func (s *Queues) Ping(ctx context.Context, name string) error {
	return fault.Act(ctx, s.env, "queues", "Ping", name, func(fault.Fault) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		_, err := s.line(name)
		return err
	})
}

// NextReady returns when the next message of the named queues, or of all, can be received: now or earlier if one is
// ready. ok is false if there are no messages.
func (s *Queues) NextReady(names ...string) (at time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(names) == 0 {
		names = s.order
	}
	for _, name := range names {
		q := s.queues[name]
		if q == nil {
			continue
		}
		s.redrive(q)
		if len(q.messages) == 0 {
			continue
		}
		if first := q.messages[0].readyAt; !ok || first.Before(at) {
			at, ok = first, true
		}
	}
	return at, ok
}

// Names are the declared queues, sorted.
func (s *Queues) Names() []string { return slices.Clone(s.order) }
