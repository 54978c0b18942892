package resource_test

import (
	"slices"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

func TestEveryJobTypeHasAFunctionAndTwoQueues(t *testing.T) {
	t.Parallel()
	queues := map[string]resource.Queue{}
	for _, q := range resource.Queues() {
		if _, twice := queues[q.Name]; twice {
			t.Errorf("queue %s is declared twice", q.Name)
		}
		queues[q.Name] = q
	}
	functions := map[string]resource.Function{}
	for _, f := range resource.Functions() {
		functions[f.Name] = f
	}
	used := map[string]bool{}
	for _, jt := range job.Types {
		fn, ok := functions[resource.FunctionOf(jt)]
		if !ok {
			t.Errorf("%s has no function", jt)
		}
		for _, a := range []job.Action{job.Process, job.Verify} {
			q, ok := queues[resource.Route(jt, a, false)]
			if !ok || q.Function != fn.Name {
				t.Errorf("%s %s goes to queue %q of function %q, want one of %q", jt, a, q.Name, q.Function, fn.Name)
			}
			if used[q.Name] {
				t.Errorf("queue %s serves two stages", q.Name)
			}
			used[q.Name] = true
			if _, ok := queues[resource.Route(jt, a, true)]; !ok {
				t.Errorf("%s %s has no priority queue", jt, a)
			}
		}
	}
}

func TestQueueRelations(t *testing.T) {
	t.Parallel()
	for _, q := range resource.Queues() {
		for _, f := range resource.Functions() {
			if f.Name == q.Function && q.Visibility < 6*f.Timeout {
				t.Errorf("queue %s is visible again after %v, its function may take %v",
					q.Name, q.Visibility, f.Timeout)
			}
		}
		if q.Name != resource.DeadLetterQueue && (q.DeadLetter == "" || q.MaxReceives == 0) {
			t.Errorf("queue %s has no dead-letter path", q.Name)
		}
		if q.MaxConcurrency < 2 {
			t.Errorf("queue %s: SQS takes no maximum concurrency below 2", q.Name)
		}
	}
}

// A function that sends blobs proves them under the wallet's lease. That takes about 0.42 s of a core for a blob, and
// Lambda gives a function CPU by its memory: a core for 1,769 MB. Proving nine blobs, as many as BATCH_BLOBS takes,
// must leave most of its time to the rest.
func TestFunctionsThatProveBlobsHaveTime(t *testing.T) {
	t.Parallel()
	for _, f := range resource.Functions() {
		if f.Name != resource.FnDataSubmission && f.Name != resource.FnStateTransition {
			continue
		}
		takes := time.Duration(9*0.42*1769/float64(f.MemoryMB)*1000) * time.Millisecond
		if takes > f.Timeout/4 {
			t.Errorf("%s proves nine blobs in %v with %d MB, it has %v", f.Name, takes, f.MemoryMB, f.Timeout)
		}
	}
}

func TestLeasesOutliveFunctions(t *testing.T) {
	t.Parallel()
	for _, jt := range job.Types {
		for _, f := range resource.Functions() {
			if lease := job.Policies()[jt].LeaseTTL; f.Name == resource.FunctionOf(jt) && lease <= f.Timeout {
				t.Errorf("a lease of %s lasts %v, its function may take %v", jt, lease, f.Timeout)
			}
		}
	}
}

func TestEveryStageHasASchedule(t *testing.T) {
	t.Parallel()
	for _, l := range []stage.Layer{stage.L2, stage.L3} {
		for _, w := range stage.Names() {
			has := slices.ContainsFunc(resource.Schedules(), func(s resource.Schedule) bool {
				return s.Stage == w && slices.Contains(s.Layers, l)
			})
			if has != l.Has(w) {
				t.Errorf("%s on %s: scheduled %v, served %v", w, l, has, l.Has(w))
			}
		}
	}
}

// Lambda turns away invocations beyond a reserved concurrency, and an event source mapping that is turned away uses up
// its messages' receives.
func TestReservedConcurrencyIsEnough(t *testing.T) {
	t.Parallel()
	for function, want := range map[string]int{
		resource.FnStateTransition: 8, resource.FnSnosRun: 14, resource.FnTrigger: 9, resource.FnJobFailure: 2,
		resource.FnAPI: 0, resource.FnHooks: 0,
	} {
		if got := resource.AtOnce(function); got != want {
			t.Errorf("queues may start %d invocations of %s at a time, want %d", got, function, want)
		}
	}
	for _, f := range resource.Functions() {
		if most := resource.AtOnce(f.Name); f.Concurrency > 0 && f.Concurrency < most {
			t.Errorf("%s reserves %d, its queues may start %d at a time", f.Name, f.Concurrency, most)
		}
	}
}

// What works on queues wakes itself; what answers requests, and what listens, does not.
func TestWakesItself(t *testing.T) {
	t.Parallel()
	for _, f := range resource.Functions() {
		still := []string{resource.FnAPI, resource.FnHooks, resource.FnHeads}
		if got, want := resource.WakesItself(f.Name), !slices.Contains(still, f.Name); got != want {
			t.Errorf("%s wakes itself: %t, want %t", f.Name, got, want)
		}
	}
}
