package batching_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/client/lru"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	devchain "github.com/madara-orchestrator/orchestrator/shared/dev/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/blocks"
)

// Case B4: blocks 15 to 39 of another history do not join blocks 0 to 14. Batching halts with the fork point, closes
// and pays for nothing, and goes on when the node serves the first history again.
func TestAnotherHistory(t *testing.T) {
	const title = "The chain has another history than what was batched"
	for name, tt := range map[string]struct {
		fork, fresh uint64 // the first block that differs, how many there are after the fork
		where       string
	}{
		"from the open batch":   {13, 27, "between block 12 and block 14"},
		"from the batch before": {7, 33, "between block 6 and block 8"},
		"from the first block":  {0, 40, "between the first batched block and block 2"},
		"no longer than before": {10, 5, "between block 9 and block 11"},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, b *bench) {
				b.Limits.SnosBlocks, b.Limits.Blocks = 3, 100
				if b.layer == stage.L2 {
					b.Limits.Blocks = 6
				}
				b.Limits.HasMaxBlock, b.Limits.MaxBlock = false, 0
				b.grow(14, nil)
				b.pass(time.Minute)
				b.grow(1, nil)
				b.pass(time.Minute)
				before := append([]blocks.Block(nil), b.all...)
				b.cut(tt.fork)
				b.grow(int(tt.fresh), func(x *blocks.Block) {
					if x.Header.Number == tt.fork {
						*x = blocks.Sibling(*x, "other")
					}
				})
				b.pass(5 * time.Hour)
				want := "0-2 block count; 3-5 block count; 6-8 block count; 9-11 block count; 12-14 block count"
				if b.layer == stage.L2 {
					want = "0-5 block count; 6-11 block count; 12-14 open"
				}
				b.want(want)
				detail := b.alerted(title)
				if !strings.Contains(detail, tt.where) {
					t.Errorf("the alert does not say that they part %s: %s", tt.where, detail)
				}
				b.cut(tt.fork)
				for _, x := range before[tt.fork:] {
					if err := b.node.Add(x); err != nil {
						t.Fatal(err)
					}
					b.all = append(b.all, x)
				}
				b.pass(2 * time.Minute)
				b.alerted(title, "Resolved: "+title)
			})
		})
	}
}

// Case B5: a node behind the others has fewer blocks; what it has is batched in the same run.
func TestLaggingNode(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.grow(60, nil)
		b.node.lag = func() uint64 { return 59 }
		if err := b.run(); err != nil {
			t.Errorf("a node that lags is not a failure: %v", err)
		}
		b.want("0-58 open")
		b.node.lag = nil
		b.pass(time.Minute)
		b.want("0-59 open")
		b.alerted()
	})
}

// Case B5: nodes of two histories behind one address. What one answers about a block must fit what the others answer.
// Of an L3 the last block's state update is read, for which as many blocks are taken as it vouches for.
func TestMixedNodes(t *testing.T) {
	for name, lie := range map[string]func(b *bench){
		"header": func(b *bench) {
			b.node.header = func(h *block.Header) {
				if h.Number == 7 {
					h.Hash = h.NewRoot
				}
			}
		},
		"update": func(b *bench) {
			b.node.update = func(u *block.StateUpdate) {
				if u.Number == 7 || b.layer == stage.L3 && u.Number > 6 {
					u.NewRoot = u.OldRoot
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, b *bench) {
				b.grow(10, nil)
				lie(b)
				if err := b.run(); !errors.Is(err, block.ErrMalformed) {
					t.Errorf("nodes that do not agree: %v, want ErrMalformed", err)
				}
				b.want("0-6 open")
				b.node.header, b.node.update = nil, nil
				b.pass(time.Minute)
				b.want("0-9 open")
				b.alerted()
			})
		})
	}
}

// After a takeover the batches begin with the adopted one: another history is found all the same, and the fork among
// the batches that there are.
func TestAnotherHistoryAfterATakeover(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.Limits.Blocks, b.Limits.SnosBlocks, b.Limits.HasMaxBlock = 3, 3, false
		b.grow(10, nil)
		span := batch.Span{
			StartBlock: 5, EndBlock: 9, EndHash: b.all[9].Header.Hash, ClosedAt: b.now, Reason: batch.Adopted,
		}
		snos := batch.SnosBatch{Span: span, Index: 41, Status: batch.Archived, Version: 1}
		if b.layer == stage.L2 {
			snos.Aggregator = 41
			if err := b.Batches.CreateAggregator(t.Context(), batch.AggregatorBatch{
				Span: span, Index: 41, FirstSnos: 41, Snos: []batch.Span{span}, Status: batch.Archived, Version: 1,
			}); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Batches.CreateSnos(t.Context(), snos); err != nil {
			t.Fatal(err)
		}
		b.grow(8, nil)
		b.pass(time.Minute)
		b.cut(14)
		b.grow(10, func(x *blocks.Block) {
			if x.Header.Number == 14 {
				*x = blocks.Sibling(*x, "other")
			}
		})
		b.pass(time.Hour)
		detail := b.alerted("The chain has another history than what was batched")
		if !strings.Contains(detail, "between block 13 and block 15") {
			t.Errorf("the alert does not say where they part: %s", detail)
		}
	})
}

// Case B7: with an empty database batching begins after the contract's block, on the history that the contract knows.
func TestFirstStart(t *testing.T) {
	for name, tt := range map[string]struct {
		first   uint64
		settled bool
		other   bool
		batches string
		alert   string
		says    []string
	}{
		"contract has settled":     {0, true, false, "7-9 open", "", nil},
		"contract is new":          {0, false, false, "0-9 open", "", nil},
		"the first block is named": {7, true, false, "7-9 open", "", nil},
		"another first block is named": {5, true, false, "", "CHAIN_FIRST_BLOCK contradicts the core contract",
			[]string{"is 5", "settled block 6", "block 7"}},
		"named, and the contract is new": {5, false, false, "", "CHAIN_FIRST_BLOCK contradicts the core contract",
			[]string{"is 5", "settled nothing", "block 0"}},
		"contract has settled other ones": {0, true, true, "",
			"The chain is not the one that the core contract has settled", []string{"block 6", "0x7"}},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, b *bench) {
				b.grow(10, nil)
				state := settlement.State{Settled: tt.settled, Block: 6, BlockHash: b.all[6].Header.Hash}
				if tt.other {
					state.BlockHash = [32]byte{31: 7}
				}
				b.FirstBlock = tt.first
				b.Settled = func(context.Context) (settlement.State, error) { return state, nil }
				b.pass(10 * time.Minute)
				b.want(tt.batches)
				var alerts []string
				if tt.alert != "" {
					alerts = append(alerts, tt.alert)
				}
				detail := b.alerted(alerts...)
				for _, s := range tt.says {
					if !strings.Contains(detail, s) {
						t.Errorf("the alert lacks %q: %s", s, detail)
					}
				}
			})
		})
	}
}

// Case B6: an L3's batch closes before the block with which its state diff would take more words than a transaction
// carries; a block that is larger alone gets a batch of its own.
func TestDAWordsOfAnL3(t *testing.T) {
	t.Parallel()
	b := setup(t, stage.L3)
	b.Limits.DAWords = 35 // ten a block
	b.grow(8, nil)
	b.pass(time.Minute)
	b.want("0-2 DA words of a transaction; 3-5 DA words of a transaction; 6-7 open")
	b.Limits.DAWords = 5
	b.grow(2, nil)
	b.pass(time.Minute)
	b.want("0-2 DA words of a transaction; 3-5 DA words of a transaction; 6-7 DA words of a transaction; 8-8 DA " +
		"words of a transaction; 9-9 open")
	b.alerted()
}

// Every weight closes a SNOS batch; L1 gas and messages close an aggregator batch. A block that is over them alone gets
// a batch of its own, one whose messages no transaction can settle stops batching before it.
func TestWeightsCloseBatches(t *testing.T) {
	for name, heavy := range map[string]block.Weights{
		"proving gas": {ProvingGas: 6e9}, "Sierra gas": {ProvingGas: 1, SierraGas: 5e9},
		"receipts": {ProvingGas: 1, ReceiptL2Gas: 3e9},
		"L1 gas":   {ProvingGas: 1, L1Gas: 5e6}, "messages": {ProvingGas: 1, MessageSegmentLength: 4000},
		"events":     {ProvingGas: 1, NEvents: 60_000},
		"state diff": {ProvingGas: 1, StateDiffSize: 30_000}, "transactions": {ProvingGas: 1, NTxs: 20_000},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, b *bench) {
				b.node.weight = func(n uint64, w *block.Weights) {
					if *w = (block.Weights{ProvingGas: 1}); n == 3 {
						*w = heavy
					}
				}
				b.grow(6, nil)
				b.pass(time.Minute)
				switch a, err := b.batches.LastAggregator(t.Context()); {
				case b.layer == stage.L3:
					b.want("0-2 weights; 3-3 weights; 4-5 open")
				case heavy.L1Gas > 0 || heavy.MessageSegmentLength > 0:
					b.want("0-2 weights; 3-3 weights; 4-5 open")
				case err != nil || len(a.Snos) != 3 || a.Snos[0].EndBlock != 2 || a.Snos[1].EndBlock != 3 ||
					a.Snos[0].Reason != batch.WeightLimit:
					t.Errorf("SNOS batches %+v, %v", a.Snos, err)
				}
				b.alerted()
			})
		})
	}
}

// Case W1: a block whose messages can't be settled in one transaction stops batching before it, with what to do.
func TestUnsettleableBlock(t *testing.T) {
	t.Parallel()
	b := setup(t, stage.L2)
	b.node.weight = func(n uint64, w *block.Weights) {
		if n == 3 {
			w.L1Gas = 600 * 23_548 // 600 messages
		}
	}
	b.grow(6, nil)
	b.pass(2 * time.Hour)
	b.want("0-2 weights")
	if d := b.alerted("A block is larger than a batch may be"); !strings.Contains(d, "Block 3") {
		t.Errorf("the alert: %s", d)
	}
}

// switched is a node's address behind which one chain takes the other's place.
type switched struct {
	to    atomic.Pointer[url.URL]
	asked atomic.Int64
}

// ServeHTTP implements http.Handler.
func (s *switched) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked.Add(1)
	(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(s.to.Load()) }}).ServeHTTP(w, r)
}

// What is remembered does not hide a revert: the last batched block's header is in the cache when the chain is reverted
// to block 35 and grows again. Batching halts at once, with the right blocks, and leaves the open batch open.
func TestRevertBehindACache(t *testing.T) {
	for name, blocks := range map[string]int{"longer than before": 43, "as long as before": 41} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, b *bench) {
				start := func(blocks int, vs ...devchain.VersionFrom) *url.URL {
					t.Helper()
					c, err := devchain.Start(devchain.Options{Seed: 1, Blocks: blocks,
						Versions: append([]devchain.VersionFrom{{Block: 0, Version: "0.14.1"}}, vs...)})
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { _ = c.Close() })
					u, err := url.Parse(c.URL())
					if err != nil {
						t.Fatal(err)
					}
					return u
				}
				first, second := start(41), start(blocks, devchain.VersionFrom{Block: 36, Version: "0.14.2"})
				var node switched
				node.to.Store(first)
				server := httptest.NewServer(&node)
				t.Cleanup(server.Close)
				kept := lru.New(lru.Config{Behind: lru.New(lru.Config{})})
				source, err := appchain.New(appchain.Config{URL: server.URL, GatewayURL: server.URL},
					appchain.Deps{Cache: kept})
				if err != nil {
					t.Fatal(err)
				}
				b.Source, b.Limits.SnosBlocks, b.Limits.Blocks = source, 9, 18
				if b.layer == stage.L3 {
					b.Limits.Blocks = 100
				}
				b.Limits.SnosWeights, b.Limits.Weights = block.Weights{}, block.Weights{}
				if err := b.run(); err != nil {
					t.Fatal(err)
				}
				want := "0-8 block count; 9-17 block count; 18-26 block count; 27-35 block count; 36-40 open"
				if b.layer == stage.L2 {
					want = "0-17 block count; 18-35 block count; 36-40 open"
				}
				b.want(want)
				node.to.Store(second)
				b.pass(90 * time.Minute)
				b.want(want)
				detail := b.alerted("The chain has another history than what was batched")
				if !strings.Contains(detail, "between block 36 and block 40") {
					t.Errorf("the alert does not say where they part: %s", detail)
				}
				asked := node.asked.Load()
				if _, err := source.Weights(t.Context(), 40, 40); err != nil || node.asked.Load() == asked {
					t.Errorf("the weights of the reverted block 40 are remembered (%v)", err)
				}
			})
		})
	}
}
