package statetransition

import (
	"context"
	"errors"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
)

// errForeign says that the contract holds another history than the batch's.
var errForeign = errors.New("the contract holds another history than this chain's: somebody else settles on it, or " +
	"the chain was " +
	"reorganised after it was settled; settle nothing before it is clear which one is right")

// errMixed says that a node did not show one state of the contract, or that it changed just now: the next look decides.
var errMixed = errors.New("two reads of the core contract differ: it was settled in between, or the node mixes two " +
	"blocks")

// sure gives an error for which a job fails for good, which what was read of the contract is the reason of. One look
// is not enough for that: a node may answer for a block while it takes the next one in, and mix the two.
func (h *Handler) sure(ctx context.Context, read settlement.State, finalized bool, cause error) error {
	again, err := h.Contract.State(ctx, finalized)
	if err != nil {
		return fmt.Errorf("read the core contract again: %w (the first read: %v)", err, cause)
	}
	if again != read {
		return fmt.Errorf("%w (the first read: %v)", errMixed, cause)
	}
	return cause
}

// settled says whether the contract has the batch. Where the contract is at the batch's last block, root and hash must
// be the batch's too; and it is never within a batch. Otherwise the error is errForeign, which no retry helps.
func (h *Handler) settled(ctx context.Context, r *executor.Run, m *job.StateTransitionMeta,
	finalized bool) (bool, error) {
	s, err := h.Contract.State(ctx, finalized)
	switch {
	case err != nil:
		return false, fmt.Errorf("read the core contract: %w", err)
	case !s.Settled || s.Block < m.StartBlock:
		return false, nil
	case s.Block < m.EndBlock:
		return false, h.sure(ctx, s, finalized, job.Permanent(
			fmt.Errorf("the contract is at block %d, within batch %d of blocks %d to %d: %w",
				s.Block, r.Job.Batch, m.StartBlock, m.EndBlock, errForeign)))
	case s.Block > m.EndBlock:
		return true, nil
	}
	want, err := h.after(ctx, m)
	if err != nil {
		return false, err
	}
	if s != want {
		return false, h.sure(ctx, s, finalized, job.Permanent(
			fmt.Errorf("at block %d the contract has root %s and block hash %s, batch %d ends with root %s and "+
				"block hash %s: %w", s.Block, s.Root, s.BlockHash, r.Job.Batch, want.Root, want.BlockHash, errForeign)))
	}
	return true, nil
}

// after is the state that the batch's update leaves the contract in.
func (h *Handler) after(ctx context.Context, m *job.StateTransitionMeta) (settlement.State, error) {
	words, err := h.words(ctx, m)
	if err != nil {
		return settlement.State{}, err
	}
	s, err := settlement.After(words)
	if err != nil {
		return s, job.Permanent(fmt.Errorf("program output %s: %w", m.ProgramOutputKey, err))
	}
	return s, nil
}

// words are the state update's words, as the run's artifact has them.
func (h *Handler) words(ctx context.Context, m *job.StateTransitionMeta) ([]felt.Felt, error) {
	output, err := artifact.ReadFelts(ctx, h.Artifacts, m.ProgramOutputKey, 1<<20)
	if err != nil {
		return nil, corrupt(err)
	}
	words, err := h.Codec.UpdateWords(output)
	if err != nil {
		return nil, job.Permanent(fmt.Errorf("program output %s: %w", m.ProgramOutputKey, err))
	}
	return words, nil
}

// classify separates refusals that time helps from those that nothing helps.
func (h *Handler) classify(ctx context.Context, r *executor.Run, err error) error {
	var revert *tx.RevertError
	var invalid *settlement.InvalidError
	var refusal tx.Refusal
	switch {
	case errors.As(err, &revert):
		refusal = revert.Refusal
	case errors.As(err, &invalid):
		refusal = invalid.Refusal
	default:
		return err
	}
	switch refusal {
	case tx.NotYet:
		return job.RetryAfter(predecessorWait, err)
	case tx.Unproven:
		if aerr := h.otherProgram(ctx, r); aerr != nil {
			return aerr
		}
		return job.RetryAfter(predecessorWait, errors.Join(err, h.prove(ctx, r)))
	case tx.Unconfigured:
		m, merr := executor.Meta[*job.StateTransitionMeta](r)
		if merr != nil {
			return merr
		}
		return await(m.StarknetVersion,
			fmt.Sprintf("The core contract refuses the state update: %v. Its owner must change it.", err))
	}
	return job.Permanent(err)
}

// prove reopens the job that made the batch's fact where it counts as completed: a reorganisation of the settlement
// layer took the fact back. That job registers it again. Reconcile wakes it.
func (h *Handler) prove(ctx context.Context, r *executor.Run) error {
	for _, t := range []job.Type{job.Aggregator, job.ProofRegistration} { // a layer has one of them
		j, err := h.Jobs.Find(ctx, t, r.Job.Batch)
		if errors.Is(err, job.ErrNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("find the %s job of batch %d: %w", t, r.Job.Batch, err)
		}
		if j.Epoch != r.Job.Epoch {
			return nil // of another batch: a rewind is under way
		}
		next, ok := j.Undone(h.Sender.Now(),
			"the batch's fact is not registered any more, or not yet as the node shows it")
		if !ok {
			return nil // it is at work
		}
		if _, err := h.Jobs.Update(ctx, next); err != nil && !errors.Is(err, job.ErrConflict) {
			return fmt.Errorf("reopen the %s job of batch %d: %w", t, r.Job.Batch, err)
		}
		r.Log().WarnContext(ctx, "the fact of the batch is not registered: the job that made it is reopened",
			"reopened", string(t))
		return nil
	}
	return nil
}
