package statetransition

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/look"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
	"github.com/madara-orchestrator/orchestrator/shared/service/sending"
)

// Verify follows the transaction until it is confirmed, and then until it is final.
func (h *Handler) Verify(ctx context.Context, r *executor.Run) (job.Verdict, error) {
	m, err := executor.Meta[*job.StateTransitionMeta](r)
	if err != nil {
		return job.Verdict{}, err
	}
	return look.Value(ctx, func(ctx context.Context) (job.Verdict, error) {
		seen(ctx, m)
		if r.Job.Status == job.Completed {
			return h.watch(ctx, r, m)
		}
		return h.verify(ctx, r, m)
	})
}

func (h *Handler) verify(ctx context.Context, r *executor.Run, m *job.StateTransitionMeta) (job.Verdict, error) {
	if len(m.Journal.Records) == 0 { // processing found it settled, or could not sign yet
		if v, ok, err := h.settledByOthers(ctx, r, m); err != nil || ok {
			return v, err
		}
		if waits, why, err := h.bides(ctx, r, m); err != nil || waits {
			return job.Waiting("%s", why), err
		}
	}
	p, err := h.advance(ctx, r, m)
	if errors.Is(err, errPredecessor) {
		return job.Waiting("%v", err), nil
	}
	if err != nil {
		return h.refused(ctx, r, m, err)
	}
	if p.Record.Hash != "" {
		r.Job.ExternalID = p.Record.Hash
	}
	switch p.Step {
	case tx.Confirmed, tx.Final:
		return h.confirmed(ctx, r, m, p)
	case tx.Reverted:
		return h.reverted(ctx, r, m, p)
	case tx.NonceLost:
		if v, ok, err := h.settledByOthers(ctx, r, m); err != nil || ok {
			return v, err
		}
	}
	return p.Verdict(), nil
}

// confirmed checks that the confirmed transaction did what it was for.
func (h *Handler) confirmed(ctx context.Context, r *executor.Run, m *job.StateTransitionMeta,
	p sending.Progress) (job.Verdict, error) {
	settled, err := h.settled(ctx, r, m, false)
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
	m.Finalized = p.Step == tx.Final && h.Archive == nil // what was published is read back while it is watched
	return job.Verdict{Kind: job.VerdictVerified, Watch: !m.Finalized}, nil
}

func (h *Handler) reverted(ctx context.Context, r *executor.Run, m *job.StateTransitionMeta,
	p sending.Progress) (job.Verdict, error) {
	v, ok, err := h.settledByOthers(ctx, r, m)
	if err != nil {
		return v, err
	}
	m.Journal.Lose(p.Record)
	if ok {
		return v, nil
	}
	reason := "it gave no reason"
	if revert := p.Status.Revert; revert != nil {
		// what it built on was not mined before it, or the contract was changed meanwhile: the update itself is not
		// refused
		if revert.Refusal == tx.NotYet || revert.Refusal == tx.Unconfigured {
			return job.Waiting("transaction %s reverted (%s): it is signed again", p.Record.Hash, revert.Detail), nil
		}
		if revert.Refusal == tx.Unproven { // the fact was there in simulation: a reorganisation took it back
			return job.Waiting("transaction %s reverted, for the batch's fact is gone: it is signed again once the "+
				"fact is back", p.Record.Hash), h.prove(ctx, r)
		}
		reason = revert.Error()
	}
	return job.Rejected("transaction %s reverted: %s", p.Record.Hash, reason), nil
}

// refused is for errors of Advance: a replacement may be refused because the transaction has gone through meanwhile.
func (h *Handler) refused(ctx context.Context, r *executor.Run, m *job.StateTransitionMeta,
	cause error) (job.Verdict, error) {
	if err := h.classify(ctx, r, cause); !job.IsPermanent(err) {
		return job.Verdict{}, err
	}
	settled, err := h.settled(ctx, r, m, false)
	if err != nil {
		return job.Verdict{}, err
	}
	if settled {
		return job.Pending("the contract has the batch, its transaction is not confirmed yet"), nil
	}
	return job.NeverPossible("%v", cause), nil
}

// settledByOthers gives the verdict on a batch that the contract has and no transaction of ours brought; ok is false
// where the contract does not have it.
func (h *Handler) settledByOthers(ctx context.Context, r *executor.Run,
	m *job.StateTransitionMeta) (v job.Verdict, ok bool, err error) {
	settled, err := h.settled(ctx, r, m, false)
	if err != nil || !settled {
		return v, false, err
	}
	final, err := h.settled(ctx, r, m, true)
	if err != nil {
		return v, false, err
	}
	m.SettledBy, m.Finalized = "another transaction", final
	return job.Verdict{Kind: job.VerdictVerified, Watch: !final}, true, nil
}

// watch looks after a confirmed batch until it is final; a reorganisation reopens it.
func (h *Handler) watch(ctx context.Context, r *executor.Run, m *job.StateTransitionMeta) (job.Verdict, error) {
	final, err := h.settled(ctx, r, m, true)
	if errors.Is(err, errForeign) { // verification says what is wrong, and alerts
		return undone(m, err.Error()), nil
	}
	if err != nil {
		return job.Verdict{}, err
	}
	if final {
		v := job.Verdict{Kind: job.VerdictFinal}
		if err := h.published(ctx, m); err != nil { // it is settled; operators are alerted of what can't be read
			if !da.Gone(h.Archive, r.Job.SubmittedAt, h.Sender.Now()) {
				return job.Verdict{}, err
			}
			v.Reason = fmt.Sprintf("no beacon node has it any more: %v", err)
		}
		m.Finalized = true
		return v, nil
	}
	settled, err := h.settled(ctx, r, m, false)
	switch {
	case errors.Is(err, errForeign):
		return undone(m, err.Error()), nil
	case err != nil:
		return job.Verdict{}, err
	case settled:
		m.DoubtedAt = time.Time{}
		return job.Verdict{Kind: job.VerdictWatching, Reason: "confirmed, not final yet"}, nil
	}
	gone, err := h.Sender.Undone(ctx, m.Included, &m.DoubtedAt)
	if err != nil {
		return job.Verdict{}, err
	}
	if !gone {
		return job.Verdict{Kind: job.VerdictWatching,
			Reason: "one look does not show the confirmed update: the node may lag"}, nil
	}
	return undone(m, "a reorganisation undid the state update"), nil
}

func undone(m *job.StateTransitionMeta, reason string) job.Verdict {
	m.Reopened++
	m.Included, m.Finalized = nil, false
	return job.Verdict{Kind: job.VerdictUndone, Reason: reason}
}
