package datasubmission

import (
	"context"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
)

// Unpublished is the handler of a chain whose data nobody publishes: it computes what the state update takes of the
// segment, and sends nothing.
type Unpublished struct {
	Commit    func(words []felt.Felt) da.Commitment
	Artifacts artifact.Store
}

var _ executor.Handler = (*Unpublished)(nil)

// Process computes hash and size of the segment.
func (h *Unpublished) Process(ctx context.Context, r *executor.Run) error {
	m, err := executor.Meta[*job.DataSubmissionMeta](r)
	if err != nil {
		return err
	}
	if begun(m) { // it may be in a block already: the state update must name what is published
		return fmt.Errorf("transactions on %s, configured is none: %w", nameOf(m.Layer), ErrElsewhere)
	}
	words, err := readSegment(ctx, h.Artifacts, m)
	if err != nil {
		return err
	}
	c := h.Commit(words)
	m.DataHash, m.DataSize, m.PartWords, m.More = c.Hash, c.Size, 0, nil
	m.Layer, m.VersionedHashes = "", nil // of what was to be signed, and was not
	return nil
}

// Verify completes the job. What was published before the setting changed is not watched.
func (h *Unpublished) Verify(ctx context.Context, r *executor.Run) (job.Verdict, error) {
	if r.Job.Status == job.Completed {
		return job.Verdict{Kind: job.VerdictFinal, Reason: "DA_KIND is none: publications are not watched"}, nil
	}
	if err := h.Process(ctx, r); err != nil { // once more: the job may come from a handler that published
		return job.Verdict{}, err
	}
	return job.Verdict{Kind: job.VerdictVerified}, nil
}
