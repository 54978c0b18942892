// Package cleanup lets the artifacts of batches that are settled for good expire: the StorageCleanup worker tags them,
// and the bucket's lifecycle rule removes what is tagged. Artifacts of anything unsettled are never touched.
package cleanup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/budget"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// Cleaner tags artifacts. All fields but Wake and AtOnce are required.
type Cleaner struct {
	Layer     stage.Layer
	Jobs      job.Store
	Batches   batch.Store
	Artifacts artifact.Store
	Now       func() time.Time
	// Wake runs workers at once: this one again where its time did not do. nil: its schedule goes on.
	Wake func(context.Context, ...stage.Name)
	// AtOnce lists and tags several objects of a batch at a time. The simulation, which is one goroutine, does not.
	AtOnce bool
}

const (
	page    = 20  // batches that are listed at a time
	keyPage = 500 // keys that are
	// atOnce is how many objects of a batch are listed or tagged at a time. An aggregator batch may have hundreds.
	atOnce = 8
)

// unit is a batch with what one state update settled.
type unit struct {
	index    uint64
	prefixes []string
	archive  func(ctx context.Context, bytes int64) error
}

// Run tags the artifacts of batches whose state update is final, the oldest first, as far as there is time.
func (c *Cleaner) Run(ctx context.Context) error {
	more, err := c.run(ctx)
	if more && c.Wake != nil {
		c.Wake(ctx, stage.StorageCleanup)
	}
	return err
}

// run is Run; more says that another run is needed for the batches that are left. Where that run is under way already
// none is.
func (c *Cleaner) run(ctx context.Context) (more bool, err error) {
	given := budget.Begin(ctx, c.Now)
	for from := uint64(0); ; {
		units, err := c.completed(ctx, from)
		if err != nil {
			return false, fmt.Errorf("list completed batches: %w", err)
		}
		for _, u := range units {
			if given.Spent() {
				return true, nil
			}
			bytes, done, err := c.clean(ctx, u)
			if err != nil || !done {
				return false, err
			}
			err = u.archive(ctx, bytes)
			if errors.Is(err, batch.ErrConflict) { // another run cleans up, and has measured it
				return false, nil
			}
			if err != nil {
				return false, fmt.Errorf("archive %s: %w", c.Layer.BatchName(stage.StateTransition, u.index), err)
			}
			metric.Record(ctx, c.Now(), metric.Value{Name: metric.StoredBytes, Value: float64(bytes)})
			from = u.index + 1
		}
		if len(units) < page {
			return false, nil
		}
	}
}

// completed are the first completed batches from an index on.
func (c *Cleaner) completed(ctx context.Context, from uint64) (out []unit, err error) {
	if c.Layer != stage.L2 {
		bs, err := c.Batches.ListSnos(ctx, batch.Completed, from, page)
		for _, b := range bs {
			archive := func(ctx context.Context, bytes int64) error {
				b.Ledger.StoredBytes, b.Status, b.UpdatedAt = bytes, batch.Archived, c.Now()
				_, err := c.Batches.UpdateSnos(ctx, b)
				return err
			}
			out = append(out, unit{b.Index, artifact.Prefixes(b.Index, b.Index, b.Index), archive})
		}
		return out, err
	}
	bs, err := c.Batches.ListAggregators(ctx, batch.Completed, from, page)
	for _, b := range bs {
		archive := func(ctx context.Context, bytes int64) error {
			b.Ledger.StoredBytes, b.Status, b.UpdatedAt = bytes, batch.Archived, c.Now()
			_, err := c.Batches.UpdateAggregator(ctx, b)
			return err
		}
		out = append(out, unit{b.Index, artifact.Prefixes(b.Index, b.FirstSnos, b.LastSnos()), archive})
	}
	return out, err
}

// clean tags a batch's objects and counts their bytes; done is false while one of its transactions can still be undone.
func (c *Cleaner) clean(ctx context.Context, u unit) (bytes int64, done bool, err error) {
	sends := []job.Type{job.StateTransition}
	if c.Layer == stage.L3 {
		sends = append(sends, job.DataSubmission)
	}
	prefixes := u.prefixes
	for _, t := range sends {
		j, err := c.Jobs.Find(ctx, t, u.index)
		if err != nil {
			return 0, false, fmt.Errorf("read %s job of batch %d: %w", t, u.index, err)
		}
		if !final(j) {
			return 0, false, nil
		}
		prefixes = append(prefixes, artifact.TransactionPrefix(j.ID))
	}
	found := make([][]artifact.Info, len(prefixes))
	err = c.each(len(prefixes), func(i int) (err error) {
		found[i], err = c.list(ctx, prefixes[i])
		return err
	})
	if err != nil {
		return 0, false, err
	}
	infos := slices.Concat(found...)
	for _, i := range infos {
		bytes += i.Size
	}
	return bytes, true, c.each(len(infos), func(i int) error { return c.tag(ctx, infos[i].Key) })
}

// each calls f for 0 to n-1, several at a time where the worker may, and returns the first one's error that has one.
// Nothing is begun after an error.
func (c *Cleaner) each(n int, f func(i int) error) error {
	if !c.AtOnce {
		for i := range n {
			if err := f(i); err != nil {
				return err
			}
		}
		return nil
	}
	errs := make([]error, n)
	var next atomic.Int64
	var failed atomic.Bool
	var wg sync.WaitGroup
	for range min(n, atOnce) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && !failed.Load(); i = int(next.Add(1)) - 1 {
				if errs[i] = f(i); errs[i] != nil {
					failed.Store(true)
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// final says whether what a job did on the settlement layer can't be undone any more: nothing of it is watched, and a
// state update is known to be final.
func final(j job.Job) bool {
	m, ok := j.Metadata.(*job.StateTransitionMeta)
	return j.Status == job.Completed && j.NextAction == job.None && (!ok || m.Finalized)
}

// list lists the objects below a prefix.
func (c *Cleaner) list(ctx context.Context, prefix string) (all []artifact.Info, err error) {
	for after := ""; ; after = all[len(all)-1].Key {
		infos, err := c.Artifacts.List(ctx, prefix, after, keyPage)
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", prefix, err)
		}
		if all = append(all, infos...); len(infos) < keyPage {
			return all, nil
		}
	}
}

// tag lets an object expire. One that is gone needs nothing.
func (c *Cleaner) tag(ctx context.Context, key string) error {
	expire := map[string]string{artifact.TagExpire: artifact.ExpireClass(key)}
	if err := c.Artifacts.Tag(ctx, key, expire); err != nil && !errors.Is(err, artifact.ErrNotFound) {
		return fmt.Errorf("tag %s: %w", key, err)
	}
	return nil
}
