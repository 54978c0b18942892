package rewinding

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/lock"
	"github.com/madara-orchestrator/orchestrator/shared/core/rewind"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

const (
	// perRun is how many batches one invocation discards at the most.
	perRun = 20
	// leaseTTL is how long one invocation keeps the batching worker from working.
	leaseTTL = 2 * time.Minute
	// tries is how often a document is read again because another writer was faster.
	tries = 3
)

// Continue reads the record, and takes a rewind that is under way on by a bounded step: any invocation of any trigger
// worker does. The record is what it is afterwards. Where it is returned with an error, the next invocation goes on.
func (r *Rewinder) Continue(ctx context.Context) (rewind.State, error) {
	s, err := rewind.Of(ctx, r.Rewinds)
	if err != nil {
		return s, err
	}
	if _, active := s.Active(); !active {
		return s, nil
	}
	held, err := r.Locks.Acquire(ctx, string(r.worker()), r.NewOwner(), leaseTTL)
	if errors.Is(err, lock.ErrHeld) { // it batches, or another invocation does this
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("take the lease of %s: %w", r.worker(), err)
	}
	next, err := r.proceed(ctx)
	if rerr := r.Locks.Release(context.WithoutCancel(ctx), held); rerr != nil {
		r.log().WarnContext(ctx, "lease not released, it runs out", "stage", string(r.worker()), "error", rerr)
	}
	if err != nil {
		return s, fmt.Errorf("rewind: %w", err)
	}
	r.Wake(ctx, r.worker()) // to batch again, or to go on with this
	return next, nil
}

// proceed discards batches from the newest one down. Each that is gone leaves the database as if batching had not come
// to it yet, so that the rewind may end after any of them.
func (r *Rewinder) proceed(ctx context.Context) (out rewind.State, err error) {
	s, err := r.Rewinds.Get(ctx)
	if err != nil {
		return s, err
	}
	w, active := s.Active()
	if !active {
		return s, nil
	}
	discarded := 0
	count := func(w *rewind.Rewind) { w.Discarded += discarded }
	defer func() { // what is gone is counted, also where the rest fails
		if err != nil && discarded > 0 {
			_, perr := r.Rewinds.Put(context.WithoutCancel(ctx), s.With(count))
			err = errors.Join(err, perr)
		}
	}()
	for {
		top, ok, err := r.newest(ctx)
		if err != nil {
			return s, err
		}
		if !ok || !r.stale(s, top) {
			return r.finish(ctx, s, discarded)
		}
		if discarded == perRun {
			return r.Rewinds.Put(ctx, s.With(count))
		}
		var kept *keptError
		next, err := r.discard(ctx, s, w.Dead, top)
		s = next
		switch w, _ = s.Active(); {
		case errors.As(err, &kept) && w.Gone > 0 && top.index >= w.Gone:
			name := r.Layer.BatchName(stage.StateTransition, top.index)
			return s, fmt.Errorf("%s is discarded for good, and yet: %w", name, kept)
		case errors.As(err, &kept):
			next, err := r.Rewinds.Put(ctx, s.With(func(w *rewind.Rewind) {
				w.From, w.FromSnos, w.Note = top.index+1, top.lastSnos+1, kept.Error()
			}))
			if err != nil {
				return s, err
			}
			s = next
		case err != nil:
			return s, err
		default:
			discarded++
		}
	}
}

// finish removes what was made of discarded batches meanwhile, and ends the rewind. First it records that no batch can
// come to stay any more: by an outdated record jobs would be removed of those that do.
func (r *Rewinder) finish(ctx context.Context, s rewind.State, discarded int) (rewind.State, error) {
	w, _ := s.Active()
	s, err := r.commit(ctx, s, w.From)
	if err != nil {
		return s, err
	}
	if err := r.strays(ctx, s); err != nil {
		return s, err
	}
	next, err := r.Rewinds.Put(ctx, s.With(func(w *rewind.Rewind) {
		w.Discarded += discarded
		w.DoneAt, w.Dead = r.Now(), nil // only carrying it out needs the dead transactions
	}))
	if err != nil {
		return s, err
	}
	r.audit(ctx, event.BatchesRewound, next.Rewinds[len(next.Rewinds)-1])
	return next, nil
}

// Sweep removes batches and jobs that an invocation from before a rewind has made after it. The caller has the lease of
// the worker that makes the batches.
func (r *Rewinder) Sweep(ctx context.Context, s rewind.State) error {
	if _, active := s.Active(); active {
		return nil
	}
	for range perRun {
		top, ok, err := r.newest(ctx)
		if err != nil {
			return err
		}
		if !ok || !r.stale(s, top) {
			break
		}
		if _, err := r.discard(ctx, s, nil, top); err != nil {
			return err
		}
	}
	return r.strays(ctx, s)
}

// strays removes SNOS batches whose aggregator batch is gone, and jobs whose batch is.
func (r *Rewinder) strays(ctx context.Context, s rewind.State) error {
	for range perRun {
		b, err := r.Batches.LastSnos(ctx)
		if errors.Is(err, batch.ErrNotFound) || err == nil && !s.Stale(rewind.Snos, b.Index, b.Epoch) {
			break
		}
		if err != nil {
			return fmt.Errorf("read the newest SNOS batch: %w", err)
		}
		if err := r.removeSnos(ctx, s, b.Index, b.Index); err != nil {
			return err
		}
	}
	for _, t := range job.Types {
		if !r.Layer.Has(t) {
			continue
		}
		js, err := r.Jobs.List(ctx, job.Filter{Type: t, From: r.first(s, t), Order: job.Descending, Limit: job.MaxPage})
		if err != nil {
			return fmt.Errorf("list %s jobs: %w", t, err)
		}
		if err := r.removeStale(ctx, s, js); err != nil {
			return err
		}
	}
	return nil
}

// removeStale removes those of the jobs that are discarded.
func (r *Rewinder) removeStale(ctx context.Context, s rewind.State, js []job.Job) error {
	js = slices.DeleteFunc(js, func(j job.Job) bool {
		return !s.Stale(rewind.KindOf(r.Layer, j.Type), j.Batch, j.Epoch)
	})
	r.release(ctx, js...)
	for _, j := range js {
		if err := r.removeJob(ctx, j, nil); err != nil {
			return err
		}
	}
	return nil
}

// release ends what was reported of jobs, before they are removed: a crash in between leaves no report of nothing.
func (r *Rewinder) release(ctx context.Context, js ...job.Job) {
	var ids []string
	for _, j := range js {
		ids = append(ids, j.ID)
	}
	if len(ids) > 0 {
		r.Release(ctx, ids...)
	}
}

// first is the first batch that the newest rewind discarded of those that a stage works on.
func (r *Rewinder) first(s rewind.State, t stage.Name) uint64 {
	w := s.Rewinds[len(s.Rewinds)-1]
	if r.Layer.OnAggregator(t) {
		return w.From
	}
	return w.FromSnos
}

// keptError says why a batch must stay.
type keptError struct{ why string }

func (e *keptError) Error() string { return e.why }

// discard removes a batch with all that was made of it. A *keptError means that the batch must stay, and that nothing
// is gone that is not made again.
//
// The jobs that send come first. Removing one is a compare-and-set on the document in which its transactions are
// recorded before they are sent: whoever would send another one can't record it any more, and sends nothing.
func (r *Rewinder) discard(ctx context.Context, s rewind.State, dead []string, u unit) (rewind.State, error) {
	if u.status == batch.Completed || u.status == batch.Archived {
		return s, &keptError{r.Layer.BatchName(stage.StateTransition, u.index) + " was settled meanwhile"}
	}
	for _, t := range r.sending() {
		if err := r.remove(ctx, s, t, u.index, dead); err != nil {
			return s, err
		}
	}
	s, err := r.commit(ctx, s, u.index)
	if err != nil {
		return s, err
	}
	if r.Layer == stage.L2 {
		if err := r.remove(ctx, s, job.Aggregator, u.index, nil); err != nil {
			return s, err
		}
	}
	if err := r.removeSnos(ctx, s, u.firstSnos, u.lastSnos); err != nil {
		return s, err
	}
	if r.Layer == stage.L3 {
		return s, nil
	}
	return s, again(func() error {
		b, err := r.Batches.Aggregator(ctx, u.index)
		if err == nil && s.Stale(rewind.Aggregator, b.Index, b.Epoch) {
			err = r.Batches.DeleteAggregator(ctx, b)
		}
		return gone(err, batch.ErrNotFound)
	}, batch.ErrConflict)
}

// commit records that the batches from one on are discarded for good. An invocation that comes back after its lease,
// while another one has found that the batch must stay, is refused here, before it removes what would not be made
// again.
func (r *Rewinder) commit(ctx context.Context, s rewind.State, first uint64) (rewind.State, error) {
	w, active := s.Active()
	if !active || w.Gone > 0 && first >= w.Gone {
		return s, nil
	}
	next, err := r.Rewinds.Put(ctx, s.With(func(w *rewind.Rewind) { w.Gone = first }))
	if err != nil {
		return s, err
	}
	return next, nil
}

// again does something again while another writer was faster.
func again(do func() error, conflict error) (err error) {
	for range tries {
		if err = do(); !errors.Is(err, conflict) {
			return err
		}
	}
	return err
}

func gone(err, notFound error) error {
	if errors.Is(err, notFound) {
		return nil
	}
	return err
}

// removeSnos removes SNOS batches with their jobs, the last one first.
func (r *Rewinder) removeSnos(ctx context.Context, s rewind.State, first, last uint64) error {
	for _, t := range slices.Backward(job.Types) {
		if !r.Layer.Has(t) || r.Layer.OnAggregator(t) || slices.Contains(r.sending(), t) {
			continue
		}
		js, err := r.Jobs.List(ctx,
			job.Filter{Type: t, From: first, To: last, Order: job.Descending, Limit: job.MaxPage})
		if err != nil {
			return fmt.Errorf("list %s jobs: %w", t, err)
		}
		if err := r.removeStale(ctx, s, js); err != nil {
			return err
		}
	}
	bs, err := r.Batches.SnosRange(ctx, first, last)
	if err != nil {
		return fmt.Errorf("read SNOS batches %d to %d: %w", first, last, err)
	}
	for _, b := range slices.Backward(bs) {
		err := again(func() error {
			if !s.Stale(rewind.Snos, b.Index, b.Epoch) {
				return nil
			}
			err := r.Batches.DeleteSnos(ctx, b)
			if errors.Is(err, batch.ErrConflict) {
				var rerr error
				if b, rerr = r.Batches.Snos(ctx, b.Index); rerr != nil {
					err = rerr
				}
			}
			return gone(err, batch.ErrNotFound)
		}, batch.ErrConflict)
		if err != nil {
			return fmt.Errorf("discard SNOS batch %d: %w", b.Index, err)
		}
	}
	return nil
}

// remove removes the discarded job of a type for a batch, if there is one.
func (r *Rewinder) remove(ctx context.Context, s rewind.State, t job.Type, index uint64, dead []string) error {
	j, err := r.Jobs.Find(ctx, t, index)
	if errors.Is(err, job.ErrNotFound) || err == nil && !s.Stale(rewind.KindOf(r.Layer, t), index, j.Epoch) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find the %s job of batch %d: %w", t, index, err)
	}
	r.release(ctx, j)
	return r.removeJob(ctx, j, dead)
}

// removeJob removes a job. It must stay where it has settled its batch, or has a transaction that is not known to be
// dead.
func (r *Rewinder) removeJob(ctx context.Context, j job.Job, dead []string) error {
	err := again(func() error {
		if err := r.kept(j, dead); err != nil {
			return err
		}
		err := r.Jobs.Delete(ctx, j)
		if errors.Is(err, job.ErrConflict) {
			var rerr error
			if j, rerr = r.Jobs.Get(ctx, j.ID); rerr != nil {
				err = rerr
			}
		}
		return gone(err, job.ErrNotFound)
	}, job.ErrConflict)
	var kept *keptError
	if err != nil && !errors.As(err, &kept) {
		return fmt.Errorf("discard %s job %s of batch %d: %w", j.Type, j.ID, j.Batch, err)
	}
	return err
}

func (r *Rewinder) kept(j job.Job, dead []string) error {
	name := r.Layer.BatchName(j.Type, j.Batch)
	if j.Type == job.StateTransition && j.Status == job.Completed {
		return &keptError{name + " was settled meanwhile"}
	}
	for _, journal := range j.Journals() {
		for _, rec := range journal.Records {
			if !slices.Contains(dead, rec.Hash) {
				return &keptError{fmt.Sprintf("the %s job of %s signed transaction %s with nonce %d meanwhile: %s and "+
					"those before it stay", j.Type, name, rec.Hash, rec.Nonce, name)}
			}
		}
	}
	return nil
}
