package fault_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault/faulttest"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
)

// TestCrash_EveryCall ends a process at each of its calls: before the end everything is done, afterwards nothing.
func TestCrash_EveryCall(t *testing.T) {
	t.Parallel()
	c := faulttest.NewClock()
	work := func(ctx context.Context, h fault.Hook) (int, error) {
		env := &fault.Env{Now: c.Now, Hook: h}
		s := memory.NewArtifacts(env)
		for i, key := range []string{"a", "b", "c"} {
			if err := s.Put(ctx, key, strings.NewReader(key)); err != nil {
				return len(faulttest.Must(s.Direct().List(ctx, "", "", 10))(t)), err
			}
			if i == 1 {
				if _, err := s.Stat(ctx, key); err != nil {
					return len(faulttest.Must(s.Direct().List(ctx, "", "", 10))(t)), err
				}
			}
		}
		return len(faulttest.Must(s.Direct().List(ctx, "", "", 10))(t)), nil
	}
	count := fault.NewCrash(0, false)
	if n, err := work(t.Context(), count); n != 3 || err != nil || count.Calls() != 4 {
		t.Fatalf("without a crash %d objects, %v, %d calls", n, err, count.Calls())
	}
	for n, want := range map[int][2]int{1: {0, 1}, 2: {1, 2}, 3: {2, 2}, 4: {2, 3}} {
		for i, after := range []bool{false, true} {
			h := fault.NewCrash(n, after)
			got, err := work(t.Context(), h)
			if got != want[i] || !errors.Is(err, fault.ErrCrashed) || !h.Gone() {
				t.Errorf("crash at call %d (after %t) leaves %d objects, %v; want %d and ErrCrashed",
					n, after, got, err, want[i])
			}
			if f := h.Before(fault.Op{}); !f.Is(fault.FailBefore) {
				t.Errorf("a call of a process that is gone meets %+v", f)
			}
			h.Restart()
			if f := h.Before(fault.Op{}); !f.Is(fault.NoFault) {
				t.Errorf("a call after the restart meets %+v", f)
			}
		}
	}
}

func TestRandom_SameSeedSameFaults(t *testing.T) {
	t.Parallel()
	const id = "0123456789abcdef0123456789abcdef"
	run := func() []string {
		r := fault.NewRandom(42, 0.3, fault.Fault{Kind: fault.FailBefore}, fault.Fault{Kind: fault.FailAfter},
			fault.Fault{Kind: fault.Throttle})
		trace := &fault.Trace{Next: r}
		c := faulttest.NewClock()
		jobs := memory.NewJobs(&fault.Env{Now: c.Now, Hook: trace})
		for range 50 {
			_ = jobs.Create(t.Context(), job.New(id, 7, &job.SnosRunMeta{StartBlock: 1, EndBlock: 2}, "", c.Now()))
			_, _ = jobs.Get(t.Context(), id)
		}
		r.Stop()
		if _, err := jobs.Get(t.Context(), id); err != nil {
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
	count := fault.NewCrash(0, false)
	h := fault.Hooks{
		fault.HookFunc(func(fault.Op) fault.Fault { return fault.Fault{Kind: fault.Late} }),
		fault.NewRules(fault.Rule{Times: -1, Fault: fault.Fault{Kind: fault.Lose}}), count,
	}
	if f := h.Before(fault.Op{}); f.Kind != fault.Late || count.Calls() != 1 {
		t.Errorf("fault is %s, the last hook saw %d calls", f.Kind, count.Calls())
	}
	want := errors.New("x")
	if err := h.After(fault.Op{}, want); !errors.Is(err, want) {
		t.Errorf("After returns %v", err)
	}
}
