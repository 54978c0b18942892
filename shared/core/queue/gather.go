package queue

import (
	"context"
	"errors"
	"sync"
	"time"
)

// gathering are the messages of one invocation that wait to be sent together.
type gathering struct {
	linger  time.Duration
	sending sync.Mutex // held while messages are sent: the last flush waits for the timer's

	mu    sync.Mutex
	lots  []lot
	timer *time.Timer
}

// lot are the messages for one queue.
type lot struct {
	to    Sender
	queue string
	ms    []Outgoing
	at    []time.Time
}

// lingerTime is how long the timer's sending may take, and so how long it may hold up the end of an invocation.
const lingerTime = 2 * time.Second

type gatheringKey struct{}

// Gather returns a context in which a Gathered sender holds messages back until flush is called, so that those of one
// invocation go out together, and the same one once. With a linger none is held back for longer than that. Call flush
// when the work is done: an error means that messages may be lost, which costs latency.
func Gather(ctx context.Context, linger time.Duration) (_ context.Context, flush func(context.Context) error) {
	g := &gathering{linger: linger}
	return context.WithValue(ctx, gatheringKey{}, g), g.flush
}

// AtOnce returns a context in which messages are sent at once, so that the sender learns whether they are.
func AtOnce(ctx context.Context) context.Context {
	return context.WithValue(ctx, gatheringKey{}, (*gathering)(nil))
}

// Gathered sends by To: what is sent within Gather, with the other messages of the invocation.
type Gathered struct{ To Sender }

// Send implements Sender.
func (s Gathered) Send(ctx context.Context, queue string, ms ...Outgoing) error {
	g, _ := ctx.Value(gatheringKey{}).(*gathering)
	if g == nil {
		return s.To.Send(ctx, queue, ms...)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	g.add(ctx, s.To, queue, ms)
	return nil
}

// add holds messages back.
func (g *gathering) add(ctx context.Context, to Sender, queue string, ms []Outgoing) {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := 0
	for i < len(g.lots) && (g.lots[i].to != to || g.lots[i].queue != queue) {
		i++
	}
	if i == len(g.lots) {
		g.lots = append(g.lots, lot{to: to, queue: queue})
	}
	for _, m := range ms {
		g.lots[i].add(m)
	}
	if g.linger > 0 && g.timer == nil {
		later := context.WithoutCancel(ctx)
		g.timer = time.AfterFunc(g.linger, func() {
			ctx, cancel := context.WithTimeout(later, lingerTime)
			defer cancel()
			_ = g.flush(ctx) // lost messages cost latency
		})
	}
}

// add adds a message; of one that is there already the earlier stays.
func (l *lot) add(m Outgoing) {
	for i := range l.ms {
		if l.ms[i].Body == m.Body {
			l.ms[i].Delay = min(l.ms[i].Delay, m.Delay)
			return
		}
	}
	l.ms, l.at = append(l.ms, m), append(l.at, time.Now())
}

// flush sends what is held back.
func (g *gathering) flush(ctx context.Context) error {
	g.sending.Lock()
	defer g.sending.Unlock()
	g.mu.Lock()
	lots := g.lots
	g.lots = nil
	if g.timer != nil {
		g.timer.Stop()
		g.timer = nil
	}
	g.mu.Unlock()
	var errs []error
	for _, l := range lots {
		if g.linger > 0 { // else what was held back was not held for long
			for i := range l.ms {
				l.ms[i].Delay = max(0, l.ms[i].Delay-time.Since(l.at[i]))
			}
		}
		errs = append(errs, l.to.Send(ctx, l.queue, l.ms...))
	}
	return errors.Join(errs...)
}
