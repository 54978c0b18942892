// Package proofcreation has a SNOS batch's PIE proven: the ProofCreation job.
package proofcreation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
)

// Handler submits a PIE to the prover and waits for the proof.
type Handler struct {
	Prover    proof.Prover
	Artifacts artifact.Store
}

var _ executor.Handler = (*Handler)(nil)

// Process records the request's dedup id, then submits it.
func (h *Handler) Process(ctx context.Context, r *executor.Run) error {
	m, err := executor.Meta[*job.ProofCreationMeta](r)
	if err != nil {
		return err
	}
	if err := h.other(m); err != nil { // before it is paid for
		return err
	}
	task := Task{Prover: h.Prover, Artifacts: h.Artifacts, DedupID: &m.DedupID, Task: &m.Task,
		Unreadable: &m.Unreadable}
	return task.Start(ctx, r, m.PIEKey, proof.Request{
		Kind: proof.Child, Batch: r.Job.Batch, Steps: m.Steps,
		StarknetVersion: m.StarknetVersion, Bucket: m.Bucket, Index: m.BucketIndex, Fact: m.Fact,
	})
}

func (h *Handler) other(m *job.ProofCreationMeta) error {
	return Await(proof.Origin{Prover: m.Prover, Bucket: m.Bucket}.Prove(h.Prover.Capabilities()))
}

// otherPrefix is what the keys of the causes begin with: executor.AwaitingPrefix, written out for the test of the
// runbook.
const otherPrefix = "awaiting/prover/"

// lookAgain is after how long a job looks again whether the settings name its prover.
const lookAgain = 5 * time.Minute

// Await makes a *proof.OtherProverError a wait for operators, who are alerted once for all batches. Any other error,
// and nil, is returned as it is.
func Await(err error) error {
	var other *proof.OtherProverError
	if !errors.As(err, &other) {
		return err
	}
	return executor.Await(alert.Cause{
		Key:      otherPrefix + alert.Fingerprint(other.Begun),
		Severity: alert.Critical, Title: "Batches wait for the prover that they were begun with",
		Detail: fmt.Sprintf("It was %s, the settings name %s now, which can't aggregate what that has proven. Set "+
			"PROVER_KIND back until these batches are aggregated: they wait, nothing more is paid for them, and they "+
			"go on by themselves.", other.Begun, other.Now),
	}, lookAgain, err)
}

// Task is a request to the prover as a job's document records it.
type Task struct {
	Prover    proof.Prover
	Artifacts artifact.Store
	DedupID   *string // the name under which the request is made; emptied when the next request needs a new one
	Task      *string // the prover's name for the work
	// Unreadable counts looks that found the finished proof corrupt.
	Unreadable *int
}

// Start records the request's dedup id, then submits it. input is the key of its input ("": none).
func (t Task) Start(ctx context.Context, r *executor.Run, input string, req proof.Request) (err error) {
	if *t.DedupID == "" {
		*t.DedupID = r.Job.AttemptID()
		if err := r.Checkpoint(ctx); err != nil {
			return err
		}
	}
	req.DedupID = *t.DedupID
	*t.Task, err = Submit(ctx, t.Prover, t.Artifacts, input, req)
	if err != nil {
		return err
	}
	r.Job.ExternalID = *t.Task
	return nil
}

// Finish asks the prover and stores the finished proof under a key ("": it is not kept). It empties the key where the
// prover hands out no proof: the documents of later jobs name what is stored, whatever the settings say then.
func (t Task) Finish(ctx context.Context, key *string) (job.Verdict, error) {
	v, done, again, err := Ask(ctx, t.Prover, *t.Task)
	if again {
		*t.DedupID = ""
	}
	if err != nil || !done {
		return v, err
	}
	if !t.Prover.Capabilities().Proofs {
		*key = ""
	}
	if *key == "" {
		return job.Verified(), nil
	}
	v, again, err = Keep(ctx, t.Prover, t.Artifacts, *t.Task, proof.ProofFile, *key, t.Unreadable)
	if again {
		*t.DedupID = ""
	}
	return v, err
}

// Submit sends a request whose input is an artifact ("": none). A request that the prover will never take is a
// permanent error.
func Submit(ctx context.Context, p proof.Prover, s artifact.Store, key string, req proof.Request) (string, error) {
	if key != "" {
		info, err := s.Stat(ctx, key)
		if errors.Is(err, artifact.ErrNotFound) {
			return "", job.Permanent(fmt.Errorf("input %s of the proof: %w", key, err))
		}
		if err != nil {
			return "", fmt.Errorf("look for %s: %w", key, err)
		}
		req.InputSize = info.Size
		req.Input = func(ctx context.Context) (io.ReadCloser, error) { return s.Get(ctx, key) }
	}
	task, err := p.Submit(ctx, req)
	if errors.Is(err, proof.ErrRejected) {
		return "", job.Permanent(err)
	}
	if err != nil {
		return "", fmt.Errorf("submit %s of batch %d to %s: %w", req.Kind, req.Batch, p.Capabilities().Name, err)
	}
	return task, nil
}

// Verify asks the prover and stores the finished proof where that is wanted.
func (h *Handler) Verify(ctx context.Context, r *executor.Run) (job.Verdict, error) {
	m, err := executor.Meta[*job.ProofCreationMeta](r)
	if err != nil {
		return job.Verdict{}, err
	}
	if err := h.other(m); err != nil { // which does not know the task, and would be given it again
		return job.Verdict{}, err
	}
	task := Task{Prover: h.Prover, Artifacts: h.Artifacts, DedupID: &m.DedupID, Task: &m.Task,
		Unreadable: &m.Unreadable}
	return task.Finish(ctx, &m.ProofKey)
}

// Ask asks how a task stands. While it isn't done v is the verdict; again says that the next request needs a new dedup
// id.
func Ask(ctx context.Context, p proof.Prover, task string) (v job.Verdict, done, again bool, err error) {
	progress, err := p.Status(ctx, task)
	if err != nil {
		return v, false, false, fmt.Errorf("ask %s for task %s: %w", p.Capabilities().Name, task, err)
	}
	switch progress.State {
	case proof.Done:
		return v, true, false, nil
	case proof.Rejected:
		return job.Rejected("%s rejected task %s: %s", p.Capabilities().Name, task, progress.Detail), false, true, nil
	case proof.Lost:
		return job.Lost("%s does not know task %s", p.Capabilities().Name, task), false, false, nil
	}
	return job.Pending("proof is in progress"), false, false, nil
}

// maxUnreadable is how many looks must find an artifact corrupt before it is believed. A proof has cost hours
// and money: what a store or a load balancer answers in its place for a while must not make us pay for another.
const maxUnreadable = 8

// Keep stores an artifact of a finished task. Its verdict is Verified, Pending while the artifact isn't there yet, or
// Rejected if it never will be: it has expired, or was corrupt at maxUnreadable looks, which unreadable counts over all
// of the task's artifacts. Then again says that the next request needs a new dedup id.
func Keep(ctx context.Context, p proof.Prover, s artifact.Store, task string, a proof.Artifact, key string,
	unreadable *int) (v job.Verdict, again bool, err error) {
	r, err := p.Fetch(ctx, task, a)
	corrupt := errors.Is(err, artifact.ErrCorrupt)
	if corrupt {
		if *unreadable++; *unreadable < maxUnreadable {
			return job.Pending("%s of task %s can't be read, look %d of %d: %v",
				a, task, *unreadable, maxUnreadable, err), false, nil
		}
	}
	switch {
	case errors.Is(err, proof.ErrNotReady):
		return job.Pending("%s of task %s is not there yet", a, task), false, nil
	case errors.Is(err, proof.ErrRejected), corrupt:
		*unreadable = 0
		return job.Rejected("%s of task %s can't be fetched: %v", a, task, err), true, nil
	case err != nil:
		return v, false, fmt.Errorf("fetch %s of task %s: %w", a, task, err)
	}
	defer r.Close()
	if err := s.Put(ctx, key, r); err != nil {
		return v, false, fmt.Errorf("store %s of task %s as %s: %w", a, task, key, err)
	}
	return job.Verified(), false, nil
}
