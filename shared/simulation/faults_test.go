package simulation_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
	"github.com/madara-orchestrator/orchestrator/shared/simulation"
)

// soak is how much more than in `make test` is simulated: ORCHESTRATOR_SOAK=50 runs 50 times as many seeds and every
// crash point. ORCHESTRATOR_SEED=n runs that seed only, ORCHESTRATOR_FIRST_SEED=n begins with it.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		t.Fatalf("%s=%q is not a number", name, v)
	}
	return n
}

// blocks of a pipeline of 5 batches: on an L2 8 a batch, on an L3 3.
var blocks = map[stage.Layer]int{stage.L2: 38, stage.L3: 14}

// patience is how long after the last fault everything must be settled, by the simulated clock: an alert that never
// arrived is sent again after a day, and a job may need a person more than once.
const patience = 72 * time.Hour

// settling is how long after the last fault an all-clear may come where everything was settled before: a report of
// which nothing says that it is over lasts as long as a reminder takes.
const settling = alert.Reminder + time.Hour

// finish runs a world to its end and says what is wrong with it then.
func finish(w *simulation.World, last uint64) error {
	ctx := context.Background()
	for begin := w.Now(); w.Now().Sub(begin) < patience; {
		if err := step(ctx, w); err != nil {
			return err
		}
		done, err := w.Done(ctx, last)
		if err != nil {
			return fmt.Errorf("step %d: %w", w.Steps, err)
		}
		if !done {
			continue
		}
		if err := judge(ctx, w); err == nil || w.Now().Sub(begin) > settling {
			return err
		}
	}
	return fmt.Errorf("not settled %s after the last fault, step %d: %s", patience, w.Steps, w.Describe(ctx))
}

// step lets one thing happen and checks the invariants of the world.
func step(ctx context.Context, w *simulation.World) error {
	if err := w.Step(ctx); err != nil {
		return fmt.Errorf("step %d: %w", w.Steps, err)
	}
	if err := w.Check(ctx); err != nil {
		return fmt.Errorf("after step %d: %w", w.Steps, err)
	}
	return nil
}

// judge compares the end with the promises: each batch once and in order, its data published, nothing failed, nothing
// half done.
func judge(ctx context.Context, w *simulation.World) error {
	if err := w.L1.CheckHistory(); err != nil {
		return err
	}
	if err := w.CheckPublished(); err != nil {
		return err
	}
	if open, err := w.OpenReports(ctx, executor.WaitsPrefix); err != nil || len(open) > 0 {
		return fmt.Errorf("nothing waits for an operator, and no all-clear was given for %q (%v)", open, err)
	}
	if open, err := w.OpenReports(ctx, simulation.AwaitingContract); err != nil || len(open) > 0 {
		return fmt.Errorf("the contract has changed, and no all-clear was given for %q (%v)", open, err)
	}
	for _, t := range job.Types {
		js, err := w.Jobs.List(ctx, job.Filter{Type: t, Limit: job.MaxPage})
		if err != nil {
			return err
		}
		for i, j := range js {
			if j.Status != job.Completed || j.Batch != uint64(i+1) {
				return fmt.Errorf("%s job %d of batch %d is %s: %s", t, i+1, j.Batch, j.Status, j.Reason())
			}
		}
	}
	return nil
}

// rewindAt is the step at which the crash sweep rewinds: batches of every stage are under way.
const rewindAt = 45

// TestCrashSweep ends the process before and after its k-th I/O call, for every k of a pipeline of 5 batches that is
// rewound in the middle (`make test` takes every 29th), and wants each batch settled once all the same.
func TestCrashSweep(t *testing.T) {
	t.Parallel()
	stride := 29
	if number(t, "ORCHESTRATOR_SOAK", 0) > 0 {
		stride = 1
	}
	for _, layer := range []stage.Layer{stage.L2, stage.L3} {
		t.Run(string(layer), func(t *testing.T) {
			t.Parallel()
			last := uint64(blocks[layer] - 1)
			spared := 0 // runs in which the rewind was refused at every step
			run := func(hook fault.Hook) error {
				w, err := simulation.New(simulation.Config{Seed: 1, Layer: layer, Blocks: blocks[layer],
					Limits: limits(), Hook: hook, RewindAt: rewindAt})
				if err != nil {
					return err
				}
				if err := finish(w, last); err != nil {
					return err
				}
				if w.Discarded() == 0 {
					spared++
				}
				return nil
			}
			count := fault.NewCrash(0, false)
			if err := run(count); err != nil {
				t.Fatal(err)
			}
			points := 0
			for k := 1; k <= count.Calls(); k += stride {
				for _, after := range []bool{false, true} {
					points++
					if err := run(fault.NewCrash(k, after)); err != nil {
						t.Errorf("crash at call %d of %d, after its effect %t: %v", k, count.Calls(), after, err)
					}
				}
			}
			if spared*20 > points {
				t.Errorf("in %d of %d runs nothing was rewound", spared, points)
			}
			if !t.Failed() {
				t.Logf("crash points %d (of %d calls, before and after), lost 0, twice 0", points, count.Calls())
			}
		})
	}
}

// kinds are the faults of random runs, each as it may come.
var kinds = []fault.Fault{
	{Kind: fault.FailBefore}, {Kind: fault.FailAfter}, {Kind: fault.Throttle}, {Kind: fault.Twice}, {Kind: fault.Lose},
	{Kind: fault.Late, By: 30 * time.Second}, {Kind: fault.Late, By: 10 * time.Minute},
	{Kind: fault.Reorder}, {Kind: fault.Stale},
}

// blockTime makes a pipeline's blocks come over some ten minutes.
const blockTime = 20 * time.Second

// TestRandomFaults lets calls go wrong at random for a while; when the faults stop, everything settles, once.
func TestRandomFaults(t *testing.T) {
	t.Parallel()
	const seeds, faulty = 100, 1500 // of each layer; steps with faults
	first, n := number(t, "ORCHESTRATOR_FIRST_SEED", 0), seeds*max(number(t, "ORCHESTRATOR_SOAK", 1), 1)
	if one := number(t, "ORCHESTRATOR_SEED", -1); one >= 0 {
		first, n = one, 1
	}
	var mu sync.Mutex
	sum := newCoverage()
	for _, layer := range []stage.Layer{stage.L2, stage.L3} {
		t.Run(string(layer), func(t *testing.T) {
			t.Parallel()
			for seed := first; seed < first+n; seed++ {
				hook := fault.NewRandom(uint64(seed), 0.02, kinds...)
				c := simulation.Config{
					Seed: uint64(seed), Layer: layer, Blocks: blocks[layer],
					Limits: limits(), Hook: hook, Turmoil: true,
				}
				if seed%3 > 0 { // two or three nodes of the settlement layer, instead of one
					c.Nodes = 1 + seed%3
				}
				if seed%5 == 4 { // updates wait for lower fees, for a while
					c.Target = tx.FeeTarget{Percentile: 30, Patience: 20 * time.Minute}
				}
				c.NoDelay = seed%7 == 3 // queues are Kafka's topics
				if seed%2 == 1 {        // a chain that lives, instead of one with blocks to catch up with
					c.BlockTime = blockTime
				}
				if seed%3 != 1 {
					c.Rewinds = 3
				}
				if seed%4 == 3 {
					c.Rotations = 2
				}
				if seed%4 == 2 {
					c.Cutover = uint64(1 + seed%(blocks[layer]-1))
				}
				w, err := simulation.New(c)
				if err != nil {
					t.Fatal(err)
				}
				for range faulty {
					if err = step(context.Background(), w); err != nil {
						break
					}
				}
				hook.Stop()
				w.Calm()
				calm := w.Now()
				if err == nil {
					err = finish(w, uint64(blocks[layer]-1))
				}
				took := w.Now().Sub(calm)
				if err != nil {
					t.Errorf("seed %d: %v\n%s\nagain: ORCHESTRATOR_SEED=%d go test -run 'TestRandomFaults/%s' "+
						"./shared/simulation",
						seed, err, w.Story(), seed, layer)
				}
				if done := seed - first + 1; done%500 == 0 {
					t.Logf("%d of %d seeds", done, n)
				}
				mu.Lock()
				sum.add(layer, w, took)
				mu.Unlock()
				if t.Failed() {
					return
				}
			}
		})
	}
	t.Cleanup(func() { sum.report(t, n) })
}

// recorder notes every call and passes it on.
type recorder struct {
	fault.Hook
	calls []string
}

// Before implements fault.Hook.
func (r *recorder) Before(op fault.Op) fault.Fault {
	r.calls = append(r.calls, op.String())
	return r.Hook.Before(op)
}

// A seed gives the same run again, call for call: that is what makes a failure worth a report.
func TestSameSeedSameRun(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) []string {
		r := &recorder{Hook: fault.NewRandom(seed, 0.02, kinds...)}
		w, err := simulation.New(
			simulation.Config{Seed: seed, Layer: stage.L2, Blocks: 20, Limits: limits(), Hook: r, Turmoil: true})
		if err != nil {
			t.Fatal(err)
		}
		for range 800 {
			if err := step(context.Background(), w); err != nil {
				t.Fatal(err)
			}
		}
		return r.calls
	}
	for seed := range uint64(3) {
		first, second := run(seed), run(seed)
		for i := range min(len(first), len(second)) {
			if first[i] != second[i] {
				t.Fatalf("seed %d: call %d is %s, then %s", seed, i, first[i], second[i])
			}
		}
		if len(first) != len(second) || len(first) < 1000 {
			t.Errorf("seed %d: %d calls, then %d", seed, len(first), len(second))
		}
	}
}
