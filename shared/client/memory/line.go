package memory

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
)

// line is one queue: its messages in the order in which they can be received, the invisible ones too.
type line struct {
	Declaration
	messages []message
}

type message struct {
	id       string
	rank     int64 // orders messages that are ready at the same time
	copies   int   // 1 in the second copy of a message
	body     string
	sentAt   time.Time
	readyAt  time.Time
	receives int // ever
	rounds   int // receives from this queue, for the redrive
	inFlight bool
}

// handle names the message's newest receipt.
func (m message) handle() string { return fmt.Sprintf("%s.%d#%d", m.id, m.copies, m.receives) }

func (m message) compare(n message) int {
	return cmp.Or(m.readyAt.Compare(n.readyAt), cmp.Compare(m.rank, n.rank), cmp.Compare(m.copies, n.copies))
}

// accept takes a sent message, with what a fault does to it.
func (q *line) accept(m message, f fault.Fault, now time.Time) {
	switch f.Kind {
	case fault.Lose:
		return
	case fault.Late:
		m.readyAt = m.readyAt.Add(f.By)
	case fault.Reorder:
		m.rank = -m.rank
		if len(q.messages) > 0 && !m.readyAt.After(now) && q.messages[0].readyAt.Before(m.readyAt) {
			m.readyAt = q.messages[0].readyAt
		}
	case fault.Twice:
		again := m
		again.copies = 1
		q.insert(again)
	}
	q.insert(m)
}

func (q *line) insert(m message) {
	i, _ := slices.BinarySearchFunc(q.messages, m, message.compare)
	q.messages = slices.Insert(q.messages, i, m)
}

// ready is how many messages can be received.
func (q *line) ready(now time.Time) int {
	i, _ := slices.BinarySearchFunc(q.messages, now, func(m message, t time.Time) int {
		if m.readyAt.After(t) {
			return 1
		}
		return -1
	})
	return i
}

// receive hands out up to most messages and makes them invisible.
func (q *line) receive(now time.Time, most int) []queue.Delivery {
	n := min(q.ready(now), most)
	if n == 0 {
		return nil
	}
	taken := slices.Clone(q.messages[:n])
	q.messages = slices.Delete(q.messages, 0, n)
	out := make([]queue.Delivery, n)
	for i, m := range taken {
		m.receives++
		m.rounds++
		m.inFlight = true
		m.readyAt = now.Add(q.Visibility)
		q.insert(m)
		out[i] = queue.Delivery{ID: m.id, Handle: m.handle(), Body: m.body, Receives: m.receives, SentAt: m.sentAt}
	}
	return out
}

// exhausted removes and returns the messages that could be received but were received too often.
func (q *line) exhausted(now time.Time) []message {
	n := q.ready(now)
	var out []message
	for _, m := range q.messages[:n] {
		if m.rounds >= q.MaxReceives {
			out = append(out, m)
		}
	}
	if len(out) > 0 {
		q.messages = slices.DeleteFunc(q.messages, func(m message) bool {
			return !m.readyAt.After(now) && m.rounds >= q.MaxReceives
		})
	}
	return out
}

// find is the position of the message with the receipt, or -1.
func (q *line) find(handle string) int {
	return slices.IndexFunc(q.messages, func(m message) bool { return m.receives > 0 && m.handle() == handle })
}

func (q *line) depth(now time.Time) queue.Depth {
	d := queue.Depth{Ready: q.ready(now)}
	for _, m := range q.messages[d.Ready:] {
		if m.inFlight {
			d.InFlight++
		} else {
			d.Delayed++
		}
	}
	return d
}
