package rewinding_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/service/rewinding"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const (
	settled = 1 // batches that are settled
	each    = 2 // SNOS batches of an aggregator batch
)

// world is a chain whose batches have ten blocks each; on an L2 of two SNOS batches.
type world struct {
	*rewinding.Rewinder
	t        *testing.T
	now      time.Time
	jobs     *memory.Jobs
	batches  *memory.Batches
	locks    *memory.Locks
	events   *memory.Events
	released [][]string
	woken    []stage.Name

	// what the settlement layer says
	block         uint64  // settled
	latest, final uint64  // nonces of the wallet
	before        tx.Used // of 0xbe, which was the wallet before
	included      map[string]bool
}

func (w *world) State(context.Context, bool) (settlement.State, error) {
	return settlement.State{Settled: true, Block: w.block}, nil
}

func (w *world) Head(context.Context) (tx.Head, error) {
	return tx.Head{Number: 100, Finalized: 90}, nil
}

func (w *world) Account(_ context.Context, depth uint64) (tx.Account, error) {
	if depth != 10 { // from the head to what is final
		w.t.Errorf("the wallet is read %d blocks below the head", depth)
	}
	return tx.Account{Latest: w.latest, Confirmed: w.final}, nil
}

func (w *world) Used(_ context.Context, address string, depth uint64) (tx.Used, error) {
	if address != "0xbe" || depth != 10 {
		w.t.Errorf("account %s is read %d blocks below the head", address, depth)
	}
	return w.before, nil
}

func (w *world) Lookup(_ context.Context, hash string) (tx.Status, error) {
	if success, ok := w.included[hash]; ok {
		return tx.Status{Phase: tx.Included, Success: success}, nil
	}
	return tx.Status{Phase: tx.Unknown}, nil
}

func newWorld(t *testing.T, l stage.Layer, n uint64, hook fault.Hook) *world {
	t.Helper()
	w := &world{t: t, now: start}
	e := &fault.Env{Now: func() time.Time { return w.now }}
	*w = world{t: t, now: start, jobs: memory.NewJobs(e), batches: memory.NewBatches(e), locks: memory.NewLocks(e),
		events: memory.NewEvents(e), block: 10*settled - 1, included: map[string]bool{}}
	w.Rewinder = &rewinding.Rewinder{Layer: l, Chain: "game", Jobs: w.jobs, Batches: w.batches,
		Rewinds: memory.NewRewinds(e), Locks: w.locks, Events: w.events, Contract: w, Wallet: w,
		Release:  func(_ context.Context, ids ...string) { w.released = append(w.released, ids) },
		Wake:     func(_ context.Context, ws ...stage.Name) { w.woken = append(w.woken, ws...) },
		NewOwner: job.NewID, Now: e.Now, Log: slog.New(slog.DiscardHandler)}
	for i := range n {
		w.batch(i+1, 0)
	}
	e.Hook = hook
	return w
}

// batch makes a batch of an epoch, with jobs of all stages up to the state update.
func (w *world) batch(i, epoch uint64) {
	w.t.Helper()
	status, first := batch.Closed, i
	if i <= settled {
		status = batch.Completed
	}
	span := batch.Span{StartBlock: 10 * (i - 1), EndBlock: 10*i - 1}
	var errs []error
	if w.Layer == stage.L2 {
		first = each*(i-1) + 1
		half := batch.Span{StartBlock: span.StartBlock, EndBlock: span.StartBlock + 4}
		other := batch.Span{StartBlock: span.StartBlock + 5, EndBlock: span.EndBlock}
		errs = append(errs, w.batches.CreateAggregator(w.t.Context(), batch.AggregatorBatch{Index: i, Epoch: epoch,
			FirstSnos: first, Snos: []batch.Span{half, other}, Span: span, Status: status,
			Bucket: fmt.Sprintf("bucket-%d", i)}))
		for k, s := range []batch.Span{half, other} {
			errs = append(errs, w.batches.CreateSnos(w.t.Context(), batch.SnosBatch{Index: first + uint64(k),
				Aggregator: i, Epoch: epoch, Span: s, Status: batch.Proven}))
		}
	} else {
		errs = append(errs, w.batches.CreateSnos(w.t.Context(), batch.SnosBatch{Index: i, Epoch: epoch, Span: span,
			Status: status}))
	}
	for _, t := range job.Types {
		switch {
		case !w.Layer.Has(t):
		case w.Layer.OnAggregator(t), w.Layer == stage.L3:
			errs = append(errs, w.jobs.Create(w.t.Context(), w.job(t, i, epoch)))
		default:
			for k := range uint64(each) {
				errs = append(errs, w.jobs.Create(w.t.Context(), w.job(t, first+k, epoch)))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) job(t job.Type, index, epoch uint64) job.Job {
	m := map[job.Type]job.Metadata{
		job.SnosRun: &job.SnosRunMeta{TaskID: "run"}, job.ProofCreation: &job.ProofCreationMeta{Task: "p", Steps: 100},
		job.ProofRegistration: &job.ProofRegistrationMeta{Task: "r"}, job.Aggregator: &job.AggregatorMeta{Task: "a"},
		job.DataSubmission:  &job.DataSubmissionMeta{Included: &job.Inclusion{Fee: "7"}},
		job.StateTransition: &job.StateTransitionMeta{},
	}[t]
	j := job.New(fmt.Sprintf("%s-%d-%d", t, epoch, index), index, m, "", start)
	j.Epoch = epoch
	if t != job.StateTransition || index <= settled {
		j.Status, j.NextAction, j.DueAt = job.Completed, job.None, time.Time{}
	}
	return j
}

// sign records a transaction of a batch's job.
func (w *world) sign(t job.Type, index uint64, hash string, nonce uint64) {
	w.t.Helper()
	w.signBy("", t, index, hash, nonce)
}

// signBy signs with an account; "" is that of a document of release 0.1.
func (w *world) signBy(account string, t job.Type, index uint64, hash string, nonce uint64) {
	w.t.Helper()
	j, err := w.jobs.Find(w.t.Context(), t, index)
	if err != nil {
		w.t.Fatal(err)
	}
	r := tx.Record{Hash: hash, Nonce: nonce, Account: account, SignedAt: start}
	switch m := j.Metadata.(type) {
	case *job.StateTransitionMeta:
		m.Journal.Records = append(m.Journal.Records, r)
	case *job.DataSubmissionMeta:
		m.Journal.Records = append(m.Journal.Records, r)
	}
	if _, err := w.jobs.Update(w.t.Context(), j); err != nil {
		w.t.Fatal(err)
	}
}

// begin asks for a rewind that must not be refused.
func (w *world) begin(from uint64) {
	w.t.Helper()
	if _, _, err := w.Begin(w.t.Context(), from, "ann", "too large"); err != nil {
		w.t.Fatal(err)
	}
}

// left wants the batches up to last to be there whole, and nothing of those above.
func (w *world) left(last uint64) {
	w.t.Helper()
	units, snos := last, last
	if w.Layer == stage.L2 {
		snos = each * last
		as, err := w.batches.AggregatorRange(w.t.Context(), 0, batch.MaxPage)
		if err != nil || uint64(len(as)) != units {
			w.t.Errorf("%d aggregator batches are left, %v; want %d", len(as), err, units)
		}
	}
	bs, err := w.batches.SnosRange(w.t.Context(), 0, batch.MaxPage)
	if err != nil || uint64(len(bs)) != snos {
		w.t.Errorf("%d SNOS batches are left, %v; want %d", len(bs), err, snos)
	}
	for _, t := range job.Types {
		want := snos
		if w.Layer.OnAggregator(t) {
			want = units
		}
		if !w.Layer.Has(t) {
			want = 0
		}
		js, err := w.jobs.List(w.t.Context(), job.Filter{Type: t, Limit: job.MaxPage})
		if err != nil || uint64(len(js)) != want {
			w.t.Errorf("%d %s jobs are left, %v; want %d", len(js), t, err, want)
		}
	}
}

// first is the first SNOS batch of a batch.
func (w *world) first(i uint64) uint64 {
	if w.Layer == stage.L2 {
		return each*(i-1) + 1
	}
	return i
}

// A rewind is carried out in bounded steps from the newest batch down, counted, reported and published once.
func TestContinue(t *testing.T) {
	t.Parallel()
	for _, l := range []stage.Layer{stage.L2, stage.L3} {
		const n = 45
		w := newWorld(t, l, n, nil)
		w.begin(3)
		var counts []int
		for range 4 {
			s, err := w.Continue(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			counts = append(counts, s.Rewinds[0].Discarded)
			if _, active := s.Active(); !active && s.Rewinds[0].Dead != nil {
				t.Errorf("%s: a rewind that is done keeps %q", l, s.Rewinds[0].Dead)
			}
		}
		if d := cmp.Diff([]int{20, 40, n - 2, n - 2}, counts); d != "" {
			t.Errorf("%s: batches discarded after each step: %s", l, d)
		}
		w.left(2)
		ids := map[string]bool{}
		for _, id := range slices.Concat(w.released...) {
			ids[id] = true
		}
		if want := fmt.Sprintf("SnosRun-0-%d", w.first(3)); !ids[want] || ids["SnosRun-0-1"] {
			t.Errorf("%s: reports of %d jobs were ended, %s among them: %t", l, len(ids), want, ids[want])
		}
		var types []event.Type
		for _, e := range w.events.Published() {
			types = append(types, e.Type)
		}
		if d := cmp.Diff([]event.Type{event.RewindAsked, event.BatchesRewound}, types); d != "" {
			t.Errorf("%s: %s", l, d)
		}
		if len(w.woken) < 3 {
			t.Errorf("%s: batching was woken %d times", l, len(w.woken))
		}
	}
}

// What was signed after the plan may be mined: its batch and those below it stay, and the record says why.
func TestSignedMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stage.L2, 5, nil)
	w.sign(job.StateTransition, 2, "0xdead", 4)
	w.latest, w.final = 5, 5
	w.begin(2)
	w.sign(job.StateTransition, 3, "0xnew", 5)
	s, err := w.Continue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r := s.Rewinds[0]; r.Active() || r.From != 4 || r.FromSnos != 7 || r.Asked != 2 || r.Discarded != 2 ||
		!strings.Contains(r.Note, "0xnew") {
		t.Errorf("%+v", r)
	}
	w.left(3)
}

// While batching has its lease, a rewind waits.
func TestLease(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stage.L2, 3, nil)
	w.begin(2)
	if _, err := w.locks.Acquire(t.Context(), string(stage.AggregatorBatching), "batching", time.Minute); err != nil {
		t.Fatal(err)
	}
	if s, err := w.Continue(t.Context()); err != nil || s.Rewinds[0].Discarded != 0 || !s.Rewinds[0].Active() {
		t.Errorf("%+v, %v", s, err)
	}
	w.left(3)
}

// What an invocation from before the rewind makes after it is removed, and what was made again stays.
func TestSweep(t *testing.T) {
	t.Parallel()
	for _, l := range []stage.Layer{stage.L2, stage.L3} {
		w := newWorld(t, l, 3, nil)
		w.begin(3)
		s, err := w.Continue(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		w.batch(3, 1) // again
		w.batch(4, 0) // by one that does not know of the rewind
		if err := w.Sweep(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		w.left(3)
		if _, err := w.jobs.Find(t.Context(), job.SnosRun, w.first(3)); err != nil {
			t.Errorf("%s: a job of the new epoch: %v", l, err)
		}
	}
}
