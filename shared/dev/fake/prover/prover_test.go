package prover_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault/faulttest"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof/prooftest"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/prover"
)

func request(dedup, fact string) proof.Request {
	return proof.Request{
		Kind: proof.Child, DedupID: dedup, Fact: fact, InputSize: 3,
		Input: func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader([]byte("pie"))), nil
		},
	}
}

func TestProver(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]proof.Capabilities{
		"Buckets": {Buckets: true, Proofs: true}, "Plain": {Proofs: true}, "WithoutProofs": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			prooftest.TestProver(t, prooftest.Harness{New: func(*testing.T) prooftest.Service {
				p := prover.New(nil, prover.Config{Capabilities: c, Polls: 3})
				return prooftest.Service{
					Prover: p, Unknown: "task-999999",
					Reject: func(task string) { p.Reject(task, "bad PIE") }, Forget: p.Forget,
					Started: func() int { return len(p.Tasks()) },
				}
			}})
		})
	}
}

func TestProverFacts(t *testing.T) {
	t.Parallel()
	prooftest.TestFactChecker(t, func(*testing.T) prooftest.Registry {
		p := prover.New(nil, prover.Config{})
		return prooftest.Registry{Checker: p, Register: func(_ *testing.T, fact string) { p.Register(fact) }}
	})
}

func TestProver_Plan(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	plans := map[string]prover.Plan{
		"slow": {Polls: 2}, "bad": {Polls: 1, Reject: "memory is not continuous"}, "gone": {Polls: 1, Lose: true},
	}
	p := prover.New(nil, prover.Config{Plan: func(t prover.Task) prover.Plan { return plans[t.Request.DedupID] }})
	for dedup, want := range map[string][]proof.State{
		"slow": {proof.InProgress, proof.InProgress, proof.Done, proof.Done},
		"bad":  {proof.InProgress, proof.Rejected, proof.Rejected},
		"gone": {proof.InProgress, proof.Lost},
	} {
		task, err := p.Submit(ctx, request(dedup, "0x01"))
		if err != nil {
			t.Fatal(err)
		}
		for i, state := range want {
			if got, err := p.Status(ctx, task); err != nil || got.State != state {
				t.Errorf("%s: question %d is answered %+v, %v; want %s", dedup, i, got, err, state)
			}
		}
	}
	if valid, err := p.Valid(ctx, []string{"0x01"}); err != nil || !valid[0] {
		t.Errorf("the fact of a finished task is valid = %v, %v", valid, err)
	}
}

func TestProver_ClosedBucketTakesNoChild(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	p := prover.New(nil, prover.Config{Capabilities: proof.Capabilities{Buckets: true}})
	bucket, err := p.OpenBucket(ctx, "b", "0.13.5")
	if err != nil {
		t.Fatal(err)
	}
	r := request("one", "")
	r.Bucket = bucket
	if _, err = p.Submit(ctx, r); err != nil {
		t.Fatal(err)
	}
	same := request("two", "")
	same.Bucket = bucket
	if _, err = p.Submit(ctx, same); !errors.Is(err, proof.ErrRejected) {
		t.Errorf("a second child at one place: %v, want ErrRejected", err)
	}
	if _, err = p.CloseBucket(ctx, bucket); err != nil {
		t.Fatal(err)
	}
	same.Index = 1
	if _, err = p.Submit(ctx, same); !errors.Is(err, proof.ErrRejected) {
		t.Errorf("a child of a closed bucket: %v, want ErrRejected", err)
	}
}

func TestProver_LosesATask(t *testing.T) {
	t.Parallel()
	env, _ := faulttest.Env(fault.Rule{Component: "prover", Method: "Submit", Fault: fault.Fault{Kind: fault.Lose}})
	p := prover.New(env, prover.Config{})
	first := faulttest.Must(p.Submit(t.Context(), request("d", "")))(t)
	second := faulttest.Must(p.Submit(t.Context(), request("d", "")))(t)
	if first == second {
		t.Errorf("a request that the service lost is still task %s", first)
	}
}
