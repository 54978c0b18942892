package batching

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
)

// everyDiff says whether the state diff of every block is read and measured as it joins. Otherwise weights do for most
// batches, and no sizer is stored.
func (p *pass[B]) everyDiff() bool {
	var none B
	return p.policy.parts(&none).accumulatorKey != nil
}

// size gives the candidate the sizes that the open batch has with its block.
func (p *pass[B]) size(rctx context.Context, r read, c *batch.Candidate) error {
	x := p.policy.parts(&p.cur)
	if !p.everyDiff() {
		if _, closes := p.policy.closes(p.cur, *c); closes { // whatever its words are
			return nil
		}
		c.DAWords = x.daWords + batch.DAWordsAtMost(r.weights)
		return p.measured(rctx, x.span.StartBlock, x.span.StarknetVersion, r, c)
	}
	if err := addTo(p.sizer, *r.update); err != nil {
		p.torn = true
		return err
	}
	c.DAWords = p.sizer.Words()
	c.InputSize = x.inputSize + batch.BlockInputSize(r.update.Diff, r.weights.MessageSegmentLength)
	return nil
}

// firstSize gives the candidate the sizes of a batch of its block alone.
func (p *pass[B]) firstSize(rctx context.Context, r read, c *batch.Candidate) error {
	version := r.header.StarknetVersion
	p.sizer = nil
	if !p.everyDiff() {
		c.DAWords = batch.FirstDAWords + batch.DAWordsAtMost(r.weights)
		return p.measured(rctx, r.header.Number, version, r, c)
	}
	s, err := p.sizerOf(version, *r.update)
	if err != nil {
		return err
	}
	p.sizer, c.DAWords = s, s.Words()
	c.InputSize = batch.FirstInputSize + batch.BlockInputSize(r.update.Diff, r.weights.MessageSegmentLength)
	return nil
}

// sizerOf returns a sizer with some blocks.
func (p *pass[B]) sizerOf(version string, us ...block.StateUpdate) (Sizer, error) {
	s, err := p.NewSizer(version, nil)
	if err != nil {
		return nil, &readError{fmt.Errorf("new sizer: %w", err)}
	}
	for _, u := range us {
		if err := addTo(s, u); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func addTo(s Sizer, u block.StateUpdate) error {
	if err := s.Add(u); err != nil {
		return &readError{fmt.Errorf("measure block %d: %w", u.Number, err)}
	}
	return nil
}

// measured reads the state diffs of a candidate whose words would be over the limit by weights, and of the batch's
// blocks from first on that were not read yet: then the words are those of the diffs. Nothing of it is stored: it is
// read again where another invocation needs it.
func (p *pass[B]) measured(rctx context.Context, first uint64, version string, r read, c *batch.Candidate) (err error) {
	if p.Limits.DAWords == 0 || c.DAWords <= p.Limits.DAWords && r.weighed() {
		return nil
	}
	s, next := p.sizer, p.sized+1
	if s == nil {
		if s, err = p.sizerOf(version); err != nil {
			return err
		}
		next = first
	}
	p.sizer = nil // until all is read: it may hold half a block
	last := r.header.Number
	err = p.eachUpdate(rctx, next, last, func(u block.StateUpdate) error {
		if err := p.ofThisHistory(u, r); err != nil {
			return err
		}
		return addTo(s, u)
	})
	if err != nil {
		return err
	}
	p.sizer, p.sized, c.DAWords = s, last, s.Words()
	return nil
}

// eachUpdate reads the state updates from..to, and gives them to take one by one. Where many large ones are more than
// can be read at once, it reads fewer at a time. Errors are a *readError or take's.
func (p *pass[B]) eachUpdate(rctx context.Context, from, to uint64, take func(block.StateUpdate) error) error {
	for n := uint64(chunk); from <= to; {
		end := min(to, from+n-1)
		us, err := p.Source.StateUpdates(rctx, from, end)
		if errors.Is(err, block.ErrTooMuch) && end > from {
			n = (end - from + 1) / 2
			continue
		}
		if err != nil {
			return &readError{fmt.Errorf("read the open batch's state updates: %w", err)}
		}
		for _, u := range us {
			if err := take(u); err != nil {
				return err
			}
		}
		from = end + 1
	}
	return nil
}

// ofThisHistory checks the last block's state update and the candidate's: they must be of the blocks whose headers were
// read. The source links those between them.
func (p *pass[B]) ofThisHistory(u block.StateUpdate, candidate read) error {
	if u.Number == candidate.header.Number {
		candidate.update = &u
		return candidate.consistent()
	}
	if u.Number == p.tip.number && !p.tip.hash.IsZero() && u.BlockHash != p.tip.hash {
		return disagree(fmt.Errorf("block %d is %s, its state update is of %s", u.Number, p.tip.hash, u.BlockHash))
	}
	return nil
}

// loadSizer reads the open batch's sizer. Without it no block can join the batch, but the batch can close.
func (p *pass[B]) loadSizer(ctx context.Context, x parts) (Sizer, error) {
	if *x.accumulatorKey == "" {
		return nil, fmt.Errorf("%s batch %d has no sizer: %w", p.policy.kind(), x.index, artifact.ErrNotFound)
	}
	saved, err := artifact.ReadAll(ctx, p.Artifacts, *x.accumulatorKey, maxSizer)
	if err != nil {
		return nil, fmt.Errorf("read %s of open batch %d: %w", *x.accumulatorKey, x.index, err)
	}
	s, err := p.NewSizer(x.span.StarknetVersion, saved)
	if err != nil {
		return nil, fmt.Errorf("decode %s of open batch %d: %w: %w",
			*x.accumulatorKey, x.index, artifact.ErrCorrupt, err)
	}
	return s, nil
}

// sizerAgain makes sure that the open batch has a sizer into which every block goes: one that is lost is made again of
// the batch's blocks.
func (p *pass[B]) sizerAgain(ctx, rctx context.Context) error {
	if !p.open || p.sizer != nil || !p.everyDiff() {
		return nil
	}
	if !errors.Is(p.lack, artifact.ErrNotFound) && !errors.Is(p.lack, artifact.ErrCorrupt) {
		return &readError{p.lack}
	}
	span := *p.policy.parts(&p.cur).span
	p.log().WarnContext(ctx, "the open batch's sizer is made again", "why", p.lack, "start_block",
		span.StartBlock, "end_block", span.EndBlock)
	s, err := p.sizerOf(span.StarknetVersion)
	if err != nil {
		return err
	}
	err = p.eachUpdate(rctx, span.StartBlock, span.EndBlock, func(u block.StateUpdate) error {
		if u.Number == span.EndBlock && !span.EndHash.IsZero() && u.BlockHash != span.EndHash {
			return p.otherHistory(rctx, u.BlockHash)
		}
		return addTo(s, u)
	})
	if err != nil {
		return err
	}
	p.sizer, p.lack = s, nil
	return nil
}

// saveSizer writes the open batch's sizer under a key of its own version, and lets the document name it. It returns the
// key that the document had, and the one that it has; both are "" where weights do for most batches.
func (p *pass[B]) saveSizer(ctx context.Context, x parts) (previous, kept string, err error) {
	if !p.everyDiff() {
		return "", "", nil
	}
	previous = *x.accumulatorKey
	switch {
	case *x.status != batch.Open:
		*x.accumulatorKey = ""
	case p.sizer != nil:
		saved, err := p.sizer.MarshalBinary()
		if err != nil {
			return "", "", fmt.Errorf("encode the sizer of batch %d: %w", x.index, err)
		}
		*x.accumulatorKey = artifact.AccumulatorKey(x.index, x.epoch, p.lease.Fence, x.span.EndBlock)
		if err := p.Artifacts.Put(ctx, *x.accumulatorKey, bytes.NewReader(saved)); err != nil {
			return "", "", fmt.Errorf("store %s: %w", *x.accumulatorKey, err)
		}
	}
	return previous, *x.accumulatorKey, nil
}
