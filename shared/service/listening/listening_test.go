package listening_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/service/listening"
)

// announcer announces at the times that it is given, counted from its start, and then waits or fails.
type announcer struct {
	at  []time.Duration
	err error
}

func (a announcer) Heads(ctx context.Context, f func(block.Notice)) error {
	began := time.Now()
	for i, at := range a.at {
		time.Sleep(at - time.Since(began))
		switch i % 3 {
		case 0:
			f(block.Notice{Head: &block.Header{Number: uint64(i)}})
		case 1:
			f(block.Notice{Replaced: &block.Replaced{From: 1, To: 2}})
		case 2:
			f(block.Notice{Missed: true})
		}
	}
	if a.err != nil {
		return a.err
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

// waker notes when which workers were woken.
type waker struct {
	began   time.Time
	at      []time.Duration
	workers []stage.Name
}

func (w *waker) Run(_ context.Context, workers ...stage.Name) {
	w.at, w.workers = append(w.at, time.Since(w.began)), workers
}

// Every notice wakes batching within a second, and those that come faster share a wake-up.
func TestWakesWithinASecond(t *testing.T) {
	t.Parallel()
	for layer, workers := range map[stage.Layer][]stage.Name{
		stage.L2: {stage.AggregatorBatching, stage.SnosBatching}, stage.L3: {stage.SnosBatching},
	} {
		t.Run(string(layer), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				heard := []time.Duration{0, 10 * time.Millisecond, 20 * time.Millisecond, 5 * time.Second,
					5*time.Second + 900*time.Millisecond, 40 * time.Second}
				w := &waker{began: time.Now()}
				l := &listening.Listener{Heads: announcer{at: heard}, Wake: w, Layer: layer, Spacing: time.Second}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if err := l.Listen(ctx); err != nil {
					t.Fatal(err)
				}
				for _, h := range heard {
					soon := func(at time.Duration) bool { return at >= h && at-h <= time.Second }
					if !slices.ContainsFunc(w.at, soon) {
						t.Errorf("what came after %s woke nobody within a second: %v", h, w.at)
					}
				}
				if len(w.at) != 5 || !slices.Equal(w.workers, workers) {
					t.Errorf("woke %q at %v", w.workers, w.at)
				}
			})
		})
	}
}

// What can't be listened to is an error; the end of the time is none.
func TestEnds(t *testing.T) {
	t.Parallel()
	l := &listening.Listener{Heads: announcer{err: block.ErrWrongChain}, Wake: &waker{}, Layer: stage.L2,
		Spacing: time.Second}
	if err := l.Listen(t.Context()); !errors.Is(err, block.ErrWrongChain) {
		t.Errorf("another chain: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l.Heads = announcer{}
	if err := l.Listen(ctx); err != nil {
		t.Errorf("after its time: %v", err)
	}
}
