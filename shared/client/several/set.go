package several

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/look"
)

// Options say which nodes there are and how they are asked.
type Options struct {
	// Names are those of the nodes for people, without secrets, in the order in which they are preferred.
	Names []string
	// Probe returns a node's newest block.
	Probe func(ctx context.Context, node int) (head uint64, err error)
	// WrongChain is what Probe's error is where a node serves another chain.
	WrongChain error
	// Slack is how many blocks a node may be behind the highest block seen: nodes get a block at different times.
	Slack uint64
	Now   func() time.Time
	// Each calls do for every number below n; nil: at the same time.
	Each func(n int, do func(int))
	Log  *slog.Logger // gets which nodes are used and which are left out; nil: nobody
}

const (
	// asked is for how long what a node said of its newest block counts.
	asked = 10 * time.Second
	// paused is for how long a node that failed is left out.
	paused = 30 * time.Second
	// remembered is for how long the highest block seen counts, where no node shows it any more.
	remembered = 10 * time.Minute
	// probeTimeout is how long a node may take to say its newest block: less than /ready waits for all of them.
	probeTimeout = 3 * time.Second
	// grace is how long the other nodes have once one has taken what is offered: that one passes it on.
	grace = 2 * time.Second
)

// Set is the nodes of one settlement layer. It makes no request before it is used. Safe for concurrent use.
type Set struct {
	o Options

	mu     sync.Mutex // never held while a node is asked
	sights []sight
	top    top
	said   []string // what the log says of each node
}

// New returns the set of some nodes.
func New(o Options) *Set {
	if o.Each == nil {
		o.Each = together
	}
	return &Set{o: o, sights: make([]sight, len(o.Names)), said: make([]string, len(o.Names))}
}

// together calls do for every number below n at the same time.
func together(n int, do func(int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { do(i) })
	}
	wg.Wait()
}

// Read makes a read on the node that the look under way asks; a read that is in none is a look of its own.
func (s *Set) Read(ctx context.Context, read func(ctx context.Context, node int) error) error {
	return look.Do(ctx, func(ctx context.Context) error {
		node, err := s.node(ctx, look.Of(ctx))
		if err != nil {
			return err
		}
		err = read(ctx, node)
		if s.failed(err) && ctx.Err() == nil {
			s.note(node, 0, err)
			err = look.Of(ctx).Fail(s, node, len(s.o.Names), err)
		}
		return err
	})
}

// failed says whether a node failed, rather than answered.
func (s *Set) failed(err error) bool {
	return errors.Is(err, look.ErrUnanswered) || s.o.WrongChain != nil && errors.Is(err, s.o.WrongChain)
}

// Offer hands something to all nodes that serve the chain and says what came of it; see combine. Once one has taken it,
// the others have grace to answer.
func (s *Set) Offer(ctx context.Context, offer func(ctx context.Context, node int) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var taken sync.Once
	errs := make([]error, len(s.o.Names))
	s.o.Each(len(errs), func(i int) {
		if s.sight(i).wrong {
			errs[i] = errNotOffered
			return
		}
		err := offer(ctx, i)
		switch {
		case err == nil:
			taken.Do(func() { time.AfterFunc(grace, cancel) })
		case s.o.WrongChain != nil && errors.Is(err, s.o.WrongChain): // which it was asked before
			err = errNotOffered
		}
		errs[i] = err
	})
	return combine(errs)
}

// node is the one that a look asks: the first that can be asked when the look begins.
func (s *Set) node(ctx context.Context, l *look.Look) (int, error) {
	if node, ok := l.Node(s); ok {
		return node, nil
	}
	for _, all := range []bool{false, true} {
		s.probe(ctx, l, all)
		node, err := choose(s.o.Names, s.seen(l), s.limits(l.Least()))
		if err == nil {
			l.Keep(s, node)
		} else if !all {
			continue
		}
		s.report(ctx)
		return node, err
	}
	panic("not reached")
}

// limits are what nodes are compared with; least is a block that a document records as seen.
func (s *Set) limits(least uint64) limits {
	s.mu.Lock()
	defer s.mu.Unlock()
	return limits{highest: s.top.highest(s.o.Now()), least: least, slack: s.o.Slack}
}

// seen are the nodes as they were seen last, and as this look found them.
func (s *Set) seen(l *look.Look) []sight {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := append([]sight(nil), s.sights...)
	for i := range out {
		out[i].gone = l != nil && l.Gone(s, i)
	}
	return out
}

func (s *Set) sight(i int) sight {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sights[i]
}

// probe asks the nodes for their newest blocks whose answers are too old; with all those too that failed, or lag, other
// than in this look.
func (s *Set) probe(ctx context.Context, l *look.Look, all bool) {
	s.o.Each(len(s.o.Names), func(i int) {
		v, last := s.sight(i), asked
		if v.err != nil {
			last = paused
		}
		if !v.at.IsZero() && s.o.Now().Sub(v.at) < last && (!all || l != nil && l.Gone(s, i)) {
			return
		}
		probe, cancel := context.WithTimeout(ctx, probeTimeout)
		defer cancel()
		head, err := s.o.Probe(probe, i)
		if ctx.Err() == nil {
			s.note(i, head, err)
		}
	})
}

// note remembers what a node said, or that it failed.
func (s *Set) note(i int, head uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := &s.sights[i]
	v.at, v.err, v.wrong = s.o.Now(), err, err != nil && errors.Is(err, s.o.WrongChain)
	if err == nil {
		v.head, s.top = head, s.top.seen(head, v.at)
	}
}

// state says for people how a node stands.
func (s *Set) state(v sight, l limits) string {
	if err := v.fault(l); err != nil {
		return err.Error()
	}
	return "answers"
}

// report logs which nodes can be asked when that has changed: once at the start of a process, and then once a change.
func (s *Set) report(ctx context.Context) {
	if s.o.Log == nil {
		return
	}
	l := s.limits(0)
	changed, bad := false, false
	var attrs []any
	for i, v := range s.seen(nil) {
		now := s.state(v, l)
		kind := kindOf(v, l)
		attrs = append(attrs, s.o.Names[i], now)
		bad = bad || v.fault(l) != nil
		s.mu.Lock()
		changed = changed || s.said[i] != kind
		s.said[i] = kind
		s.mu.Unlock()
	}
	switch {
	case !changed:
	case bad:
		s.o.Log.WarnContext(ctx, "settlement nodes: some are left out", attrs...)
	default:
		s.o.Log.InfoContext(ctx, "settlement nodes: all answer", attrs...)
	}
}

// kindOf is a node's state without what changes all the time.
func kindOf(v sight, l limits) string {
	switch err := v.fault(l); {
	case err == nil:
		return "answers"
	case v.wrong:
		return "another chain"
	case v.err != nil:
		return "failed"
	default:
		return "lags"
	}
}

// Look asks every node and says how each stands. The error says that none can be used.
func (s *Set) Look(ctx context.Context) (detail string, err error) {
	s.probe(ctx, nil, true)
	l, seen := s.limits(0), s.seen(nil)
	answer := 0
	var parts []string
	for i, v := range seen {
		if v.fault(l) == nil {
			answer++
		}
		parts = append(parts, s.o.Names[i]+": "+s.state(v, l))
	}
	_, err = choose(s.o.Names, seen, l)
	return fmt.Sprintf("%d of %d nodes can be used: %s", answer, len(seen), strings.Join(parts, "; ")), err
}
