package simulation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/blocks"
)

// daWords is how many words a simulated L3's transaction carries: seven usual blocks, by their weights two.
const daWords = 45

// unusualLimits makes the limits small enough for the unusual blocks of a turmoil to reach them.
func (w *World) unusualLimits() {
	if !w.cfg.Turmoil {
		return
	}
	w.cfg.Limits.SnosWeights = block.Weights{
		L1Gas: 100_000, MessageSegmentLength: 100, NEvents: 100, StateDiffSize: 100, SierraGas: 1e8, NTxs: 100,
		ProvingGas: 1e8, ReceiptL2Gas: 1e8,
	}
	if w.cfg.Layer == stage.L3 {
		w.cfg.Limits.DAWords = daWords
	}
}

// unusual makes some blocks heavy, some large, and some older than their parent.
func (w *World) unusual(b *blocks.Block) {
	l, x := w.cfg.Limits.SnosWeights, &b.Weights
	fields := []struct {
		have  *uint64
		limit uint64
	}{
		{&x.L1Gas, l.L1Gas}, {&x.MessageSegmentLength, l.MessageSegmentLength}, {&x.NEvents, l.NEvents},
		{&x.StateDiffSize, l.StateDiffSize},
		{&x.SierraGas, l.SierraGas}, {&x.NTxs, l.NTxs}, {&x.ProvingGas, l.ProvingGas},
		{&x.ReceiptL2Gas, l.ReceiptL2Gas},
	}
	if w.rng.IntN(3) == 0 {
		f := fields[w.rng.IntN(len(fields))]
		*f.have = f.limit/4 + w.rng.Uint64N(f.limit) // one in four is over the limit alone
	}
	if w.rng.IntN(4) == 0 {
		entries := &b.Update.Diff.Storage[0].Entries
		for i := range w.rng.IntN(25) {
			*entries = append(*entries,
				block.StorageEntry{Key: felt.FromUint64(uint64(0x10000 + i)), Value: felt.FromUint64(b.Header.Number)})
		}
		x.StateDiffSize = max(x.StateDiffSize, uint64(2+2*len(*entries))) // never below what the diff has
	}
	if w.rng.IntN(5) == 0 {
		b.Header.Timestamp = b.Header.Timestamp.Add(-time.Duration(w.rng.IntN(60)) * time.Second)
	}
}

// wordsOf is what a block's state diff takes: three words a written slot.
func wordsOf(u block.StateUpdate) int {
	n := 0
	for _, c := range u.Diff.Storage {
		n += 3 * len(c.Entries)
	}
	return n
}

// segment is the data of blocks: no two words of it are equal.
func (w *World) segment(from, to uint64) []felt.Felt {
	var out []felt.Felt
	for n := from; n <= to; n++ {
		for i := range wordsOf(w.Data[n].Update) {
			out = append(out, felt.FromUint64(n<<32|uint64(i)))
		}
	}
	return out
}

// node is how the app chain's nodes misbehave for a while. Each call may be answered by another one of them.
type node struct {
	lags  bool
	lies  string // the method that one of them answers wrongly
	about uint64 // a block
	fork  []blocks.Block
}

func (w *World) misbehave(n node) bool {
	w.node = &n
	return true
}

// fork puts the nodes on a fork that parts below what is batched, so that no block of it may join a batch.
func (w *World) fork() bool {
	tip, any := w.batched()
	if !any || w.rng.IntN(3) > 0 || w.RewindUnderWay() {
		return false
	}
	from := uint64(w.rng.IntN(int(tip) + 1))
	f := append([]blocks.Block(nil), w.Data[:from]...)
	for n := from; n < uint64(len(w.Data)); n++ {
		b := w.Data[n]
		if n > from {
			b = blocks.Next(&f[n-1], b.Header.Timestamp)
			b.Weights = w.Data[n].Weights
		} else {
			b = blocks.Sibling(b, "fork")
		}
		f = append(f, b)
	}
	return w.misbehave(node{fork: f})
}

// batched is the last block that is in a batch.
func (w *World) batched() (uint64, bool) {
	if w.cfg.Layer == stage.L2 {
		b, err := w.Batches.LastAggregator(context.Background())
		return b.EndBlock, err == nil
	}
	b, err := w.Batches.LastSnos(context.Background())
	return b.EndBlock, err == nil
}

func (w *World) allBatched() (all bool) {
	w.aside(func() {
		tip, any := w.batched()
		all = any && tip == uint64(len(w.Data)-1)
	})
	return all
}

// OpenReports are the causes of a prefix that the operators still wait for an all-clear of.
func (w *World) OpenReports(ctx context.Context, prefix string) (keys []string, err error) {
	open, err := w.reports.Open(ctx, prefix, 100)
	for _, o := range open {
		keys = append(keys, o.Key)
	}
	return keys, err
}

// errGone is the answer of a node that is no longer there.
var errGone = errors.New("the node is gone")

// behave chooses how the node answers the call that comes.
func (w *World) behave() {
	if w.cfg.Beside != nil || !w.cfg.Turmoil {
		return
	}
	m := blocks.Manners{}
	if w.cfg.Seed%3 == 1 { // the head is always of a node that is ahead
		m.Ahead = 2
	}
	switch {
	case w.cfg.Seed%3 == 0 && w.allBatched(): // nothing can be read any more: the last batch closes by age
		m.Fail = errGone
	case !w.turmoil || w.node == nil:
	case w.node.lags:
		m.Lag, m.Ahead = w.rng.IntN(3), m.Ahead+w.rng.Uint64N(2)
	case w.node.lies != "" && w.rng.IntN(2) == 0:
		m.Answer = func(method string, b blocks.Block) blocks.Block {
			if method == w.node.lies && b.Header.Number == w.node.about {
				return blocks.Sibling(b, "lie")
			}
			return b
		}
	case w.node.fork != nil:
		fork := w.node.fork
		m.Answer = func(_ string, b blocks.Block) blocks.Block { return fork[b.Header.Number] }
	}
	w.Blocks.Behave(m)
}

// checkSpan wants a batch to be of the chain's own history.
func (w *World) checkSpan(name string, s batch.Span) error {
	if want := w.Data[s.EndBlock].Header.Hash; s.EndHash != want {
		return fmt.Errorf("%s ends with block %d, hash %s; the chain's is %s", name, s.EndBlock, s.EndHash, want)
	}
	return nil
}

// checkSize wants a SNOS batch of several blocks to keep the limits.
func (w *World) checkSize(name string, s batch.Span) error {
	if s.Blocks() == 1 || !w.cfg.Turmoil {
		return nil
	}
	var sum block.Weights
	words := 0
	for _, b := range w.Data[s.StartBlock : s.EndBlock+1] {
		sum, _ = sum.Add(b.Weights)
		words += wordsOf(b.Update)
	}
	if over := sum.Exceeds(w.cfg.Limits.SnosWeights); over != "" {
		return fmt.Errorf("%s of %d blocks is over the limit of %s", name, s.Blocks(), over)
	}
	if most := w.cfg.Limits.DAWords; most > 0 && words > most {
		return fmt.Errorf("%s of %d blocks takes %d DA words, the limit is %d", name, s.Blocks(), words, most)
	}
	return nil
}
