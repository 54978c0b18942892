package batching

import (
	"context"
	"errors"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// beginsAt returns where batching begins with an empty database: after what the contract has settled, on the block
// whose hash the contract holds.
func (b *Batcher) beginsAt(ctx context.Context) (next uint64, on tip, err error) {
	if b.Settled == nil {
		return b.FirstBlock, tip{}, nil
	}
	s, err := b.Settled(ctx)
	if err != nil {
		return 0, tip{}, &readError{fmt.Errorf("read the core contract: %w", err)}
	}
	next = s.Next()
	if b.FirstBlock != 0 && b.FirstBlock != next {
		return 0, tip{}, contradiction(b.FirstBlock, s)
	}
	if s.Settled {
		on = tip{number: s.Block, hash: s.BlockHash, any: true, settled: true}
	}
	return next, on, nil
}

// connected returns how many of the blocks follow the last batched block and one another. cut says what is wrong with
// the first one that does not; it is nil where all do.
func (p *pass[B]) connected(ctx, rctx context.Context, rs []read) (n int, cut error) {
	on := p.tip
	for i, r := range rs {
		h := r.header
		if err := r.consistent(); err != nil {
			return i, err
		}
		switch {
		case on.any && !on.hash.IsZero() && h.ParentHash != on.hash && i == 0:
			return 0, p.diverged(rctx, h)
		case on.any && !on.hash.IsZero() && h.ParentHash != on.hash:
			if !p.everyDiff() {
				i-- // nothing else says that the parent's header is right
			}
			return i, disagree(
				fmt.Errorf("block %d has parent %s, block %d is %s", h.Number, h.ParentHash, on.number, on.hash))
		}
		if h.Timestamp.Before(on.at) { // it decides nothing: blocks are in the order of their numbers
			p.log().WarnContext(ctx, "a block is older than its parent", "block", h.Number, "time",
				h.Timestamp, "parent_time", on.at)
		}
		on = tip{number: h.Number, hash: h.Hash, at: h.Timestamp, any: true}
	}
	return len(rs), nil
}

func disagree(err error) error {
	return &readError{fmt.Errorf("the chain's nodes do not agree: %w: %w", err, block.ErrMalformed)}
}

// mostForgotten bounds how many blocks are forgotten at a time. What is remembered of older ones has expired, as a
// rule.
const mostForgotten = 500

// forget drops what the source remembers of the blocks above the last common one: after a rewind the blocks with these
// numbers are others.
func (p *pass[B]) forget(ctx context.Context, common tip) {
	from, to := uint64(0), p.tip.number+chunk
	if common.any {
		from = common.number + 1
	}
	p.Source.Forget(ctx, max(from, to-min(to, mostForgotten)), to)
}

// sameHistory checks the last batched block against the chain. No answer that was remembered decides it.
func (p *pass[B]) sameHistory(ctx context.Context) error {
	if p.tip.hash.IsZero() {
		return nil
	}
	hs, err := p.Source.HeadersNow(ctx, p.tip.number, p.tip.number)
	if err != nil {
		return &readError{fmt.Errorf("read the last batched block %d: %w", p.tip.number, err)}
	}
	if len(hs) == 1 && hs[0].Hash == p.tip.hash {
		return nil
	}
	if len(hs) != 1 {
		return disagree(fmt.Errorf("%d headers of block %d", len(hs), p.tip.number))
	}
	return p.otherHistory(ctx, hs[0].Hash)
}

// diverged is for a block whose parent is not the last batched block: another history, or nodes that do not agree.
func (p *pass[B]) diverged(ctx context.Context, child block.Header) error {
	if err := p.sameHistory(ctx); err != nil {
		return err
	}
	return disagree(
		fmt.Errorf("block %d has parent %s, block %d is %s", child.Number, child.ParentHash, p.tip.number, p.tip.hash))
}

// otherHistory halts: the chain's block has another hash than the last batched one. It finds where the two part.
func (p *pass[B]) otherHistory(ctx context.Context, now felt.Felt) error {
	if p.tip.settled {
		return foreign(p.tip, now)
	}
	low, high, err := p.fork(ctx)
	if err != nil {
		return err
	}
	if low.any && low.number == p.tip.number {
		return disagree(fmt.Errorf("block %d is %s, and was %s before", p.tip.number, p.tip.hash, now))
	}
	p.forget(ctx, low)
	return reverted(p.tip, now, low, high)
}

// fork returns the last block whose hash the chain and the batches have in common as far as hashes are stored (any is
// false for none), and the first stored one that differs. Each batch stores the hash of its last block.
func (p *pass[B]) fork(ctx context.Context) (low, high tip, err error) {
	newest := p.last
	if p.open {
		newest = p.cur
	}
	same := func(t tip) (bool, error) {
		if t.hash.IsZero() { // of release 0.1, so older than any that differs
			return true, nil
		}
		hs, err := p.Source.HeadersNow(ctx, t.number, t.number)
		if err != nil {
			return false, &readError{fmt.Errorf("look for the fork: %w", err)}
		}
		return len(hs) == 1 && hs[0].Hash == t.hash, nil
	}
	// the lowest batch whose last block differs is among these
	first, beyond := uint64(1), p.policy.parts(&newest).index
	for first < beyond {
		middle := first + (beyond-first)/2
		b, err := p.policy.at(ctx, middle)
		if errors.Is(err, batch.ErrNotFound) { // before the adopted batch, which is settled
			first = middle + 1
			continue
		}
		if err != nil {
			return low, high, fmt.Errorf("read %s batch %d: %w", p.policy.kind(), middle, err)
		}
		ends := p.policy.ends(b)
		common, err := same(ends[len(ends)-1])
		if err != nil {
			return low, high, err
		}
		if common {
			low, first = ends[len(ends)-1], middle+1
		} else {
			beyond = middle
		}
	}
	b := newest
	if first != p.policy.parts(&newest).index {
		if b, err = p.policy.at(ctx, first); err != nil {
			return low, high, fmt.Errorf("read %s batch %d: %w", p.policy.kind(), first, err)
		}
	}
	for _, high = range p.policy.ends(b) {
		common, err := same(high)
		if err != nil || !common {
			return low, high, err
		}
		low = high
	}
	return low, high, nil
}
