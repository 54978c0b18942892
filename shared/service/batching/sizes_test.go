package batching_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// counted counts the state updates that are read, and refuses to give more than some at once.
type counted struct {
	*node
	reads []string
	most  uint64
}

func (c *counted) StateUpdates(ctx context.Context, from, to uint64) ([]block.StateUpdate, error) {
	if to-from+1 > c.most {
		return nil, fmt.Errorf("blocks %d to %d: %w", from, to, block.ErrTooMuch)
	}
	c.reads = append(c.reads, fmt.Sprintf("%d-%d", from, to))
	return c.node.StateUpdates(ctx, from, to)
}

// wordsBench is an L3 whose batches have a limit of DA words. By weights a block (size 8) takes 13 words at the most,
// by its state diff 10 (sizer).
func wordsBench(t *testing.T, limit int) (*bench, *counted) {
	t.Helper()
	b := setup(t, stage.L3)
	b.Limits.DAWords = limit
	c := &counted{node: b.node, most: 50}
	b.Source = c
	return b, c
}

// wantWords checks the words of a batch.
func (b *bench) wantWords(index uint64, want int) {
	b.t.Helper()
	if s, err := b.batches.Snos(b.t.Context(), index); err != nil || s.DAWords != want {
		b.t.Errorf("batch %d: %d words, %v, want %d", index, s.DAWords, err, want)
	}
}

func (c *counted) wantReads(t *testing.T, want ...string) {
	t.Helper()
	if fmt.Sprint(c.reads) != fmt.Sprint(want) {
		t.Errorf("state updates read: %v, want %v", c.reads, want)
	}
	c.reads = nil
}

// As long as the weights keep a batch below the limit of DA words, only the state update of a range's last block is
// read, and nothing is stored beside the document.
func TestWeightsDo(t *testing.T) {
	t.Parallel()
	b, c := wordsBench(t, 1000)
	b.grow(20, nil)
	if err := b.run(); err != nil {
		t.Fatal(err)
	}
	c.wantReads(t, "19-19")
	b.want("0-19 open")
	b.wantWords(1, batch.FirstDAWords+20*batch.DAWordsAtMost(b.all[0].Weights))
	if infos, err := b.artifacts.List(t.Context(), "", "", 10); err != nil || len(infos) != 0 {
		t.Errorf("%d artifacts, %v", len(infos), err)
	}
}

// Where the weights are over the limit, all state diffs of the batch are read and count: each once as long as the run
// goes on. So a batch closes with as many words as it may have. Another run reads them again.
func TestMeasuredWhereWeightsDoNot(t *testing.T) {
	t.Parallel()
	b, c := wordsBench(t, 100)
	b.grow(9, nil)
	if err := b.run(); err != nil {
		t.Fatal(err)
	}
	// 20 + 6*13 = 98 by weights; with block 6 it is 70 by diffs, and 7 and 8 make 96
	c.wantReads(t, "8-8", "0-6")
	b.want("0-8 open")
	b.wantWords(1, 96)
	b.grow(5, nil)
	if err := b.run(); err != nil {
		t.Fatal(err)
	}
	// block 9 fills the batch, block 10 is too much for it: the new one begins by its weights again
	c.wantReads(t, "13-13", "0-9", "10-10")
	b.want("0-9 DA words of a transaction; 10-13 open")
	b.wantWords(1, 100)
	b.wantWords(2, batch.FirstDAWords+4*batch.DAWordsAtMost(b.all[0].Weights))
}

// A node that gives no size of state diffs is not believed: they are read.
func TestMeasuredWithoutWeight(t *testing.T) {
	t.Parallel()
	b, c := wordsBench(t, 1000)
	b.grow(4, nil)
	b.node.weight = func(n uint64, w *block.Weights) {
		if n == 2 {
			w.StateDiffSize = 0
		}
	}
	if err := b.run(); err != nil {
		t.Fatal(err)
	}
	c.wantReads(t, "3-3", "0-2")
	b.wantWords(1, 30+batch.DAWordsAtMost(b.all[3].Weights))
}

// What closes for another reason is not measured.
func TestNotMeasuredWhereItCloses(t *testing.T) {
	t.Parallel()
	b, c := wordsBench(t, 50)
	b.Limits.SnosWeights.NTxs = 3
	b.grow(4, nil)
	if err := b.run(); err != nil {
		t.Fatal(err)
	}
	c.wantReads(t, "3-3", "0-2")
	b.want("0-2 weights; 3-3 open")
}

// A block that is alone over the limit by its weights is measured too: its batch says what it has.
func TestFirstBlockIsMeasured(t *testing.T) {
	t.Parallel()
	b, c := wordsBench(t, 15)
	b.grow(2, nil)
	if err := b.run(); err != nil {
		t.Fatal(err)
	}
	c.wantReads(t, "1-1", "0-0", "1-1", "1-1")
	b.want("0-0 DA words of a transaction; 1-1 open")
	b.wantWords(1, 10)
}

// More state diffs than can be read at once are read in parts.
func TestMeasuredInParts(t *testing.T) {
	t.Parallel()
	b, c := wordsBench(t, 120)
	c.most = 4
	b.grow(10, nil)
	if err := b.run(); err != nil {
		t.Fatal(err)
	}
	c.wantReads(t, "9-9", "0-3", "4-7")
	b.wantWords(1, 80+2*batch.DAWordsAtMost(b.all[0].Weights))
}

// A state diff of another history is not measured, nor is one that the sizer refuses: the batch goes on as soon as the
// nodes agree.
func TestMeasuredOfThisHistory(t *testing.T) {
	t.Parallel()
	for name, lie := range map[string]uint64{"of the batch's last block": 4, "of the candidate": 5} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, _ := wordsBench(t, 90)
			b.grow(5, nil)
			if err := b.run(); err != nil {
				t.Fatal(err)
			}
			b.grow(3, nil)
			b.node.update = func(u *block.StateUpdate) {
				if u.Number == lie {
					u.BlockHash = u.OldRoot
				}
			}
			if err := b.run(); !errors.Is(err, block.ErrMalformed) {
				t.Errorf("nodes that do not agree: %v, want ErrMalformed", err)
			}
			b.want("0-4 open")
			b.node.update = nil
			if err := b.run(); err != nil {
				t.Fatal(err)
			}
			b.want("0-7 open")
			b.wantWords(1, 60+2*batch.DAWordsAtMost(b.all[0].Weights)) // measured with block 5
			b.alerted()
		})
	}
}
