package rewinding

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/big"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/look"
	"github.com/madara-orchestrator/orchestrator/shared/core/rewind"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// Plan is what a rewind discards, and what was paid for it.
type Plan struct {
	From      uint64 // the first batch that is discarded
	FromSnos  uint64 // the first SNOS batch; on an L3 From
	FromBlock uint64 // batching begins again with it
	Batches   []Lost // what is discarded, the first batch.MaxPage of it
	Discards  int    // how many batches are discarded
	Refusals  []rewind.Refusal

	dead  []string
	state rewind.State
}

// Lost is a batch that is discarded, with what was paid for it.
type Lost struct {
	Index               uint64
	FirstSnos, LastSnos uint64
	Blocks              batch.Span
	Status              batch.Status
	Runs                int      // SNOS and aggregator runs that were started
	Proofs              int      // tasks that were given to the prover
	Tasks               []string // of the prover, the newest of each job
	Steps               uint64   // Cairo steps given to the prover
	Bucket              string   // at the prover: it is left open and is never closed, so that nothing is aggregated
	Fee                 *big.Int // of transactions that published data (L3); nil for none
	DataFee             *big.Int // of those on a layer of their own, in wei; nil for none
}

// Look plans a rewind of all batches from an index on. Errors: batch.ErrNotFound, and those of the stores and of the
// settlement layer. A plan with refusals can't be carried out now.
func (r *Rewinder) Look(ctx context.Context, index uint64) (Plan, error) {
	return look.Value(ctx, func(ctx context.Context) (Plan, error) { return r.look(ctx, index) })
}

func (r *Rewinder) look(ctx context.Context, index uint64) (Plan, error) {
	p := Plan{From: index}
	var err error
	if p.state, err = r.Rewinds.Get(ctx); err != nil {
		return p, err
	}
	first, err := r.at(ctx, index)
	if err != nil {
		return p, err
	}
	if r.stale(p.state, first) {
		return p, fmt.Errorf("%s was discarded: %w", r.Layer.BatchName(stage.StateTransition, index), batch.ErrNotFound)
	}
	p.FromSnos, p.FromBlock = first.firstSnos, first.span.StartBlock
	v := rewind.View{Layer: r.Layer, State: p.state, From: index, Batch: first.span, Status: first.status}
	if v.Settled, err = r.Contract.State(ctx, false); err != nil {
		return p, fmt.Errorf("read the core contract: %w", err)
	}
	newest, _, err := r.newest(ctx)
	if err != nil {
		return p, err
	}
	p.Discards = int(newest.index - min(index, newest.index) + 1)
	if err := r.lost(ctx, &p, index); err != nil {
		return p, err
	}
	if v.Sends, err = r.sends(ctx, index); err != nil {
		return p, err
	}
	p.Refusals, p.dead = rewind.Decide(v)
	return p, nil
}

// Begin stores a rewind: from then on nothing of the batches from an index on acts any more, and every trigger worker
// carries it on. A *rewind.RefusedError says why it can't be done now; the other errors are those of Look, and
// rewind.ErrConflict.
func (r *Rewinder) Begin(ctx context.Context, index uint64, by, reason string) (Plan, rewind.Rewind, error) {
	p, err := r.Look(ctx, index)
	if err != nil {
		return p, rewind.Rewind{}, err
	}
	if len(p.Refusals) > 0 {
		return p, rewind.Rewind{}, &rewind.RefusedError{Refusals: p.Refusals}
	}
	next, err := p.state.Begin(rewind.Rewind{
		From: p.From, FromSnos: p.FromSnos, Asked: p.From, By: by, Reason: reason, At: r.Now(), Dead: p.dead,
	})
	if err == nil {
		next, err = r.Rewinds.Put(ctx, next)
	}
	if err != nil {
		return p, rewind.Rewind{}, fmt.Errorf("store the rewind: %w", err)
	}
	w := next.Rewinds[len(next.Rewinds)-1]
	r.audit(ctx, event.RewindAsked, w)
	r.Wake(ctx, r.worker())
	return p, w, nil
}

// lost fills in what is discarded and what was paid for it.
func (r *Rewinder) lost(ctx context.Context, p *Plan, index uint64) error {
	us, err := r.units(ctx, index)
	if err != nil {
		return fmt.Errorf("read the batches from %d on: %w", index, err)
	}
	of := map[uint64]int{} // place of a SNOS batch's or, at the stages of those, an aggregator batch's unit
	aggregators := map[uint64]int{}
	for i, u := range us {
		p.Batches = append(p.Batches, Lost{Index: u.index, FirstSnos: u.firstSnos, LastSnos: u.lastSnos, Blocks: u.span,
			Status: u.status, Bucket: u.bucket})
		aggregators[u.index] = i
		for n := u.firstSnos; n <= u.lastSnos; n++ {
			of[n] = i
		}
	}
	for _, t := range job.Types {
		if !r.Layer.Has(t) {
			continue
		}
		places, from := of, p.FromSnos
		if r.Layer.OnAggregator(t) {
			places, from = aggregators, index
		}
		err := r.each(ctx, t, from, func(j job.Job) error {
			if i, ok := places[j.Batch]; ok {
				p.Batches[i].pay(j)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// each calls do for all jobs of a type for batches from an index on.
func (r *Rewinder) each(ctx context.Context, t job.Type, from uint64, do func(job.Job) error) error {
	for {
		js, err := r.Jobs.List(ctx, job.Filter{Type: t, From: from, Limit: job.MaxPage})
		if err != nil {
			return fmt.Errorf("list %s jobs: %w", t, err)
		}
		for _, j := range js {
			if err := do(j); err != nil {
				return err
			}
		}
		if len(js) < job.MaxPage {
			return nil
		}
		from = js[len(js)-1].Batch + 1
	}
}

// pay adds what a job has cost.
func (l *Lost) pay(j job.Job) {
	task := func(id string, steps uint64) {
		if id == "" {
			return
		}
		l.Proofs, l.Steps, l.Tasks = l.Proofs+max(1, j.Attempts.Process), l.Steps+steps, append(l.Tasks, id)
	}
	switch m := j.Metadata.(type) {
	case *job.SnosRunMeta:
		if m.TaskID != "" || m.Handle != "" {
			l.Runs += max(1, j.Attempts.Process)
		}
	case *job.ProofCreationMeta:
		task(m.Task, m.Steps)
	case *job.ProofRegistrationMeta:
		task(m.Task, m.Steps)
	case *job.AggregatorMeta:
		if m.RunTaskID != "" || m.RunHandle != "" {
			l.Runs++
		}
		task(m.Task, 0)
	case *job.DataSubmissionMeta:
		to := &l.Fee
		if m.Layer != "" {
			to = &l.DataFee
		}
		m.Included.AddFee(to)
		for _, more := range m.More {
			more.Included.AddFee(to)
		}
	}
}

// sends are the jobs of the batches from an index on that send transactions, with the fate of each.
func (r *Rewinder) sends(ctx context.Context, index uint64) ([]rewind.Send, error) {
	var out []rewind.Send
	at := map[signer]tx.Used{}
	for _, t := range r.sending() {
		err := r.each(ctx, t, index, func(j job.Job) (err error) {
			s := rewind.Send{Job: j.ID, Stage: t, Batch: j.Batch, Completed: j.Status == job.Completed}
			for _, journal := range j.Journals() {
				for _, rec := range journal.Records {
					by := signer{j.Layer(), rec.Account}
					d, known := at[by]
					if !known {
						if d, err = r.used(ctx, by); err != nil {
							return err
						}
						at[by] = d
					}
					signed, err := r.fate(ctx, d, t, rec)
					if err != nil {
						return err
					}
					s.Records = append(s.Records, signed)
				}
			}
			out = append(out, s)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// signer is an account on a layer; "" is the wallet there, and the settlement layer.
type signer struct{ layer, account string }

// used asks how many nonces a signer has used in the newest block and in the newest one that is final: one that was the
// wallet before is asked about too. Where no wallet is configured on the layer any more, nobody counts on its nonces.
func (r *Rewinder) used(ctx context.Context, by signer) (tx.Used, error) {
	w := r.Wallet
	if by.layer != "" {
		if by.layer != r.DataLayer {
			return tx.Used{Latest: math.MaxUint64, Confirmed: math.MaxUint64}, nil
		}
		w = r.DataWallet
	}
	h, err := w.Head(ctx)
	if err != nil {
		return tx.Used{}, fmt.Errorf("read the head of %s: %w", cmp.Or(by.layer, "the settlement layer"), err)
	}
	depth := h.Number - min(h.Finalized, h.Number)
	if by.account != "" {
		u, err := w.Used(ctx, by.account, depth)
		if err != nil {
			return u, fmt.Errorf("read the nonces of %s: %w", by.account, err)
		}
		return u, nil
	}
	a, err := w.Account(ctx, depth)
	if err != nil {
		return tx.Used{}, fmt.Errorf("read the wallet: %w", err)
	}
	return tx.Used{Latest: a.Latest, Confirmed: a.Confirmed}, nil
}

// fate is what can still become of a transaction. A state update that is not settled must never be: its nonce has to be
// used in a final block. Data that was published does no harm, but only one that still waits for a block has a nonce
// that nobody else may count on.
func (r *Rewinder) fate(ctx context.Context, at tx.Used, t job.Type, rec tx.Record) (rewind.Signed, error) {
	out := rewind.Signed{Hash: rec.Hash, Nonce: rec.Nonce, Account: rec.Account, Fate: rewind.Open}
	if t != job.StateTransition {
		if rec.Nonce < at.Latest {
			out.Fate = rewind.Dead
		}
		return out, nil
	}
	st, err := r.Wallet.Lookup(ctx, rec.Hash)
	switch {
	case err != nil:
		return out, fmt.Errorf("look up transaction %s: %w", rec.Hash, err)
	case st.Phase == tx.Included && st.Success:
		out.Fate = rewind.Settled
	case rec.Nonce < at.Confirmed:
		out.Fate = rewind.Dead
	}
	return out, nil
}
