package batching

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
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
	if err := p.sized(ctx, rctx); err != nil {
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
		if err := p.addAll(ctx, rs[:n]); err != nil {
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
func (p *pass[B]) addAll(ctx context.Context, rs []read) error {
	for _, r := range rs {
		if err := p.add(ctx, r); err != nil {
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

// sized makes sure that the open batch has a sizer: one that is lost is made again of the batch's blocks.
func (p *pass[B]) sized(ctx, rctx context.Context) error {
	if !p.open || p.sizer != nil {
		return nil
	}
	if !errors.Is(p.lack, artifact.ErrNotFound) && !errors.Is(p.lack, artifact.ErrCorrupt) {
		return &readError{p.lack}
	}
	span := *p.policy.parts(&p.cur).span
	p.log().WarnContext(ctx, "the open batch's sizer is made again", "why", p.lack, "start_block",
		span.StartBlock, "end_block", span.EndBlock)
	s, err := p.NewSizer(span.StarknetVersion, nil)
	if err != nil {
		return &readError{fmt.Errorf("new sizer: %w", err)}
	}
	for from := span.StartBlock; from <= span.EndBlock; from += chunk {
		us, err := p.Source.StateUpdates(rctx, from, min(span.EndBlock, from+chunk-1))
		if err != nil {
			return &readError{fmt.Errorf("read the open batch's state updates again: %w", err)}
		}
		for _, u := range us {
			if err := s.Add(u); err != nil {
				return &readError{fmt.Errorf("measure block %d again: %w", u.Number, err)}
			}
			if u.Number == span.EndBlock && !span.EndHash.IsZero() && u.BlockHash != span.EndHash {
				return p.otherHistory(rctx, u.BlockHash)
			}
		}
	}
	p.sizer, p.lack = s, nil
	return nil
}

// read is one block with all that batching looks at.
type read struct {
	header  block.Header
	update  block.StateUpdate
	weights block.Weights
}

// prefix reads from..to, or as many of these blocks as can be read: a node behind the others has fewer, one may serve a
// broken block, and many large blocks are more than can be read at once. None are returned where the first one is not
// there.
func (b *Batcher) prefix(ctx context.Context, from, to uint64) ([]read, error) {
	for {
		rs, err := b.blocks(ctx, from, to)
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

// blocks reads from..to.
func (b *Batcher) blocks(ctx context.Context, from, to uint64) ([]read, error) {
	var headers []block.Header
	var weights []block.Weights
	var updates []block.StateUpdate
	err := b.all(
		func() (err error) { headers, err = b.Source.Headers(ctx, from, to); return err },
		func() (err error) { weights, err = b.Source.Weights(ctx, from, to); return err },
		func() (err error) { updates, err = b.Source.StateUpdates(ctx, from, to); return err },
	)
	if err != nil {
		return nil, fmt.Errorf("read blocks %d to %d: %w", from, to, err)
	}
	n := int(to - from + 1)
	if len(headers) != n || len(weights) != n || len(updates) != n {
		return nil, fmt.Errorf("blocks %d to %d: %d headers, %d weights, %d state updates: %w",
			from, to, len(headers), len(weights), len(updates), block.ErrMalformed)
	}
	out := make([]read, n)
	for i := range out {
		out[i] = read{header: headers[i], update: updates[i], weights: weights[i]}
		if out[i].weights.ProvingGas == 0 {
			out[i].weights.ProvingGas = b.Limits.EmptyGas
		}
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
