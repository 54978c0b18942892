package executor_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
)

// Commands change a job only by transitions that the state machine has.
func TestCommands(t *testing.T) {
	t.Parallel()
	failed := func(j job.Job) job.Job { return claimed(j).FailedPermanently(start, errors.New("no")) }
	retry := func(w *world, id string) error { _, err := w.Retry(w.t.Context(), id, executor.Command{}); return err }
	run := func(a job.Action) func(*world, string) error {
		return func(w *world, id string) error {
			_, err := w.RunNow(w.t.Context(), id, a, executor.Command{})
			return err
		}
	}
	later := func(j job.Job) job.Job { j.DueAt = start.Add(time.Hour); return j }
	for name, tt := range map[string]struct {
		job    func(job.Job) job.Job
		do     func(*world, string) error
		refuse bool
		status job.Status
	}{
		"retry of a failed job":       {failed, retry, false, job.PendingRetry},
		"retry of one under way":      {nil, retry, true, job.Created},
		"process now":                 {later, run(job.Process), false, job.Created},
		"verify what isn't submitted": {nil, run(job.Verify), true, job.Created},
		"process a failed job":        {failed, run(job.Process), true, job.Failed},
		"process a claimed job":       {claimed, run(job.Process), true, job.LockedForProcessing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			j := w.create(tt.job)
			err := tt.do(w, j.ID)
			if errors.Is(err, executor.ErrRefused) != tt.refuse || !tt.refuse && err != nil {
				t.Fatalf("refused %v, want %t", err, tt.refuse)
			}
			now := w.stored(j.ID)
			if now.Status != tt.status {
				t.Errorf("the job is %s, want %s", now.Status, tt.status)
			}
			if !tt.refuse && (!now.DueAt.Equal(start) || w.sent(jobQueue) != 1) {
				t.Errorf("due at %v with %d wake-ups, want now and 1", now.DueAt, w.sent(jobQueue))
			}
		})
	}
}

// A dead letter fails a job only if its function keeps crashing; any other one is at most shown.
func TestDeadLetter(t *testing.T) {
	t.Parallel()
	wakeup := func(j job.Job) string { return j.Wakeup().Encode() }
	worker := func(job.Job) string { return schedule.Wakeup{Stage: stage.SnosRun}.Encode() }
	otherType := func(j job.Job) string { m := j.Wakeup(); m.Type = job.SnosRun; return m.Encode() }
	unknown := func(j job.Job) string { j.ID = strings.Repeat("b", 32); return wakeup(j) }
	for name, tt := range map[string]struct {
		job    func(job.Job) job.Job
		body   func(job.Job) string
		status job.Status
		alert  string // what its title begins with, "" for none
	}{
		"of a crashing job":          {crashing, wakeup, job.Failed, "ProofCreation of"},
		"of an outage, after panics": {panicked, wakeup, job.Created, ""},
		"of an outage":               {nil, wakeup, job.Created, ""},
		"stale": {crashing, func(j job.Job) string { return otherGeneration(j).Encode() },
			job.LockedForProcessing, ""},
		"unreadable": {nil, func(job.Job) string { return "{" }, job.Created,
			"A message could not be read"},
		"of an unknown job":   {nil, unknown, job.Created, "A message is about an unknown job"},
		"of another job type": {crashing, otherType, job.LockedForProcessing, "A message is about an unknown job"},
		"of a trigger worker": {nil, worker, job.Created, "The trigger worker of SnosRun"},
		"of its earlier name": {nil, func(job.Job) string { return `{"worker":"Snos"}` }, job.Created,
			"The trigger worker of SnosRun"},
		"of a run's end": {nil, func(job.Job) string {
			return `{"ended_run":"` + snos.RunName(snos.Run, 7, "ab12") + `"}`
		}, job.Created, ""},
		"of an unknown worker": {nil, func(job.Job) string { return `{"stage":"nonsense"}` }, job.Created,
			"A message could not be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			j := w.create(tt.job)
			w.now = start.Add(time.Hour) // leases are over
			if err := w.DeadLetter(t.Context(), "m1", tt.body(j)); err != nil {
				t.Fatal(err)
			}
			if now := w.stored(j.ID); now.Status != tt.status {
				t.Errorf("the job is %s, want %s", now.Status, tt.status)
			}
			var titles []string
			for _, a := range w.alerts.Sent() {
				titles = append(titles, a.Title)
			}
			if got := strings.Join(titles, "; "); !strings.HasPrefix(got, tt.alert) || (tt.alert == "") != (got == "") {
				t.Errorf("alerts %q, want one that begins %q", got, tt.alert)
			}
		})
	}
}
