// Package rewinding discards unsettled batches, so that their blocks are batched again: it plans a rewind (plan.go),
// stores it, and carries it out (continue.go). The design is in docs/architecture.md.
package rewinding

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/lock"
	"github.com/madara-orchestrator/orchestrator/shared/core/rewind"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// Rewinder rewinds. Contract and Chain are needed to plan, Locks, NewOwner, Release and Wake to carry out.
type Rewinder struct {
	Layer   stage.Layer
	Chain   string // the deployment's name
	Jobs    job.Store
	Batches batch.Store
	Rewinds rewind.Store
	Locks   lock.Locker
	Events  event.Bus
	// Contract reads what is settled.
	Contract interface {
		State(ctx context.Context, finalized bool) (settlement.State, error)
	}
	// Wallet is asked about recorded transactions.
	Wallet Wallet
	// DataWallet is the wallet that publishes data on DataLayer, where that is another one than the settlement layer.
	DataWallet Wallet
	DataLayer  string
	// Release ends what was reported of jobs that are discarded. What it leaves Reconcile ends.
	Release func(ctx context.Context, jobIDs ...string)
	// Wake runs the batching worker.
	Wake     func(ctx context.Context, workers ...stage.Name)
	NewOwner func() string
	Now      func() time.Time
	Log      *slog.Logger
}

// Wallet is what shows whether a transaction may still be mined; tx.Chain has it.
type Wallet interface {
	Head(ctx context.Context) (tx.Head, error)
	Account(ctx context.Context, depth uint64) (tx.Account, error)
	Used(ctx context.Context, address string, depth uint64) (tx.Used, error)
	Lookup(ctx context.Context, hash string) (tx.Status, error)
}

// worker is the stage that makes the batches which settle; its lease keeps it from making more meanwhile.
func (r *Rewinder) worker() stage.Name {
	if r.Layer == stage.L2 {
		return stage.AggregatorBatching
	}
	return stage.SnosBatching
}

// sending are the stages whose jobs send transactions, in the order in which their jobs are discarded: the state
// update's is made again of what the others left, should one of those have to stay.
func (r *Rewinder) sending() []stage.Name {
	if r.Layer == stage.L2 {
		return []stage.Name{stage.StateTransition}
	}
	return []stage.Name{stage.StateTransition, stage.DataSubmission}
}

// unit is a batch that one state update settles, with the SNOS batches that it is made of: on an L3 itself.
type unit struct {
	index, epoch        uint64
	firstSnos, lastSnos uint64
	span                batch.Span
	status              batch.Status
	bucket              string
}

func ofAggregator(b batch.AggregatorBatch) unit {
	return unit{b.Index, b.Epoch, b.FirstSnos, b.LastSnos(), b.Span, b.Status, b.Bucket}
}

func ofSnos(b batch.SnosBatch) unit {
	return unit{b.Index, b.Epoch, b.Index, b.Index, b.Span, b.Status, ""}
}

// at is the unit with an index, or batch.ErrNotFound.
func (r *Rewinder) at(ctx context.Context, index uint64) (unit, error) {
	if r.Layer == stage.L2 {
		b, err := r.Batches.Aggregator(ctx, index)
		if err != nil {
			return unit{}, fmt.Errorf("read aggregator batch %d: %w", index, err)
		}
		return ofAggregator(b), nil
	}
	b, err := r.Batches.Snos(ctx, index)
	if err != nil {
		return unit{}, fmt.Errorf("read SNOS batch %d: %w", index, err)
	}
	return ofSnos(b), nil
}

// newest is the unit with the highest index; ok is false where there is none.
func (r *Rewinder) newest(ctx context.Context) (u unit, ok bool, err error) {
	if r.Layer == stage.L2 {
		var b batch.AggregatorBatch
		if b, err = r.Batches.LastAggregator(ctx); err == nil {
			u = ofAggregator(b)
		}
	} else {
		var b batch.SnosBatch
		if b, err = r.Batches.LastSnos(ctx); err == nil {
			u = ofSnos(b)
		}
	}
	if errors.Is(err, batch.ErrNotFound) {
		return u, false, nil
	}
	if err != nil {
		return u, false, fmt.Errorf("read the newest batch: %w", err)
	}
	return u, true, nil
}

// units are those with indices from first on, at most a page.
func (r *Rewinder) units(ctx context.Context, first uint64) (out []unit, err error) {
	last := first + batch.MaxPage - 1
	if r.Layer == stage.L2 {
		bs, err := r.Batches.AggregatorRange(ctx, first, last)
		for _, b := range bs {
			out = append(out, ofAggregator(b))
		}
		return out, err
	}
	bs, err := r.Batches.SnosRange(ctx, first, last)
	for _, b := range bs {
		out = append(out, ofSnos(b))
	}
	return out, err
}

// stale says whether a unit is discarded.
func (r *Rewinder) stale(s rewind.State, u unit) bool {
	return s.Stale(rewind.KindOf(r.Layer, stage.StateTransition), u.index, u.epoch)
}

func (r *Rewinder) log() *slog.Logger {
	if r.Log == nil {
		return slog.Default()
	}
	return r.Log
}

// audit keeps what was done and by whom: in the log, and as an event.
func (r *Rewinder) audit(ctx context.Context, t event.Type, w rewind.Rewind) {
	name := func(i uint64) string { return r.Layer.BatchName(stage.StateTransition, i) }
	r.log().InfoContext(ctx, "rewind", "event", string(t), "from", name(w.From), "asked", name(w.Asked),
		"epoch", w.Epoch, "discarded", w.Discarded, "by", w.By, "reason", w.Reason, "note", w.Note)
	e := event.Event{Type: t, At: r.Now(), Chain: r.Chain, Batch: w.From, Detail: map[string]string{
		"from": name(w.From), "asked": name(w.Asked), "epoch": fmt.Sprint(w.Epoch),
		"discarded": fmt.Sprint(w.Discarded), "by": w.By, "reason": w.Reason, "note": w.Note}}
	if err := r.Events.Publish(ctx, e); err != nil {
		r.log().WarnContext(ctx, "event not published", "event", string(t), "error", err)
	}
}
