// Package prooftest is the conformance suite of proof.Prover and proof.FactChecker.
package prooftest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
)

// Service is a prover with the service behind it, as a test can move it. Functions that are nil leave out the rules
// that need them.
type Service struct {
	Prover proof.Prover
	// Input is what the service takes as a PIE or a proof; empty is a line of text.
	Input []byte
	// Unknown is a task's name that the service has never given; "" leaves that rule out.
	Unknown string
	// StarknetVersion is that of buckets; "" is "0.13.5".
	StarknetVersion string
	// ExternalID names a bucket by number; nil gives "batch-n".
	ExternalID func(n int) string

	// Finish makes the service end a task well. nil: asking often ends it.
	Finish func(task string)
	// Reject makes the service end a task as one that can't be proven.
	Reject func(task string)
	// Forget makes the service lose a task.
	Forget func(task string)
	// Started is how many proofs the service has started so far, in all.
	Started func() int
}

// Harness makes services. Each rule gets one of its own; they run in parallel.
type Harness struct {
	New func(t *testing.T) Service
}

// maxPolls is how often a task is asked about before it counts as never ending.
const maxPolls = 2000

// TestProver tests a prover by the contract of proof.Prover.
func TestProver(t *testing.T, h Harness) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(*testing.T, context.Context, Service)
	}{
		{"Capabilities", testCapabilities}, {"Ping", testPing},
		{"SubmitThenDone", testDone}, {"SubmitRepeatedIsOneTask", testDedup}, {"OtherDedupIDIsAnotherTask", testOther},
		{"SubmitAfterDoneStartsNothing", testDedupDone}, {"UnreadableInputStartsNothing", testInput},
		{"RejectedIsReported", testRejected}, {"UnknownTaskIsLost", testUnknown},
		{"LostTaskIsSubmittedAgain", testForgotten},
		{"FetchBeforeDoneIsNotReady", testNotReady}, {"FetchProof", testFetch},
		{"AggregationOfChildren", testAggregation}, {"BucketOpensOnce", testBucket},
		{"BucketAggregates", testBucketRun},
		{"NoBuckets", testNoBuckets}, {"Concurrent", testConcurrent}, {"HonoursContext", testContext},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := h.New(t)
			if len(s.Input) == 0 {
				s.Input = []byte("an input of the suite\n")
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			c.run(t, ctx, s)
		})
	}
}

// request is a child's request that differs from another one's by n alone.
func (s Service) request(n int) proof.Request {
	return proof.Request{
		Kind: proof.Child, DedupID: fmt.Sprintf("0123456789abcdef0123456789ab%04x-1", n), Batch: uint64(n),
		Input: func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(s.Input)), nil
		},
		InputSize: int64(len(s.Input)), Steps: 1_000_000, Fact: Fact(n),
	}
}

// Fact is the fact of the suite's n-th request.
func Fact(n int) string { return fmt.Sprintf("0x%064x", 0xfac7<<16|n) }

// submit submits a request, in a bucket where the prover needs one for children.
func (s Service) submit(t *testing.T, ctx context.Context, r proof.Request) string {
	t.Helper()
	task, err := s.Prover.Submit(ctx, r)
	if err != nil || task == "" {
		t.Fatalf("Submit %s = %q, %v", r.DedupID, task, err)
	}
	return task
}

func (s Service) status(t *testing.T, ctx context.Context, task string) proof.Progress {
	t.Helper()
	p, err := s.Prover.Status(ctx, task)
	if err != nil {
		t.Fatalf("Status of %s: %v", task, err)
	}
	return p
}

// finish brings a task to its end and requires that it is done.
func (s Service) finish(t *testing.T, ctx context.Context, task string) {
	t.Helper()
	if s.Finish != nil {
		s.Finish(task)
	}
	for range maxPolls {
		switch p := s.status(t, ctx, task); p.State {
		case proof.Done:
			return
		case proof.InProgress:
		default:
			t.Fatalf("task %s is %s (%s), want done", task, p.State, p.Detail)
		}
	}
	t.Fatalf("task %s is still in progress after %d questions", task, maxPolls)
}

// started returns a check of how many proofs were started since it was made.
func (s Service) started(t *testing.T) func(want int) {
	t.Helper()
	if s.Started == nil {
		return func(int) {}
	}
	before := s.Started()
	return func(want int) {
		t.Helper()
		if got := s.Started() - before; got != want {
			t.Errorf("the service started %d proofs, want %d", got, want)
		}
	}
}

func testCapabilities(t *testing.T, _ context.Context, s Service) {
	c := s.Prover.Capabilities()
	if c.Name == "" || c != s.Prover.Capabilities() {
		t.Errorf("capabilities %+v have no name or are not constant", c)
	}
}

func testPing(t *testing.T, ctx context.Context, s Service) {
	if err := s.Prover.Ping(ctx); err != nil {
		t.Errorf("Ping: %v", err)
	}
}

func testDone(t *testing.T, ctx context.Context, s Service) {
	started := s.started(t)
	task := s.submit(t, ctx, s.request(1))
	if p := s.status(t, ctx, task); p.State != proof.InProgress && p.State != proof.Done {
		t.Errorf("a new task is %s (%s)", p.State, p.Detail)
	}
	s.finish(t, ctx, task)
	if p := s.status(t, ctx, task); p.State != proof.Done {
		t.Errorf("a task that was done is %s", p.State)
	}
	started(1)
}

func testDedup(t *testing.T, ctx context.Context, s Service) {
	started := s.started(t)
	first := s.submit(t, ctx, s.request(1))
	if again := s.submit(t, ctx, s.request(1)); again != first {
		t.Errorf("the same request again is task %s, want %s", again, first)
	}
	started(1)
}

func testOther(t *testing.T, ctx context.Context, s Service) {
	started := s.started(t)
	if a, b := s.submit(t, ctx, s.request(1)), s.submit(t, ctx, s.request(2)); a == b {
		t.Errorf("two requests are one task %s", a)
	}
	started(2)
}

func testDedupDone(t *testing.T, ctx context.Context, s Service) {
	task := s.submit(t, ctx, s.request(1))
	s.finish(t, ctx, task)
	started := s.started(t)
	if again := s.submit(t, ctx, s.request(1)); again != task {
		t.Errorf("a finished request again is task %s, want %s", again, task)
	}
	if p := s.status(t, ctx, task); p.State != proof.Done {
		t.Errorf("a finished task that was asked for again is %s", p.State)
	}
	started(0)
}

func testInput(t *testing.T, ctx context.Context, s Service) {
	started := s.started(t)
	failure := errors.New("store is away")
	closed := s.request(1)
	closed.Input = func(context.Context) (io.ReadCloser, error) { return nil, failure }
	if _, err := s.Prover.Submit(ctx, closed); !errors.Is(err, failure) || errors.Is(err, proof.ErrRejected) {
		t.Errorf("Submit with an input that can't be opened: %v, want the input's error", err)
	}
	broken := s.request(1)
	broken.Input = func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(bytes.NewReader(s.Input[:1]), failing{failure})), nil
	}
	if task, err := s.Prover.Submit(ctx, broken); err == nil || errors.Is(err, proof.ErrRejected) {
		t.Errorf("Submit with an input that breaks off = %q, %v, want an error that is not ErrRejected", task, err)
	}
	started(0)
	s.finish(t, ctx, s.submit(t, ctx, s.request(1)))
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func testRejected(t *testing.T, ctx context.Context, s Service) {
	if s.Reject == nil {
		t.Skip("the service can't be made to reject")
	}
	task := s.submit(t, ctx, s.request(1))
	s.Reject(task)
	if p := s.status(t, ctx, task); p.State != proof.Rejected || p.Detail == "" {
		t.Errorf("a rejected task is %+v, want Rejected with the reason", p)
	}
	if other := s.submit(t, ctx, s.request(2)); other == task {
		t.Errorf("a request with a new dedup id is the rejected task %s", task)
	}
}

func testUnknown(t *testing.T, ctx context.Context, s Service) {
	if s.Unknown == "" {
		t.Skip("the harness names no unknown task")
	}
	if p, err := s.Prover.Status(ctx, s.Unknown); err != nil || p.State != proof.Lost {
		t.Errorf("Status of an unknown task = %+v, %v; want Lost", p, err)
	}
}

func testForgotten(t *testing.T, ctx context.Context, s Service) {
	if s.Forget == nil {
		t.Skip("the service can't be made to forget")
	}
	task := s.submit(t, ctx, s.request(1))
	s.Forget(task)
	if p := s.status(t, ctx, task); p.State != proof.Lost {
		t.Errorf("a forgotten task is %s, want Lost", p.State)
	}
	started := s.started(t)
	s.finish(t, ctx, s.submit(t, ctx, s.request(1)))
	started(1)
}

func testConcurrent(t *testing.T, ctx context.Context, s Service) {
	var wg sync.WaitGroup
	tasks := make([]string, 8)
	for i := range tasks {
		wg.Go(func() {
			task, err := s.Prover.Submit(ctx, s.request(i+1))
			if err != nil {
				t.Errorf("Submit beside others: %v", err)
				return
			}
			tasks[i] = task
			if _, err := s.Prover.Status(ctx, task); err != nil {
				t.Errorf("Status beside others: %v", err)
			}
		})
	}
	wg.Wait()
	seen := map[string]int{}
	for i, task := range tasks {
		if j, ok := seen[task]; ok && task != "" {
			t.Errorf("requests %d and %d are one task %s", j, i, task)
		}
		seen[task] = i
	}
}

func testContext(t *testing.T, ctx context.Context, s Service) {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.Prover.Submit(ctx, s.request(1)); err == nil {
		t.Error("Submit succeeded in an ended context")
	}
	if _, err := s.Prover.Status(ctx, "any"); !errors.Is(err, context.Canceled) {
		t.Errorf("Status in an ended context: %v, want context.Canceled", err)
	}
}
