package statetransition

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/look"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
)

// bides says whether an update for which nothing is signed waits for lower fees, and for what. Those behind it wait for
// it. An update that has begun goes on. Where nothing can be compared, it is sent.
func (h *Handler) bides(ctx context.Context, r *executor.Run, m *job.StateTransitionMeta) (bool, string, error) {
	target := h.Sender.Policy.Target
	market, ok := h.Sender.Chain.(tx.Market)
	if target.Percentile == 0 || !ok || len(m.Journal.Records) > 0 {
		if m.FeeWait != nil {
			m.FeeWait.Waits = false // the setting was taken away, or it has begun
		}
		return false, "", nil
	}
	head, err := h.Sender.Chain.Head(ctx)
	if err != nil {
		return false, "", fmt.Errorf("read the settlement layer's fees: %w", err)
	}
	since := m.OpenedAt
	if since.IsZero() {
		since = r.Job.CreatedAt
	}
	prices, err := h.prices(ctx, r, market, target.Until(since))
	if err != nil {
		return false, "", err
	}
	today := tx.Price{Base: head.BaseFee, Blob: head.BlobBaseFee}
	bid := target.Bide(h.Sender.Now(), since, today, prices, usualGas, h.blobs(ctx, r, m))
	if m.FeeWait == nil {
		m.FeeWait = &job.FeeWait{Since: h.Sender.Now(), First: bid.Today.String()}
	}
	w := m.FeeWait
	w.Today, w.Until, w.Waits = bid.Today.String(), bid.Until, bid.Wait
	if bid.Target != nil { // else what was waited for before stays
		w.Target = bid.Target.String()
	}
	return bid.Wait, w.Says(""), nil
}

// prices are those of the past, until a batch is sent at any price: from then on nothing that fails may keep it. None
// where the node has none.
func (h *Handler) prices(ctx context.Context, r *executor.Run, market tx.Market, until time.Time) ([]tx.Price, error) {
	if !h.Sender.Now().Before(until) {
		return nil, nil
	}
	prices, err := market.Prices(ctx, tx.FeeWindow)
	if errors.Is(err, look.ErrUnanswered) {
		return nil, fmt.Errorf("read the settlement layer's past fees: %w", err)
	}
	if err != nil {
		r.Log().WarnContext(ctx, "the node gives no past fees, so that the batch waits for none", "error", err)
	}
	return prices, nil
}

// usualGas is about what a state update takes (recorded ones used 166,217 to 701,461). The policy has only a limit.
const usualGas = 400_000

// blobs are how many the update will carry, as far as is known before it is built: as many as the one before it.
func (h *Handler) blobs(ctx context.Context, r *executor.Run, m *job.StateTransitionMeta) int {
	if m.Blobs > 0 || m.DASegmentKey == "" {
		return m.Blobs
	}
	if before, err := h.Jobs.Find(ctx, job.StateTransition, r.Job.Batch-1); err == nil {
		if b, ok := before.Metadata.(*job.StateTransitionMeta); ok && b.Blobs > 0 {
			return b.Blobs
		}
	}
	return 1
}
