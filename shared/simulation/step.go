package simulation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// Step lets one thing happen: a schedule fires or a message is delivered, at random among what is due next.
func (w *World) Step(ctx context.Context) error {
	w.Steps++
	if w.turmoil && w.rng.IntN(20) == 0 {
		w.happen()
	}
	if err := w.mayRewind(ctx); err != nil {
		return err
	}
	w.mayRotate()
	if w.Steps%100 == 0 {
		var err error
		if w.aside(func() { err = w.operate(ctx) }); err != nil {
			return err
		}
	}
	due := w.ticks[0]
	for _, t := range w.ticks[1:] {
		if t.next.Before(due.next) {
			due = t
		}
	}
	at, ready := w.ready(due.next)
	if e, ok := w.nextEnd(at); ok {
		return w.report(ctx, e)
	}
	if when, ok := w.nextHead(at); ok {
		return w.announce(ctx, when)
	}
	if len(ready) > 0 && (w.cfg.Prompt || at.Before(due.next) || w.rng.IntN(4) > 0) {
		if err := w.advance(at); err != nil {
			return err
		}
		return w.deliver(ctx, ready[w.rng.IntN(len(ready))])
	}
	if err := w.advance(due.next); err != nil {
		return err
	}
	return w.fire(ctx, due)
}

// ready are the queues whose message comes first, and when; none if all come after the next schedule.
func (w *World) ready(next time.Time) (at time.Time, ready []resource.Queue) {
	at = next
	if at.Before(w.now) {
		at = w.now
	}
	for _, q := range w.queues {
		when, ok := w.Queues.NextReady(q.Name)
		if !ok {
			continue
		}
		when = when.Add(q.Window)
		if when.Before(w.now) {
			when = w.now
		}
		if when.After(at) {
			continue
		}
		if when.Before(at) {
			at, ready = when, ready[:0]
		}
		ready = append(ready, q)
	}
	return at, ready
}

// fire lets a schedule wake its stage.
func (w *World) fire(ctx context.Context, due *tick) error {
	due.next = due.next.Add(due.every)
	if w.turmoil && w.rng.IntN(30) == 0 {
		w.Injected[Strike{"schedule late", "outside"}]++
		due.next = due.next.Add(time.Duration(w.rng.Int64N(int64(3 * due.every))))
	}
	if !w.timers.Fires(string(due.stage)) { // its stage is paused
		return nil
	}
	body := []byte(schedule.Wakeup{Stage: due.stage}.Encode())
	for range w.firings() {
		_, err := w.invoke(ctx, resource.FnTrigger, false,
			func(ctx context.Context) (any, error) { return w.versions[w.version].triggers.Handle(ctx, body) })
		if err != nil {
			w.Faults = append(w.Faults, err)
		}
	}
	return w.nested
}

// firings is how often a schedule fires when it is due: EventBridge promises at least once, and an account's quota or
// an outage may still swallow one.
func (w *World) firings() int {
	if w.turmoil {
		switch w.rng.IntN(30) {
		case 0:
			w.Injected[Strike{"schedule missed", "outside"}]++
			return 0
		case 1:
			w.Injected[Strike{"schedule twice", "outside"}]++
			return 2
		}
	}
	return 1
}

func (w *World) advance(to time.Time) error {
	if to.After(w.now) {
		w.now = to
	}
	return w.grow()
}

// stale says whether a message is a wake-up for something that its job has left behind.
func (w *World) stale(ctx context.Context, body string) (stale bool) {
	m, err := job.DecodeMessage(body)
	if err != nil {
		return false
	}
	w.aside(func() {
		j, err := w.Jobs.Get(ctx, m.JobID)
		stale = err == nil && m.Generation < j.Generation
	})
	return stale
}

// most is how many messages a queue's mapping takes at a time: without a window those that are there, which are one
// as a rule.
func most(q resource.Queue) int {
	if q.Window > 0 {
		return q.BatchSize
	}
	return 1
}

// deliver gives what is there of a queue to its function.
func (w *World) deliver(ctx context.Context, q resource.Queue) error {
	var ds []queue.Delivery
	var err error
	w.aside(func() { ds, err = w.Queues.Receive(ctx, q.Name, most(q), 0) })
	if err != nil || len(ds) == 0 {
		return err
	}
	e, stale := events.SQSEvent{}, true
	for _, d := range ds {
		e.Records = append(e.Records, events.SQSMessage{MessageId: d.ID, Body: d.Body,
			Attributes: map[string]string{"ApproximateReceiveCount": strconv.Itoa(d.Receives)}})
		stale = stale && w.stale(ctx, d.Body)
	}
	w.Usage.Received++
	raw, err := json.Marshal(e)
	if err != nil {
		return err
	}
	out, err := w.invoke(ctx, q.Function, stale, func(ctx context.Context) (any, error) {
		v := w.versions[w.version]
		if q.Function != resource.FnTrigger {
			return v.functions[q.Function](ctx, raw)
		}
		return v.triggers.Handle(ctx, raw)
	})
	again := map[string]bool{} // ids of messages
	if r, ok := out.(events.SQSEventResponse); ok {
		for _, f := range r.BatchItemFailures {
			again[f.ItemIdentifier] = true
		}
	}
	deleted := false
	for _, d := range ds {
		if err != nil || again[d.ID] {
			w.Faults = append(w.Faults,
				errors.Join(err, fmt.Errorf("message %s on %s is wanted again", d.Body, q.Name)))
			continue
		}
		deleted = true
		w.aside(func() { w.blame(w.Queues.Delete(ctx, q.Name, d.Handle)) })
	}
	if deleted {
		w.Usage.Received++
	}
	return w.nested
}
