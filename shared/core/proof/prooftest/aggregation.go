package prooftest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
)

// fetch reads an artifact and requires that it has content.
func (s Service) fetch(t *testing.T, ctx context.Context, task string, a proof.Artifact) string {
	t.Helper()
	r, err := s.Prover.Fetch(ctx, task, a)
	if err != nil {
		t.Fatalf("Fetch %s of %s: %v", a, task, err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil || len(b) == 0 {
		t.Fatalf("%s of %s has %d bytes, %v", a, task, len(b), err)
	}
	return string(b)
}

// testNotReady fetches from a task whose end nothing has brought about: neither Finish nor a question for its status.
func testNotReady(t *testing.T, ctx context.Context, s Service) {
	task := s.submit(t, ctx, s.request(1))
	r, err := s.Prover.Fetch(ctx, task, proof.ProofFile)
	if err == nil {
		r.Close()
	}
	if s.Prover.Capabilities().Proofs && !errors.Is(err, proof.ErrNotReady) {
		t.Errorf("Fetch before the end: %v, want ErrNotReady", err)
	}
}

func testFetch(t *testing.T, ctx context.Context, s Service) {
	if !s.Prover.Capabilities().Proofs {
		t.Skip("the prover gives no proofs")
	}
	task := s.submit(t, ctx, s.request(1))
	s.finish(t, ctx, task)
	if a, b := s.fetch(t, ctx, task, proof.ProofFile), s.fetch(t, ctx, task, proof.ProofFile); a != b {
		t.Errorf("two fetches of one proof differ: %.80q, %.80q", a, b)
	}
}

func testAggregation(t *testing.T, ctx context.Context, s Service) {
	if s.Prover.Capabilities().Buckets {
		t.Skip("the prover aggregates in buckets")
	}
	r := s.request(9)
	r.Kind = proof.Aggregation
	for n := 1; n <= 2; n++ {
		child := s.submit(t, ctx, s.request(n))
		s.finish(t, ctx, child)
		r.Children = append(r.Children, child)
	}
	started := s.started(t)
	task := s.submit(t, ctx, r)
	if again := s.submit(t, ctx, r); again != task {
		t.Errorf("the same aggregation again is task %s, want %s", again, task)
	}
	started(1)
	s.finish(t, ctx, task)
}

func (s Service) bucket(t *testing.T, ctx context.Context, n int) string {
	t.Helper()
	version, id := s.StarknetVersion, fmt.Sprintf("batch-%d", n)
	if version == "" {
		version = "0.13.5"
	}
	if s.ExternalID != nil {
		id = s.ExternalID(n)
	}
	b, err := s.Prover.OpenBucket(ctx, id, version)
	if err != nil || b == "" {
		t.Fatalf("OpenBucket = %q, %v", b, err)
	}
	return b
}

func testBucket(t *testing.T, ctx context.Context, s Service) {
	if !s.Prover.Capabilities().Buckets {
		t.Skip("the prover has no buckets")
	}
	first := s.bucket(t, ctx, 1)
	if again := s.bucket(t, ctx, 1); again != first {
		t.Errorf("opening the same bucket again gives %s, want %s", again, first)
	}
	if other := s.bucket(t, ctx, 2); other == first {
		t.Errorf("two batches share bucket %s", first)
	}
}

func testBucketRun(t *testing.T, ctx context.Context, s Service) {
	if !s.Prover.Capabilities().Buckets {
		t.Skip("the prover has no buckets")
	}
	bucket := s.bucket(t, ctx, 1)
	for n := 1; n <= 2; n++ {
		r := s.request(n)
		r.Bucket, r.Index = bucket, uint64(n-1)
		child := s.submit(t, ctx, r)
		if again := s.submit(t, ctx, r); again != child {
			t.Errorf("the same child again is task %s, want %s", again, child)
		}
		s.finish(t, ctx, child)
	}
	task, err := s.Prover.CloseBucket(ctx, bucket)
	if err != nil || task == "" {
		t.Fatalf("CloseBucket = %q, %v", task, err)
	}
	if again, err := s.Prover.CloseBucket(ctx, bucket); err != nil || again != task {
		t.Errorf("closing again = %q, %v; want %q", again, err, task)
	}
	if again := s.bucket(t, ctx, 1); again != bucket {
		t.Errorf("opening a closed bucket gives %s, want %s", again, bucket)
	}
	s.finish(t, ctx, task)
	for _, a := range []proof.Artifact{proof.PIE, proof.DASegment, proof.ProgramOutput} {
		s.fetch(t, ctx, task, a)
	}
}

func testNoBuckets(t *testing.T, ctx context.Context, s Service) {
	if s.Prover.Capabilities().Buckets {
		t.Skip("the prover has buckets")
	}
	if b, err := s.Prover.OpenBucket(ctx, "batch-1", "0.13.5"); err == nil {
		t.Errorf("OpenBucket of a prover without buckets = %q and no error", b)
	}
	if task, err := s.Prover.CloseBucket(ctx, "bucket-1"); err == nil {
		t.Errorf("CloseBucket of a prover without buckets = %q and no error", task)
	}
}

// Registry is a fact checker with the registry behind it.
type Registry struct {
	Checker proof.FactChecker
	// Register registers a fact, as a finished proof does.
	Register func(t *testing.T, fact string)
}

// TestFactChecker tests a checker by the contract of proof.FactChecker.
func TestFactChecker(t *testing.T, newRegistry func(t *testing.T) Registry) {
	t.Helper()
	ask := func(t *testing.T, ctx context.Context, r Registry, facts ...string) []bool {
		t.Helper()
		got, err := r.Checker.Valid(ctx, facts)
		if err != nil || len(got) != len(facts) {
			t.Fatalf("Valid answers %d of %d facts, %v", len(got), len(facts), err)
		}
		return got
	}
	for name, run := range map[string]func(*testing.T, context.Context, Registry){
		"AnswersInOrder": func(t *testing.T, ctx context.Context, r Registry) {
			r.Register(t, Fact(2))
			r.Register(t, Fact(4))
			want := []bool{false, true, false, true, true}
			for i, ok := range ask(t, ctx, r, Fact(1), Fact(2), Fact(3), Fact(4), Fact(2)) {
				if ok != want[i] {
					t.Errorf("answer %d is %t, want %t", i, ok, want[i])
				}
			}
		},
		"SeesLaterRegistration": func(t *testing.T, ctx context.Context, r Registry) {
			if ask(t, ctx, r, Fact(7))[0] {
				t.Error("a fact is valid before it is registered")
			}
			r.Register(t, Fact(7))
			if !ask(t, ctx, r, Fact(7))[0] {
				t.Error("a registered fact is not valid")
			}
		},
		"NoFacts": func(t *testing.T, ctx context.Context, r Registry) { ask(t, ctx, r) },
		"HonoursContext": func(t *testing.T, ctx context.Context, r Registry) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			if _, err := r.Checker.Valid(ctx, []string{Fact(1)}); !errors.Is(err, context.Canceled) {
				t.Errorf("Valid in an ended context: %v, want context.Canceled", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			run(t, ctx, newRegistry(t))
		})
	}
}
