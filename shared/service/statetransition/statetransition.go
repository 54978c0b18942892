// Package statetransition updates the state on the settlement layer: the StateTransition job. One job settles one
// batch, in order, exactly once.
package statetransition

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/look"
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
	// ProofOutput reads the program output out of a proof's public input; none where the proof has no public input, as
	// those of mock provers. nil: the layer's contract takes outputs from the run's artifacts only.
	ProofOutput func(proof io.Reader) ([]felt.Felt, error)
	// Blobs encodes a DA segment as blobs.
	Blobs func(segment []felt.Felt) ([][]byte, error)
	// Validate decodes the segment that blobs hold, whatever zeros follow it: words must be its beginning, and it must
	// be a state diff of a Starknet version. nil: it is not decoded.
	Validate func(starknetVersion string, words []felt.Felt, blobs [][]byte) error
	// Compare compares a DA segment with what the batch's blocks changed, before anything is signed. nil: nobody does.
	Compare da.Compare
	// Fact is the fact that the contract asks for, of a program and the words of an update with blobs. nil: it does not
	// follow from these.
	Fact func(program felt.Felt, words []felt.Felt) string
}

// Handler settles a batch.
type Handler struct {
	Contract  settlement.Contract
	Sender    *sending.Sender
	Artifacts artifact.Store
	Codec     Codec
	// Needs is what the contract must hold at a Starknet version, by the chain's settings; nil: it is not compared.
	Needs func(starknetVersion string) (settlement.Needs, error)
	Jobs  job.Store // to reopen the job whose fact is gone
	// Archive reads back what was published; nil: nobody does, and nothing is validated before.
	Archive da.Archive
}

var _ executor.Handler = (*Handler)(nil)

// predecessorWait is when a job looks again whose predecessor isn't settled yet; its completion also wakes this one.
const predecessorWait = 10 * time.Second

// errPredecessor says that the contract is not at the block before the batch, and won't be there by what is on its way.
// The job of the batch before is at work.
var errPredecessor = errors.New("the batch before this one is neither settled nor on its way")

// Process sends the state update, unless the contract has it already.
func (h *Handler) Process(ctx context.Context, r *executor.Run) error {
	m, err := executor.Meta[*job.StateTransitionMeta](r)
	if err != nil {
		return err
	}
	return look.Do(ctx, func(ctx context.Context) error {
		seen(ctx, m)
		return h.process(ctx, r, m)
	})
}

// seen has the look ask a node only that has the block in which the update was confirmed. All reads of a job's action
// are one look: contract, wallet and transactions must fit together.
func seen(ctx context.Context, m *job.StateTransitionMeta) {
	if m.Included != nil {
		look.AtLeast(ctx, m.Included.Block)
	}
}

func (h *Handler) process(ctx context.Context, r *executor.Run, m *job.StateTransitionMeta) error {
	settled, err := h.settled(ctx, r, m, false)
	if err != nil || settled {
		return err
	}
	if waits, _, err := h.bides(ctx, r, m); err != nil || waits { // verification looks again
		return err
	}
	p, err := h.advance(ctx, r, m)
	if errors.Is(err, errPredecessor) { // verification looks again
		return nil
	}
	if p.Record.Hash != "" {
		r.Job.ExternalID = p.Record.Hash
	}
	return h.classify(ctx, r, err)
}

// advance takes the next step with the update. What a dry run saw is noted, whichever action comes to it.
func (h *Handler) advance(ctx context.Context, r *executor.Run, m *job.StateTransitionMeta) (sending.Progress, error) {
	if err := h.compare(ctx, m); err != nil {
		return sending.Progress{}, err
	}
	p, err := h.Sender.Advance(ctx, sending.Request{
		JobID: r.Job.ID, Journal: &m.Journal, Blobs: m.Blobs, Checkpoint: r.Checkpoint,
		Order: func(j job.Job) tx.Order { return order(r.Job, j) },
		Payload: func(ctx context.Context, before []job.Job) (tx.Payload, error) {
			return h.payload(ctx, r, m, before)
		},
	})
	if p.Blocked {
		r.Blocked()
	}
	m.DryRun = errors.Is(err, sending.ErrDryRun) || m.DryRun && p.Record.Hash == ""
	var would *sending.DryRunError
	if errors.As(err, &would) {
		m.LastChecks = would.Details()
	}
	return p, err
}

// order says how another job's transactions stand to the update of a batch: updates build on one another.
func order(of, other job.Job) tx.Order {
	switch {
	case other.Type != job.StateTransition:
		return tx.Beside
	case other.Batch < of.Batch:
		return tx.Before
	}
	return tx.Behind
}

// payload reads the batch's artifacts, checks them against the contract as the updates before it leave it, and encodes
// the call.
func (h *Handler) payload(ctx context.Context, r *executor.Run, m *job.StateTransitionMeta,
	before []job.Job) (tx.Payload, error) {
	read, err := h.Contract.State(ctx, false)
	if err != nil {
		return tx.Payload{}, fmt.Errorf("read the core contract: %w", err)
	}
	s, err := h.follow(ctx, read, before)
	if err != nil {
		return tx.Payload{}, err
	}
	if s.Next() != m.StartBlock {
		return tx.Payload{}, h.notNext(ctx, r, s, m)
	}
	c, err := h.Contract.Config(ctx)
	if err != nil {
		return tx.Payload{}, fmt.Errorf("read the core contract's configuration: %w", err)
	}
	u, err := h.update(ctx, r.Job.Batch, m)
	if err != nil {
		return tx.Payload{}, err
	}
	m.Blobs = len(u.Blobs)
	words, err := h.Codec.UpdateWords(u.ProgramOutput) // without what wraps them in a proof's output
	if err != nil {
		return tx.Payload{}, job.Permanent(fmt.Errorf("program output of batch %d: %w", r.Job.Batch, err))
	}
	if err := h.configured(m.StarknetVersion, words, c); err != nil {
		return tx.Payload{}, err
	}
	p, err := h.Contract.Encode(ctx, u, s, c)
	var invalid *settlement.InvalidError
	if errors.As(err, &invalid) {
		err = h.sure(ctx, read, false, err)
	}
	return p, err
}

// notNext is why a batch can't continue from a state. Where no other job is at work to change that, operators hear of
// it.
func (h *Handler) notNext(ctx context.Context, r *executor.Run, s settlement.State, m *job.StateTransitionMeta) error {
	err := fmt.Errorf("the contract waits for block %d, the batch starts at %d", s.Next(), m.StartBlock)
	if before, ferr := h.Jobs.Find(ctx, job.StateTransition, r.Job.Batch-1); ferr == nil &&
		before.Status != job.Completed {
		return fmt.Errorf("%w: %w", err, errPredecessor)
	}
	return job.RetryAfter(predecessorWait, err)
}

// follow is the state that updates leave the contract in, of those that continue where it is.
func (h *Handler) follow(ctx context.Context, s settlement.State, before []job.Job) (settlement.State, error) {
	for _, j := range before {
		m, ok := j.Metadata.(*job.StateTransitionMeta)
		if !ok || m.StartBlock != s.Next() { // it is in a block already
			continue
		}
		after, err := h.after(ctx, m)
		if err != nil {
			return s, fmt.Errorf("batch %d: %w", j.Batch, err)
		}
		s = after
	}
	return s, nil
}

func (h *Handler) update(ctx context.Context, batch uint64, m *job.StateTransitionMeta) (settlement.Update, error) {
	u := settlement.Update{Batch: batch, StartBlock: m.StartBlock, EndBlock: m.EndBlock,
		DataHash: m.DataHash, DataSize: m.DataSize}
	var err error
	if u.ProgramOutput, err = h.words(ctx, m); err != nil {
		return u, err
	}
	if m.DASegmentKey != "" {
		if u.Segment, err = artifact.ReadFelts(ctx, h.Artifacts, m.DASegmentKey, maxWords); err != nil {
			return u, corrupt(err)
		}
		if u.Blobs, err = h.Codec.Blobs(u.Segment); err != nil {
			return u, job.Permanent(fmt.Errorf("DA segment %s: %w", m.DASegmentKey, err))
		}
		if err := h.validate(m, u); err != nil {
			return u, err
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

// corrupt makes an artifact that can't be right fatal; a store that can't be read stays a transient failure.
func corrupt(err error) error {
	for _, bad := range []error{artifact.ErrCorrupt, artifact.ErrNotFound, artifact.ErrTooLarge} {
		if errors.Is(err, bad) {
			return job.Permanent(err)
		}
	}
	return err
}
