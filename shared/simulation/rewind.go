package simulation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/rewind"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// record is the record of rewinds, as it is past all faults.
func (w *World) record() (s rewind.State) {
	w.aside(func() { s, _ = w.rewinds.Get(context.Background()) })
	return s
}

// mayRewind lets an operator discard batches, at random or at the step that the configuration names; also in the middle
// of other functions.
func (w *World) mayRewind(ctx context.Context) error {
	if at := w.cfg.RewindAt; at > 0 && w.Steps >= at && !w.planned && len(w.frames) == 0 {
		return w.rewind(ctx, 0)
	}
	rare, nested := 150, len(w.frames)
	if nested > 0 && w.frames[nested-1].function == resource.FnStateTransition {
		rare = 10 // between what it has seen and what it records
	}
	if !w.turmoil || w.begun >= w.cfg.Rewinds || nested >= maxNesting || w.chances.IntN(rare) > 0 {
		return nil
	}
	return w.rewind(ctx, w.chances.IntN(4))
}

// rewind is the API's function that takes the command: all batches from some above the oldest unsettled one on.
func (w *World) rewind(ctx context.Context, above int) error {
	from, ok := uint64(0), false
	w.aside(func() { from, ok = w.oldest(above) })
	if !ok {
		return nil
	}
	during := "outside"
	if n := len(w.frames); n > 0 {
		during = w.frames[n-1].function
	}
	_, err := w.invoke(ctx, resource.FnAPI, false, func(ctx context.Context) (any, error) {
		_, r, err := w.rewinder.Begin(ctx, from, "simulation", "chance")
		return r, err
	})
	var refused *rewind.RefusedError
	switch {
	case err == nil:
		w.begun++
		w.planned = true
		w.narrate("a rewind from batch %d on", from)
		w.Injected[Strike{"rewind", during}]++
		return errors.Join(w.nested, w.checkDead())
	case errors.As(err, &refused):
		w.Injected[Strike{"rewind refused: " + string(refused.Refusals[0].Why), during}]++
	}
	return w.nested
}

// checkDead wants no state update that a rewind counts as dead to have a nonce which is not used yet.
func (w *World) checkDead() error {
	active, ok := w.record().Active()
	if !ok {
		return nil // carried out meanwhile
	}
	for _, j := range w.seen {
		if j.Type != job.StateTransition {
			continue
		}
		for _, r := range recorded(j) {
			if !slices.Contains(active.Dead, r.Hash) {
				continue
			}
			var nonces tx.Used
			var err error
			w.aside(func() { nonces, err = w.L1.Used(context.Background(), r.Account, 0) })
			if err != nil {
				return err
			}
			if r.Nonce >= nonces.Latest {
				return fmt.Errorf("a rewind from batch %d on was taken, transaction %s of batch %d with nonce %d may "+
					"still be mined", active.From, r.Hash, j.Batch, r.Nonce)
			}
		}
	}
	return nil
}

// rewound ends a fork of the app chain when a rewind is stored: it may part above what stays batched, and nobody could
// know then.
func (w *World) rewound() {
	if w.node != nil && w.node.fork != nil {
		w.misbehave(node{})
	}
}

// oldest is the batch that is some above the oldest unsettled one, or the newest.
func (w *World) oldest(above int) (uint64, bool) {
	ctx := context.Background()
	s, err := w.L1.State(ctx, false)
	if err != nil {
		return 0, false
	}
	var last, index uint64
	if w.cfg.Layer == stage.L2 {
		b, lerr := w.Batches.LastAggregator(ctx)
		o, oerr := w.Batches.AggregatorOfBlock(ctx, s.Next())
		last, index, err = b.Index, o.Index, errors.Join(lerr, oerr)
	} else {
		b, lerr := w.Batches.LastSnos(ctx)
		o, oerr := w.Batches.SnosOfBlock(ctx, s.Next())
		last, index, err = b.Index, o.Index, errors.Join(lerr, oerr)
	}
	return min(index+uint64(above), last), err == nil
}

// forget ends what is known of the batches with an index, one of which was removed: an invocation from before the
// rewind may write it again, and it is removed again.
func (w *World) forget(index string) {
	for epoch := range w.record().Epoch() {
		delete(w.watch.batches, fmt.Sprintf("aggregator batch %s of epoch %d", index, epoch))
		delete(w.watch.batches, fmt.Sprintf("SNOS batch %s of epoch %d", index, epoch))
	}
}

// epochOf is the epoch of the job that an id for an external service was made of (job.AttemptID).
func (w *World) epochOf(id string) uint64 {
	owner, _, _ := strings.Cut(id, "-")
	return w.seen[owner].Epoch
}

// bury notes the jobs that are gone after one with an id was removed or created, which may have taken the place of one
// of an earlier epoch. What proved them proves nothing of the batch that has their index next.
func (w *World) bury(id string) {
	now := w.seen[id]
	w.aside(func() {
		for id, j := range w.seen {
			if w.discarded[id] || j.Type != now.Type || j.Batch != now.Batch {
				continue
			}
			if _, err := w.Jobs.Get(context.Background(), id); !errors.Is(err, job.ErrNotFound) {
				continue
			}
			w.discarded[id] = true
			if j.Type == job.Aggregator || j.Type == job.ProofRegistration {
				w.L1.ForgetFact(j.Batch)
			}
		}
	})
}

// checkEpoch wants nothing to act on a job that a rewind has discarded before the invocation began: it is not created
// and not taken.
func (w *World) checkEpoch(last, j job.Job) error {
	if len(w.frames) == 0 {
		return nil
	}
	fr, kind := w.frames[len(w.frames)-1], rewind.KindOf(w.cfg.Layer, j.Type)
	if !fr.rewinds.Stale(kind, j.Batch, j.Epoch) || !w.record().Stale(kind, j.Batch, j.Epoch) {
		return nil
	}
	if last.ID == "" || j.Lease.Owner != "" && j.Lease.Owner != last.Lease.Owner {
		return fmt.Errorf("%s takes the %s job of batch %d of epoch %d, which was rewound before", fr.function, j.Type,
			j.Batch, j.Epoch)
	}
	return nil
}

// checkPrefix wants no two batches to write the same artifacts.
func (w *World) checkPrefix(t snos.Task) error {
	epoch := w.epochOf(t.ID)
	if was, known := w.prefixes[t.OutputPrefix]; known && was != epoch {
		return fmt.Errorf("%s of batch %d of epoch %d writes %s, as a batch of epoch %d did", t.Kind, t.Batch, epoch,
			t.OutputPrefix, was)
	}
	w.prefixes[t.OutputPrefix] = epoch
	return nil
}

// checkRewound wants no discarded batch to be settled. While a rewind is under way it may still end above a batch that
// is being settled.
func (w *World) checkRewound() error {
	s := w.record()
	if _, active := s.Active(); active || len(s.Rewinds) == 0 {
		return nil
	}
	for _, h := range w.L1.History() {
		j, known := w.seen[w.watch.journals[h.Hash]]
		if known && s.Stale(rewind.KindOf(w.cfg.Layer, stage.StateTransition), j.Batch, j.Epoch) {
			return fmt.Errorf("batch %d of epoch %d, blocks %d to %d, was rewound and is settled by %s", j.Batch,
				j.Epoch, h.Update.StartBlock, h.Update.EndBlock, h.Hash)
		}
	}
	return nil
}

// Discarded is how many batches were rewound.
func (w *World) Discarded() (n int) {
	for _, r := range w.record().Rewinds {
		n += r.Discarded
	}
	return n
}

// RewindUnderWay says whether a rewind has not ended.
func (w *World) RewindUnderWay() bool {
	_, active := w.record().Active()
	return active
}
