package datasubmission

import (
	"context"
	"errors"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
)

// readBack ends the watch of a publication that is final, once the settlement layer holds what was sent. Where it does
// not, or can't be asked, the job goes on asking and operators are alerted: the publication itself stays.
func (h *Handler) readBack(ctx context.Context, r *executor.Run, m *job.DataSubmissionMeta) (job.Verdict, error) {
	v := job.Verdict{Kind: job.VerdictFinal}
	if h.Archive == nil {
		return v, nil
	}
	err := h.published(ctx, r, m)
	switch {
	case err == nil:
	case errors.Is(err, artifact.ErrNotFound):
		v.Reason = fmt.Sprintf("what was published is not read back, for nothing is left to compare it with: %v", err)
	case da.Gone(h.Archive, r.Job.SubmittedAt, h.Sender.Now()):
		v.Reason = fmt.Sprintf("no node has it any more: %v", err)
	default:
		return job.Verdict{}, err
	}
	return v, nil
}

// published reads back every transaction of a publication, and compares it with its part of the batch's DA segment.
func (h *Handler) published(ctx context.Context, r *executor.Run, m *job.DataSubmissionMeta) error {
	words, err := artifact.ReadFelts(ctx, h.Artifacts, m.SegmentKey, maxWords)
	if err != nil {
		return err
	}
	for i, p := range parts(m) {
		in := *p.included
		payload, _, err := h.encode(ctx, r, m, i, words)
		if err != nil {
			return fmt.Errorf("DA segment %s: %w", m.SegmentKey, err)
		}
		err = h.Archive.Check(ctx, da.Sent{Hash: in.Hash, BlockHash: in.BlockHash, Payload: payload})
		if err != nil {
			return fmt.Errorf("read back what transaction %s published: %w", in.Hash, err)
		}
	}
	return nil
}
