package executor_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/pace"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
)

// pending is a job that was submitted a minute ago and is due in one.
func pending(j job.Job) job.Job {
	j.Status, j.NextAction, j.DueAt = job.PendingVerification, job.Verify, start.Add(time.Minute)
	j.Wait = job.Wait{Work: "ProofCreation", Size: 1, Since: start.Add(-time.Minute), Asked: start.Add(-time.Second)}
	return j
}

// What somebody outside reports is polled at once, and stored as reported; for no batch it says nothing.
func TestEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	paces := memory.NewPaces(nil)
	w.Pace = &executor.Pacer{Store: paces, Now: w.Now}
	j := w.create(pending)
	for range 2 { // the second one finds it completed
		if err := w.Ended(t.Context(), job.ProofCreation, j.Batch); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Ended(t.Context(), job.ProofCreation, 99); err != nil {
		t.Fatal(err)
	}
	if got := w.stored(j.ID); got.Status != job.Completed || w.handler.calls != 1 || got.Wait != (job.Wait{}) {
		t.Errorf("%s after %d calls, waits for %+v", got.Status, w.handler.calls, got.Wait)
	}
	got, err := paces.Summary(t.Context(), pace.Kind{Work: "ProofCreation", Size: 1})
	want := []pace.Sample{{After: 59 * time.Second, By: time.Minute, Reported: true}}
	if d := cmp.Diff(want, got.Samples); err != nil || d != "" {
		t.Errorf("%v %s", err, d)
	}
}

// Work in progress is asked about again near its expected end; where what is known can't be read, as without history.
func TestPolls(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fails bool
		due   time.Duration
	}{
		"known":        {false, 39 * time.Second},
		"not readable": {true, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			var env *fault.Env
			if tt.fails {
				env = &fault.Env{Hook: fault.HookFunc(
					func(fault.Op) fault.Fault { return fault.Fault{Kind: fault.FailBefore} })}
			}
			paces, known := memory.NewPaces(env), memory.NewPaces(nil)
			for range pace.Least {
				x := pace.Sample{After: 39 * time.Second, By: 39 * time.Second, Reported: true}
				if err := known.Add(t.Context(), pace.Kind{Work: "ProofCreation", Size: 1}, x); err != nil {
					t.Fatal(err)
				}
			}
			paces.Learn(known)
			w.Pace = &executor.Pacer{Store: paces, Now: w.Now}
			j := w.create(nil)
			if err := w.Handle(t.Context(), j.Wakeup()); err != nil {
				t.Fatal(err)
			}
			got := w.stored(j.ID)
			want := tt.due
			if !tt.fails { // the end, and a usual pause for the report to come first
				want += job.Policies()[job.ProofCreation].Poll.First
			}
			if d := got.DueAt.Sub(start); d != want || got.Wait.Work != "ProofCreation" {
				t.Errorf("due after %s, want %s; waits for %+v", d, want, got.Wait)
			}
		})
	}
}
