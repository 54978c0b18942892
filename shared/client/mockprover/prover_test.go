package mockprover_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/mockprover"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof/prooftest"
)

// registry is a chain's fact registry in memory: what is registered becomes valid with the next block.
type registry struct {
	mu      sync.Mutex
	valid   map[string]bool
	waiting map[string]bool
	asked   int
	failure error
}

func newRegistry() *registry {
	return &registry{valid: map[string]bool{}, waiting: map[string]bool{}}
}

func (r *registry) Valid(ctx context.Context, facts []string) ([]bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []bool
	for _, f := range facts {
		out = append(out, r.valid[f])
	}
	return out, errors.Join(ctx.Err(), r.failure)
}

func (r *registry) Register(ctx context.Context, fact string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := errors.Join(ctx.Err(), r.failure); err != nil {
		return err
	}
	if !r.waiting[fact] && !r.valid[fact] {
		r.waiting[fact] = true
		r.asked++
	}
	return nil
}

func (r *registry) mine() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for f := range r.waiting {
		r.valid[f] = true
	}
	clear(r.waiting)
}

func (r *registry) lose() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.waiting)
}

func (r *registry) started() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

func TestProver_Conformance(t *testing.T) {
	t.Parallel()
	prooftest.TestProver(t, prooftest.Harness{New: func(*testing.T) prooftest.Service {
		r := newRegistry()
		return prooftest.Service{
			Prover:  mockprover.New(mockprover.Options{Registry: r, Children: true, Proofs: true}),
			Unknown: "somebody else's task", Finish: func(string) { r.mine() }, Started: r.started,
		}
	}})
}

// TestProver_WithoutRegistry proves everything at once.
func TestProver_WithoutRegistry(t *testing.T) {
	t.Parallel()
	prooftest.TestProver(t, prooftest.Harness{New: func(*testing.T) prooftest.Service {
		return prooftest.Service{Prover: mockprover.New(mockprover.Options{}), Unknown: "mock/child"}
	}})
}

func request(k proof.Kind, fact string) proof.Request {
	return proof.Request{Kind: k, DedupID: "d", Fact: fact, Input: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader("pie")), nil
	}}
}

func TestProver_WhatIsRegistered(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind     proof.Kind
		fact     string
		children bool
		want     int
	}{
		"Aggregation":             {proof.Aggregation, prooftest.Fact(1), false, 1},
		"AggregationUpperCase":    {proof.Aggregation, "0x" + strings.ToUpper(prooftest.Fact(1)[2:]), false, 1},
		"Registration":            {proof.Registration, prooftest.Fact(1), false, 1},
		"RegistrationWithoutFact": {proof.Registration, "", false, 0},
		"Child":                   {proof.Child, prooftest.Fact(1), false, 0},
		"ChildOnItsOwn":           {proof.Child, prooftest.Fact(1), true, 1},
		"ChildWithoutFact":        {proof.Child, "", true, 0},
	} {
		r := newRegistry()
		p := mockprover.New(mockprover.Options{Registry: r, Children: c.children})
		task, err := p.Submit(t.Context(), request(c.kind, c.fact))
		if err != nil || r.started() != c.want {
			t.Errorf("%s: %v, %d registrations, want %d", name, err, r.started(), c.want)
			continue
		}
		want := proof.Done
		if c.want > 0 {
			want = proof.InProgress
		}
		if s, err := p.Status(t.Context(), task); err != nil || s.State != want {
			t.Errorf("%s: task %s is %s, %v; want %s", name, task, s.State, err, want)
		}
	}
}

// TestProver_RegistersAgain: a registration that was lost is sent again by whoever asks next, and one that the chain
// forgets in a reorganisation too.
func TestProver_RegistersAgain(t *testing.T) {
	t.Parallel()
	r := newRegistry()
	task, err := mockprover.New(mockprover.Options{Registry: r}).Submit(t.Context(),
		request(proof.Aggregation, prooftest.Fact(1)))
	if err != nil {
		t.Fatal(err)
	}
	other := mockprover.New(mockprover.Options{Registry: r})
	for range 2 {
		r.lose()
		if s, err := other.Status(t.Context(), task); err != nil || s.State != proof.InProgress {
			t.Fatalf("Status = %+v, %v", s, err)
		}
		r.mine()
		if s, err := other.Status(t.Context(), task); err != nil || s.State != proof.Done {
			t.Fatalf("Status = %+v, %v", s, err)
		}
		clear(r.valid)
	}
}

func TestProver_FailureIsTransient(t *testing.T) {
	t.Parallel()
	r := newRegistry()
	r.failure = errors.New("node is away")
	p := mockprover.New(mockprover.Options{Registry: r})
	_, submit := p.Submit(t.Context(), request(proof.Aggregation, prooftest.Fact(1)))
	_, status := p.Status(t.Context(), "mock/aggregation/d/"+prooftest.Fact(1))
	for name, err := range map[string]error{"Submit": submit, "Status": status, "Ping": p.Ping(t.Context())} {
		if !errors.Is(err, r.failure) || errors.Is(err, proof.ErrRejected) {
			t.Errorf("%s: %v, want the registry's failure", name, err)
		}
	}
}

func TestProver_RejectsFaults(t *testing.T) {
	t.Parallel()
	p := mockprover.New(mockprover.Options{Registry: newRegistry()})
	empty := request(proof.Child, "")
	empty.Input = func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("")), nil }
	for name, r := range map[string]proof.Request{
		"Fact": request(proof.Child, "0x12"), "Kind": request("dream", ""), "NoDedupID": {Kind: proof.Child},
		"SlashInDedupID": {Kind: proof.Child, DedupID: "a/b"}, "EmptyInput": empty,
	} {
		if task, err := p.Submit(t.Context(), r); !errors.Is(err, proof.ErrRejected) {
			t.Errorf("%s: task %q, %v; want ErrRejected", name, task, err)
		}
	}
}

// FuzzStatus feeds task names, which come from the database.
func FuzzStatus(f *testing.F) {
	for _, s := range []string{"mock/aggregation/d/" + prooftest.Fact(1), "mock/child/d/-", "",
		"mock////", "mock/child/d/0x1"} {
		f.Add(s)
	}
	p := mockprover.New(mockprover.Options{Registry: newRegistry()})
	f.Fuzz(func(t *testing.T, task string) {
		switch s, err := p.Status(t.Context(), task); {
		case err != nil:
			t.Errorf("Status of %q: %v", task, err)
		case s.State != proof.Lost && !strings.HasPrefix(task, "mock/"):
			t.Errorf("%q is %s", task, s.State)
		}
	})
}
