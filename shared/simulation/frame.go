package simulation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/rewind"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// frame is one invocation of a function: a process with a clock of its own that may end at any call.
type frame struct {
	function string
	began    time.Time
	limit    time.Duration
	skew     time.Duration
	cancel   context.CancelFunc
	dead     bool         // its process has ended: whatever it still calls has no effect
	late     bool         // Lambda ended it for its time
	frozen   bool         // it outlives its time: a container that is frozen and thawed, and still sends requests
	stale    bool         // its message is about something that has happened already: it may change nothing
	misled   bool         // a read showed it an older state
	nonce    uint64       // of the wallet, as it was read last
	forks    int          // how many reorganisations there were when it began
	rewinds  rewind.State // as they were when it began
}

// maxNesting is how many invocations are under way at a time.
const maxNesting = 3

// maxFrozenSteps bounds how much happens while a process is frozen.
const maxFrozenSteps = 40

// maxSkew is how far a function's clock may be off.
const maxSkew = 20 * time.Second

var (
	// errCrashed is what is left of an invocation whose process ended.
	errCrashed = errors.New("the function's process ended")
	// errTimeout is what is left of one that took too long.
	errTimeout = errors.New("the function timed out")
)

// process is a hook that can end the function's process.
type process interface {
	Gone() bool
	Restart()
}

// invoke runs a function, with a message that is stale or not. When its process ends meanwhile its answer is lost, and
// a new process takes the next event.
func (w *World) invoke(ctx context.Context, function string, stale bool,
	f func(context.Context) (any, error)) (any, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	fr := &frame{function: function, began: w.now, limit: timeouts[function], cancel: cancel, stale: stale,
		forks: w.L1.Forks()}
	fr.frozen = w.turmoil && w.rng.IntN(3) == 0
	if w.turmoil && w.rng.IntN(2) == 0 {
		fr.skew = time.Duration(w.rng.Int64N(int64(2*maxSkew))) - maxSkew
	}
	fr.rewinds = w.record()
	w.frames = append(w.frames, fr)
	w.version = w.rng.IntN(len(w.versions))
	w.Usage.Invocations[function]++
	out, err := f(ctx)
	w.frames = w.frames[:len(w.frames)-1]
	if p, ok := w.cfg.Hook.(process); ok && p.Gone() {
		p.Restart()
		fr.dead = true
	}
	switch {
	case fr.dead:
		w.Crashes++
		w.narrate("the process of %s ended", function)
		w.deploy()
		return nil, errCrashed
	case fr.late:
		w.Timeouts++
		return nil, errTimeout
	}
	return out, err
}

var timeouts = func() map[string]time.Duration {
	out := map[string]time.Duration{}
	for _, f := range resource.Functions() {
		out[f.Name] = f.Timeout
	}
	return out
}()

// local is the time as the function under way sees it.
func (w *World) local() time.Time {
	if n := len(w.frames); n > 0 {
		return w.now.Add(w.frames[n-1].skew)
	}
	return w.now
}

// gate lets faults into the calls of functions only: what the world does itself is AWS's part and the tests' own look.
type gate struct{ w *World }

// Before implements fault.Hook. While a call is under way other invocations may run: that is how functions interleave.
func (g *gate) Before(op fault.Op) fault.Fault {
	w := g.w
	if len(w.frames) == 0 || w.outside {
		return fault.Fault{}
	}
	fr := w.frames[len(w.frames)-1]
	if fr.dead {
		return fault.Fault{Kind: fault.FailBefore, Err: fault.ErrCrashed}
	}
	w.Usage.Calls[Call{fr.function, op.Component, op.Method}]++
	if op.Component == "blocks" {
		w.behave()
	}
	var f fault.Fault
	chances := 1
	if fr.function == resource.FnJobFailure || op.Component == "alerts" {
		chances = 8 // they are rare; they are to go wrong too
	}
	for ; chances > 0 && w.cfg.Hook != nil && f.Kind == fault.NoFault; chances-- {
		f = w.cfg.Hook.Before(op)
	}
	if f.Kind != fault.NoFault {
		w.count(string(f.Kind))
		fr.misled = fr.misled || f.Kind == fault.Stale
		return f
	}
	if !w.turmoil {
		return f
	}
	switch draw := w.rng.Float64(); {
	case draw < 0.004:
		fr.dead = true
		w.count("crash before")
		return fault.Fault{Kind: fault.FailBefore, Err: fault.ErrCrashed}
	case draw < 0.008:
		fr.dead = true
		w.count("crash after")
		return fault.Fault{Kind: fault.FailAfter, Err: fault.ErrCrashed}
	case draw < 0.010:
		fr.late = true
		fr.cancel()
		w.count("timeout")
	case draw < 0.030 && len(w.frames) < maxNesting:
		w.count("interleaved")
		steps := 1
		if fr.frozen { // long enough for others to take over what it holds
			steps += w.rng.IntN(maxFrozenSteps)
		}
		for ; steps > 0 && !fr.dead; steps-- {
			w.blame(w.Step(context.Background()))
		}
		if w.now.Sub(fr.began) > fr.limit && !fr.frozen { // Lambda has ended it meanwhile
			fr.late, fr.dead = true, true
		}
		if fr.dead {
			return fault.Fault{Kind: fault.FailBefore, Err: fault.ErrCrashed}
		}
	}
	return f
}

// After implements fault.Hook.
func (g *gate) After(op fault.Op, err error) error {
	w := g.w
	if len(w.frames) == 0 || w.outside {
		return err
	}
	if op.Component == "jobs" && (op.Method == "Update" || op.Method == "Create") {
		w.see(op.Key)
	}
	if op.Component == "batches" && strings.HasPrefix(op.Method, "Delete") {
		w.forget(op.Key)
	}
	if op.Component == "rewinds" && op.Method == "Put" {
		w.rewound()
	}
	if op.Component == "jobs" && (op.Method == "Delete" || op.Method == "Create") {
		w.bury(op.Key)
	}
	w.touched[op.Component] = w.touched[op.Component] || op.Component != "artifacts" || op.Method == "Tag"
	fr := w.frames[len(w.frames)-1]
	if op.Component == "l1" && op.Method == "Account" {
		w.saw(fr)
	}
	if changes := op.Component == "jobs" && op.Method == "Update" ||
		op.Component == "queues" && op.Method == "Send"; changes && err == nil && fr.stale && !fr.misled {
		w.blame(fmt.Errorf("a stale message made %s do %s", fr.function, op))
	}
	if op.Component == "batches" && (strings.HasPrefix(op.Method, "Update") || strings.HasPrefix(op.Method, "Create")) {
		index, cerr := strconv.ParseUint(op.Key, 10, 64)
		w.aside(func() { w.blame(cmp.Or(cerr, w.checkBatches(context.Background(), index))) })
	}
	if w.cfg.Hook != nil {
		return w.cfg.Hook.After(op, err)
	}
	return err
}

// aside does something that no fault touches.
func (w *World) aside(do func()) {
	was := w.outside
	w.outside = true
	do()
	w.outside = was
}

// count counts a fault at the stage it struck.
func (w *World) count(kind string) {
	function := "outside"
	if n := len(w.frames); n > 0 {
		function = w.frames[n-1].function
	}
	w.Injected[Strike{kind, function}]++
}

// Strike is a kind of fault at a function.
type Strike struct{ Kind, Function string }

// see notes the transition that an update made, and checks the document's invariants.
func (w *World) see(id string) {
	w.aside(func() {
		j, err := w.Jobs.Get(context.Background(), id)
		if err != nil {
			return
		}
		last, known := w.seen[id]
		if w.seen[id] = j; known && j.Version != last.Version {
			w.Edges[Edge{last.Status, j.Status}]++
		}
		w.blame(w.checkEpoch(last, j))
		if line := chapter(j); line != chapter(last) {
			w.narrate("%s", line)
		}
		if known {
			w.blame(w.checkChain(last, j))
			w.blame(w.checkLost(last, j))
			w.blame(w.checkUndone(last, j))
			w.countWaits(last, j)
		}
		if known && last.Lease.Held(w.now.Add(2*maxSkew)) && j.Lease.Owner != "" && j.Lease.Owner != last.Lease.Owner {
			w.blame(fmt.Errorf("%s job of batch %d was taken by %s while %s held it",
				j.Type, j.Batch, j.Lease.Owner, last.Lease.Owner))
		}
		w.blame(w.checkJob(j))
	})
}

// checkChain wants a job to have one chain of actions: generations grow, and an action is taken when it is due and not
// before. A second chain would take what the first has planned for later.
func (w *World) checkChain(last, j job.Job) error {
	if j.Generation < last.Generation {
		return fmt.Errorf("%s job of batch %d went from generation %d back to %d",
			j.Type, j.Batch, last.Generation, j.Generation)
	}
	claimed := j.Lease.Owner != "" && j.Lease.Owner != last.Lease.Owner
	if claimed && w.local().Add(job.Skew).Before(last.DueAt) {
		return fmt.Errorf("%s of batch %d was taken for %s at %s, it is due at %s",
			j.Type, j.Batch, j.NextAction, w.local(), last.DueAt)
	}
	return nil
}

// blame keeps the first violation that is seen within an invocation; the step that it is part of returns it.
func (w *World) blame(err error) {
	if err != nil && w.nested == nil {
		w.nested = err
	}
}

// Edge is a transition that was taken.
type Edge struct{ From, To job.Status }
