// Package retention moves batches and jobs that are final for long from the database into files of the artifacts
// bucket: the StorageCleanup worker exports what one state update settled, counts it, and removes its documents.
package retention

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/budget"
	"github.com/madara-orchestrator/orchestrator/shared/core/history"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// Keeper exports and removes. All fields but Log are required.
type Keeper struct {
	Layer     stage.Layer
	Jobs      job.Store
	Batches   batch.Store
	History   history.Store
	Artifacts artifact.Store
	// After is how long documents stay once nothing changes them any more.
	After time.Duration
	Now   func() time.Time
	Log   *slog.Logger
}

// KeepUnits is how many of the newest settled batches stay, however old they are: the next state update, batching,
// alerts and the API look back at them.
const KeepUnits = 100

// page is how many units are listed at a time.
const page = 20

// Run moves what is due, the oldest first, as far as there is time. The order of a unit's steps makes a crash anywhere
// harmless: its file is whole before it is counted, it is counted by compare-and-set in the order of the units, and
// its documents are removed only then, last of all that by which the next run finds it.
func (k *Keeper) Run(ctx context.Context) error {
	given := budget.Begin(ctx, k.Now)
	moved := 0
	for !given.Spent() {
		units, err := k.due(ctx)
		if err != nil {
			return err
		}
		for _, u := range units {
			done, err := k.move(ctx, u)
			if err != nil {
				return fmt.Errorf("move %s to history: %w", k.Layer.BatchName(stage.StateTransition, u.index), err)
			}
			if !done {
				return nil
			}
			if moved++; given.Spent() {
				break
			}
		}
		if len(units) < page {
			break
		}
	}
	if moved > 0 && k.Log != nil {
		k.Log.InfoContext(ctx, "batches moved to history", "batches", moved)
	}
	return nil
}

// unit is what is known of a unit before its documents are read.
type unit struct {
	index, firstSnos, lastSnos uint64
	changed                    time.Time
	aggregator                 *batch.AggregatorBatch
}

// due are the oldest units that are archived for long enough and not among the newest.
func (k *Keeper) due(ctx context.Context) ([]unit, error) {
	settled, err := k.Jobs.List(ctx, job.Filter{Type: job.StateTransition, Statuses: []job.Status{job.Completed},
		Order: job.Descending, Limit: 1})
	if err != nil {
		return nil, fmt.Errorf("find the newest settled batch: %w", err)
	}
	if len(settled) == 0 {
		return nil, nil
	}
	last := settled[0].Batch
	units, err := k.oldest(ctx)
	if err != nil {
		return nil, fmt.Errorf("list archived batches: %w", err)
	}
	for i, u := range units {
		if u.index+KeepUnits > last || k.Now().Sub(u.changed) < k.After {
			return units[:i], nil
		}
	}
	return units, nil
}

// oldest are the first archived units.
func (k *Keeper) oldest(ctx context.Context) (out []unit, err error) {
	if k.Layer != stage.L2 {
		bs, err := k.Batches.ListSnos(ctx, batch.Archived, 0, page)
		for _, b := range bs {
			out = append(out, unit{index: b.Index, firstSnos: b.Index, lastSnos: b.Index, changed: b.UpdatedAt})
		}
		return out, err
	}
	as, err := k.Batches.ListAggregators(ctx, batch.Archived, 0, page)
	for _, b := range as {
		out = append(out, unit{index: b.Index, firstSnos: b.FirstSnos, lastSnos: b.LastSnos(), changed: b.UpdatedAt,
			aggregator: &b})
	}
	return out, err
}

// move exports, counts and removes a unit; done is false where one of its jobs is not final.
func (k *Keeper) move(ctx context.Context, u unit) (done bool, err error) {
	for {
		counted, err := k.History.Totals(ctx)
		if err != nil {
			return false, err
		}
		if u.index <= counted.Through {
			return true, k.remove(ctx, u)
		}
		whole, final, err := k.read(ctx, u)
		if err != nil || !final {
			return false, err
		}
		err = k.keep(ctx, whole)
		if errors.Is(err, history.ErrConflict) { // another run was faster
			continue
		}
		if err != nil {
			return false, err
		}
	}
}

// keep exports a unit and counts it. Where another run has counted it meanwhile nothing is written: that run may be
// removing what was read here in part.
func (k *Keeper) keep(ctx context.Context, u history.Unit) error {
	counted, err := k.History.Totals(ctx) // after the unit was read: nothing of it was removed before
	if err != nil {
		return err
	}
	if u.Index <= counted.Through {
		return nil
	}
	b, err := history.Export(u)
	if err != nil {
		return err
	}
	if err := k.Artifacts.Put(ctx, artifact.HistoryKey(u.Index), bytes.NewReader(b)); err != nil {
		return fmt.Errorf("write %s: %w", artifact.HistoryKey(u.Index), err)
	}
	_, err = k.History.Count(ctx, counted.Add(u))
	return err
}

// types are the job types of the layer, with the batches that a unit has jobs of.
func (k *Keeper) types(u unit) map[job.Type][2]uint64 {
	out := map[job.Type][2]uint64{}
	for _, t := range job.Types {
		if !k.Layer.Has(t) {
			continue
		}
		out[t] = [2]uint64{u.firstSnos, u.lastSnos}
		if k.Layer.OnAggregator(t) {
			out[t] = [2]uint64{u.index, u.index}
		}
	}
	return out
}

// read reads all documents of a unit; final is false where one of its jobs may still change.
func (k *Keeper) read(ctx context.Context, u unit) (out history.Unit, final bool, err error) {
	out = history.Unit{Index: u.index, Aggregator: u.aggregator}
	if out.Snos, err = k.Batches.SnosRange(ctx, u.firstSnos, u.lastSnos); err != nil {
		return out, false, err
	}
	ranges := k.types(u)
	for _, t := range job.Types {
		r, ok := ranges[t]
		if !ok {
			continue
		}
		js, err := k.Jobs.List(ctx, job.Filter{Type: t, From: r[0], To: r[1], Limit: job.MaxPage})
		if err != nil {
			return out, false, fmt.Errorf("list %s jobs: %w", t, err)
		}
		for _, j := range js {
			if j.Status != job.Completed || j.NextAction != job.None {
				return out, false, nil
			}
		}
		out.Jobs = append(out.Jobs, js...)
	}
	return out, true, nil
}

// remove removes the documents of a unit that is counted, last of all that by which it is found.
func (k *Keeper) remove(ctx context.Context, u unit) error {
	for t, r := range k.types(u) {
		if err := k.History.RemoveJobs(ctx, t, r[0], r[1]); err != nil {
			return err
		}
	}
	if err := k.History.RemoveSnos(ctx, u.firstSnos, u.lastSnos); err != nil || u.aggregator == nil {
		return err
	}
	return k.History.RemoveAggregator(ctx, u.index)
}
