package statetransition

import (
	"context"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// published reads back the blobs of an update that is final, and compares them with the batch's DA segment. An update
// of another wallet is not looked up: only its sender knows the transaction.
func (h *Handler) published(ctx context.Context, m *job.StateTransitionMeta) error {
	if h.Archive == nil || m.DASegmentKey == "" || m.Included == nil {
		return nil
	}
	segment, err := artifact.ReadFelts(ctx, h.Artifacts, m.DASegmentKey, maxWords)
	if err != nil {
		return err
	}
	blobs, err := h.Codec.Blobs(segment)
	if err != nil {
		return fmt.Errorf("DA segment %s: %w", m.DASegmentKey, err)
	}
	st, err := h.Sender.Chain.Lookup(ctx, m.Included.Hash) // a reorganisation may have put it into another block
	if err != nil {
		return fmt.Errorf("look for transaction %s: %w", m.Included.Hash, err)
	}
	if st.Phase == tx.Included {
		m.Included.Block, m.Included.BlockHash = st.Block, st.BlockHash
	}
	sent := da.Sent{Hash: m.Included.Hash, BlockHash: m.Included.BlockHash, Payload: tx.Payload{Blobs: blobs}}
	if err := h.Archive.Check(ctx, sent); err != nil {
		return fmt.Errorf("read back what transaction %s published: %w", m.Included.Hash, err)
	}
	return nil
}

// validate decodes what is about to be published: the words of the blobs must be those of the segment, and hold a state
// diff.
func (h *Handler) validate(m *job.StateTransitionMeta, u settlement.Update) error {
	if h.Archive == nil || h.Codec.Validate == nil {
		return nil
	}
	if err := h.Codec.Validate(m.StarknetVersion, u.Segment, u.Blobs); err != nil {
		return job.Permanent(fmt.Errorf("DA segment %s is not what a reader could use: %w", m.DASegmentKey, err))
	}
	return nil
}

// compare compares what is about to be published with what the batch's blocks changed, once, before anything is signed
// and without the wallet's lease. What differs fails the job for good; what can't be read is read again later.
func (h *Handler) compare(ctx context.Context, m *job.StateTransitionMeta) error {
	if h.Codec.Compare == nil || m.DASegmentKey == "" || len(m.Journal.Records) > 0 {
		return nil
	}
	segment, err := artifact.ReadFelts(ctx, h.Artifacts, m.DASegmentKey, maxWords)
	if err != nil {
		return corrupt(err)
	}
	return h.Codec.Compare.Once(ctx, &m.Compared, m.DASegmentKey, segment,
		da.Blocks{From: m.StartBlock, To: m.EndBlock, EndHash: m.EndHash})
}
