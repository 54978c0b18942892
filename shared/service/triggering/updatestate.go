package triggering

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/rewind"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// updateState creates StateTransition jobs strictly in order: the next one when the last is completed or has sent its
// transaction, up to as many as may be on their way at a time.
func (t *Triggers) updateState(ctx context.Context) error {
	if err := t.ready(ctx); err != nil {
		return err
	}
	if err := t.completeAll(ctx); err != nil {
		return err
	}
	next, ok, err := t.nextUpdate(ctx)
	if err != nil || !ok {
		return err
	}
	if t.Settings.Layer == stage.L2 {
		return t.transitionL2(ctx, next)
	}
	return t.transitionL3(ctx, next)
}

// first is the batch whose state update is the first: the configured one, or the one after the batch that was adopted.
func (t *Triggers) first(ctx context.Context) (uint64, error) {
	bs, err := t.Batches.ListSnos(ctx, batch.Archived, 0, 1) // a takeover writes one on both layers
	if err != nil {
		return 0, fmt.Errorf("find the adopted SNOS batch: %w", err)
	}
	if len(bs) == 0 || bs[0].Reason != batch.Adopted {
		return t.Settings.FirstBatch, nil
	}
	adopted := bs[0].Index
	if t.Settings.Layer == stage.L2 {
		adopted = bs[0].Aggregator
	}
	return max(t.Settings.FirstBatch, adopted+1), nil
}

// nextUpdate is the batch whose state update is next; ok is false while those before it leave no room.
func (t *Triggers) nextUpdate(ctx context.Context) (next uint64, ok bool, err error) {
	last, err := t.updates(ctx, job.Filter{Order: job.Descending, Limit: 1})
	if err == nil && len(last) == 0 { // there is none, or the newest is discarded
		last, err = t.updates(ctx, job.Filter{Order: job.Descending, Limit: page})
	}
	if err != nil {
		return 0, false, fmt.Errorf("find the last StateTransition job: %w", err)
	}
	if len(last) == 0 {
		next, err := t.first(ctx)
		return next, err == nil, err
	}
	if last[0].Status == job.Completed {
		return last[0].Batch + 1, true, nil
	}
	most := max(t.Settings.Unsettled, 1)
	if m, is := last[0].Metadata.(*job.StateTransitionMeta); !is || most == 1 || len(m.Journal.Records) == 0 {
		return 0, false, nil
	}
	open, err := t.updates(ctx, job.Filter{Statuses: job.Unfinished(), Limit: most})
	if err != nil {
		return 0, false, fmt.Errorf("list StateTransition jobs on their way: %w", err)
	}
	if len(open) >= most || slices.ContainsFunc(open, func(j job.Job) bool { return j.Status.NeedsOperator() }) {
		return 0, false, nil
	}
	return last[0].Batch + 1, true, nil
}

// completeAll marks the batches whose state update is completed, in order.
func (t *Triggers) completeAll(ctx context.Context) error {
	first, last, err := t.settling(ctx)
	if err != nil || first == 0 {
		return err
	}
	done, err := t.Jobs.List(ctx, job.Filter{
		Type: job.StateTransition, Statuses: []job.Status{job.Completed}, From: first, To: last, Limit: job.MaxPage,
	})
	if err != nil {
		return fmt.Errorf("list completed StateTransition jobs: %w", err)
	}
	for _, j := range done {
		if err := t.complete(ctx, j); err != nil && !errors.Is(err, batch.ErrConflict) {
			return err
		}
	}
	return nil
}

// settling are the first and the last batch that wait for their state update; 0 where there are none.
func (t *Triggers) settling(ctx context.Context) (first, last uint64, err error) {
	if t.Settings.Layer == stage.L2 {
		bs, err := t.aggregatorsWith(ctx, batch.InStateTransition, page)
		if err != nil || len(bs) == 0 {
			return 0, 0, err
		}
		return bs[0].Index, bs[len(bs)-1].Index, nil
	}
	bs, err := t.snosWith(ctx, batch.InStateTransition, page)
	if err != nil || len(bs) == 0 {
		return 0, 0, err
	}
	return bs[0].Index, bs[len(bs)-1].Index, nil
}

// ready marks the batches whose last job before the state update is completed.
func (t *Triggers) ready(ctx context.Context) error {
	if t.Settings.Layer == stage.L3 {
		return t.advance(ctx, batch.InDataSubmission, job.DataSubmission, batch.InStateTransition, nil)
	}
	bs, err := t.aggregatorsWith(ctx, batch.InAggregator, page)
	if err != nil || len(bs) == 0 {
		return err
	}
	done, err := t.Jobs.List(ctx, job.Filter{
		Type: job.Aggregator, Statuses: []job.Status{job.Completed},
		From: bs[0].Index, To: bs[len(bs)-1].Index, Limit: job.MaxPage,
	})
	if err != nil {
		return fmt.Errorf("list completed Aggregator jobs: %w", err)
	}
	type made struct{ batch, epoch uint64 }
	completed := map[made]bool{}
	for _, j := range done {
		completed[made{j.Batch, j.Epoch}] = true
	}
	for _, b := range bs {
		if !completed[made{b.Index, b.Epoch}] {
			continue
		}
		if _, err := t.moveAggregator(ctx, b, batch.InStateTransition); err != nil &&
			!errors.Is(err, batch.ErrConflict) {
			return err
		}
	}
	return nil
}

func (t *Triggers) transitionL2(ctx context.Context, index uint64) error {
	b, err := t.Batches.Aggregator(ctx, index)
	if errors.Is(err, batch.ErrNotFound) || (err == nil && (b.Status != batch.InStateTransition ||
		!t.known(rewind.Aggregator, b.Index, b.Epoch))) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read aggregator batch %d: %w", index, err)
	}
	if index > t.Settings.FirstBatch {
		before, err := t.Batches.Aggregator(ctx, index-1)
		if err != nil {
			return fmt.Errorf("read aggregator batch %d: %w", index-1, err)
		}
		if before.EndBlock+1 != b.StartBlock {
			return gapError(index, before.EndBlock, b.StartBlock)
		}
	}
	return t.create(ctx, index, b.Epoch, &job.StateTransitionMeta{
		StartBlock: b.StartBlock, EndBlock: b.EndBlock, EndHash: b.EndHash,
		StarknetVersion: b.StarknetVersion, OpenedAt: b.OpenedAt,
		ProgramOutputKey: artifact.AggregatorKey(index, b.Epoch, artifact.ProgramOutput),
		DASegmentKey:     artifact.AggregatorKey(index, b.Epoch, artifact.DASegment),
	}, b.TraceID)
}

func gapError(index, end, start uint64) error {
	return fmt.Errorf("batch %d starts at block %d, the batch before it ends at %d: the batches' documents are torn, "+
		"settle nothing", index, start, end)
}

func (t *Triggers) transitionL3(ctx context.Context, index uint64) error {
	b, err := t.Batches.Snos(ctx, index)
	if errors.Is(err, batch.ErrNotFound) || (err == nil && (b.Status != batch.InStateTransition ||
		!t.known(rewind.Snos, b.Index, b.Epoch))) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read SNOS batch %d: %w", index, err)
	}
	if index > t.Settings.FirstBatch {
		before, err := t.Batches.Snos(ctx, index-1)
		if err != nil {
			return fmt.Errorf("read SNOS batch %d: %w", index-1, err)
		}
		if before.EndBlock+1 != b.StartBlock {
			return gapError(index, before.EndBlock, b.StartBlock)
		}
	}
	data, err := before[*job.DataSubmissionMeta](ctx, t, job.DataSubmission, b)
	if err != nil {
		return err
	}
	registered, err := before[*job.ProofRegistrationMeta](ctx, t, job.ProofRegistration, b)
	if err != nil {
		return err
	}
	m := &job.StateTransitionMeta{
		StartBlock: b.StartBlock, EndBlock: b.EndBlock, EndHash: b.EndHash,
		StarknetVersion: b.StarknetVersion, OpenedAt: b.OpenedAt,
		DataHash: data.DataHash, DataSize: data.DataSize,
		ProgramOutputKey: artifact.SNOSKey(index, b.Epoch, artifact.ProgramOutput),
		BridgeProofKey:   registered.BridgeProofKey, // what is stored, whatever prover the settings name now
	}
	if registered.PIEKey == "" { // else the run's own output is what was registered
		m.ProofKey = registered.ProofKey
	}
	return t.create(ctx, index, b.Epoch, m, b.TraceID)
}

// before is the metadata of a job that a SNOS batch's state update builds on.
func before[M job.Metadata](ctx context.Context, t *Triggers, jt job.Type, b batch.SnosBatch) (m M, err error) {
	j, err := t.Jobs.Find(ctx, jt, b.Index)
	if err != nil {
		return m, fmt.Errorf("read %s job of batch %d: %w", jt, b.Index, err)
	}
	if j.Epoch != b.Epoch {
		return m, fmt.Errorf("%s job %s of batch %d is of epoch %d, the batch of %d: a rewind is under way", jt, j.ID,
			b.Index, j.Epoch, b.Epoch)
	}
	m, ok := j.Metadata.(M)
	if !ok {
		return m, fmt.Errorf("%s job %s has metadata %T", jt, j.ID, j.Metadata)
	}
	return m, nil
}

// complete writes the ledger of the batch that a completed state transition settled, and marks the batch.
func (t *Triggers) complete(ctx context.Context, settled job.Job) error {
	m, ok := settled.Metadata.(*job.StateTransitionMeta)
	if !ok {
		return fmt.Errorf("StateTransition job %s has metadata %T", settled.ID, settled.Metadata)
	}
	index := settled.Batch
	if t.Settings.Layer == stage.L2 {
		b, err := t.Batches.Aggregator(ctx, index)
		if err != nil {
			return fmt.Errorf("read aggregator batch %d: %w", index, err)
		}
		if b.Status == batch.Completed || b.Status == batch.Archived || b.Epoch != settled.Epoch {
			return nil
		}
		if b.Ledger, err = t.ledger(ctx, settled, m, b.FirstSnos, b.LastSnos()); err != nil {
			return err
		}
		if _, err := t.moveAggregator(ctx, b, batch.Completed); err != nil {
			return err
		}
		t.measureSettled(ctx, settled, b.Span, b.Ledger, b.TraceID)
		t.settledEvent(ctx, settled, b.TraceID)
		return nil
	}
	b, err := t.Batches.Snos(ctx, index)
	if err != nil {
		return fmt.Errorf("read SNOS batch %d: %w", index, err)
	}
	if b.Status == batch.Completed || b.Status == batch.Archived || b.Epoch != settled.Epoch {
		return nil
	}
	if b.Ledger, err = t.ledger(ctx, settled, m, index, index); err != nil {
		return err
	}
	if err := t.moveSnos(ctx, b, batch.Completed); err != nil {
		return err
	}
	t.measureSettled(ctx, settled, b.Span, b.Ledger, b.TraceID)
	t.settledEvent(ctx, settled, b.TraceID)
	return nil
}

// ledger gathers what a batch cost and when it passed each stage from its jobs.
func (t *Triggers) ledger(ctx context.Context, settled job.Job, m *job.StateTransitionMeta, first,
	last uint64) (batch.Ledger, error) {
	l := batch.Ledger{Blobs: m.Blobs, Tx: m.SettledBy, Requests: map[string]int{}}
	pay(&l, m.Included)
	save(&l, m)
	pass := func(j job.Job) {
		l.Pass(string(j.Type), j.CreatedAt, j.EndedAt)
		l.Requests[string(j.Type)] += j.Attempts.Total
	}
	for _, jt := range []job.Type{job.SnosRun, job.ProofCreation, job.ProofRegistration, job.DataSubmission} {
		if (jt == job.ProofRegistration || jt == job.DataSubmission) && t.Settings.Layer == stage.L2 {
			continue
		}
		jobs, err := t.Jobs.List(ctx, job.Filter{Type: jt, From: first, To: last, Limit: job.MaxPage})
		if err != nil {
			return l, fmt.Errorf("list %s jobs %d to %d: %w", jt, first, last, err)
		}
		for _, j := range jobs {
			pass(j)
			payForData(&l, j)
			l.ProverSteps += stepsOf(j)
			if jt == job.ProofCreation || isDirect(j) {
				l.ProverTask = j.ExternalID
			}
		}
	}
	if t.Settings.Layer == stage.L2 {
		j, err := t.Jobs.Find(ctx, job.Aggregator, settled.Batch)
		if err != nil {
			return l, fmt.Errorf("read Aggregator job of batch %d: %w", settled.Batch, err)
		}
		pass(j)
		l.ProverTask = j.ExternalID
	}
	pass(settled)
	return l, nil
}

// isDirect says whether a job registers straight from the PIE, and so is the one that proves.
func isDirect(j job.Job) bool {
	m, ok := j.Metadata.(*job.ProofRegistrationMeta)
	return ok && m.PIEKey != ""
}

func (t *Triggers) settledEvent(ctx context.Context, j job.Job, trace string) {
	e := event.Event{
		Type: event.BatchSettled, At: t.Now(), Chain: t.Settings.Chain, JobID: j.ID, Batch: j.Batch, TraceID: trace,
		Detail: map[string]string{"tx": j.ExternalID},
	}
	if err := t.Events.Publish(ctx, e); err != nil {
		t.log().WarnContext(ctx, "event not published", "batch", j.Batch, "error", err)
	}
}
