package fault

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
)

// Rule gives a fault to the calls that it matches.
type Rule struct {
	Component, Method, Key string // "" matches any
	// Nth is the first matching call that goes wrong, from 1; 0 means 1.
	Nth int
	// Times is how many matching calls in a row go wrong; 0 means 1, a negative number means all from Nth on.
	Times int
	Fault Fault
}

func (r Rule) matches(op Op) bool {
	return (r.Component == "" || r.Component == op.Component) && (r.Method == "" || r.Method == op.Method) &&
		(r.Key == "" || r.Key == op.Key)
}

func (r Rule) hits(n int) bool {
	first, times := max(r.Nth, 1), r.Times
	if times == 0 {
		times = 1
	}
	return n >= first && (times < 0 || n < first+times)
}

// Rules is a hook with a list of rules; the first one that applies decides. The zero value lets all calls pass.
type Rules struct {
	mu    sync.Mutex
	rules []Rule
	seen  []int
}

var _ Hook = (*Rules)(nil)

// NewRules returns a hook with rules.
func NewRules(rules ...Rule) *Rules { return new(Rules).Add(rules...) }

// Add adds rules. They count the calls from now on.
func (r *Rules) Add(rules ...Rule) *Rules {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rules = append(r.rules, rules...)
	r.seen = append(r.seen, make([]int, len(rules))...)
	return r
}

// Clear removes all rules.
func (r *Rules) Clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rules, r.seen = nil, nil
}

// Before implements Hook.
func (r *Rules) Before(op Op) Fault {
	r.mu.Lock()
	defer r.mu.Unlock()
	var f Fault
	for i, rule := range r.rules {
		if !rule.matches(op) {
			continue
		}
		r.seen[i]++
		if f.Kind == NoFault && rule.hits(r.seen[i]) {
			f = rule.Fault
		}
	}
	return f
}

// After implements Hook.
func (*Rules) After(_ Op, err error) error { return err }

// Crash is a hook that ends the process at one call: this call and all later ones return ErrCrashed until Restart. So
// the process can write nothing after its end.
type Crash struct {
	mu    sync.Mutex
	at    int  // counts down; 0 is off
	after bool // the call has its effect
	calls int
	gone  bool
}

var _ Hook = (*Crash)(nil)

// NewCrash returns a hook that ends the process at the n-th call from now (from 1), before or after the call's effect.
// With n of 0 it only counts calls.
func NewCrash(n int, after bool) *Crash { return &Crash{at: n, after: after} }

// Before implements Hook.
func (c *Crash) Before(Op) Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return Fault{Kind: FailBefore, Err: ErrCrashed}
	}
	c.calls++
	if c.calls != c.at {
		return Fault{}
	}
	c.gone = true
	if c.after {
		return Fault{Kind: FailAfter, Err: ErrCrashed}
	}
	return Fault{Kind: FailBefore, Err: ErrCrashed}
}

// After implements Hook. A call that was running when the process ended returns ErrCrashed.
func (c *Crash) After(op Op, err error) error {
	if err == nil && c.Gone() {
		return Fault{Kind: FailAfter, Err: ErrCrashed}.after(op)
	}
	return err
}

// Gone reports whether the process has ended.
func (c *Crash) Gone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gone
}

// Calls is how many calls were made before the process ended.
func (c *Crash) Calls() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls
}

// Restart lets calls pass again. The process does not end a second time.
func (c *Crash) Restart() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone, c.at = false, 0
}

// Random is a hook that makes calls go wrong at random. The same seed gives the same calls the same faults.
type Random struct {
	mu     sync.Mutex
	rand   *rand.Rand
	chance float64
	faults []Fault
	off    bool
}

var _ Hook = (*Random)(nil)

// NewRandom returns a hook that gives a call one of the faults with the given chance (0 to 1).
func NewRandom(seed uint64, chance float64, faults ...Fault) *Random {
	return &Random{rand: rand.New(rand.NewPCG(seed, seed)), chance: chance, faults: slices.Clone(faults)}
}

// Before implements Hook.
func (r *Random) Before(Op) Fault {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.off || len(r.faults) == 0 || r.rand.Float64() >= r.chance {
		return Fault{}
	}
	return r.faults[r.rand.IntN(len(r.faults))]
}

// After implements Hook.
func (*Random) After(_ Op, err error) error { return err }

// Stop ends all faults, for the last part of a test, in which everything must finish.
func (r *Random) Stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.off = true
}

// Trace is a hook that records calls and passes them to the next hook, if there is one.
type Trace struct {
	Next Hook

	mu    sync.Mutex
	lines []string
}

var _ Hook = (*Trace)(nil)

// Before implements Hook.
func (t *Trace) Before(op Op) Fault {
	var f Fault
	if t.Next != nil {
		f = t.Next.Before(op)
	}
	line := op.String()
	if f.Kind != NoFault {
		line = fmt.Sprintf("%s: %s", line, f.Kind)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, line)
	return f
}

// After implements Hook.
func (t *Trace) After(op Op, err error) error {
	if t.Next != nil {
		return t.Next.After(op, err)
	}
	return err
}

// Lines are the calls so far, with their faults.
func (t *Trace) Lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.lines)
}

// Hooks calls several hooks in turn. Every hook sees every call; the first fault counts.
type Hooks []Hook

var _ Hook = Hooks(nil)

// Before implements Hook.
func (hs Hooks) Before(op Op) Fault {
	var f Fault
	for _, h := range hs {
		if g := h.Before(op); f.Kind == NoFault {
			f = g
		}
	}
	return f
}

// After implements Hook.
func (hs Hooks) After(op Op, err error) error {
	for _, h := range hs {
		err = h.After(op, err)
	}
	return err
}
