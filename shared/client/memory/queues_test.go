package memory_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault/faulttest"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
)

func newQueues(t *testing.T) (*memory.Queues, *faulttest.Clock) {
	t.Helper()
	c := faulttest.NewClock()
	qs := must(memory.NewQueues(&fault.Env{Now: c.Now},
		memory.Declaration{Name: "q", Visibility: time.Minute, MaxReceives: 2, DeadLetter: "dead"},
		memory.Declaration{Name: "dead"}, memory.Declaration{Name: "prompt", MaxDelay: -1},
	))(t)
	return qs, c
}

func send(t *testing.T, qs *memory.Queues, name string, ms ...queue.Outgoing) {
	t.Helper()
	if err := qs.Send(t.Context(), name, ms...); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, qs *memory.Queues, name string, want int) []queue.Delivery {
	t.Helper()
	got := must(qs.Receive(t.Context(), name, 10, time.Hour))(t) // a virtual clock never waits
	if len(got) != want {
		t.Fatalf("received %d messages of %s, want %d", len(got), name, want)
	}
	return got
}

func TestQueues_VirtualTime(t *testing.T) {
	t.Parallel()
	qs, c := newQueues(t)
	start := c.Now()
	send(t, qs, "q", queue.Outgoing{Body: "late", Delay: 10 * time.Minute},
		queue.Outgoing{Body: "soon", Delay: time.Second})
	receive(t, qs, "q", 0)
	if at, ok := qs.NextReady(); !ok || !at.Equal(start.Add(time.Second)) {
		t.Errorf("NextReady = %v, %t", at, ok)
	}
	if d := must(qs.Depth(t.Context(), "q"))(t); d != (queue.Depth{Delayed: 2}) {
		t.Errorf("Depth = %+v", d)
	}
	c.Advance(time.Second)
	if got := receive(t, qs, "q", 1)[0]; got.Body != "soon" || got.Receives != 1 || !got.SentAt.Equal(start) {
		t.Errorf("received %+v", got)
	}
	if at, ok := qs.NextReady("q"); !ok || !at.Equal(start.Add(time.Minute+time.Second)) {
		t.Errorf("NextReady = %v, %t; want the end of the visibility timeout", at, ok)
	}
	if _, ok := qs.NextReady("dead"); ok {
		t.Error("an empty queue has a next message")
	}
	send(t, qs, "prompt", queue.Outgoing{Body: "dropped", Delay: time.Hour}, queue.Outgoing{Body: "x"})
	if got := receive(t, qs, "prompt", 1); got[0].Body != "x" {
		t.Errorf("received %+v", got)
	}
}

func TestQueues_RedriveAfterMaxReceives(t *testing.T) {
	t.Parallel()
	qs, c := newQueues(t)
	send(t, qs, "q", queue.Outgoing{Body: "poison"}, queue.Outgoing{Body: "fine"})
	for i := range 2 {
		for _, d := range receive(t, qs, "q", 2-i) {
			if d.Receives != i+1 {
				t.Errorf("%s is received for time %d, the queue says %d", d.Body, i+1, d.Receives)
			}
			if d.Body == "fine" {
				if err := qs.Delete(t.Context(), "q", d.Handle); err != nil {
					t.Error(err)
				}
			}
		}
		c.Advance(time.Minute)
	}
	if d := must(qs.Depth(t.Context(), "dead"))(t); d.Ready != 1 {
		t.Errorf("dead letters: %+v, want 1 ready", d)
	}
	receive(t, qs, "q", 0)
	if got := receive(t, qs, "dead", 1)[0]; got.Body != "poison" {
		t.Errorf("dead letter is %+v", got)
	}
}

func TestQueues_StaleHandle(t *testing.T) {
	t.Parallel()
	qs, c := newQueues(t)
	send(t, qs, "q", queue.Outgoing{Body: "x"})
	old := receive(t, qs, "q", 1)[0]
	c.Advance(time.Minute)
	fresh := receive(t, qs, "q", 1)[0]
	if old.Handle == fresh.Handle || old.ID != fresh.ID {
		t.Errorf("receipts %+v and %+v: want one id, two handles", old, fresh)
	}
	if err := qs.Delete(t.Context(), "q", old.Handle); err != nil {
		t.Errorf("Delete with a stale handle: %v", err)
	}
	if err := qs.ChangeVisibility(t.Context(), "q", old.Handle, 0); err != nil {
		t.Errorf("ChangeVisibility with a stale handle: %v", err)
	}
	if d := must(qs.Depth(t.Context(), "q"))(t); d.InFlight != 1 {
		t.Errorf("a stale handle acted: %+v", d)
	}
	if err := qs.ChangeVisibility(t.Context(), "q", fresh.Handle, 5*time.Second); err != nil {
		t.Error(err)
	}
	if at, _ := qs.NextReady("q"); !at.Equal(c.Now().Add(5 * time.Second)) {
		t.Errorf("visible again at %v", at)
	}
	c.Advance(5 * time.Second) // visible, and not received again: the handle still works
	if err := qs.Delete(t.Context(), "q", fresh.Handle); err != nil {
		t.Error(err)
	}
	if _, ok := qs.NextReady(); ok {
		t.Error("the message is still there")
	}
}

func TestQueues_Declarations(t *testing.T) {
	t.Parallel()
	for _, ds := range [][]memory.Declaration{
		{{Name: ""}}, {{Name: "a"}, {Name: "a"}}, {{Name: "a", DeadLetter: "b", MaxReceives: 1}},
	} {
		if _, err := memory.NewQueues(nil, ds...); err == nil {
			t.Errorf("declarations %+v are taken", ds)
		}
	}
	qs, _ := newQueues(t)
	if err := qs.Send(t.Context(), "none", queue.Outgoing{}); !errors.Is(err, queue.ErrUnknownQueue) {
		t.Errorf("Send to no queue: %v", err)
	}
	big := queue.Outgoing{Body: string(make([]byte, queue.MaxBody+1))}
	if err := qs.Send(t.Context(), "q", queue.Outgoing{Body: "ok"}, big); !errors.Is(err, queue.ErrTooLarge) {
		t.Errorf("Send of too much: %v", err)
	}
	receive(t, qs, "q", 0)
}

func TestQueues_LongPollWithTheMachinesClock(t *testing.T) {
	t.Parallel()
	qs := must(memory.NewQueues(nil, memory.Declaration{Name: "q"}))(t)
	got := make(chan []queue.Delivery)
	go func() {
		ds, err := qs.Receive(t.Context(), "q", 1, 30*time.Second)
		if err != nil {
			t.Error(err)
		}
		got <- ds
	}()
	send(t, qs, "q", queue.Outgoing{Body: "x"})
	if ds := <-got; len(ds) != 1 || ds[0].Body != "x" {
		t.Errorf("received %+v", ds)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(5*time.Millisecond, cancel)
	if _, err := qs.Receive(ctx, "q", 1, 30*time.Second); !errors.Is(err, context.Canceled) {
		t.Errorf("Receive in a context that ends: %v", err)
	}
	if ds, err := qs.Receive(t.Context(), "q", 1, time.Millisecond); err != nil || len(ds) != 0 {
		t.Errorf("Receive of nothing = %v, %v", ds, err)
	}
}

func TestQueues_ManyMessagesOnce(t *testing.T) {
	t.Parallel()
	qs, _ := newQueues(t)
	for i := range 100 {
		send(t, qs, "q", queue.Outgoing{Body: fmt.Sprint(i)})
	}
	for i := range 10 {
		for k, d := range receive(t, qs, "q", 10) {
			if want := fmt.Sprint(i*10 + k); d.Body != want {
				t.Errorf("received %s, want %s", d.Body, want)
			}
		}
	}
	if err := qs.Purge(t.Context(), "q"); err != nil {
		t.Error(err)
	}
	if _, ok := qs.NextReady(); ok {
		t.Error("messages are left after the purge")
	}
}
