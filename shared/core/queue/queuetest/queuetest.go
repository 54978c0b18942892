// Package queuetest is the conformance suite of queue.Queue.
package queuetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
)

// Queue is a queue under test with an empty dead-letter queue behind it.
type Queue struct {
	Q          queue.Queue
	Name       string
	DeadLetter string
	// MaxReceives is after how many receives a message is a dead letter.
	MaxReceives int
	// NoDelay says that the queue drops messages with a delay, as the contract allows.
	NoDelay bool
}

// TestQueue tests a queue by the contract of queue.Queue. newQueue returns an empty one with a visibility timeout that
// no test outlasts.
func TestQueue(t *testing.T, newQueue func(t *testing.T) Queue) {
	t.Helper()
	for name, run := range map[string]func(*testing.T, context.Context, Queue){
		"DeliversEachOnce": testDelivers, "InvisibleUntilItIsNot": testVisibility,
		"DeadLetters": testDead, "Depth": testDepth,
		"UnknownQueue": testUnknown, "TooLarge": testLarge, "Delay": testDelay, "Purge": testPurge, "Ping": testPing,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			run(t, ctx, newQueue(t))
		})
	}
}

// patience is how long a message may take to come: a consumer of Kafka first joins its group, which takes seconds on a
// busy machine.
const patience = 30 * time.Second

// receive collects deliveries until there are n, or nothing comes for long.
func receive(t *testing.T, ctx context.Context, q Queue, name string, n int) []queue.Delivery {
	t.Helper()
	return receiveBy(t, ctx, q, name, n, 10)
}

// receiveBy is receive with at most some at a time.
func receiveBy(t *testing.T, ctx context.Context, q Queue, name string, n, most int) []queue.Delivery {
	t.Helper()
	var all []queue.Delivery
	for last := time.Now(); len(all) < n && time.Since(last) < patience; {
		ds, err := q.Q.Receive(ctx, name, most, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if len(ds) > 0 {
			last = time.Now()
		}
		all = append(all, ds...)
	}
	return all
}

func testDelivers(t *testing.T, ctx context.Context, q Queue) {
	var ms []queue.Outgoing
	var want []string
	for i := range 23 {
		body := fmt.Sprintf(`{"n":%02d}`, i)
		ms, want = append(ms, queue.Outgoing{Body: body}), append(want, body)
	}
	if err := q.Q.Send(ctx, q.Name, ms...); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range receive(t, ctx, q, q.Name, len(ms)) {
		got = append(got, d.Body)
		if d.ID == "" || d.Receives != 1 || d.SentAt.IsZero() {
			t.Errorf("delivery %+v", d)
		}
		for range 2 { // already deleted is not an error
			if err := q.Q.Delete(ctx, q.Name, d.Handle); err != nil {
				t.Fatal(err)
			}
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got %d bodies %q", len(got), got)
	}
}

func testVisibility(t *testing.T, ctx context.Context, q Queue) {
	if err := q.Q.Send(ctx, q.Name, queue.Outgoing{Body: "x"}); err != nil {
		t.Fatal(err)
	}
	first := receive(t, ctx, q, q.Name, 1)
	if len(first) != 1 {
		t.Fatalf("%d deliveries", len(first))
	}
	if ds, err := q.Q.Receive(ctx, q.Name, 10, 0); err != nil || len(ds) != 0 {
		t.Errorf("%d deliveries of an invisible message, %v", len(ds), err)
	}
	if err := q.Q.ChangeVisibility(ctx, q.Name, first[0].Handle, 0); err != nil {
		t.Fatal(err)
	}
	if again := receive(t, ctx, q, q.Name, 1); len(again) != 1 || again[0].Receives != 2 || again[0].ID != first[0].ID {
		t.Errorf("after it was made visible: %+v", again)
	}
}

func testDead(t *testing.T, ctx context.Context, q Queue) {
	if err := q.Q.Send(ctx, q.Name, queue.Outgoing{Body: "poison"}); err != nil {
		t.Fatal(err)
	}
	for range q.MaxReceives {
		ds := receive(t, ctx, q, q.Name, 1)
		if len(ds) != 1 {
			t.Fatalf("%d deliveries", len(ds))
		}
		if err := q.Q.ChangeVisibility(ctx, q.Name, ds[0].Handle, 0); err != nil {
			t.Fatal(err)
		}
	}
	if ds, err := q.Q.Receive(ctx, q.Name, 1, 0); err != nil || len(ds) != 0 {
		t.Errorf("delivered once more: %+v, %v", ds, err)
	}
	if ds := receive(t, ctx, q, q.DeadLetter, 1); len(ds) != 1 || ds[0].Body != "poison" {
		t.Errorf("dead letters: %+v", ds)
	}
}

func testDepth(t *testing.T, ctx context.Context, q Queue) {
	ms := []queue.Outgoing{{Body: "a"}, {Body: "b"}, {Body: "c", Delay: queue.MaxDelay}}
	if err := q.Q.Send(ctx, q.Name, ms...); err != nil {
		t.Fatal(err)
	}
	receiveBy(t, ctx, q, q.Name, 1, 1)
	want := queue.Depth{Ready: 1, InFlight: 1, Delayed: 1}
	if q.NoDelay {
		want.Delayed = 0
	}
	if d, err := q.Q.Depth(ctx, q.Name); err != nil || d != want {
		t.Errorf("depth %+v, %v", d, err)
	}
}

func testUnknown(t *testing.T, ctx context.Context, q Queue) {
	if err := q.Q.Send(ctx, "no-such-queue", queue.Outgoing{Body: "x"}); !errors.Is(err, queue.ErrUnknownQueue) {
		t.Errorf("Send: %v", err)
	}
	if _, err := q.Q.Receive(ctx, "no-such-queue", 1, 0); !errors.Is(err, queue.ErrUnknownQueue) {
		t.Errorf("Receive: %v", err)
	}
}

func testLarge(t *testing.T, ctx context.Context, q Queue) {
	if err := q.Q.Send(ctx, q.Name, queue.Outgoing{Body: strings.Repeat("x", queue.MaxBody+1)}); !errors.Is(err,
		queue.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}

func testDelay(t *testing.T, ctx context.Context, q Queue) {
	if err := q.Q.Send(ctx, q.Name, queue.Outgoing{Body: "later", Delay: 100 * queue.MaxDelay},
		queue.Outgoing{Body: "now"}); err != nil {
		t.Fatal(err)
	}
	ds := receive(t, ctx, q, q.Name, 1)
	more, err := q.Q.Receive(ctx, q.Name, 1, time.Second)
	if err != nil || len(ds) != 1 || ds[0].Body != "now" || len(more) > 0 {
		t.Errorf("got %+v, then %+v, %v", ds, more, err)
	}
}

func testPurge(t *testing.T, ctx context.Context, q Queue) {
	if err := q.Q.Send(ctx, q.Name, queue.Outgoing{Body: "x"}); err != nil {
		t.Fatal(err)
	}
	if err := q.Q.Purge(ctx, q.Name); err != nil {
		t.Fatal(err)
	}
	if ds, err := q.Q.Receive(ctx, q.Name, 1, 0); err != nil || len(ds) != 0 {
		t.Errorf("%d messages are left, %v", len(ds), err)
	}
}

func testPing(t *testing.T, ctx context.Context, q Queue) {
	for range 2 {
		if err := q.Q.Ping(ctx, q.Name); err != nil {
			t.Error(err)
		}
	}
	if err := q.Q.Ping(ctx, q.Name+"-none"); !errors.Is(err, queue.ErrUnknownQueue) {
		t.Errorf("a queue that does not exist: %v", err)
	}
}
