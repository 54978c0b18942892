package simulation

import (
	"context"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
	"github.com/madara-orchestrator/orchestrator/shared/service/listening"
)

// spacing is the least time between two wake-ups for new blocks.
const spacing = time.Second

// nextHead is when batching is woken for a new block, if that is before a time.
func (w *World) nextHead(before time.Time) (at time.Time, ok bool) {
	if !w.cfg.Heads || w.heard == len(w.comes) {
		return time.Time{}, false
	}
	at = w.comes[w.heard]
	if soonest := w.announced.Add(spacing); at.Before(soonest) {
		at = soonest
	}
	return at, at.Before(before)
}

// announce wakes batching for the blocks that have come. An invocation of heads listens to many blocks, so that its
// wake-ups count as its calls, and as no invocations.
func (w *World) announce(ctx context.Context, at time.Time) error {
	if err := w.advance(at); err != nil {
		return err
	}
	w.heard, w.announced = w.grown, w.now
	var ms []queue.Outgoing
	for _, name := range listening.Workers(w.cfg.Layer) {
		ms = append(ms, queue.Outgoing{Body: schedule.Wakeup{Stage: name}.Encode()})
	}
	w.Usage.Calls[Call{resource.FnHeads, "queues", "Send"}]++
	var err error
	w.aside(func() { err = w.Queues.Send(ctx, resource.TriggerQueue, ms...) })
	return err
}
