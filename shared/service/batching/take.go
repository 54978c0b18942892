package batching

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
)

// closingTime is kept of an invocation's time to close and save what is full, however slowly the chain is read.
const closingTime = 10 * time.Second

// reading returns the context of reads of the chain.
func reading(ctx context.Context) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, deadline.Add(-closingTime))
	}
	return context.WithCancel(ctx)
}

// take puts the blocks that can be read into batches. The error is a *readError, a *halt, or the store's.
func (p *pass[B]) take(ctx context.Context) error {
	rctx, cancel := reading(ctx)
	defer cancel()
	head, err := p.Source.Head(rctx)
	if errors.Is(err, block.ErrNotFound) {
		return nil // no block yet
	}
	if err != nil {
		return &readError{fmt.Errorf("read the chain's head: %w", err)}
	}
	next := p.tip.number + 1
	if !p.tip.any {
		if next, p.tip, err = p.beginsAt(rctx); err != nil {
			return err
		}
	}
	if p.tip.any && head < p.tip.number {
		p.raise(ctx, behind(head, p.tip.number))
		return nil
	}
	to := head
	if p.Limits.HasMaxBlock {
		to = min(to, p.Limits.MaxBlock)
	}
	if to < next {
		if p.tip.any {
			return p.sameHistory(rctx)
		}
		return nil
	}
	more := false
	if n := uint64(max(p.Limits.BlocksPerRun, 1)); to-next >= n {
		to, more = next+n-1, true
	}
	if err := p.sizerAgain(ctx, rctx); err != nil {
		return err
	}
	if err := p.takeRange(ctx, rctx, next, to, head); err != nil {
		return err
	}
	p.more = more
	return nil
}

// takeRange takes the blocks from..to, chunk by chunk, as far as they can be read.
func (p *pass[B]) takeRange(ctx, rctx context.Context, from, to, head uint64) error {
	for from <= to {
		rs, err := p.prefix(rctx, from, min(to, from+chunk-1))
		if err != nil {
			return &readError{err}
		}
		if len(rs) == 0 {
			p.raise(ctx, missing(from, head))
			return nil
		}
		n, cut := p.connected(ctx, rctx, rs)
		if err := p.addAll(ctx, rctx, rs[:n]); err != nil {
			return err
		}
		if cut != nil {
			return cut
		}
		from += uint64(n)
	}
	return nil
}

// addAll adds blocks and saves what has come of it, also when one of them can't join.
func (p *pass[B]) addAll(ctx, rctx context.Context, rs []read) error {
	for _, r := range rs {
		if err := p.add(ctx, rctx, r); err != nil {
			if p.torn {
				return err
			}
			if serr := p.save(ctx); serr != nil {
				return fmt.Errorf("%w (after: %v)", serr, err)
			}
			return err
		}
	}
	if len(rs) == 0 {
		return nil
	}
	if err := p.save(ctx); err != nil {
		return err
	}
	return p.lease.renew(ctx)
}

// read is one block with all that batching looks at.
type read struct {
	header  block.Header
	update  *block.StateUpdate // nil for most blocks without everyDiff
	weights block.Weights
}

// weighed says whether the weights say the size of the block's state diff: every transaction changes something.
func (r read) weighed() bool { return r.weights.StateDiffSize > 0 || r.header.Transactions == 0 }

// consistent checks that a block's state update is of the block that its header is of.
func (r read) consistent() error {
	h, u := r.header, r.update
	if u != nil && (u.BlockHash != h.Hash || u.NewRoot != h.NewRoot) {
		return disagree(fmt.Errorf("the header of block %d is of %s with root %s, its state update of %s with root %s",
			h.Number, h.Hash, h.NewRoot, u.BlockHash, u.NewRoot))
	}
	return nil
}

// prefix reads from..to, or as many of these blocks as can be read: a node behind the others has fewer, one may serve a
// broken block, and many large blocks are more than can be read at once. None are returned where the first one is not
// there.
func (p *pass[B]) prefix(ctx context.Context, from, to uint64) ([]read, error) {
	for {
		rs, err := p.blocks(ctx, from, to)
		absent := errors.Is(err, block.ErrNotFound)
		switch {
		case err == nil:
			return rs, nil
		case from == to && absent:
			return nil, nil
		case from == to || !absent && !errors.Is(err, block.ErrMalformed) && !errors.Is(err, block.ErrTooMuch):
			return nil, err
		}
		to = from + (to-from)/2
	}
}

// blocks reads from..to: headers, weights, and the state updates. Without everyDiff it reads the last block's update
// alone: if that is of the block that the header says, the headers before it are of its history, as each names its
// parent.
func (p *pass[B]) blocks(ctx context.Context, from, to uint64) ([]read, error) {
	first := from
	if !p.everyDiff() {
		first = to
	}
	n := int(to - from + 1)
	var headers []block.Header
	var weights []block.Weights
	var updates []block.StateUpdate
	err := p.all(
		func() (err error) { headers, err = p.Source.Headers(ctx, from, to); return err },
		func() (err error) { weights, err = p.Source.Weights(ctx, from, to); return err },
		func() (err error) { updates, err = p.Source.StateUpdates(ctx, first, to); return err },
	)
	if err != nil {
		return nil, fmt.Errorf("read blocks %d to %d: %w", from, to, err)
	}
	if len(headers) != n || len(weights) != n || len(updates) != int(to-first+1) {
		return nil, fmt.Errorf("blocks %d to %d: %d headers, %d weights, %d state updates: %w",
			from, to, len(headers), len(weights), len(updates), block.ErrMalformed)
	}
	out := make([]read, n)
	for i := range out {
		out[i] = read{header: headers[i], weights: weights[i]}
		if j := i - int(first-from); j >= 0 {
			out[i].update = &updates[j]
		}
		if out[i].weights.ProvingGas == 0 {
			out[i].weights.ProvingGas = p.Limits.EmptyGas
		}
	}
	if !p.everyDiff() {
		return out, out[n-1].consistent()
	}
	return out, nil
}

// all makes reads, at once if they may be, and returns the first one's error that has one.
func (b *Batcher) all(reads ...func() error) error {
	if !b.AtOnce {
		for _, r := range reads {
			if err := r(); err != nil {
				return err
			}
		}
		return nil
	}
	errs := make([]error, len(reads))
	var wg sync.WaitGroup
	for i, r := range reads {
		wg.Go(func() { errs[i] = r() })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
