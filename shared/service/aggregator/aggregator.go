// Package aggregator combines the proofs of an aggregator batch into one: the Aggregator job. A prover with buckets
// does it when its bucket is closed; for the others the aggregator program runs on our runner first.
package aggregator

import (
	"context"
	"errors"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
	"github.com/madara-orchestrator/orchestrator/shared/service/proofcreation"
	"github.com/madara-orchestrator/orchestrator/shared/service/snosrun"
)

// Handler aggregates a batch.
type Handler struct {
	Prover    proof.Prover
	Runner    snos.Runner // for provers without buckets
	Jobs      job.Store   // to read the children's tasks
	Artifacts artifact.Store
}

// The parts of the work where we aggregate ourselves.
const (
	partRun   = "run"
	partProof = "proof"
)

var _ executor.Handler = (*Handler)(nil)

// Process closes the bucket, or submits the aggregator run.
func (h *Handler) Process(ctx context.Context, r *executor.Run) error {
	m, err := executor.Meta[*job.AggregatorMeta](r)
	if err != nil {
		return err
	}
	if err := h.other(m); err != nil {
		return err
	}
	if m.Bucket != "" {
		m.Task, err = h.Prover.CloseBucket(ctx, m.Bucket)
		if errors.Is(err, proof.ErrRejected) {
			return job.Permanent(err)
		}
		if err != nil {
			return fmt.Errorf("close bucket %s of batch %d: %w", m.Bucket, r.Job.Batch, err)
		}
		r.Job.ExternalID = m.Task
		return nil
	}
	if m.RunDone {
		r.WaitFor(partProof)
		return nil // only the proof is to be asked for again, which verification does
	}
	if m.RunTaskID == "" {
		m.RunTaskID = r.Job.AttemptID()
		if err := r.Checkpoint(ctx); err != nil {
			return err
		}
	}
	inputs := make([]string, 0, m.LastSnos-m.FirstSnos+1)
	for i := m.FirstSnos; i <= m.LastSnos; i++ {
		inputs = append(inputs, artifact.SNOSKey(i, r.Job.Epoch, artifact.ProgramOutput))
	}
	m.RunHandle, err = h.Runner.Submit(ctx, snos.Task{
		Kind: snos.Aggregate, ID: m.RunTaskID, Batch: r.Job.Batch, StartBlock: m.StartBlock, EndBlock: m.EndBlock,
		StarknetVersion: m.StarknetVersion, Inputs: inputs, OutputPrefix: m.OutputPrefix,
	})
	if err != nil {
		return fmt.Errorf("submit aggregator run of batch %d: %w", r.Job.Batch, err)
	}
	r.Job.ExternalID = m.RunHandle
	r.WaitFor(partRun)
	return nil
}

// other waits where the batch was begun with another prover than the one of the settings.
func (h *Handler) other(m *job.AggregatorMeta) error {
	return proofcreation.Await(proof.Origin{Prover: m.Prover, Bucket: m.Bucket}.Aggregate(h.Prover.Capabilities()))
}

// Verify follows the run, then the proof; it is done when the batch's artifacts are stored.
func (h *Handler) Verify(ctx context.Context, r *executor.Run) (job.Verdict, error) {
	m, err := executor.Meta[*job.AggregatorMeta](r)
	if err != nil {
		return job.Verdict{}, err
	}
	if err := h.other(m); err != nil {
		return job.Verdict{}, err
	}
	if m.Bucket == "" && !m.RunDone {
		r.WaitFor(partRun)
		if v, done, err := h.run(ctx, r, m); err != nil || !done {
			return v, err
		}
	}
	if m.Bucket == "" {
		r.WaitFor(partProof)
	}
	if m.Task == "" {
		if err := h.submit(ctx, r, m); err != nil {
			return job.Verdict{}, err
		}
	}
	if !m.Proven {
		v, done, again, err := proofcreation.Ask(ctx, h.Prover, m.Task)
		if again || v.Kind == job.VerdictLost {
			m.Task = ""
		}
		if again {
			m.DedupID = ""
		}
		if err != nil || !done {
			return v, err
		}
		m.Proven = true
	}
	if m.Bucket != "" {
		return h.fetch(ctx, m)
	}
	return job.Verified(), nil
}

// run follows the aggregator run; done says that its artifacts are there.
func (h *Handler) run(ctx context.Context, r *executor.Run, m *job.AggregatorMeta) (job.Verdict, bool, error) {
	p, err := h.Runner.Status(ctx, m.RunHandle)
	if err != nil {
		return job.Verdict{}, false, fmt.Errorf("ask the runner for %s: %w", m.RunHandle, err)
	}
	if p.State != snos.Succeeded {
		v, again := snosrun.Unfinished(p)
		if again {
			m.RunTaskID = ""
		}
		return v, false, nil
	}
	res, err := snosrun.ReadResult(ctx, h.Artifacts, m.OutputPrefix)
	if errors.Is(err, snosrun.ErrCorrupt) {
		m.RunTaskID = ""
		return job.Rejected("%v", err), false, nil
	}
	if err != nil {
		return job.Verdict{}, false, err
	}
	if res.Kind != snos.Aggregate || res.StartBlock != m.StartBlock || res.EndBlock != m.EndBlock {
		m.RunTaskID = ""
		return job.Rejected("the run's result is about %s of blocks %d to %d, want %d to %d",
			res.Kind, res.StartBlock, res.EndBlock, m.StartBlock, m.EndBlock), false, nil
	}
	m.RunDone, m.Fact = true, res.Fact
	return job.Verdict{}, true, r.Checkpoint(ctx)
}

// submit asks for the proof of the aggregator run over its children.
func (h *Handler) submit(ctx context.Context, r *executor.Run, m *job.AggregatorMeta) error {
	if m.DedupID == "" {
		m.DedupID = r.Job.AttemptID()
		if err := r.Checkpoint(ctx); err != nil {
			return err
		}
	}
	var children []string
	for i := m.FirstSnos; i <= m.LastSnos; i++ {
		child, err := h.Jobs.Find(ctx, job.ProofCreation, i)
		if err != nil {
			return fmt.Errorf("read proof job of SNOS batch %d: %w", i, err)
		}
		if child.Epoch != r.Job.Epoch {
			return fmt.Errorf("proof job %s of SNOS batch %d is of epoch %d, the aggregator batch of %d", child.ID, i,
				child.Epoch, r.Job.Epoch)
		}
		children = append(children, child.ExternalID)
	}
	task, err := proofcreation.Submit(ctx, h.Prover, h.Artifacts, m.OutputPrefix+artifact.PIE, proof.Request{
		Kind: proof.Aggregation, DedupID: m.DedupID, Batch: r.Job.Batch, Children: children, Fact: m.Fact,
		StarknetVersion: m.StarknetVersion,
	})
	if err != nil {
		return err
	}
	m.Task, r.Job.ExternalID = task, task
	return r.Checkpoint(ctx)
}

// fetch stores what the prover made of a closed bucket.
func (h *Handler) fetch(ctx context.Context, m *job.AggregatorMeta) (job.Verdict, error) {
	for _, a := range []struct {
		kind proof.Artifact
		name string
	}{
		// the largest last: it is not copied for nothing where another one can't be read yet
		{proof.ProgramOutput, artifact.ProgramOutput}, {proof.DASegment, artifact.DASegment}, {proof.PIE, artifact.PIE},
	} {
		v, _, err := proofcreation.Keep(ctx, h.Prover, h.Artifacts, m.Task, a.kind, m.OutputPrefix+a.name,
			&m.Unreadable)
		if err != nil || v.Kind != job.VerdictVerified {
			return v, err
		}
	}
	return job.Verified(), nil
}
