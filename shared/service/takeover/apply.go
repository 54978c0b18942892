package takeover

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/core/takeover"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// Taker takes over. All fields but Prover are required.
type Taker struct {
	Layer    stage.Layer
	Old      takeover.Reader
	Contract settlement.Contract
	Chain    tx.Chain // of this deployment's wallet
	Source   block.Source
	Batches  batch.Store
	Jobs     job.Store
	Prover   proof.Prover // of this deployment; nil: nothing is carried on
	Now      func() time.Time
}

// ErrRefused says that the plan has refusals: nothing was written.
var ErrRefused = errors.New("the takeover is refused, nothing was written")

// Plan reads everything and makes the plan. Nothing is written anywhere.
func (t *Taker) Plan(ctx context.Context) (Plan, error) {
	f, err := t.gather(ctx)
	if err != nil {
		return Plan{}, err
	}
	p := Make(f)
	if f.Ours == 0 {
		return p, nil
	}
	f.OursIsSeed = true
	applied := Make(f)
	done, err := t.begun(ctx, applied, f.Ours)
	if err != nil || !done {
		return p, err
	}
	p = applied
	p.note("this takeover was applied before: applying it again changes nothing")
	return p, nil
}

func (t *Taker) gather(ctx context.Context) (Facts, error) {
	f := Facts{Now: t.Now(), Layer: t.Layer, Transactions: map[string]tx.Phase{}}
	var err error
	if f.Old, err = t.Old.Read(ctx, f.Now); err != nil {
		return f, err
	}
	if f.Latest, err = t.Contract.State(ctx, false); err != nil {
		return f, fmt.Errorf("read the core contract: %w", err)
	}
	head, err := t.Chain.Head(ctx)
	if err != nil {
		return f, fmt.Errorf("read the settlement layer's head: %w", err)
	}
	if f.FinalKnown = head.Finalized > 0; f.FinalKnown {
		if f.Final, err = t.Contract.State(ctx, true); err != nil {
			return f, fmt.Errorf("read the core contract's final state: %w", err)
		}
	}
	if f.Latest.Settled {
		hs, err := t.Source.HeadersNow(ctx, f.Latest.Block, f.Latest.Block)
		if err != nil {
			return f, fmt.Errorf("read the app chain's block %d, the last settled one: %w", f.Latest.Block, err)
		}
		f.BlockHash = hs[0].Hash
	}
	if f.Wallet, err = t.Chain.Account(ctx, 0); err != nil {
		return f, fmt.Errorf("read the wallet's nonces: %w", err)
	}
	for _, j := range f.Old.Jobs {
		for _, hash := range j.Transactions {
			s, err := t.Chain.Lookup(ctx, hash)
			if err != nil {
				return f, fmt.Errorf("look up transaction %s of the old %s: %w", hash, j.Name(), err)
			}
			f.Transactions[hash] = s.Phase
		}
	}
	if err := t.gatherCarried(ctx, &f); err != nil {
		return f, err
	}
	f.Ours, err = t.ours(ctx)
	return f, err
}

// begun says whether this deployment's batches, the last of which is known, are those that the plan writes.
func (t *Taker) begun(ctx context.Context, p Plan, last uint64) (bool, error) {
	if p.Seed != nil {
		if done, err := t.seeded(ctx, *p.Seed); err != nil || !done || last == p.Seed.Index {
			return done, err
		}
	}
	return t.written(ctx, p, last)
}

// ours is the highest index of a settling batch in this deployment's own database; 0: none.
func (t *Taker) ours(ctx context.Context) (uint64, error) {
	var index uint64
	var err error
	if t.Layer == stage.L2 {
		var b batch.AggregatorBatch
		b, err = t.Batches.LastAggregator(ctx)
		index = b.Index
	} else {
		var b batch.SnosBatch
		b, err = t.Batches.LastSnos(ctx)
		index = b.Index
	}
	if errors.Is(err, batch.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read this deployment's last batch: %w", err)
	}
	return index, nil
}

// Apply writes the plan's first batch. A plan with refusals is ErrRefused. It can be repeated after a crash.
func (t *Taker) Apply(ctx context.Context, p Plan) error {
	if len(p.Refusals) > 0 {
		return ErrRefused
	}
	if err := t.seed(ctx, p); err != nil {
		return err
	}
	for _, c := range p.Carried {
		if err := c.write(ctx, t); err != nil {
			return err
		}
	}
	if len(p.Carried) == 0 {
		return nil
	}
	last := p.Carried[len(p.Carried)-1].Index
	done, err := t.written(ctx, p, last)
	if err == nil && !done {
		return fmt.Errorf("batches up to %d in this deployment's database are others: %w", last, batch.ErrExists)
	}
	return err
}

// seed writes the last settled batch.
func (t *Taker) seed(ctx context.Context, p Plan) error {
	if p.Seed == nil {
		return nil
	}
	snos, aggregator := p.Seed.batches(t.Now())
	// The SNOS batch first: batching goes by the aggregator batch, so that a crash in between leaves a database that
	// Apply completes.
	if err := t.Batches.CreateSnos(ctx, snos); err != nil && !errors.Is(err, batch.ErrExists) {
		return fmt.Errorf("write SNOS batch %d: %w", snos.Index, err)
	}
	if t.Layer == stage.L2 {
		if err := t.Batches.CreateAggregator(ctx, aggregator); err != nil && !errors.Is(err, batch.ErrExists) {
			return fmt.Errorf("write aggregator batch %d: %w", aggregator.Index, err)
		}
	}
	done, err := t.seeded(ctx, *p.Seed)
	if err == nil && !done {
		return fmt.Errorf("batch %d in this deployment's database is another one: %w", p.Seed.Index, batch.ErrExists)
	}
	return err
}

// seeded says whether the database holds exactly the seed.
func (t *Taker) seeded(ctx context.Context, s Seed) (bool, error) {
	have, err := t.Batches.Snos(ctx, s.Snos)
	if errors.Is(err, batch.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read SNOS batch %d: %w", s.Snos, err)
	}
	same := have.EndBlock == s.EndBlock && have.EndHash == s.EndHash && have.Status == batch.Archived
	if s.Layer == stage.L3 || !same {
		return same, nil
	}
	a, err := t.Batches.Aggregator(ctx, s.Index)
	if err != nil {
		return false, fmt.Errorf("read aggregator batch %d: %w", s.Index, err)
	}
	return a.EndBlock == s.EndBlock && a.EndHash == s.EndHash &&
		a.Status == batch.Archived && a.LastSnos() == s.Snos, nil
}

// batches are the seed as documents: archived, so that no stage takes them up.
func (s Seed) batches(now time.Time) (batch.SnosBatch, batch.AggregatorBatch) {
	trace := batch.NewTraceID()
	span := batch.Span{
		StartBlock: s.StartBlock, EndBlock: s.EndBlock, EndHash: s.EndHash, StarknetVersion: s.Version,
		OpenedAt: now, ClosedAt: now, Reason: batch.Adopted,
	}
	snos := batch.SnosBatch{
		Span: span, Index: s.Snos, Status: batch.Archived, TraceID: trace, Version: 1, CreatedAt: now, UpdatedAt: now,
	}
	if s.Layer == stage.L3 {
		return snos, batch.AggregatorBatch{}
	}
	snos.Aggregator = s.Index
	return snos, batch.AggregatorBatch{
		Span: span, Index: s.Index, FirstSnos: s.Snos, Snos: []batch.Span{span}, Status: batch.Archived, TraceID: trace,
		Version: 1, CreatedAt: now, UpdatedAt: now,
	}
}
