// Package listening wakes batching when a node announces a new block, within a second instead of at the next minute's
// schedule. Everything here is a hint: what is not heard, the schedules do.
package listening

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// Waker runs trigger workers at once.
type Waker interface {
	Run(ctx context.Context, workers ...stage.Name)
}

// Listener wakes batching. All fields but Log are required.
type Listener struct {
	Heads block.Announcer
	Wake  Waker
	Layer stage.Layer
	// Spacing is the least time between two wake-ups: blocks that come faster share one. A block that comes after a
	// pause is not delayed.
	Spacing time.Duration
	Log     *slog.Logger
}

// Workers are those that a new block wakes.
func Workers(l stage.Layer) []stage.Name {
	if l.Has(stage.AggregatorBatching) {
		return []stage.Name{stage.AggregatorBatching, stage.SnosBatching}
	}
	return []stage.Name{stage.SnosBatching}
}

// Listen listens until ctx ends; that it ends is not an error.
func (l *Listener) Listen(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	news := make(chan struct{}, 1)
	woken := make(chan struct{})
	go func() {
		defer close(woken)
		l.wake(ctx, news)
	}()
	err := l.Heads.Heads(ctx, func(n block.Notice) {
		if r := n.Replaced; r != nil && l.Log != nil {
			l.Log.WarnContext(ctx, "the app chain has replaced blocks", "from", r.From, "to", r.To)
		}
		select {
		case news <- struct{}{}:
		default: // one is waiting already
		}
	})
	ended := ctx.Err() != nil
	stop()
	<-woken
	if ended || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// wake sends wake-ups, none sooner than Spacing after the one before.
func (l *Listener) wake(ctx context.Context, news <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-news:
		}
		l.Wake.Run(ctx, Workers(l.Layer)...)
		select {
		case <-ctx.Done():
			return
		case <-time.After(l.Spacing):
		}
	}
}
