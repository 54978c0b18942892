package simulation

import (
	"context"
	"fmt"
	"slices"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// watch is what the invariants remember between steps.
type watch struct {
	versions map[string]uint64 // of jobs
	batches  map[string]span
	journals map[string]string // hash of a recorded transaction to its job
	blind    map[string]bool   // transactions of invocations that could not know of the others
	mined    map[string]bool   // transactions that ever were in a block
}

func newWatch() watch {
	return watch{versions: map[string]uint64{}, batches: map[string]span{}, journals: map[string]string{},
		blind: map[string]bool{}, mined: map[string]bool{}}
}

// span is what of a batch may only grow, and not at all once it is closed.
type span struct {
	start, end, fence uint64
	closed            bool
}

// Check returns an error where something is not true that must be true after every step, as far as the step touched it.
// Jobs and batches are checked when they are written (gate.After).
func (w *World) Check(ctx context.Context) error {
	touched := w.touched
	w.touched = map[string]bool{}
	if touched["l1"] {
		if err := w.checkMoney(); err != nil {
			return err
		}
	}
	if touched["prover"] || touched["runner"] {
		if err := w.checkWork(); err != nil {
			return err
		}
	}
	if touched["artifacts"] {
		return w.checkArtifacts(ctx)
	}
	return nil
}

// checkBatches wants the batches with an index, one of which was written, to grow at their end alone, and not at all
// once they are closed, and the fences of their writers to grow.
func (w *World) checkBatches(ctx context.Context, index uint64) error {
	b, err := w.Batches.Aggregator(ctx, index)
	if ignore(err, batch.ErrNotFound) != nil {
		return err
	}
	if err == nil {
		if err := w.grows(fmt.Sprintf("aggregator batch %d of epoch %d", index, b.Epoch),
			span{b.StartBlock, b.EndBlock, b.Fence, b.Status != batch.Open}); err != nil {
			return err
		}
		for _, s := range append(b.Snos, b.Span) {
			if err := w.checkSpan(fmt.Sprintf("aggregator batch %d", index), s); err != nil {
				return err
			}
		}
	}
	s, err := w.Batches.Snos(ctx, index)
	if err != nil {
		return ignore(err, batch.ErrNotFound)
	}
	if err := w.grows(fmt.Sprintf("SNOS batch %d of epoch %d", index, s.Epoch),
		span{s.StartBlock, s.EndBlock, s.Fence, s.Status != batch.Open}); err != nil {
		return err
	}
	if err := w.checkSpan(fmt.Sprintf("SNOS batch %d", index), s.Span); err != nil {
		return err
	}
	return w.checkSize(fmt.Sprintf("SNOS batch %d", index), s.Span)
}

func (w *World) grows(name string, now span) error {
	was, known := w.watch.batches[name]
	w.watch.batches[name] = now
	switch {
	case !known:
	case now.start != was.start, now.end < was.end, was.closed && now.end != was.end:
		return fmt.Errorf("%s went from blocks %d to %d back to %d to %d", name, was.start, was.end, now.start, now.end)
	case was.closed && !now.closed:
		return fmt.Errorf("%s was closed and is open again", name)
	case now.fence < was.fence:
		return fmt.Errorf("%s was written with fence %d after %d", name, now.fence, was.fence)
	}
	return nil
}

// checkWork wants nothing to be paid for twice: of a batch there is one proof and one run at a time that the services
// neither rejected nor lost.
func (w *World) checkWork() error {
	proofs := map[string]string{}
	for _, p := range w.Prover.Tasks() {
		if p.State == proof.Rejected || p.State == proof.Lost {
			continue
		}
		what := fmt.Sprintf("%s of batch %d of epoch %d", p.Request.Kind, p.Request.Batch, w.epochOf(p.Request.DedupID))
		if other := proofs[what]; other != "" {
			return fmt.Errorf("%s is proven twice, as %s and %s", what, other, p.ID)
		}
		proofs[what] = p.ID
	}
	runs := map[string]string{}
	for _, r := range w.Runner.Runs() {
		if r.Progress.State == snos.Failed || r.Progress.State == snos.Lost {
			continue
		}
		what := fmt.Sprintf("%s of batch %d of epoch %d", r.Task.Kind, r.Task.Batch, w.epochOf(r.Task.ID))
		if other := runs[what]; other != "" {
			return fmt.Errorf("%s is run twice, as %s and %s", what, other, r.Handle)
		}
		runs[what] = r.Handle
	}
	return nil
}

// checkMoney wants every transaction that was ever broadcast to be recorded in its job and to cost no more than the
// cap, and nothing settled twice or out of order.
func (w *World) checkMoney() error {
	for _, x := range w.L1.Transactions() {
		if w.intruders[x.Hash] {
			continue
		}
		if w.watch.journals[x.Hash] == "" {
			return fmt.Errorf("transaction %s with nonce %d was broadcast and is not recorded", x.Hash, x.Nonce)
		}
		if x.Fees.Total().Cmp(w.cap) > 0 {
			return fmt.Errorf("transaction %s may cost %s, the cap is %s", x.Hash, x.Fees.Total(), w.cap)
		}
	}
	if w.cfg.Beside == nil {
		if err := w.checkPool(); err != nil {
			return err
		}
	}
	if err := w.checkRewound(); err != nil {
		return err
	}
	return w.L1.CheckHistory()
}

// checkArtifacts wants the artifacts of what is not settled for good to stay: none of them is marked to expire.
func (w *World) checkArtifacts(ctx context.Context) error {
	final, err := w.L1.State(ctx, true)
	if err != nil {
		return err
	}
	prefixes, err := w.unsettled(ctx, func(s batch.Span) bool { return !final.Settled || final.Block < s.EndBlock })
	if err != nil {
		return err
	}
	for _, prefix := range prefixes {
		infos, err := w.Artifacts.List(ctx, prefix, "", 1000)
		if err != nil {
			return err
		}
		for _, i := range infos {
			if w.Artifacts.Expires(i.Key) {
				return fmt.Errorf("%s is marked to expire, and its batch is not settled for good", i.Key)
			}
		}
	}
	return nil
}

// unsettled are the prefixes of the artifacts of batches that are kept.
func (w *World) unsettled(ctx context.Context, keep func(batch.Span) bool) (prefixes []string, err error) {
	if w.cfg.Layer == stage.L3 {
		last, err := w.Batches.LastSnos(ctx)
		for i := uint64(1); err == nil && i <= last.Index; i++ {
			var b batch.SnosBatch
			if b, err = w.Batches.Snos(ctx, i); err == nil && keep(b.Span) {
				prefixes = append(prefixes, artifact.SNOSPrefix(i, b.Epoch))
			}
			err = ignore(err, batch.ErrNotFound) // discarded
		}
		return prefixes, ignore(err, batch.ErrNotFound)
	}
	last, err := w.Batches.LastAggregator(ctx)
	for i := uint64(1); err == nil && i <= last.Index; i++ {
		var b batch.AggregatorBatch
		if b, err = w.Batches.Aggregator(ctx, i); err != nil || !keep(b.Span) {
			err = ignore(err, batch.ErrNotFound) // discarded
			continue
		}
		prefixes = append(prefixes, artifact.AggregatorPrefix(i, b.Epoch))
		for n := b.FirstSnos; n <= b.LastSnos(); n++ {
			prefixes = append(prefixes, artifact.SNOSPrefix(n, b.Epoch))
		}
	}
	return prefixes, ignore(err, batch.ErrNotFound)
}

// CheckPublished wants the data of every settled batch to be on the chain where it is published by transactions of its
// own.
func (w *World) CheckPublished() error {
	if w.cfg.Layer == stage.L2 {
		return nil // blobs go with the state update
	}
	published := map[uint64]map[felt.Felt]bool{}
	for _, d := range w.L1.DA().Published() {
		if published[d.Batch] == nil {
			published[d.Batch] = map[felt.Felt]bool{}
		}
		for _, word := range d.Words {
			published[d.Batch][word] = true
		}
	}
	for _, h := range w.L1.History() {
		u := h.Update
		for i, word := range w.segment(u.StartBlock, u.EndBlock) { // no two words of it are equal
			if !published[u.Batch][word] {
				return fmt.Errorf("batch %d is settled and word %d of its data is not on the chain", u.Batch, i)
			}
		}
	}
	return nil
}

// checkJob checks what must be true of a document that was written: its version only grows, it has a next action unless
// it is at its end, its journal takes no nonce twice and no transaction of another job.
func (w *World) checkJob(j job.Job) error {
	if old := w.watch.versions[j.ID]; j.Version < old {
		return fmt.Errorf("%s job of batch %d went from version %d back to %d", j.Type, j.Batch, old, j.Version)
	}
	w.watch.versions[j.ID] = j.Version
	end := slices.Contains([]job.Status{job.Completed, job.Failed, job.VerificationTimeout}, j.Status)
	if !end && j.NextAction == job.None {
		return fmt.Errorf("%s job of batch %d is %s and has nothing to do", j.Type, j.Batch, j.Status)
	}
	records := recorded(j)
	for _, r := range records {
		other := w.watch.journals[r.Hash]
		if w.discarded[other] && j.Type == job.DataSubmission {
			other = "" // undone by a reorganisation; the batch in its place publishes the same words in the same way
		}
		if other != "" && other != j.ID {
			return fmt.Errorf("transaction %s is recorded by jobs %s and %s", r.Hash, other, j.ID)
		}
		if other == "" {
			if err := w.checkFlights(j, r); err != nil {
				return err
			}
		}
		w.watch.journals[r.Hash] = j.ID
	}
	for _, journal := range journals(j) {
		if err := checkNonces(j, journal); err != nil {
			return err
		}
	}
	return nil
}

// checkNonces wants transactions with the same nonce to be replacements of one another, and replacements to have the
// same nonce.
func checkNonces(j job.Job, records []tx.Record) error {
	type used struct {
		account string
		nonce   uint64
	}
	newest, nonces := map[used]string{}, map[string]used{}
	for _, r := range records {
		at := used{r.Account, r.Nonce}
		if n, known := nonces[r.Replaces]; r.Replaces != "" && (!known || n != at) {
			return fmt.Errorf("transaction %s of batch %d has nonce %d and replaces %s, which does not have it",
				r.Hash, j.Batch, r.Nonce, r.Replaces)
		}
		nonces[r.Hash] = at
		if last := newest[at]; last != "" && r.Replaces != last {
			return fmt.Errorf("transaction %s of batch %d has nonce %d of %s and replaces %q",
				r.Hash, j.Batch, r.Nonce, last, r.Replaces)
		}
		newest[at] = r.Hash
	}
	return nil
}

// recorded are the records of all of a job's journals.
func recorded(j job.Job) []tx.Record { return slices.Concat(journals(j)...) }

// journals are the records of a job's journals, one for each payload.
func journals(j job.Job) (out [][]tx.Record) {
	for _, book := range j.Journals() {
		out = append(out, book.Records)
	}
	return out
}
