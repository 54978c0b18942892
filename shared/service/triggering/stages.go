package triggering

import (
	"context"
	"errors"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// snos creates SnosRun jobs for closed SNOS batches, in order, within the window above the oldest one that still runs.
func (t *Triggers) snos(ctx context.Context) error {
	running, err := t.snosWith(ctx, batch.InSnosRun, 1)
	if err != nil {
		return fmt.Errorf("find the oldest running SNOS batch: %w", err)
	}
	closed, err := t.snosWith(ctx, batch.Closed, page)
	if err != nil {
		return fmt.Errorf("list closed SNOS batches: %w", err)
	}
	if len(closed) == 0 {
		return nil
	}
	oldest := closed[0].Index
	if len(running) > 0 {
		oldest = min(oldest, running[0].Index)
	}
	for _, b := range closed {
		if b.Index >= oldest+t.Settings.Window {
			return nil
		}
		m := &job.SnosRunMeta{
			StartBlock: b.StartBlock, EndBlock: b.EndBlock, StarknetVersion: b.StarknetVersion,
			FullOutput:   t.Settings.Layer == stage.L2,
			OutputPrefix: artifact.SNOSPrefix(b.Index, b.Epoch),
		}
		if err := t.create(ctx, b.Index, b.Epoch, m, b.TraceID); err != nil {
			return err
		}
		if err := t.move(ctx, b, batch.InSnosRun); err != nil {
			return err
		}
	}
	return nil
}

// direct says that batches are registered straight from their PIE, without a proof of their own before (L3).
func (t *Triggers) direct() bool {
	return t.Settings.Layer == stage.L3 && t.Prover.Capabilities().Direct
}

// registerPIE creates ProofRegistration jobs for SNOS batches that have run, where the prover registers straight from
// the PIE.
func (t *Triggers) registerPIE(ctx context.Context) error {
	return t.advance(ctx, batch.InSnosRun, job.SnosRun, batch.InProofRegistration,
		func(b batch.SnosBatch, run job.Job) (job.Metadata, error) {
			ran, ok := run.Metadata.(*job.SnosRunMeta)
			if !ok {
				return nil, fmt.Errorf("SnosRun job %s has metadata %T", run.ID, run.Metadata)
			}
			return t.registerPIEOf(b, ran.Fact, ran.Steps), nil
		})
}

// registerPIEOf is the metadata of a registration straight from a batch's PIE.
func (t *Triggers) registerPIEOf(b batch.SnosBatch, fact string, steps uint64) *job.ProofRegistrationMeta {
	m := &job.ProofRegistrationMeta{
		StartBlock: b.StartBlock, EndBlock: b.EndBlock, StarknetVersion: b.StarknetVersion, Fact: fact, Steps: steps,
		PIEKey: artifact.SNOSKey(b.Index, b.Epoch, artifact.PIE),
	}
	if t.Prover.Capabilities().Proofs {
		m.BridgeProofKey = artifact.SNOSKey(b.Index, b.Epoch, artifact.BridgeProof)
	}
	return m
}

// proving creates ProofCreation jobs for SNOS batches that have run.
func (t *Triggers) proving(ctx context.Context) error {
	if t.direct() {
		return t.registerPIE(ctx)
	}
	return t.advance(ctx, batch.InSnosRun, job.SnosRun, batch.InProofCreation,
		func(b batch.SnosBatch, run job.Job) (job.Metadata, error) {
			ran, ok := run.Metadata.(*job.SnosRunMeta)
			if !ok {
				return nil, fmt.Errorf("SnosRun job %s has metadata %T", run.ID, run.Metadata)
			}
			m := &job.ProofCreationMeta{
				StartBlock: b.StartBlock, EndBlock: b.EndBlock, StarknetVersion: b.StarknetVersion,
				PIEKey: artifact.SNOSKey(b.Index, b.Epoch, artifact.PIE),
				Steps:  ran.Steps, Fact: ran.Fact,
			}
			if t.Prover.Capabilities().Proofs && (t.Settings.WantProofs || t.Settings.Layer == stage.L3) {
				m.ProofKey = artifact.SNOSKey(b.Index, b.Epoch, artifact.Proof)
			}
			if b.Aggregator != 0 { // where its aggregator batch was begun, whatever prover the settings name now
				parent, err := t.Batches.Aggregator(ctx, b.Aggregator)
				if err != nil {
					return nil, fmt.Errorf("read aggregator batch %d: %w", b.Aggregator, err)
				}
				if parent.Epoch != b.Epoch {
					return nil, fmt.Errorf("SNOS batch %d is of epoch %d, aggregator batch %d of %d: a rewind is "+
						"under way", b.Index, b.Epoch, parent.Index, parent.Epoch)
				}
				m.Bucket, m.Prover = parent.Bucket, parent.Prover
				if m.Bucket != "" {
					m.BucketIndex = b.Index - parent.FirstSnos
				}
			}
			return m, nil
		})
}

// registration creates ProofRegistration jobs for SNOS batches that are proven (L3).
func (t *Triggers) registration(ctx context.Context) error {
	return t.advance(ctx, batch.InProofCreation, job.ProofCreation, batch.InProofRegistration,
		func(b batch.SnosBatch, proven job.Job) (job.Metadata, error) {
			made, ok := proven.Metadata.(*job.ProofCreationMeta)
			if !ok {
				return nil, fmt.Errorf("ProofCreation job %s has metadata %T", proven.ID, proven.Metadata)
			}
			if t.direct() { // the prover's route was changed after the batch's proof was asked for
				return t.registerPIEOf(b, made.Fact, made.Steps), nil
			}
			// what is stored, whatever prover the settings name now; one that hands out no proofs knows its task
			m := &job.ProofRegistrationMeta{StartBlock: b.StartBlock, EndBlock: b.EndBlock,
				StarknetVersion: b.StarknetVersion, Fact: made.Fact, ProofKey: made.ProofKey}
			if t.Prover.Capabilities().Proofs {
				m.BridgeProofKey = artifact.SNOSKey(b.Index, b.Epoch, artifact.BridgeProof)
			}
			return m, nil
		})
}

// dataSubmission creates DataSubmission jobs for SNOS batches whose proof is registered (L3).
func (t *Triggers) dataSubmission(ctx context.Context) error {
	return t.advance(ctx, batch.InProofRegistration, job.ProofRegistration, batch.InDataSubmission,
		func(b batch.SnosBatch, _ job.Job) (job.Metadata, error) {
			return &job.DataSubmissionMeta{
				StartBlock: b.StartBlock, EndBlock: b.EndBlock, EndHash: b.EndHash,
				SegmentKey: artifact.SNOSKey(b.Index, b.Epoch, artifact.DASegment),
			}, nil
		})
}

// aggregator marks proven SNOS batches, and creates Aggregator jobs for closed batches whose children are all proven.
func (t *Triggers) aggregator(ctx context.Context) error {
	if err := t.advance(ctx, batch.InProofCreation, job.ProofCreation, batch.Proven, nil); err != nil {
		return err
	}
	var faults []error
	for _, s := range []batch.Status{batch.Proven, batch.Closed} {
		bs, err := t.aggregatorsWith(ctx, s, page)
		if err != nil {
			return fmt.Errorf("list aggregator batches with status %s: %w", s, err)
		}
		proven, err := t.proven(ctx, bs)
		if err != nil {
			return err
		}
		for _, b := range bs {
			if err := t.aggregate(ctx, b, proven); err != nil && !errors.Is(err, batch.ErrConflict) {
				faults = append(faults, err)
			}
		}
	}
	return errors.Join(faults...)
}

// provenPage is how many proven SNOS batches one run looks at: all of those whose aggregator batches wait, as a rule.
const provenPage = 500

// proven says which SNOS batches of closed aggregator batches are proven, by one query.
func (t *Triggers) proven(ctx context.Context, bs []batch.AggregatorBatch) (func(batch.AggregatorBatch) bool,
	error) {
	if len(bs) == 0 || bs[0].Status != batch.Closed {
		return func(batch.AggregatorBatch) bool { return true }, nil
	}
	children, err := t.Batches.ListSnos(ctx, batch.Proven, bs[0].FirstSnos, provenPage)
	if err != nil {
		return nil, fmt.Errorf("list proven SNOS batches: %w", err)
	}
	found := make(map[uint64]batch.SnosBatch, len(children))
	for _, c := range children {
		found[c.Index] = c
	}
	return func(b batch.AggregatorBatch) bool { // those beyond the page are looked at once these are aggregated
		for i := b.FirstSnos; i <= b.LastSnos(); i++ {
			if c, ok := found[i]; !ok || c.Epoch != b.Epoch {
				return false
			}
		}
		return true
	}, nil
}

func (t *Triggers) aggregate(ctx context.Context, b batch.AggregatorBatch,
	proven func(batch.AggregatorBatch) bool) error {
	if !proven(b) {
		return nil
	}
	if b.Status == batch.Closed {
		var err error
		if b, err = t.moveAggregator(ctx, b, batch.Proven); err != nil {
			return err
		}
	}
	m := &job.AggregatorMeta{
		StartBlock: b.StartBlock, EndBlock: b.EndBlock, StarknetVersion: b.StarknetVersion,
		FirstSnos: b.FirstSnos, LastSnos: b.LastSnos(),
		Bucket: b.Bucket, Prover: b.Prover, OutputPrefix: artifact.AggregatorPrefix(b.Index, b.Epoch),
	}
	if err := t.create(ctx, b.Index, b.Epoch, m, b.TraceID); err != nil {
		return err
	}
	_, err := t.moveAggregator(ctx, b, batch.InAggregator)
	return err
}
