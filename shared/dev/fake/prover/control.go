package prover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
)

// OpenBucket implements proof.Prover.
func (p *Prover) OpenBucket(ctx context.Context, externalID, starknetVersion string) (string, error) {
	return fault.Call(ctx, p.env, "prover", "OpenBucket", externalID, func(fault.Fault) (string, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if err := p.hasBuckets(); err != nil {
			return "", fmt.Errorf("open bucket %s: %w", externalID, err)
		}
		for _, b := range p.buckets {
			if b.externalID == externalID {
				return b.id, nil
			}
		}
		b := &proofBucket{id: fmt.Sprintf("bucket-%04d", len(p.buckets)+1), externalID: externalID}
		p.buckets = append(p.buckets, b)
		return b.id, nil
	})
}

// CloseBucket implements proof.Prover. An aggregation that was lost starts again.
func (p *Prover) CloseBucket(ctx context.Context, bucket string) (string, error) {
	return fault.Call(ctx, p.env, "prover", "CloseBucket", bucket, func(f fault.Fault) (string, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if err := p.hasBuckets(); err != nil {
			return "", fmt.Errorf("close bucket %s: %w", bucket, err)
		}
		b := p.bucket(bucket)
		if b == nil {
			return "", fmt.Errorf("close bucket %s, which is unknown: %w", bucket, proof.ErrRejected)
		}
		if p.byID[b.task] != nil {
			return b.task, nil
		}
		children := p.children(bucket)
		if len(children) == 0 {
			return "", fmt.Errorf("close bucket %s, which is empty: %w", bucket, proof.ErrRejected)
		}
		b.closed = true
		t := p.start(proof.Request{
			Kind: proof.Aggregation, DedupID: "close/" + bucket, Bucket: bucket, Children: children,
		}, "")
		b.task = t.ID
		if f.Is(fault.Lose) {
			p.forget(t)
		}
		return t.ID, nil
	})
}

func (p *Prover) hasBuckets() error {
	if !p.cfg.Capabilities.Buckets {
		return fmt.Errorf("%s has no buckets: %w: %w",
			p.cfg.Capabilities.Name, proof.ErrRejected, errors.ErrUnsupported)
	}
	return nil
}

// bucket returns a bucket, nil if there is none. The caller holds the lock.
func (p *Prover) bucket(id string) *proofBucket {
	if i := slices.IndexFunc(p.buckets, func(b *proofBucket) bool { return b.id == id }); i >= 0 {
		return p.buckets[i]
	}
	return nil
}

// children are the tasks in a bucket by index. A task that replaced a rejected one stands in its place. The caller
// holds the lock.
func (p *Prover) children(bucket string) []string {
	at := map[uint64]*proofTask{}
	for _, t := range p.tasks {
		if t.Request.Bucket == bucket && t.Request.Kind == proof.Child && t.State != proof.Lost {
			at[t.Request.Index] = t
		}
	}
	var out []string
	for _, i := range slices.Sorted(maps.Keys(at)) {
		out = append(out, at[i].ID)
	}
	return out
}

// Valid implements proof.FactChecker.
func (p *Prover) Valid(ctx context.Context, asked []string) ([]bool, error) {
	return fault.Call(ctx, p.env, "prover", "Valid", "", func(f fault.Fault) ([]bool, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		out := make([]bool, len(asked))
		for i, fact := range asked {
			out[i] = p.facts.has(fact, f.Is(fault.Stale))
		}
		return out, nil
	})
}

// Register makes facts valid without a task.
func (p *Prover) Register(registered ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.facts.add(registered...)
}

// Task returns a task that the service knows.
func (p *Prover) Task(id string) (Task, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.byID[id]; t != nil {
		return t.copy(), true
	}
	return Task{}, false
}

// Tasks returns every task that was ever started, in that order; the forgotten ones are Lost.
func (p *Prover) Tasks() []Task {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]Task, len(p.tasks))
	for i, t := range p.tasks {
		out[i] = t.copy()
	}
	return out
}

// Finish makes a task Done now.
func (p *Prover) Finish(task string) { p.change(task, p.finish) }

// Reject makes a task Rejected now, for the reason.
func (p *Prover) Reject(task, reason string) {
	p.change(task, func(t *proofTask) { t.State, t.Detail = proof.Rejected, cmp.Or(reason, "rejected") })
}

// Forget makes the service lose a task.
func (p *Prover) Forget(task string) { p.change(task, p.forget) }

func (p *Prover) change(task string, do func(*proofTask)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.byID[task]; t != nil {
		do(t)
	}
}

func (t *proofTask) copy() Task {
	c := t.Task
	c.Request.Children = slices.Clone(c.Request.Children)
	return c
}

// facts is a set that remembers what was added last.
type facts struct {
	round map[string]int // when it was added
	last  int
}

func newFacts() facts { return facts{round: map[string]int{}} }

func (s *facts) add(added ...string) {
	s.last++
	for _, fact := range added {
		if _, ok := s.round[fact]; !ok {
			s.round[fact] = s.last
		}
	}
}

// has reports whether a fact is in the set; with stale it ignores what was added last.
func (s *facts) has(fact string, stale bool) bool {
	at, ok := s.round[fact]
	return ok && (!stale || at < s.last)
}
