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
	trouble := errors.New("no route to host")
	env, c := faulty(
		memory.Rule{Component: "jobs", Method: "Create", Fault: memory.Fault{Kind: memory.FailBefore, Err: trouble}},
		memory.Rule{Component: "jobs", Method: "Create", Nth: 2, Fault: memory.Fault{Kind: memory.Throttle}},
	)
	jobs := memory.NewJobs(env)
	j := newJob(c.Now())
	if err := jobs.Create(t.Context(), j); !errors.Is(err, memory.ErrInjected) || !errors.Is(err, trouble) {
		t.Errorf("first Create: %v, want ErrInjected and its cause", err)
	}
	if err := jobs.Create(t.Context(), j); !errors.Is(err, memory.ErrThrottled) || !errors.Is(err, memory.ErrInjected) {
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
	env, c := faulty(memory.Rule{Component: "jobs", Method: "Update", Fault: memory.Fault{Kind: memory.FailAfter}})
	jobs := memory.NewJobs(env)
	j := newJob(c.Now())
	if err := jobs.Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	j.ExternalID = "changed"
	if got, err := jobs.Update(t.Context(), j); !errors.Is(err, memory.ErrInjected) || got.ID != "" {
		t.Errorf("Update = %+v, %v; want nothing and ErrInjected", got, err)
	}
	if got := must(jobs.Get(t.Context(), jobID))(t); got.ExternalID != "changed" || got.Version != 2 {
		t.Errorf("stored is %q at version %d, want the change", got.ExternalID, got.Version)
	}
}

func TestFault_FailAfterBreaksArtifactOff(t *testing.T) {
	t.Parallel()
	env, _ := faulty(memory.Rule{Component: "artifacts", Method: "Get", Fault: memory.Fault{Kind: memory.FailAfter}})
	s := memory.NewArtifacts(env)
	if err := s.Put(t.Context(), "k", strings.NewReader("0123456789")); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(must(s.Get(t.Context(), "k"))(t))
	if string(b) != "01234" || !errors.Is(err, memory.ErrInjected) {
		t.Errorf("read %q, %v; want half of it and ErrInjected", b, err)
	}
	if b, err := io.ReadAll(must(s.Get(t.Context(), "k"))(t)); string(b) != "0123456789" || err != nil {
		t.Errorf("read %q, %v", b, err)
	}
}

func TestFault_StaleRead(t *testing.T) {
	t.Parallel()
	stale := memory.Fault{Kind: memory.Stale}
	env, c := faulty(
		memory.Rule{Component: "jobs", Method: "Get", Fault: stale, Times: 2},
		memory.Rule{Component: "jobs", Method: "List", Fault: stale},
		memory.Rule{Component: "controls", Method: "Pauses", Fault: stale},
	)
	jobs, ctx := memory.NewJobs(env), t.Context()
	j := newJob(c.Now())
	if err := jobs.Create(ctx, j); err != nil {
		t.Fatal(err)
	}
	if _, err := jobs.Get(ctx, jobID); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("stale Get after Create: %v, want ErrNotFound", err)
	}
	done := j.Hopeless(c.Now(), errors.New("no"))
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
		fault memory.Fault
		at    time.Duration // when it is looked at
		want  []string
	}{
		"None":    {memory.Fault{}, 0, []string{"old", "a", "b"}},
		"Twice":   {memory.Fault{Kind: memory.Twice}, 0, []string{"old", "a", "a", "b", "b"}},
		"Late":    {memory.Fault{Kind: memory.Late, By: time.Minute}, 59 * time.Second, []string{"old"}},
		"Later":   {memory.Fault{Kind: memory.Late, By: time.Minute}, time.Minute, []string{"old", "a", "b"}},
		"Lose":    {memory.Fault{Kind: memory.Lose}, time.Hour, []string{"old"}},
		"Reorder": {memory.Fault{Kind: memory.Reorder}, 0, []string{"b", "a", "old"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env, clock := faulty(memory.Rule{Component: "queues", Method: "Send", Key: "q", Nth: 2, Fault: c.fault})
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
	env, _ := faulty(
		memory.Rule{Component: "alerts", Fault: memory.Fault{Kind: memory.Twice}},
		memory.Rule{Component: "alerts", Nth: 2, Fault: memory.Fault{Kind: memory.Lose}},
		memory.Rule{Component: "events", Fault: memory.Fault{Kind: memory.Lose}},
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

func TestFault_LoseForgets(t *testing.T) {
	t.Parallel()
	env, _ := faulty(
		memory.Rule{Component: "cache", Method: "Get", Fault: memory.Fault{Kind: memory.Lose}},
		memory.Rule{Component: "prover", Method: "Submit", Fault: memory.Fault{Kind: memory.Lose}},
	)
	c := memory.NewCache(env, 0)
	if err := c.Set(t.Context(), "k", []byte("v"), 0); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := c.Get(t.Context(), "k"); ok || err != nil {
		t.Errorf("Get of what was lost = %t, %v", ok, err)
	}
	p := memory.NewProver(env, memory.ProverConfig{})
	first, second := must(p.Submit(t.Context(), request("d", "")))(t), must(p.Submit(t.Context(), request("d", "")))(t)
	if first == second {
		t.Errorf("a request that the service lost is still task %s", first)
	}
}

// TestCrash_EveryCall ends a process at each of its calls: before the end everything is done, afterwards nothing.
func TestCrash_EveryCall(t *testing.T) {
	t.Parallel()
	c := newClock()
	work := func(ctx context.Context, h memory.Hook) (int, error) {
		env := &memory.Env{Now: c.Now, Hook: h}
		s := memory.NewArtifacts(env)
		for i, key := range []string{"a", "b", "c"} {
			if err := s.Put(ctx, key, strings.NewReader(key)); err != nil {
				return len(must(s.Direct().List(ctx, "", "", 10))(t)), err
			}
			if i == 1 {
				if _, err := s.Stat(ctx, key); err != nil {
					return len(must(s.Direct().List(ctx, "", "", 10))(t)), err
				}
			}
		}
		return len(must(s.Direct().List(ctx, "", "", 10))(t)), nil
	}
	count := memory.NewCrash(0, false)
	if n, err := work(t.Context(), count); n != 3 || err != nil || count.Calls() != 4 {
		t.Fatalf("without a crash %d objects, %v, %d calls", n, err, count.Calls())
	}
	for n, want := range map[int][2]int{1: {0, 1}, 2: {1, 2}, 3: {2, 2}, 4: {2, 3}} {
		for i, after := range []bool{false, true} {
			h := memory.NewCrash(n, after)
			got, err := work(t.Context(), h)
			if got != want[i] || !errors.Is(err, memory.ErrCrashed) || !h.Gone() {
				t.Errorf("crash at call %d (after %t) leaves %d objects, %v; want %d and ErrCrashed", n, after, got, err, want[i])
			}
			if f := h.Before(memory.Op{}); !f.Is(memory.FailBefore) {
				t.Errorf("a call of a process that is gone meets %+v", f)
			}
			h.Restart()
			if f := h.Before(memory.Op{}); !f.Is(memory.NoFault) {
				t.Errorf("a call after the restart meets %+v", f)
			}
		}
	}
}

func TestRandom_SameSeedSameFaults(t *testing.T) {
	t.Parallel()
	run := func() []string {
		r := memory.NewRandom(42, 0.3, memory.Fault{Kind: memory.FailBefore}, memory.Fault{Kind: memory.FailAfter}, memory.Fault{Kind: memory.Throttle})
		trace := &memory.Trace{Next: r}
		c := newClock()
		jobs := memory.NewJobs(&memory.Env{Now: c.Now, Hook: trace})
		for range 50 {
			_ = jobs.Create(t.Context(), newJob(c.Now()))
			_, _ = jobs.Get(t.Context(), jobID)
		}
		r.Stop()
		if _, err := jobs.Get(t.Context(), jobID); err != nil {
			t.Errorf("after Stop: %v", err)
		}
		return trace.Lines()
	}
	a, b := run(), run()
	if d := cmp.Diff(a, b); d != "" || len(a) != 101 {
		t.Errorf("two runs of %d calls differ:\n%s", len(a), d)
	}
	faults := 0
	for _, line := range a {
		if strings.Contains(line, "): ") {
			faults++
		}
	}
	if faults < 10 || faults > 60 {
		t.Errorf("%d of 101 calls went wrong, want about 30", faults)
	}
}

func TestHooks_FirstFaultCounts(t *testing.T) {
	t.Parallel()
	count := memory.NewCrash(0, false)
	h := memory.Hooks{
		memory.HookFunc(func(memory.Op) memory.Fault { return memory.Fault{Kind: memory.Late} }),
		memory.NewRules(memory.Rule{Times: -1, Fault: memory.Fault{Kind: memory.Lose}}), count,
	}
	if f := h.Before(memory.Op{}); f.Kind != memory.Late || count.Calls() != 1 {
		t.Errorf("fault is %s, the last hook saw %d calls", f.Kind, count.Calls())
	}
	trouble := errors.New("x")
	if err := h.After(memory.Op{}, trouble); !errors.Is(err, trouble) {
		t.Errorf("After returns %v", err)
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
