package batching

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/rewind"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/service/cutover"
)

// policy is what a pass needs to know of one layer's batches. B is a value; no method changes the one it is given.
type policy[B any] interface {
	worker() stage.Name
	kind() string // for logs and events: snos or aggregator
	// newest returns the batch with the highest index, or batch.ErrNotFound; at the one with an index.
	newest(ctx context.Context) (B, error)
	at(ctx context.Context, index uint64) (B, error)
	parts(b *B) parts
	batches() rewind.Kind
	// ends are the last blocks of what the batch consists of, ascending.
	ends(b B) []tip
	// begin returns an open batch of an epoch that holds the candidate, after last (the zero B for the first).
	begin(ctx context.Context, last B, epoch uint64, c batch.Candidate) (B, error)
	// foreign is an error where the batch was begun with another prover than the one of the settings.
	foreign(b B) error
	// moved is a batch of which nothing was proven, as one that was begun with the prover of the settings.
	moved(ctx context.Context, b B) (B, error)
	extend(b B, c batch.Candidate) B
	// closes says whether the batch must close before the candidate joins it, full whether it is full or too old.
	closes(b B, c batch.Candidate) (batch.Reason, bool)
	full(b B) (batch.Reason, bool)
	// fill is the largest part that the batch has of one of its limits, 0 to 1.
	fill(b B) float64
	// fits is an error where no batch could hold the candidate.
	fits(c batch.Candidate) error
	// closeParts closes what is full within an open batch.
	closeParts(b B) B
	close(b B, r batch.Reason) B
	create(ctx context.Context, b B) error
	update(ctx context.Context, b B) (B, error)
}

// parts are what a pass itself reads and writes of a batch.
type parts struct {
	index          uint64
	epoch          uint64
	trace          string
	span           *batch.Span
	status         *batch.Status
	accumulatorKey *string // of the sizer; nil where everyDiff is false
	inputSize      int
	daWords        int
	closed         int // of the batches within it
	version, fence *uint64
	updatedAt      *time.Time
}

// tip is a block after which batching goes on.
type tip struct {
	number uint64
	hash   felt.Felt // zero where it is not known: release 0.1 stored none
	at     time.Time // of the block; zero where it is not known
	any    bool      // there is such a block
	// settled says that it is the contract's: no batch was made yet.
	settled bool
}

// pass is one run of a batching worker: it puts the blocks that can be read into batches, one after another, and closes
// what is full or too old whatever reading said.
type pass[B any] struct {
	*Batcher
	policy policy[B]
	lease  *lease

	epoch uint64 // of the batches that are made
	known rewind.State
	cur   B      // the open batch, if open
	last  B      // the newest closed one, the zero B for none
	tip   tip    // the last block that is in a batch
	sizer Sizer  // of the open batch; nil: not loaded
	lack  error  // why it is not loaded
	sized uint64 // without everyDiff: the last block in the sizer
	open  bool   // there is an open batch
	saved bool   // the store has it
	dirty bool   // it differs from what the store has
	torn  bool   // the sizer holds half a block: the open batch must be read again
	made  bool   // a batch, or one within a batch, was closed
	whole bool   // an aggregator batch was closed whose SNOS batches were closed before
	more  bool   // blocks are left for another run
	seen  causes // what was reported in this pass
}

// runPass runs a pass under the worker's lease.
func runPass[B any](ctx context.Context, b *Batcher, pol policy[B]) error {
	p := &pass[B]{Batcher: b, policy: pol, seen: causes{}}
	err := b.locked(ctx, pol.worker(), func(ctx context.Context, l *lease) error {
		p.lease = l
		err := p.run(ctx)
		if p.made {
			b.Wake.After(ctx, pol.worker())
		}
		if p.whole { // its last proof may have come before, and woke a stage that found an open batch
			b.Wake.Run(ctx, stage.Aggregator)
		}
		return err
	})
	if err == nil && p.more { // once the lease is free
		b.Wake.Run(ctx, pol.worker())
	}
	return err
}

func (p *pass[B]) run(ctx context.Context) error {
	if err := p.load(ctx); err != nil {
		return err
	}
	err := p.take(ctx)
	if p.torn {
		if lerr := p.load(ctx); lerr != nil {
			return errors.Join(err, lerr)
		}
	}
	var unreadable *readError
	var stop *halt
	switch {
	case err == nil:
	case errors.As(err, &stop):
		p.raise(ctx, stop.cause)
	case errors.As(err, &unreadable):
		p.raise(ctx, unreadable.cause())
	default: // the store's or the lease's: nothing more can be written
		return err
	}
	if stop == nil || !stop.frozen {
		if cerr := p.closeFull(ctx); cerr != nil {
			return cerr
		}
		p.announce(ctx)
	}
	if unreadable == nil { // otherwise nobody knows what is over
		p.allClear(ctx)
	}
	if stop != nil {
		p.log().WarnContext(ctx, "batching halts", "stage", string(p.policy.worker()), "reason", stop.cause.Detail)
		return nil
	}
	return err
}

// announce compares the core contract with what the newest batch needs.
func (p *pass[B]) announce(ctx context.Context) {
	newest := p.cur
	if !p.open {
		newest = p.last
	}
	if x := p.policy.parts(&newest); x.index > 0 {
		p.Cutover.Look(ctx, x.span.StarknetVersion,
			fmt.Sprintf("Blocks of Starknet %s are batched: %s has blocks %d to %d",
				cutover.Printable(x.span.StarknetVersion), p.Wake.Layer.BatchName(p.policy.worker(), x.index),
				x.span.StartBlock, x.span.EndBlock))
	}
}

// load reads the newest batch. An open one goes on from its saved sizer.
func (p *pass[B]) load(ctx context.Context) error {
	var none B
	p.cur, p.last, p.sizer, p.lack, p.tip = none, none, nil, nil, tip{}
	p.open, p.saved, p.dirty, p.torn = false, false, false, false
	newest, found, err := p.newest(ctx)
	if err != nil || !found {
		return err
	}
	x := p.policy.parts(&newest)
	p.tip = tip{number: x.span.EndBlock, hash: x.span.EndHash, any: true}
	if *x.status != batch.Open {
		p.last = newest
		return nil
	}
	p.cur, p.open, p.saved = newest, true, true
	if p.everyDiff() {
		p.sizer, p.lack = p.loadSizer(ctx, x)
	}
	return nil
}

// newest reads the newest batch, without those that were discarded and are there again.
func (p *pass[B]) newest(ctx context.Context) (newest B, found bool, err error) {
	rewinds, ready, err := p.rewound(ctx)
	if err != nil {
		return newest, false, err
	}
	if !ready {
		return newest, false, errDiscarded
	}
	p.epoch, p.known = rewinds.Epoch(), rewinds
	for {
		newest, err = p.policy.newest(ctx)
		if errors.Is(err, batch.ErrNotFound) {
			return newest, false, nil
		}
		if err != nil {
			return newest, false, fmt.Errorf("read the newest %s batch: %w", p.policy.kind(), err)
		}
		x := p.policy.parts(&newest)
		again, err := p.swept(ctx, rewinds, p.policy.batches(), x.index, x.epoch)
		if err != nil || !again {
			return newest, err == nil, err
		}
	}
}

// add puts one block into the open batch, or closes that and opens one for it.
func (p *pass[B]) add(ctx, rctx context.Context, r read) error {
	if err := p.closeForeign(ctx); err != nil {
		return err
	}
	if p.open && p.policy.parts(&p.cur).span.StarknetVersion != r.header.StarknetVersion {
		if err := p.close(ctx, batch.VersionChange); err != nil {
			return err
		}
	}
	if p.SupportsVersion != nil && !p.SupportsVersion(r.header.StarknetVersion) {
		return unsupported(r.header)
	}
	c := batch.Candidate{Header: r.header, Weights: r.weights}
	if p.open {
		if err := p.size(rctx, r, &c); err != nil {
			return err
		}
		reason, closes := p.policy.closes(p.cur, c)
		if !closes {
			return p.joined(ctx, p.policy.extend(p.cur, c))
		}
		if err := p.close(ctx, reason); err != nil {
			return err
		}
	}
	return p.begin(ctx, rctx, r, c)
}

// begin opens a batch with its first block.
func (p *pass[B]) begin(ctx, rctx context.Context, r read, c batch.Candidate) error {
	if err := p.firstSize(rctx, r, &c); err != nil {
		return err
	}
	if err := p.policy.fits(c); err != nil {
		return tooLarge(c.Header, err)
	}
	next, err := p.policy.begin(ctx, p.last, p.epoch, c)
	if err != nil {
		return err
	}
	p.lack, p.open, p.saved = nil, true, false
	return p.joined(ctx, next)
}

// joined takes the batch with the block that has joined it, and closes it if that has filled it. What is too old closes
// at the end of the pass.
func (p *pass[B]) joined(ctx context.Context, with B) error {
	before := p.policy.parts(&p.cur).closed
	p.cur, p.dirty = with, true
	x := p.policy.parts(&p.cur)
	p.made = p.made || x.closed > before
	p.tip = tip{number: x.span.EndBlock, hash: x.span.EndHash, any: true}
	if reason, full := p.policy.full(p.cur); full && reason != batch.Age {
		return p.close(ctx, reason)
	}
	return nil
}

// close closes the open batch and saves it.
func (p *pass[B]) close(ctx context.Context, reason batch.Reason) error {
	before := p.policy.parts(&p.cur).closed
	p.cur = p.policy.close(p.cur, reason)
	p.made, p.dirty = true, true
	p.whole = p.whole || before > 0 && p.policy.parts(&p.cur).closed == before
	if err := p.save(ctx); err != nil {
		return err
	}
	x := p.policy.parts(&p.cur)
	p.closed(ctx, x.index, *x.span, x.trace, p.policy.kind(), p.policy.fill(p.cur))
	var none B
	p.last, p.cur, p.sizer, p.open, p.saved = p.cur, none, nil, false, false
	return nil
}

// closeForeign closes an open batch that was begun with another prover: the blocks that come go to the new one. Where
// no batch within it was closed nothing of it was proven, and it goes to the new one itself.
func (p *pass[B]) closeForeign(ctx context.Context) error {
	if !p.open {
		return nil
	}
	other := p.policy.foreign(p.cur)
	if other == nil {
		return nil
	}
	x := p.policy.parts(&p.cur)
	p.log().WarnContext(ctx, "the prover was changed", "batch", x.index, "closes", x.closed > 0, "why", other)
	if x.closed > 0 {
		return p.close(ctx, batch.ProverChange)
	}
	moved, err := p.policy.moved(ctx, p.cur)
	if err == nil {
		p.cur, p.dirty = moved, true
	}
	return err
}

// closeFull closes what is full or too old without a further block.
func (p *pass[B]) closeFull(ctx context.Context) error {
	if err := p.closeForeign(ctx); err != nil || !p.open {
		return err
	}
	if reason, full := p.policy.full(p.cur); full {
		return p.close(ctx, reason)
	}
	if p.asked != 0 && p.policy.parts(&p.cur).index == p.asked {
		return p.close(ctx, batch.ByOperator)
	}
	before := p.policy.parts(&p.cur).closed
	p.cur = p.policy.closeParts(p.cur)
	if p.policy.parts(&p.cur).closed > before {
		p.made, p.dirty = true, true
	}
	return p.save(ctx)
}

// save writes the sizer under a key of its own version, then the document: a crash in between leaves the document with
// the sizer that it names.
func (p *pass[B]) save(ctx context.Context) error {
	if !p.open || !p.dirty {
		return nil
	}
	x := p.policy.parts(&p.cur)
	previous, kept, err := p.saveSizer(ctx, x)
	if err != nil {
		return err
	}
	*x.fence, *x.updatedAt = p.lease.Fence, p.Now()
	if err := p.write(ctx, x); err != nil {
		return fmt.Errorf("store %s batch %d: %w", p.policy.kind(), x.index, err)
	}
	p.saved, p.dirty = true, false
	if previous != "" && previous != kept {
		_ = p.Artifacts.Delete(ctx, previous) // what stays expires with the batch
	}
	return nil
}

// vacant says whether a new batch may have its index. A store lets a batch of an earlier epoch give way; only one that
// was discarded may: this pass may have seen an older newest batch than there is.
func (p *pass[B]) vacant(ctx context.Context, x parts) error {
	if x.epoch == 0 {
		return nil
	}
	there, err := p.policy.at(ctx, x.index)
	if errors.Is(err, batch.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s batch %d: %w", p.policy.kind(), x.index, err)
	}
	if y := p.policy.parts(&there); !p.known.Stale(p.policy.batches(), y.index, y.epoch) {
		return fmt.Errorf("%s batch %d of epoch %d is there: %w", p.policy.kind(), y.index, y.epoch, batch.ErrConflict)
	}
	return nil
}

func (p *pass[B]) write(ctx context.Context, x parts) error {
	if !p.saved {
		*x.version = 1
		if err := p.vacant(ctx, x); err != nil {
			return err
		}
		return p.policy.create(ctx, p.cur)
	}
	stored, err := p.policy.update(ctx, p.cur)
	if err == nil {
		p.cur = stored
	}
	if errors.Is(err, batch.ErrNotFound) {
		return errDiscarded
	}
	return err
}
