// Package proofregistration has a proof verified on the settlement layer of an L3: the ProofRegistration job.
package proofregistration

import (
	"cmp"
	"context"
	"errors"
	"fmt"

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
	input, err := h.input(r, m)
	if err != nil {
		return err
	}
	task := proofcreation.Task{Prover: h.Prover, Artifacts: h.Artifacts, DedupID: &m.DedupID, Task: &m.Task,
		Unreadable: &m.Unreadable}
	err = task.Start(ctx, r, input, proof.Request{
		Kind: proof.Registration, Batch: r.Job.Batch, Fact: m.Fact, Steps: m.Steps, StarknetVersion: m.StarknetVersion,
	})
	// not for good: the prover that has proven it registers it
	if input == "" && h.Prover.Capabilities().Proofs && job.IsPermanent(err) {
		return fmt.Errorf("%w (%v)", h.begun(r.Job.Batch, "proven by a prover that hands out no proof"), err)
	}
	return err
}

// input is the key of what is registered, "" for none. The settings may be others than when the job was made: a prover
// that takes the PIE is given that, and no other one is given it in the place of a proof. What may have been asked for
// already stays as it was asked for.
func (h *Handler) input(r *executor.Run, m *job.ProofRegistrationMeta) (string, error) {
	c, asked := h.Prover.Capabilities(), m.DedupID != ""
	switch {
	case c.Direct && m.PIEKey == "":
		if asked {
			return "", h.begun(r.Job.Batch, "to be registered from its proof")
		}
		m.PIEKey = artifact.SNOSKey(r.Job.Batch, r.Job.Epoch, artifact.PIE)
	case !c.Direct && c.Proofs && m.PIEKey != "":
		if asked || m.ProofKey == "" {
			return "", h.begun(r.Job.Batch, "to be registered from its PIE")
		}
		m.PIEKey = ""
	}
	return cmp.Or(m.PIEKey, m.ProofKey), nil
}

// ErrBegun says that a batch was begun with another prover, or another route of it, and that the settings now can't go
// on with it. The job is tried again, and goes on once they are set back.
var ErrBegun = errors.New("set the PROVER_ settings back until the batch is registered")

func (h *Handler) begun(batch uint64, how string) error {
	return fmt.Errorf("SNOS batch %d was %s, and %s can't register it so: %w", batch, how,
		h.Prover.Capabilities().Name, ErrBegun)
}

// Verify asks the prover and stores the registered proof, whose public input the state update carries.
func (h *Handler) Verify(ctx context.Context, r *executor.Run) (job.Verdict, error) {
	m, err := executor.Meta[*job.ProofRegistrationMeta](r)
	if err != nil {
		return job.Verdict{}, err
	}
	task := proofcreation.Task{Prover: h.Prover, Artifacts: h.Artifacts, DedupID: &m.DedupID, Task: &m.Task,
		Unreadable: &m.Unreadable}
	return task.Finish(ctx, &m.BridgeProofKey)
}
