package takeover

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/core/takeover"
)

// Carried is an old aggregator batch that is carried on: its SNOS batches are at the prover, in its bucket. Nothing of
// the old orchestrator's files is needed: the prover aggregates what is in the bucket, and hands out what a state
// update takes.
type Carried struct {
	takeover.Batch
	EndHash felt.Felt
	Snos    []CarriedSnos
}

// CarriedSnos is one of its SNOS batches with the prover's task.
type CarriedSnos struct {
	takeover.Snos
	EndHash felt.Felt
	Task    string
}

// over are the statuses of batches that can't be carried on.
var over = []string{"Open", "AggregationFailed", "VerificationFailed", "StateUpdateFailed"}

// carry finds the old batches that go on where they are: those that follow the settled one without a gap, up to the
// first that can't.
func (p *Plan) carry(f Facts) {
	if f.Layer != stage.L2 || len(p.Refusals) > 0 {
		return
	}
	for _, b := range f.Old.Unsettled {
		if b.Index < p.FirstBatch {
			continue
		}
		c, why := f.carried(b)
		if why != "" {
			p.note(fmt.Sprintf("batch %d and those after it are done again: %s", b.Index, why))
			return
		}
		p.Carried = append(p.Carried, c)
		p.FirstBatch, p.Begin = b.Index+1, b.EndBlock+1
	}
}

// carried is an old batch as it is carried on; why says why it can't be.
func (f Facts) carried(b takeover.Batch) (c Carried, why string) {
	switch {
	case !f.Buckets:
		return c, "this deployment's prover has no buckets"
	case slices.Contains(over, b.Status):
		return c, "it is " + b.Status
	case b.Bucket == "":
		return c, "it has no bucket at the prover"
	}
	c = Carried{Batch: b, EndHash: f.Ends[b.EndBlock]}
	next := b.StartBlock
	for _, s := range f.Old.Snos {
		if s.Aggregator != b.Index {
			continue
		}
		task := f.Old.Tasks[s.Index]
		switch {
		case s.StartBlock != next:
			return c, fmt.Sprintf("SNOS batch %d begins at block %d, not %d", s.Index, s.StartBlock, next)
		case task == "":
			return c, fmt.Sprintf("SNOS batch %d is not at the prover yet", s.Index)
		case !f.Known[task]:
			return c, fmt.Sprintf("the prover does not know task %s of SNOS batch %d, or has rejected it", task,
				s.Index)
		}
		c.Snos = append(c.Snos, CarriedSnos{Snos: s, EndHash: f.Ends[s.EndBlock], Task: task})
		next = s.EndBlock + 1
	}
	if next != b.EndBlock+1 {
		return c, fmt.Sprintf("its SNOS batches end at block %d, it ends at %d", next-1, b.EndBlock)
	}
	return c, ""
}

// gatherCarried reads what carrying on needs: which tasks the prover knows, and the hashes of the batches' last blocks.
func (t *Taker) gatherCarried(ctx context.Context, f *Facts) error {
	f.Known, f.Ends = map[string]bool{}, map[uint64]felt.Felt{}
	if t.Prover == nil || f.Layer != stage.L2 {
		return nil
	}
	if f.Buckets = t.Prover.Capabilities().Buckets; !f.Buckets {
		return nil
	}
	for _, s := range f.Old.Snos {
		task := f.Old.Tasks[s.Index]
		if task == "" {
			continue
		}
		progress, err := t.Prover.Status(ctx, task)
		if err != nil {
			return fmt.Errorf("ask the prover for task %s of the old SNOS batch %d: %w", task, s.Index, err)
		}
		f.Known[task] = progress.State == proof.InProgress || progress.State == proof.Done
		hs, err := t.Source.HeadersNow(ctx, s.EndBlock, s.EndBlock)
		if err != nil {
			return fmt.Errorf("read the app chain's block %d, the last one of the old SNOS batch %d: %w", s.EndBlock,
				s.Index, err)
		}
		f.Ends[s.EndBlock] = hs[0].Hash
	}
	return nil
}

func (b CarriedSnos) span(now time.Time) batch.Span {
	return batch.Span{StartBlock: b.StartBlock, EndBlock: b.EndBlock, EndHash: b.EndHash,
		StarknetVersion: b.StarknetVersion, OpenedAt: now, ClosedAt: now, Reason: batch.Adopted}
}

// write writes a carried batch: the jobs and SNOS batches first, the aggregator batch last. Each write may be done
// already, by this or another call.
func (c Carried) write(ctx context.Context, t *Taker) error {
	now, trace := t.Now(), batch.NewTraceID()
	a := batch.AggregatorBatch{
		Span: batch.Span{StartBlock: c.StartBlock, EndBlock: c.EndBlock, EndHash: c.EndHash,
			StarknetVersion: c.StarknetVersion, OpenedAt: now, ClosedAt: now, Reason: batch.Adopted},
		Index: c.Index, FirstSnos: c.Snos[0].Index, Bucket: c.Bucket, Status: batch.Closed, TraceID: trace, Version: 1,
		CreatedAt: now, UpdatedAt: now,
	}
	for i, s := range c.Snos {
		a.Snos = append(a.Snos, s.span(now))
		if err := s.write(ctx, t, c.Bucket, uint64(i), trace); err != nil {
			return err
		}
	}
	if err := t.Batches.CreateAggregator(ctx, a); err != nil && !errors.Is(err, batch.ErrExists) {
		return fmt.Errorf("write aggregator batch %d: %w", a.Index, err)
	}
	return nil
}

// write writes a SNOS batch whose proof is at the prover, with the jobs that have brought it there.
func (b CarriedSnos) write(ctx context.Context, t *Taker, bucket string, place uint64, trace string) error {
	now, policies := t.Now(), job.Policies()
	run := job.New(job.NewID(), b.Index, &job.SnosRunMeta{StartBlock: b.StartBlock, EndBlock: b.EndBlock,
		StarknetVersion: b.StarknetVersion, FullOutput: true}, trace, now).
		Submitted(now, policies[job.SnosRun]).WithVerdict(job.Verified(), now, policies[job.SnosRun])
	proving := job.New(job.NewID(), b.Index, &job.ProofCreationMeta{StartBlock: b.StartBlock, EndBlock: b.EndBlock,
		StarknetVersion: b.StarknetVersion, Bucket: bucket, BucketIndex: place, DedupID: "adopted-" + b.Task,
		Task: b.Task}, trace, now).Submitted(now, policies[job.ProofCreation])
	proving.ExternalID = b.Task
	for _, j := range []job.Job{run, proving} {
		if err := t.Jobs.Create(ctx, j); err != nil && !errors.Is(err, job.ErrExists) {
			return fmt.Errorf("write the %s job of SNOS batch %d: %w", j.Type, b.Index, err)
		}
	}
	s := batch.SnosBatch{Span: b.span(now), Index: b.Index, Aggregator: b.Aggregator, Status: batch.InProofCreation,
		TraceID: trace, Version: 1, CreatedAt: now, UpdatedAt: now}
	if err := t.Batches.CreateSnos(ctx, s); err != nil && !errors.Is(err, batch.ErrExists) {
		return fmt.Errorf("write SNOS batch %d: %w", s.Index, err)
	}
	return nil
}

// written says whether the database's aggregator batches up to an index are those that the plan writes.
func (t *Taker) written(ctx context.Context, p Plan, last uint64) (bool, error) {
	for _, c := range p.Carried {
		if c.Index > last {
			break
		}
		a, err := t.Batches.Aggregator(ctx, c.Index)
		if errors.Is(err, batch.ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("read aggregator batch %d: %w", c.Index, err)
		}
		if a.Reason != batch.Adopted || a.StartBlock != c.StartBlock || a.EndBlock != c.EndBlock ||
			a.Bucket != c.Bucket {
			return false, nil
		}
	}
	return len(p.Carried) > 0 && last <= p.Carried[len(p.Carried)-1].Index, nil
}
