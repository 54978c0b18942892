package queue_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
)

// sends are the calls of Send.
type sends struct {
	mu    sync.Mutex
	calls []string // queue and number of messages
	ms    []queue.Outgoing
	err   error
}

func (s *sends) Send(_ context.Context, q string, ms ...queue.Outgoing) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, q)
	s.ms = append(s.ms, ms...)
	return s.err
}

func (s *sends) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.calls)
}

// Messages of one invocation go out together, the same one once, and an error of the queue is flush's.
func TestGather(t *testing.T) {
	t.Parallel()
	s := &sends{err: errors.New("down")}
	q := queue.Gathered{To: s}
	ctx, flush := queue.Gather(t.Context(), 0)
	for _, m := range []queue.Outgoing{{Body: "a", Delay: 3}, {Body: "b"}, {Body: "a", Delay: 2}} {
		if err := q.Send(ctx, "q", m); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.Send(ctx, "other", queue.Outgoing{Body: "a"}); err != nil || s.count() > 0 {
		t.Fatalf("%v, sent already: %v", err, s.calls)
	}
	if err := q.Send(queue.AtOnce(ctx), "urgent", queue.Outgoing{Body: "u"}); !errors.Is(err, s.err) {
		t.Errorf("sent at once: %v", err)
	}
	if err := flush(t.Context()); !errors.Is(err, s.err) {
		t.Errorf("flush: %v", err)
	}
	if err := flush(t.Context()); err != nil {
		t.Errorf("flush of nothing: %v", err)
	}
	if d := cmp.Diff([]string{"urgent", "q", "other"}, s.calls); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]queue.Outgoing{{Body: "u"}, {Body: "a", Delay: 2}, {Body: "b"}, {Body: "a"}}, s.ms); d != "" {
		t.Error(d)
	}
	if err := q.Send(t.Context(), "q", queue.Outgoing{Body: "x"}); !errors.Is(err, s.err) {
		t.Errorf("without gathering: %v", err)
	}
}

// Nothing is held back for longer than the linger, however long the invocation takes.
func TestGatherLingers(t *testing.T) {
	t.Parallel()
	s := &sends{}
	ctx, flush := queue.Gather(t.Context(), time.Millisecond)
	for n := 1; n <= 2; n++ {
		if err := (queue.Gathered{To: s}).Send(ctx, "q", queue.Outgoing{Body: "a", Delay: time.Hour}); err != nil {
			t.Fatal(err)
		}
		for s.count() < n {
			time.Sleep(time.Millisecond)
		}
	}
	if err := flush(t.Context()); err != nil || s.count() != 2 {
		t.Errorf("%v, %d calls", err, s.count())
	}
	if d := s.ms[0].Delay; d >= time.Hour || d < time.Hour-time.Minute {
		t.Errorf("delay %s: what it was held back for does not count", d)
	}
}

// slow is a queue that answers when it is let go.
type slow struct {
	began chan struct{}
	let   chan struct{}
	ended atomic.Bool
}

func (s *slow) Send(context.Context, string, ...queue.Outgoing) error {
	close(s.began)
	<-s.let
	s.ended.Store(true)
	return nil
}

// An invocation does not end while what its timer sends is under way: Lambda would freeze it in the middle.
func TestFlushWaitsForTheTimer(t *testing.T) {
	t.Parallel()
	s := &slow{began: make(chan struct{}), let: make(chan struct{})}
	ctx, flush := queue.Gather(t.Context(), time.Millisecond)
	if err := (queue.Gathered{To: s}).Send(ctx, "q", queue.Outgoing{Body: "a"}); err != nil {
		t.Fatal(err)
	}
	<-s.began
	done := make(chan bool)
	go func() {
		err := flush(t.Context())
		done <- err == nil && s.ended.Load()
	}()
	select {
	case <-done:
		t.Error("flush is done while the timer sends")
	case <-time.After(10 * time.Millisecond):
		close(s.let)
		if !<-done {
			t.Error("flush failed, or it did not wait")
		}
	}
}
