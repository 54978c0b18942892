// Package statetransition updates the state on the settlement layer: the StateTransition job. One job settles one batch, in
// order, exactly once.
package statetransition

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
	"github.com/madara-orchestrator/orchestrator/shared/service/sending"
)

// maxWords bounds program outputs and DA segments: more than any state update can carry (16 blobs of 4,096 words).
const maxWords = 16 * 4096

// Codec turns artifacts into what the contract takes. It is protocol arithmetic, given by the wiring.
type Codec struct {
	// UpdateWords cuts a run's whole program output down to the state update's words.
	UpdateWords func(output []felt.Felt) ([]felt.Felt, error)
	// ProofOutput reads the program output out of a proof's public input; none where the proof has no public input, as those
	// of mock provers. nil: the layer's contract takes outputs from the run's artifacts only.
	ProofOutput func(proof io.Reader) ([]felt.Felt, error)
	// Blobs encodes a DA segment as blobs.
	Blobs func(segment []felt.Felt) ([][]byte, error)
}

// Handler settles a batch.
type Handler struct {
	Contract  settlement.Contract
	Sender    *sending.Sender
	Artifacts artifact.Store
	Codec     Codec
	// ConfigHash is the config hash that the chain's settings have at a Starknet version; nil: it is not compared.
	ConfigHash func(starknetVersion string) (felt.Felt, error)
}

var _ executor.Handler = (*Handler)(nil)

// predecessorWait is when a job looks again whose predecessor isn't settled yet; its completion also wakes this one.
const predecessorWait = 10 * time.Second

// errPredecessor says that the contract is not at the block before the batch.
var errPredecessor = errors.New("the batch before this one is not settled yet")

// Process sends the state update, unless the contract has it already.
func (h *Handler) Process(ctx context.Context, r *executor.Run) error {
	m, err := executor.Meta[*job.StateTransitionMeta](r)
	if err != nil {
		return err
	}
	settled, err := h.settled(ctx, m, false)
	if err != nil || settled {
		return err
	}
	p, err := h.advance(ctx, r, m)
	if errors.Is(err, sending.ErrDryRun) {
		m.DryRun = true
		return job.RetryAfter(dryRunWait, err)
	}
	if p.Record.Hash != "" {
		r.Job.ExternalID = p.Record.Hash
	}
	return classify(err)
}

// dryRunWait is when a dry run checks a ready update again.
const dryRunWait = 10 * time.Minute

// settled says whether the contract has the batch; an error where it can't have it yet.
func (h *Handler) settled(ctx context.Context, m *job.StateTransitionMeta, finalized bool) (bool, error) {
	s, err := h.Contract.State(ctx, finalized)
	if err != nil {
		return false, fmt.Errorf("read the core contract: %w", err)
	}
	return s.Settled && s.Block >= m.EndBlock, nil
}

func (h *Handler) advance(ctx context.Context, r *executor.Run, m *job.StateTransitionMeta) (sending.Progress, error) {
	return h.Sender.Advance(ctx, sending.Request{
		JobID: r.Job.ID, Journal: &m.Journal, Blobs: m.Blobs, Record: r.Checkpoint,
		Payload: func(ctx context.Context) (tx.Payload, error) { return h.payload(ctx, r, m) },
	})
}

// payload reads the batch's artifacts, checks them against the contract and encodes the call.
func (h *Handler) payload(ctx context.Context, r *executor.Run, m *job.StateTransitionMeta) (tx.Payload, error) {
	s, err := h.Contract.State(ctx, false)
	if err != nil {
		return tx.Payload{}, fmt.Errorf("read the core contract: %w", err)
	}
	c, err := h.Contract.Config(ctx)
	if err != nil {
		return tx.Payload{}, fmt.Errorf("read the core contract's configuration: %w", err)
	}
	if s.Settled && s.Next() != m.StartBlock {
		return tx.Payload{}, job.RetryAfter(predecessorWait, fmt.Errorf("contract is at block %d, the batch starts at %d: %w",
			s.Block, m.StartBlock, errPredecessor))
	}
	u, err := h.update(ctx, r.Job.Batch, m)
	if err != nil {
		return tx.Payload{}, err
	}
	m.Blobs = len(u.Blobs)
	if err := h.configured(m.StarknetVersion, u.ProgramOutput, c); err != nil {
		return tx.Payload{}, err
	}
	p, err := h.Contract.Encode(ctx, u, s, c)
	var invalid *settlement.InvalidError
	if errors.As(err, &invalid) && s.Next() == m.StartBlock && slices.Contains(foreign, invalid.Code) {
		err = job.Permanent(fmt.Errorf("the contract waits for block %d, on another history than the batch's: "+
			"the chain was reverted, or the contract is another chain's: %w", m.StartBlock, err))
	}
	return p, err
}

// foreign are the refusals of a contract that is at the right block with another root or hash: time changes nothing.
var foreign = []string{"INVALID_PREV_BLOCK_HASH", "INVALID_PREVIOUS_ROOT"}

func (h *Handler) update(ctx context.Context, batch uint64, m *job.StateTransitionMeta) (settlement.Update, error) {
	u := settlement.Update{Batch: batch, StartBlock: m.StartBlock, EndBlock: m.EndBlock, DataHash: m.DataHash, DataSize: m.DataSize}
	output, err := artifact.ReadFelts(ctx, h.Artifacts, m.ProgramOutputKey, 1<<20)
	if err != nil {
		return u, corrupt(err)
	}
	if u.ProgramOutput, err = h.Codec.UpdateWords(output); err != nil {
		return u, job.Permanent(fmt.Errorf("program output %s: %w", m.ProgramOutputKey, err))
	}
	if m.DASegmentKey != "" {
		if u.Segment, err = artifact.ReadFelts(ctx, h.Artifacts, m.DASegmentKey, maxWords); err != nil {
			return u, corrupt(err)
		}
		if u.Blobs, err = h.Codec.Blobs(u.Segment); err != nil {
			return u, job.Permanent(fmt.Errorf("DA segment %s: %w", m.DASegmentKey, err))
		}
	}
	return u, h.proven(ctx, m, &u)
}

// proven replaces outputs by those that the proofs say, where the layer's contract is given them.
func (h *Handler) proven(ctx context.Context, m *job.StateTransitionMeta, u *settlement.Update) error {
	if h.Codec.ProofOutput == nil {
		return nil
	}
	snos, err := h.proofOutput(ctx, m.ProofKey)
	if err != nil {
		return err
	}
	if len(snos) > 0 {
		u.ProgramOutput = snos
	}
	u.BridgeOutput, err = h.proofOutput(ctx, m.BridgeProofKey)
	return err
}

func (h *Handler) proofOutput(ctx context.Context, key string) ([]felt.Felt, error) {
	if key == "" {
		return nil, nil
	}
	r, err := h.Artifacts.Get(ctx, key)
	if err != nil {
		return nil, corrupt(err)
	}
	defer r.Close()
	words, err := h.Codec.ProofOutput(r)
	if err != nil {
		return nil, corrupt(fmt.Errorf("proof %s: %w", key, err))
	}
	return words, nil
}

// corrupt makes an artifact that can't be right fatal; a store that can't be read stays a passing trouble.
func corrupt(err error) error {
	for _, bad := range []error{artifact.ErrCorrupt, artifact.ErrNotFound, artifact.ErrTooLarge} {
		if errors.Is(err, bad) {
			return job.Permanent(err)
		}
	}
	return err
}

// passing are the contract's refusals that time mends: the fact is not registered yet, or the node lags behind the
// update before this one.
var passing = []string{"NO_STATE_TRANSITION_PROOF", "INVALID_PREV", "INVALID_PREVIOUS_ROOT"}

// classify tells refusals that time mends from those that nothing mends.
func classify(err error) error {
	if job.IsPermanent(err) {
		return err
	}
	var revert *tx.RevertError
	var invalid *settlement.InvalidError
	code := ""
	switch {
	case errors.As(err, &revert):
		code = revert.Code
	case errors.As(err, &invalid):
		code = invalid.Code
	default:
		return err
	}
	for _, p := range passing {
		if strings.HasPrefix(code, p) {
			return job.RetryAfter(predecessorWait, err)
		}
	}
	return job.Permanent(err)
}

// Verify follows the transaction until it is confirmed, and then until it is final.
func (h *Handler) Verify(ctx context.Context, r *executor.Run) (job.Verdict, error) {
	m, err := executor.Meta[*job.StateTransitionMeta](r)
	if err != nil {
		return job.Verdict{}, err
	}
	if r.Job.Status == job.Completed {
		return h.watch(ctx, m)
	}
	if len(m.Journal.Records) == 0 { // processing found it settled, or could not sign yet
		if v, ok, err := h.settledByOthers(ctx, r, m); err != nil || ok {
			return v, err
		}
	}
	p, err := h.advance(ctx, r, m)
	if err != nil {
		return h.refused(ctx, m, err)
	}
	if p.Record.Hash != "" {
		r.Job.ExternalID = p.Record.Hash
	}
	switch p.Step {
	case tx.Confirmed, tx.Final:
		return h.confirmed(ctx, m, p)
	case tx.Reverted:
		return h.reverted(ctx, r, m, p)
	case tx.NonceLost:
		if v, ok, err := h.settledByOthers(ctx, r, m); err != nil || ok {
			return v, err
		}
	}
	return job.Pending("%s", p.Reason), nil
}

// confirmed checks that the confirmed transaction did what it was for.
func (h *Handler) confirmed(ctx context.Context, m *job.StateTransitionMeta, p sending.Progress) (job.Verdict, error) {
	settled, err := h.settled(ctx, m, false)
	if err != nil {
		return job.Verdict{}, err
	}
	if !settled {
		return job.Pending("transaction %s is confirmed, the node's view of the contract lags", p.Record.Hash), nil
	}
	m.Included = &job.Inclusion{
		Hash: p.Record.Hash, Block: p.Status.Block, BlockHash: p.Status.BlockHash,
		GasUsed: p.Status.GasUsed, DataGas: p.Status.DataGasUsed, Fee: p.Status.Cost().String(),
	}
	m.SettledBy = p.Record.Hash
	m.Finalized = p.Step == tx.Final
	return job.Verdict{Kind: job.VerdictVerified, Watch: !m.Finalized}, nil
}

func (h *Handler) reverted(ctx context.Context, r *executor.Run, m *job.StateTransitionMeta, p sending.Progress) (job.Verdict, error) {
	v, ok, err := h.settledByOthers(ctx, r, m)
	if err != nil {
		return v, err
	}
	sending.Close(&m.Journal, p.Record.Nonce)
	if ok {
		return v, nil
	}
	reason := "it gave no reason"
	if p.Status.Revert != nil {
		reason = p.Status.Revert.Error()
	}
	return job.Rejected("transaction %s reverted: %s", p.Record.Hash, reason), nil
}

// refused is for errors of Advance: a replacement may be refused because the transaction has gone through meanwhile.
func (h *Handler) refused(ctx context.Context, m *job.StateTransitionMeta, cause error) (job.Verdict, error) {
	if err := classify(cause); !job.IsPermanent(err) {
		return job.Verdict{}, err
	}
	settled, err := h.settled(ctx, m, false)
	if err != nil {
		return job.Verdict{}, err
	}
	if settled {
		return job.Pending("the contract has the batch, its transaction is not confirmed yet"), nil
	}
	return job.NeverPossible("%v", cause), nil
}

// settledByOthers gives the verdict on a batch that the contract has and no transaction of ours brought; ok is false where the
// contract has it not.
func (h *Handler) settledByOthers(ctx context.Context, r *executor.Run, m *job.StateTransitionMeta) (v job.Verdict, ok bool, err error) {
	settled, err := h.settled(ctx, m, false)
	if err != nil || !settled {
		return v, false, err
	}
	final, err := h.settled(ctx, m, true)
	if err != nil {
		return v, false, err
	}
	h.Sender.Release(ctx, r.Job.ID)
	m.SettledBy, m.Finalized = "another transaction", final
	return job.Verdict{Kind: job.VerdictVerified, Watch: !final}, true, nil
}

// watch looks after a confirmed batch until it is final; a reorganisation reopens it.
func (h *Handler) watch(ctx context.Context, m *job.StateTransitionMeta) (job.Verdict, error) {
	final, err := h.settled(ctx, m, true)
	if err != nil {
		return job.Verdict{}, err
	}
	if final {
		m.Finalized = true
		return job.Verdict{Kind: job.VerdictFinal}, nil
	}
	settled, err := h.settled(ctx, m, false)
	if err != nil {
		return job.Verdict{}, err
	}
	if !settled {
		m.Reopened++
		m.Included = nil
		return job.Verdict{Kind: job.VerdictUndone, Reason: "a reorganisation undid the state update"}, nil
	}
	return job.Verdict{Kind: job.VerdictWatching, Reason: "confirmed, not final yet"}, nil
}
