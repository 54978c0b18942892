// Package cleanup lets the artifacts of batches that are settled for good expire: the StorageCleanup worker tags them,
// and the bucket's lifecycle rule removes what is tagged. Artifacts of anything unsettled are never touched.
package cleanup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// Cleaner tags artifacts. All fields are required.
type Cleaner struct {
	Layer     stage.Layer
	Jobs      job.Store
	Batches   batch.Store
	Artifacts artifact.Store
	Now       func() time.Time
}

// page is how many batches one run cleans up, and how many keys it lists at a time.
const (
	page    = 20
	keyPage = 500
)

// Run tags the artifacts of batches whose state update is final.
func (c *Cleaner) Run(ctx context.Context) error {
	if c.Layer == stage.L2 {
		return c.aggregators(ctx)
	}
	bs, err := c.Batches.ListSnos(ctx, batch.Completed, 0, page)
	if err != nil {
		return fmt.Errorf("list completed SNOS batches: %w", err)
	}
	for _, b := range bs {
		bytes, done, err := c.clean(ctx, b.Index, artifact.Prefixes(b.Index, b.Index, b.Index))
		if err != nil || !done {
			return err
		}
		b.Ledger.StoredBytes = bytes
		b.Status, b.UpdatedAt = batch.Archived, c.Now()
		_, err = c.Batches.UpdateSnos(ctx, b)
		if err := c.archived(ctx, bytes, err); err != nil {
			return fmt.Errorf("archive SNOS batch %d: %w", b.Index, err)
		}
	}
	return nil
}

func (c *Cleaner) aggregators(ctx context.Context) error {
	bs, err := c.Batches.ListAggregators(ctx, batch.Completed, 0, page)
	if err != nil {
		return fmt.Errorf("list completed aggregator batches: %w", err)
	}
	for _, b := range bs {
		bytes, done, err := c.clean(ctx, b.Index, artifact.Prefixes(b.Index, b.FirstSnos, b.LastSnos()))
		if err != nil || !done {
			return err
		}
		b.Ledger.StoredBytes = bytes
		b.Status, b.UpdatedAt = batch.Archived, c.Now()
		_, err = c.Batches.UpdateAggregator(ctx, b)
		if err := c.archived(ctx, bytes, err); err != nil {
			return fmt.Errorf("archive aggregator batch %d: %w", b.Index, err)
		}
	}
	return nil
}

// archived measures a batch that this run has archived. One that another run archived is measured there, and one whose
// document was not written is cleaned up again.
func (c *Cleaner) archived(ctx context.Context, bytes int64, err error) error {
	switch {
	case errors.Is(err, batch.ErrConflict):
		return nil
	case err != nil:
		return err
	}
	metric.Record(ctx, c.Now(), metric.Value{Name: metric.StoredBytes, Value: float64(bytes)})
	return nil
}

// clean tags a batch's objects and counts their bytes; done is false while one of its transactions can still be undone.
func (c *Cleaner) clean(ctx context.Context, index uint64, prefixes []string) (bytes int64, done bool, err error) {
	sends := []job.Type{job.StateTransition}
	if c.Layer == stage.L3 {
		sends = append(sends, job.DataSubmission)
	}
	for _, t := range sends {
		j, err := c.Jobs.Find(ctx, t, index)
		if err != nil {
			return 0, false, fmt.Errorf("read %s job of batch %d: %w", t, index, err)
		}
		if !final(j) {
			return 0, false, nil
		}
		prefixes = append(prefixes, artifact.TransactionPrefix(j.ID))
	}
	for _, p := range prefixes {
		n, err := c.tag(ctx, p)
		if err != nil {
			return 0, false, err
		}
		bytes += n
	}
	return bytes, true, nil
}

// final says whether what a job did on the settlement layer can't be undone any more: nothing of it is watched, and a
// state update is known to be final.
func final(j job.Job) bool {
	m, ok := j.Metadata.(*job.StateTransitionMeta)
	return j.Status == job.Completed && j.NextAction == job.None && (!ok || m.Finalized)
}

// tag tags the objects below a prefix and returns how many bytes they have.
func (c *Cleaner) tag(ctx context.Context, prefix string) (bytes int64, err error) {
	after := ""
	for {
		infos, err := c.Artifacts.List(ctx, prefix, after, keyPage)
		if err != nil {
			return bytes, fmt.Errorf("list %s: %w", prefix, err)
		}
		for _, i := range infos {
			expire := map[string]string{artifact.TagExpire: artifact.ExpireClass(i.Key)}
			if err := c.Artifacts.Tag(ctx, i.Key, expire); err != nil && !errors.Is(err, artifact.ErrNotFound) {
				return bytes, fmt.Errorf("tag %s: %w", i.Key, err)
			}
			after, bytes = i.Key, bytes+i.Size
		}
		if len(infos) < keyPage {
			return bytes, nil
		}
	}
}
