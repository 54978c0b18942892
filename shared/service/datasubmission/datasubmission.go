// Package datasubmission publishes a batch's DA segment: the DataSubmission job of an L3.
package datasubmission

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
	"github.com/madara-orchestrator/orchestrator/shared/service/sending"
)

// maxWords bounds a DA segment.
const maxWords = 16 * 4096

// Handler publishes a segment.
type Handler struct {
	Layer     da.Layer
	Sender    *sending.Sender
	Artifacts artifact.Store
}

var _ executor.Handler = (*Handler)(nil)

// Process signs, records and sends the publication.
func (h *Handler) Process(ctx context.Context, r *executor.Run) error {
	m, err := executor.Meta[*job.DataSubmissionMeta](r)
	if err != nil {
		return err
	}
	p, err := h.advance(ctx, r, m)
	if p.Record.Hash != "" {
		r.Job.ExternalID = p.Record.Hash
	}
	return err
}

// advance takes the next step. A publication that the chain would refuse is hopeless.
func (h *Handler) advance(ctx context.Context, r *executor.Run, m *job.DataSubmissionMeta) (sending.Progress, error) {
	p, err := h.send(ctx, r, m)
	var revert *tx.RevertError
	if errors.As(err, &revert) && revert.Refusal == tx.Permanent {
		err = job.Permanent(err)
	}
	return p, err
}

func (h *Handler) send(ctx context.Context, r *executor.Run, m *job.DataSubmissionMeta) (sending.Progress, error) {
	return h.Sender.Advance(ctx, sending.Request{
		JobID: r.Job.ID, Journal: &m.Journal, Record: r.Checkpoint,
		Payload: func(ctx context.Context) (tx.Payload, error) {
			words, err := artifact.ReadFelts(ctx, h.Artifacts, m.SegmentKey, maxWords)
			if errors.Is(err, artifact.ErrCorrupt) || errors.Is(err, artifact.ErrNotFound) {
				return tx.Payload{}, job.Permanent(err)
			}
			if err != nil {
				return tx.Payload{}, err
			}
			p, c, err := h.Layer.Encode(ctx, da.Data{
				Batch: r.Job.Batch, StartBlock: m.StartBlock, EndBlock: m.EndBlock, Words: words,
			})
			if errors.Is(err, da.ErrTooLarge) {
				return p, job.Permanent(fmt.Errorf("publish %s: %w", m.SegmentKey, err))
			}
			m.DataHash, m.DataSize, m.VersionedHashes = c.Hash, c.Size, c.VersionedHashes
			return p, err
		},
	})
}

// Verify follows the transaction until it is confirmed, and then until it is final.
func (h *Handler) Verify(ctx context.Context, r *executor.Run) (job.Verdict, error) {
	m, err := executor.Meta[*job.DataSubmissionMeta](r)
	if err != nil {
		return job.Verdict{}, err
	}
	if r.Job.Status == job.Completed {
		return h.watch(ctx, m)
	}
	p, err := h.advance(ctx, r, m)
	if err != nil {
		return job.Verdict{}, err
	}
	if p.Record.Hash != "" {
		r.Job.ExternalID = p.Record.Hash
	}
	switch p.Step {
	case tx.Confirmed, tx.Final:
		m.Included = &job.Inclusion{
			Hash: p.Record.Hash, Block: p.Status.Block, BlockHash: p.Status.BlockHash,
			GasUsed: p.Status.GasUsed, DataGas: p.Status.DataGasUsed, Fee: p.Status.Cost().String(),
		}
		return job.Verdict{Kind: job.VerdictVerified, Watch: p.Step != tx.Final}, nil
	case tx.Reverted:
		sending.Close(&m.Journal, p.Record.Nonce)
		return job.Rejected("publication %s reverted", p.Record.Hash), nil
	}
	return job.Pending("%s", p.Reason), nil
}

// watch looks after a confirmed publication until it is final; one that a reorganisation undid is published again.
func (h *Handler) watch(ctx context.Context, m *job.DataSubmissionMeta) (job.Verdict, error) {
	d, err := h.Sender.Look(ctx, m.Journal)
	if err != nil {
		return job.Verdict{}, err
	}
	switch {
	case d.Step == tx.Final:
		return job.Verdict{Kind: job.VerdictFinal}, nil
	case d.Status.Phase == tx.Included && d.Status.Success:
		m.DoubtedAt = time.Time{}
		return job.Verdict{Kind: job.VerdictWatching, Reason: "confirmed, not final yet"}, nil
	}
	gone, err := h.Sender.Undone(ctx, m.Included, &m.DoubtedAt)
	if err != nil {
		return job.Verdict{}, err
	}
	if !gone {
		return job.Verdict{Kind: job.VerdictWatching, Reason: "one look does not show the confirmed publication: the node may lag"}, nil
	}
	m.Included = nil
	return job.Verdict{Kind: job.VerdictUndone, Reason: "a reorganisation undid the publication"}, nil
}
