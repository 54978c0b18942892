// Package prover is a fake of a proving service in memory. Its tasks end as a plan says, and nothing is proven.
package prover

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
)

// Config is how a prover behaves. With the zero value every proof is done at the first Status.
type Config struct {
	// Capabilities are returned as they are; an empty name becomes "memory".
	Capabilities proof.Capabilities
	// Polls is how many times Status reports a task in progress before it is done.
	Polls int
	// Plan, if set, decides for each task when it starts. Polls is then ignored.
	Plan func(Task) Plan
	// File, if set, makes an artifact of a finished task; otherwise an artifact is a line that names it. Fetch wraps
	// its errors, so that it can return proof.ErrNotReady.
	File func(Task, proof.Artifact) ([]byte, error)
}

// Plan is how one task ends.
type Plan struct {
	Polls  int           // how many times it is in progress before it ends
	Takes  time.Duration // how long it takes; 0: it ends by Polls
	Reject string        // why it is rejected in the end; "" if it is done
	Lose   bool          // the service forgets it instead of ending it
}

// Task is a task as the service knows it.
type Task struct {
	ID        string
	Request   proof.Request // without Input; Children of a bucket's aggregation are its children
	InputHash string        // sha256 of the input, hex; "" if there is none
	State     proof.State
	Detail    string
	Polls     int // calls of Status so far
	Began     time.Time
	Ends      time.Time // when it ends, where it takes a time
	Found     time.Time // when somebody who asked learned first that it had ended
}

// Prover is a proof.Prover and the proof.FactChecker that knows the facts of its finished tasks.
type Prover struct {
	env *fault.Env
	cfg Config

	mu      sync.Mutex
	tasks   []*proofTask          // in the order in which they were started
	byID    map[string]*proofTask // not the forgotten ones
	byDedup map[string]*proofTask // likewise
	buckets []*proofBucket
	facts   facts
}

var (
	_ proof.Prover      = (*Prover)(nil)
	_ proof.FactChecker = (*Prover)(nil)
)

type proofTask struct {
	Task
	plan Plan
}

type proofBucket struct {
	id, externalID string
	closed         bool
	task           string // the aggregation's
}

// errForgotten means that the service has lost the task.
var errForgotten = errors.New("prover does not know the task")

// New returns a prover without tasks.
func New(e *fault.Env, c Config) *Prover {
	if c.Capabilities.Name == "" {
		c.Capabilities.Name = "memory"
	}
	return &Prover{env: e, cfg: c, byID: map[string]*proofTask{}, byDedup: map[string]*proofTask{}, facts: newFacts()}
}

// Capabilities implements proof.Prover.
func (p *Prover) Capabilities() proof.Capabilities { return p.cfg.Capabilities }

// Submit implements proof.Prover. It reads the whole input before it starts a task.
func (p *Prover) Submit(ctx context.Context, r proof.Request) (string, error) {
	return fault.Call(ctx, p.env, "prover", "Submit", r.DedupID, func(f fault.Fault) (string, error) {
		if id, ok := p.existing(r.DedupID); ok {
			return id, nil
		}
		hash, err := p.upload(ctx, r)
		if err != nil {
			return "", err
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if t := p.byDedup[r.DedupID]; t != nil {
			return t.ID, nil
		}
		if err := p.admit(r); err != nil {
			return "", err
		}
		t := p.start(r, hash)
		if f.Is(fault.Lose) {
			p.forget(t)
		}
		return t.ID, nil
	})
}

func (p *Prover) existing(dedup string) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.byDedup[dedup]; t != nil {
		return t.ID, true
	}
	return "", false
}

// upload reads the input and returns its hash.
func (p *Prover) upload(ctx context.Context, r proof.Request) (string, error) {
	if r.DedupID == "" {
		return "", fmt.Errorf("%s of batch %d without a dedup id: %w", r.Kind, r.Batch, proof.ErrRejected)
	}
	if r.Input == nil {
		return "", fmt.Errorf("%s of batch %d without an input: %w", r.Kind, r.Batch, proof.ErrRejected)
	}
	in, err := r.Input(ctx)
	if err != nil {
		return "", fmt.Errorf("open input of %s: %w", r.DedupID, err)
	}
	defer in.Close()
	h := sha256.New()
	n, err := io.Copy(h, in)
	if err != nil {
		return "", fmt.Errorf("read input of %s: %w", r.DedupID, err)
	}
	if n != r.InputSize {
		return "", fmt.Errorf("read input of %s: %d bytes, announced %d: %w",
			r.DedupID, n, r.InputSize, io.ErrUnexpectedEOF)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// admit refuses what the service never accepts. The caller holds the lock.
func (p *Prover) admit(r proof.Request) error {
	for _, child := range r.Children {
		if p.byID[child] == nil {
			return fmt.Errorf("aggregate %s: child %s is unknown: %w", r.DedupID, child, proof.ErrRejected)
		}
	}
	if r.Bucket == "" {
		return nil
	}
	b := p.bucket(r.Bucket)
	switch {
	case b == nil:
		return fmt.Errorf("put %s in bucket %s, which is unknown: %w", r.DedupID, r.Bucket, proof.ErrRejected)
	case b.closed:
		return fmt.Errorf("put %s in bucket %s, which is closed: %w", r.DedupID, r.Bucket, proof.ErrRejected)
	}
	for _, id := range p.children(r.Bucket) {
		if t := p.byID[id]; t.Request.Index == r.Index && t.State != proof.Rejected {
			return fmt.Errorf("put %s at %d of bucket %s, where %s is: %w",
				r.DedupID, r.Index, r.Bucket, id, proof.ErrRejected)
		}
	}
	return nil
}

// start starts a task. The caller holds the lock.
func (p *Prover) start(r proof.Request, hash string) *proofTask {
	r.Input, r.Children = nil, slices.Clone(r.Children)
	t := &proofTask{Task: Task{
		ID: fmt.Sprintf("task-%06d", len(p.tasks)+1), Request: r, InputHash: hash, State: proof.InProgress,
	}}
	t.plan = Plan{Polls: p.cfg.Polls}
	if p.cfg.Plan != nil {
		t.plan = p.cfg.Plan(t.copy())
	}
	if t.plan.Takes > 0 {
		t.Began = p.env.Time()
		t.Ends = t.Began.Add(t.plan.Takes)
	}
	p.tasks = append(p.tasks, t)
	p.byID[t.ID], p.byDedup[r.DedupID] = t, t
	return t
}

// forget makes the service lose a task. The caller holds the lock.
func (p *Prover) forget(t *proofTask) {
	t.State = proof.Lost
	delete(p.byID, t.ID)
	if p.byDedup[t.Request.DedupID] == t {
		delete(p.byDedup, t.Request.DedupID)
	}
}

// Status implements proof.Prover.
func (p *Prover) Status(ctx context.Context, task string) (proof.Progress, error) {
	return fault.Call(ctx, p.env, "prover", "Status", task, func(fault.Fault) (proof.Progress, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		t := p.byID[task]
		if t == nil {
			return proof.Progress{State: proof.Lost}, nil
		}
		if t.State == proof.InProgress {
			p.advance(t)
		}
		return proof.Progress{State: t.State, Detail: t.Detail}, nil
	})
}

// advance counts one call of Status and ends the task if its plan says so. The caller holds the lock.
func (p *Prover) advance(t *proofTask) {
	t.Polls++
	for _, id := range t.Request.Children {
		child := p.byID[id]
		if child == nil || child.State == proof.Rejected {
			t.State, t.Detail = proof.Rejected, fmt.Sprintf("child %s is rejected or lost", id)
			return
		}
		if child.State != proof.Done {
			return
		}
	}
	if now := p.env.Time(); t.plan.Takes > 0 && !now.Before(t.Ends) {
		t.Found = now
	}
	switch {
	case t.plan.Takes > 0 && t.Found.IsZero(), t.plan.Takes == 0 && t.Polls <= t.plan.Polls:
	case t.plan.Lose:
		p.forget(t)
	case t.plan.Reject != "":
		t.State, t.Detail = proof.Rejected, t.plan.Reject
	default:
		p.finish(t)
	}
}

// finish makes a task Done. The caller holds the lock.
func (p *Prover) finish(t *proofTask) {
	t.State = proof.Done
	if t.Request.Fact != "" {
		p.facts.add(t.Request.Fact)
	}
}

// Fetch implements proof.Prover.
func (p *Prover) Fetch(ctx context.Context, task string, a proof.Artifact) (io.ReadCloser, error) {
	return fault.Call(ctx, p.env, "prover", "Fetch", task+"/"+string(a), func(fault.Fault) (io.ReadCloser, error) {
		t, ok := p.Task(task)
		if !ok {
			return nil, fmt.Errorf("fetch %s of %s: %w", a, task, errForgotten)
		}
		if t.State != proof.Done || !p.makes(t, a) {
			return nil, fmt.Errorf("fetch %s of %s, which is %s: %w", a, task, t.State, proof.ErrNotReady)
		}
		if p.cfg.File == nil {
			return io.NopCloser(bytes.NewReader(fmt.Appendf(nil, "%s of %s\n", a, task))), nil
		}
		data, err := p.cfg.File(t, a)
		if err != nil {
			return nil, fmt.Errorf("make %s of %s: %w", a, task, err)
		}
		return io.NopCloser(bytes.NewReader(data)), nil
	})
}

// makes reports whether a task has such an artifact.
func (p *Prover) makes(t Task, a proof.Artifact) bool {
	if a == proof.ProofFile {
		return p.cfg.Capabilities.Proofs
	}
	return t.Request.Kind == proof.Aggregation && t.Request.Bucket != ""
}

// Ping implements proof.Prover.
func (p *Prover) Ping(ctx context.Context) error { return fault.Ping(ctx, p.env, "prover") }
