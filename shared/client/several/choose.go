package several

import (
	"fmt"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/look"
)

// sight is a node as it was seen last.
type sight struct {
	head  uint64    // its newest block, when it answered last
	err   error     // why it can't be asked; nil: it can
	wrong bool      // it serves another chain
	at    time.Time // when it was asked or failed last; zero: never
	gone  bool      // it failed in this look
}

// limits are what nodes are compared with.
type limits struct {
	highest uint64 // the highest block that a node has shown lately
	least   uint64 // a block that a document records as seen
	slack   uint64 // how many blocks below highest a node may be
}

// choose returns the first node that can be asked: it answers, serves the chain, and does not lag behind what was seen.
// The error says of each node, by its name, why not.
func choose(names []string, sights []sight, l limits) (int, error) {
	why := make([]error, len(sights))
	for i, s := range sights {
		if why[i] = s.fault(l); why[i] == nil {
			return i, nil
		}
	}
	return 0, &noneError{names: names, why: why, wrong: allWrong(sights)}
}

// fault is why a node can't be asked now.
func (s sight) fault(l limits) error {
	switch {
	case s.err != nil:
		return s.err
	case s.gone:
		return look.ErrUnanswered
	case s.head < l.least:
		return lagging{s.head, l.least}
	case s.head+l.slack < l.highest:
		return lagging{s.head, l.highest}
	}
	return nil
}

// lagging is the error of a node that does not have a block yet that was seen before.
type lagging struct{ head, want uint64 }

// Error gives both blocks.
func (l lagging) Error() string {
	return fmt.Sprintf("it lags: its newest block is %d, block %d was seen already", l.head, l.want)
}

func allWrong(sights []sight) bool {
	for _, s := range sights {
		if !s.wrong {
			return false
		}
	}
	return true
}

// noneError says that no node can be asked.
type noneError struct {
	names []string
	why   []error // one a node
	wrong bool    // all of them serve another chain
}

// Error says of each node why not.
func (e *noneError) Error() string {
	if e.wrong {
		return e.why[0].Error()
	}
	parts := make([]string, len(e.why))
	for i, err := range e.why {
		parts[i] = e.names[i] + ": " + err.Error()
	}
	return "no node can be used: " + strings.Join(parts, "; ")
}

// Unwrap gives the error of another chain where all nodes serve one.
func (e *noneError) Unwrap() error {
	if e.wrong {
		return e.why[0]
	}
	return nil
}

// top is the highest block that a node has shown, and when one showed it last.
type top struct {
	head uint64
	at   time.Time
}

// seen is the top once a node has shown a block. A node that shows a lower one does not lower it; it is forgotten where
// no node shows it for long, for a chain that was set back must not stop us for ever.
func (t top) seen(head uint64, now time.Time) top {
	if head < t.highest(now) {
		return t
	}
	return top{head, now}
}

// highest is the block; 0 where it is forgotten.
func (t top) highest(now time.Time) uint64 {
	if now.Sub(t.at) > remembered {
		return 0
	}
	return t.head
}
