package rewinding_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/rewind"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// A call that fails, before or after its effect, stops a step. The next one goes on, and all that is gone is counted:
// also in a rewind of several steps, and in one that ends above a batch that was signed for meanwhile.
func TestFails(t *testing.T) {
	t.Parallel()
	for _, l := range []stage.Layer{stage.L2, stage.L3} {
		for name, x := range map[string]failing{
			"whole": {batches: 4, left: settled}, "ends above": {batches: 4, sign: 3, left: 3},
			"several steps": {batches: 23, left: settled, every: 29},
		} {
			for _, kind := range []fault.Kind{fault.FailBefore, fault.FailAfter} {
				t.Run(fmt.Sprintf("%s/%s/%s", l, name, kind), func(t *testing.T) {
					t.Parallel()
					failed := 0
					for call, done := 1, false; !done; call += max(x.every, 1) {
						var err error
						if done, err = x.run(t, l, call, kind); err != nil {
							failed++
						}
						if t.Failed() {
							t.Fatalf("at call %d", call)
						}
					}
					if failed < 10 {
						t.Errorf("%d calls failed", failed)
					}
				})
			}
		}
	}
}

// failing is a rewind from the second batch on in which a call fails.
type failing struct {
	batches, left uint64
	sign          uint64 // for this batch a transaction is signed after the plan
	every         int    // not each call fails once, but each of so many
}

// run lets a call fail and carries the rewind out; done says that there was no such call.
func (x failing) run(t *testing.T, l stage.Layer, call int, kind fault.Kind) (done bool, err error) {
	calls, rules := 0, &fault.Rules{}
	w := newWorld(t, l, x.batches, fault.HookFunc(func(op fault.Op) fault.Fault { calls++; return rules.Before(op) }))
	w.begin(2)
	if x.sign > 0 {
		w.sign(job.StateTransition, x.sign, "0xnew", 5)
	}
	calls = 0
	rules.Add(fault.Rule{Nth: call, Fault: fault.Fault{Kind: kind}})
	for n := 0; err == nil && n < 3; n++ {
		_, err = w.Continue(t.Context())
	}
	done = calls < call
	rules.Clear()
	s := w.record()
	for _, active := s.Active(); active; _, active = s.Active() {
		w.now = w.now.Add(time.Hour) // a lease that was not given back is over
		var again error
		if s, again = w.Continue(t.Context()); again != nil {
			t.Fatal(again)
		}
	}
	w.left(x.left)
	gone := int(x.batches - x.left)
	if n := s.Rewinds[0].Discarded; n > gone || kind == fault.FailBefore && x.every == 0 && n != gone {
		t.Errorf("%d batches are counted, %d were discarded", n, gone)
	}
	return done, err
}

// record is the record of rewinds.
func (w *world) record() rewind.State {
	w.t.Helper()
	s, err := w.Rewinds.Get(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// An invocation comes back after its lease, in the middle of discarding a batch. Meanwhile another one has found a
// transaction of that batch, so that it stays: the first one must remove nothing of it (found by the simulation, L2
// seed 578 and L3 seed 584).
func TestComesBackAfterItsLease(t *testing.T) {
	t.Parallel()
	var w *world
	frozen := false
	w = newWorld(t, stage.L2, 3, fault.HookFunc(func(op fault.Op) fault.Fault {
		// Batch 3 is gone, and no update of batch 2 was found.
		if !frozen && op.Component == "rewinds" && op.Method == "Put" && w.gone(3) {
			frozen = true
			w.meanwhile()
		}
		return fault.Fault{}
	}))
	update, err := w.jobs.Find(t.Context(), job.StateTransition, 2)
	if err == nil {
		err = w.jobs.Delete(t.Context(), update) // there is none yet
	}
	if err != nil {
		t.Fatal(err)
	}
	w.begin(2)
	if _, err := w.Continue(t.Context()); !errors.Is(err, rewind.ErrConflict) || !frozen {
		t.Errorf("the first one came back (%t) and returned %v", frozen, err)
	}
	w.left(2)
}

// An invocation comes back after its lease and finds nothing more to discard: meanwhile another one has found that
// batch 2 stays, has ended the rewind, and batch 3 was made again. By its own record batch 2 is discarded: it must
// remove nothing of it (found by the simulation, L3 seed 1217).
func TestEndsAfterItsLease(t *testing.T) {
	t.Parallel()
	for _, l := range []stage.Layer{stage.L2, stage.L3} {
		t.Run(string(l), func(t *testing.T) {
			t.Parallel()
			var w *world
			frozen := false
			w = newWorld(t, l, 3, fault.HookFunc(func(op fault.Op) fault.Fault {
				if !frozen && op.Component == "batches" && len(w.record().Rewinds) > 0 { // the record was read
					frozen = true
					w.sign(job.StateTransition, 2, "0xnew", 5)
					w.now = w.now.Add(time.Hour)
					s, err := w.Continue(t.Context())
					if err != nil || s.Rewinds[0].From != 3 || s.Rewinds[0].Active() {
						t.Errorf("the other one: %+v, %v", s, err)
					}
					w.batch(3, 1)
				}
				return fault.Fault{}
			}))
			w.begin(2)
			before := w.jobsOf(2)
			if _, err := w.Continue(t.Context()); !errors.Is(err, rewind.ErrConflict) || !frozen {
				t.Errorf("the first one came back (%t) and returned %v", frozen, err)
			}
			if after := w.jobsOf(2); before < 4 || after != before {
				t.Errorf("batch 2 had %d jobs, it has %d", before, after)
			}
			w.left(3)
		})
	}
}

// jobsOf is how many jobs a batch has at the stages that work on what settles.
func (w *world) jobsOf(i uint64) (n int) {
	w.t.Helper()
	for _, t := range job.Types {
		index := i
		if w.Layer == stage.L2 && !w.Layer.OnAggregator(t) {
			index = each*(i-1) + 1
		}
		switch _, err := w.jobs.Find(context.Background(), t, index); {
		case err == nil:
			n++
		case !errors.Is(err, job.ErrNotFound):
			w.t.Fatal(err)
		}
	}
	return n
}

// meanwhile an update of batch 2 is signed after all, and another invocation finds that the batch stays.
func (w *world) meanwhile() {
	w.t.Helper()
	w.now = w.now.Add(time.Hour)
	again := w.job(job.StateTransition, 2, 0)
	again.ID += "-again"
	if err := w.jobs.Create(w.t.Context(), again); err != nil {
		w.t.Fatal(err)
	}
	w.sign(job.StateTransition, 2, "0xnew", 5)
	if s, err := w.Continue(w.t.Context()); err != nil || s.Rewinds[0].From != 3 {
		w.t.Errorf("the other one: %+v, %v", s, err)
	}
}

// gone says whether an aggregator batch is not there any more.
func (w *world) gone(i uint64) bool {
	_, err := w.batches.Aggregator(context.Background(), i)
	return errors.Is(err, batch.ErrNotFound)
}
