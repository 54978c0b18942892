// Package proofregistration has a proof verified on the settlement layer of an L3: the ProofRegistration job.
package proofregistration

import (
	"context"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
	"github.com/madara-orchestrator/orchestrator/shared/service/proofcreation"
)

// Handler submits a proof for registration and waits until it is registered.
type Handler struct {
	Prover    proof.Prover
	Artifacts artifact.Store
}

var _ executor.Handler = (*Handler)(nil)

// Process records the request's dedup id, then submits it: the proof, or the PIE where the prover registers straight
// from it.
func (h *Handler) Process(ctx context.Context, r *executor.Run) error {
	m, err := executor.Meta[*job.ProofRegistrationMeta](r)
	if err != nil {
		return err
	}
	input := m.ProofKey
	if m.PIEKey != "" {
		input = m.PIEKey
	}
	task := proofcreation.Task{Prover: h.Prover, Artifacts: h.Artifacts, DedupID: &m.DedupID, Task: &m.Task,
		Unreadable: &m.Unreadable}
	return task.Start(ctx, r, input, proof.Request{
		Kind: proof.Registration, Batch: r.Job.Batch, Fact: m.Fact, Steps: m.Steps, StarknetVersion: m.StarknetVersion,
	})
}

// Verify asks the prover and stores the registered proof, whose public input the state update carries.
func (h *Handler) Verify(ctx context.Context, r *executor.Run) (job.Verdict, error) {
	m, err := executor.Meta[*job.ProofRegistrationMeta](r)
	if err != nil {
		return job.Verdict{}, err
	}
	task := proofcreation.Task{Prover: h.Prover, Artifacts: h.Artifacts, DedupID: &m.DedupID, Task: &m.Task,
		Unreadable: &m.Unreadable}
	return task.Finish(ctx, m.BridgeProofKey)
}
