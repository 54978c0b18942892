package memory_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault/faulttest"
	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
)

const jobID = "0123456789abcdef0123456789abcdef"

func newJob(now time.Time) job.Job {
	return job.New(jobID, 7, &job.SnosRunMeta{StartBlock: 1, EndBlock: 2}, "", now)
}

func TestFault_FailBeforeHasNoEffect(t *testing.T) {
	t.Parallel()
	cause := errors.New("no route to host")
	env, c := faulttest.Env(
		fault.Rule{Component: "jobs", Method: "Create", Fault: fault.Fault{Kind: fault.FailBefore, Err: cause}},
		fault.Rule{Component: "jobs", Method: "Create", Nth: 2, Fault: fault.Fault{Kind: fault.Throttle}},
	)
	jobs := memory.NewJobs(env)
	j := newJob(c.Now())
	if err := jobs.Create(t.Context(), j); !errors.Is(err, fault.ErrInjected) || !errors.Is(err, cause) {
		t.Errorf("first Create: %v, want ErrInjected and its cause", err)
	}
	if err := jobs.Create(t.Context(), j); !errors.Is(err, fault.ErrThrottled) || !errors.Is(err, fault.ErrInjected) {
		t.Errorf("second Create: %v, want ErrThrottled", err)
	}
	if _, err := jobs.Get(t.Context(), jobID); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("Get after failed Creates: %v, want ErrNotFound", err)
	}
	if err := jobs.Create(t.Context(), j); err != nil {
		t.Errorf("third Create: %v", err)
	}
}

func TestFault_FailAfterPersists(t *testing.T) {
	t.Parallel()
	env, c := faulttest.Env(fault.Rule{Component: "jobs", Method: "Update", Fault: fault.Fault{Kind: fault.FailAfter}})
	jobs := memory.NewJobs(env)
	j := newJob(c.Now())
	if err := jobs.Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	j.ExternalID = "changed"
	if got, err := jobs.Update(t.Context(), j); !errors.Is(err, fault.ErrInjected) || got.ID != "" {
		t.Errorf("Update = %+v, %v; want nothing and ErrInjected", got, err)
	}
	if got := must(jobs.Get(t.Context(), jobID))(t); got.ExternalID != "changed" || got.Version != 2 {
		t.Errorf("stored is %q at version %d, want the change", got.ExternalID, got.Version)
	}
}

func TestFault_FailAfterBreaksArtifactOff(t *testing.T) {
	t.Parallel()
	env, _ := faulttest.Env(
		fault.Rule{Component: "artifacts", Method: "Get", Fault: fault.Fault{Kind: fault.FailAfter}})
	s := memory.NewArtifacts(env)
	if err := s.Put(t.Context(), "k", strings.NewReader("0123456789")); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(must(s.Get(t.Context(), "k"))(t))
	if string(b) != "01234" || !errors.Is(err, fault.ErrInjected) {
		t.Errorf("read %q, %v; want half of it and ErrInjected", b, err)
	}
	if b, err := io.ReadAll(must(s.Get(t.Context(), "k"))(t)); string(b) != "0123456789" || err != nil {
		t.Errorf("read %q, %v", b, err)
	}
}

func TestFault_StaleRead(t *testing.T) {
	t.Parallel()
	stale := fault.Fault{Kind: fault.Stale}
	env, c := faulttest.Env(
		fault.Rule{Component: "jobs", Method: "Get", Fault: stale, Times: 2},
		fault.Rule{Component: "jobs", Method: "List", Fault: stale},
		fault.Rule{Component: "controls", Method: "Pauses", Fault: stale},
	)
	jobs, ctx := memory.NewJobs(env), t.Context()
	j := newJob(c.Now())
	if err := jobs.Create(ctx, j); err != nil {
		t.Fatal(err)
	}
	if _, err := jobs.Get(ctx, jobID); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("stale Get after Create: %v, want ErrNotFound", err)
	}
	done := j.FailedPermanently(c.Now(), errors.New("no"))
	must(jobs.Update(ctx, done))(t)
	if got := must(jobs.Get(ctx, jobID))(t); got.Status != job.Created || got.Version != 1 {
		t.Errorf("stale Get after Update is %s at version %d", got.Status, got.Version)
	}
	filter := job.Filter{Type: job.SnosRun, Statuses: []job.Status{job.Created}, Limit: 5}
	if got := must(jobs.List(ctx, filter))(t); len(got) != 1 {
		t.Errorf("stale List has %d jobs as they were before, want 1", len(got))
	}
	if got := must(jobs.List(ctx, filter))(t); len(got) != 0 {
		t.Errorf("List has %d jobs, want 0", len(got))
	}
	controls := memory.NewControls(env)
	if err := controls.Pause(ctx, schedule.Pause{Stage: "ProofCreation"}); err != nil {
		t.Fatal(err)
	}
	if a, b := must(controls.Pauses(ctx))(t), must(controls.Pauses(ctx))(t); len(a) != 0 || len(b) != 1 {
		t.Errorf("stale Pauses has %d, then %d; want 0, then 1", len(a), len(b))
	}
}

func TestFault_Sends(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault fault.Fault
		at    time.Duration // when it is looked at
		want  []string
	}{
		"None":    {fault.Fault{}, 0, []string{"old", "a", "b"}},
		"Twice":   {fault.Fault{Kind: fault.Twice}, 0, []string{"old", "a", "a", "b", "b"}},
		"Late":    {fault.Fault{Kind: fault.Late, By: time.Minute}, 59 * time.Second, []string{"old"}},
		"Later":   {fault.Fault{Kind: fault.Late, By: time.Minute}, time.Minute, []string{"old", "a", "b"}},
		"Lose":    {fault.Fault{Kind: fault.Lose}, time.Hour, []string{"old"}},
		"Reorder": {fault.Fault{Kind: fault.Reorder}, 0, []string{"b", "a", "old"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env, clock := faulttest.Env(
				fault.Rule{Component: "queues", Method: "Send", Key: "q", Nth: 2, Fault: c.fault})
			qs := must(memory.NewQueues(env, memory.Declaration{Name: "q"}))(t)
			if err := qs.Send(t.Context(), "q", queue.Outgoing{Body: "old"}); err != nil {
				t.Fatal(err)
			}
			clock.Advance(time.Second)
			if err := qs.Send(t.Context(), "q", queue.Outgoing{Body: "a"}, queue.Outgoing{Body: "b"}); err != nil {
				t.Fatal(err)
			}
			clock.Advance(c.at)
			var got []string
			for _, d := range must(qs.Receive(t.Context(), "q", 10, 0))(t) {
				got = append(got, d.Body)
				if err := qs.Delete(t.Context(), "q", d.Handle); err != nil {
					t.Error(err)
				}
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("received (-want +got):\n%s", d)
			}
			if d := must(qs.Depth(t.Context(), "q"))(t); d.InFlight != 0 {
				t.Errorf("%d messages are in flight after their deletion", d.InFlight)
			}
		})
	}
}

func TestFault_Records(t *testing.T) {
	t.Parallel()
	env, _ := faulttest.Env(
		fault.Rule{Component: "alerts", Fault: fault.Fault{Kind: fault.Twice}},
		fault.Rule{Component: "alerts", Nth: 2, Fault: fault.Fault{Kind: fault.Lose}},
		fault.Rule{Component: "events", Fault: fault.Fault{Kind: fault.Lose}},
	)
	alerts, events := memory.NewAlerts(env), memory.NewEvents(env)
	for range 3 {
		if err := alerts.Notify(t.Context(), alert.Alert{Key: "k"}); err != nil {
			t.Error(err)
		}
		if err := events.Publish(t.Context(), event.Event{Type: event.JobChanged}); err != nil {
			t.Error(err)
		}
	}
	if n := len(alerts.Sent()); n != 3 {
		t.Errorf("%d alerts arrived, want 2 + 0 + 1", n)
	}
	if n := len(events.Published()); n != 2 {
		t.Errorf("%d events arrived, want 2", n)
	}
}

func TestEndedContextFailsEverything(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := memory.NewJobs(nil).Get(ctx, jobID); !errors.Is(err, context.Canceled) {
		t.Errorf("Get: %v", err)
	}
	if err := memory.NewAlerts(nil).Notify(ctx, alert.Alert{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Notify: %v", err)
	}
}
