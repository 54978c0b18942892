package batching_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/blocks"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/prover"
	"github.com/madara-orchestrator/orchestrator/shared/service/alerting"
	"github.com/madara-orchestrator/orchestrator/shared/service/batching"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
)

var layers = []stage.Layer{stage.L2, stage.L3}

// node is a chain's node that can be made to fail, lag and lie.
type node struct {
	*blocks.Source
	fail   error         // of every read
	lag    func() uint64 // blocks from this number on are not there; nil: all are
	header func(*block.Header)
	update func(*block.StateUpdate)
	weight func(uint64, *block.Weights)
	head   func(uint64) uint64
}

func (n *node) check(to uint64) error {
	if n.fail != nil {
		return n.fail
	}
	if n.lag != nil && to >= n.lag() {
		return fmt.Errorf("block %d: %w", to, block.ErrNotFound)
	}
	return nil
}

func (n *node) Head(ctx context.Context) (uint64, error) {
	if n.fail != nil {
		return 0, n.fail
	}
	h, err := n.Source.Head(ctx)
	if err == nil && n.head != nil {
		h = n.head(h)
	}
	return h, err
}

func (n *node) Headers(ctx context.Context, from, to uint64) ([]block.Header, error) {
	if err := n.check(to); err != nil {
		return nil, err
	}
	hs, err := n.Source.Headers(ctx, from, to)
	for i := range hs {
		if n.header != nil {
			n.header(&hs[i])
		}
	}
	return hs, err
}

func (n *node) StateUpdates(ctx context.Context, from, to uint64) ([]block.StateUpdate, error) {
	if err := n.check(to); err != nil {
		return nil, err
	}
	us, err := n.Source.StateUpdates(ctx, from, to)
	for i := range us {
		if n.update != nil {
			n.update(&us[i])
		}
	}
	return us, err
}

func (n *node) Weights(ctx context.Context, from, to uint64) ([]block.Weights, error) {
	if err := n.check(to); err != nil {
		return nil, err
	}
	ws, err := n.Source.Weights(ctx, from, to)
	for i := range ws {
		if n.weight != nil {
			n.weight(from+uint64(i), &ws[i])
		}
	}
	return ws, err
}

// sizer counts ten words a block.
type sizer struct{ n int }

func (s *sizer) Add(block.StateUpdate) error    { s.n += 10; return nil }
func (s *sizer) Words() int                     { return s.n }
func (s *sizer) MarshalBinary() ([]byte, error) { return []byte(strconv.Itoa(s.n)), nil }

func newSizer(_ string, saved []byte) (batching.Sizer, error) {
	if saved == nil {
		return &sizer{}, nil
	}
	n, err := strconv.Atoi(string(saved))
	return &sizer{n}, err
}

// bench is a batcher with a chain, a clock and everything it writes to.
type bench struct {
	*batching.Batcher
	t         *testing.T
	layer     stage.Layer
	now       time.Time
	node      *node
	batches   *memory.Batches
	artifacts *memory.Artifacts
	alerts    *memory.Alerts
	all       []blocks.Block // that the chain has had
}

func setup(t *testing.T, layer stage.Layer) *bench {
	t.Helper()
	b := &bench{t: t, layer: layer, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	env := &fault.Env{Now: func() time.Time { return b.now }}
	b.node = &node{Source: blocks.New(nil, "SN_TEST")}
	b.batches, b.artifacts, b.alerts = memory.NewBatches(env), memory.NewArtifacts(env), memory.NewAlerts(env)
	queues, err := memory.NewQueues(env, memory.Declaration{Name: "q"})
	if err != nil {
		t.Fatal(err)
	}
	limits := batch.DefaultLimits()
	limits.SnosBlocks, limits.Blocks = 100, 100
	owners := 0
	b.Batcher = &batching.Batcher{
		Source: b.node, Batches: b.batches, Locks: memory.NewLocks(env), Artifacts: b.artifacts,
		Prover: prover.New(env, prover.Config{}), NewSizer: newSizer, Events: memory.NewEvents(env), Limits: limits,
		Alerts: &alerting.Reporter{Notifier: b.alerts, Store: memory.NewReports(env), Now: env.Now},
		Wake:   &executor.Waker{Queue: queues, QueueName: "q", Layer: layer}, Now: env.Now,
		NewOwner: func() string { owners++; return fmt.Sprint(owners) }, Log: slog.New(slog.DiscardHandler),
	}
	return b
}

// grow adds blocks to the chain; change may change each before.
func (b *bench) grow(n int, change func(*blocks.Block)) {
	b.t.Helper()
	for range n {
		next := blocks.Next(nil, b.now)
		if k := len(b.all); k > 0 {
			next = blocks.Next(&b.all[k-1], b.now)
		}
		if change != nil {
			change(&next)
		}
		if err := b.node.Add(next); err != nil {
			b.t.Fatal(err)
		}
		b.all = append(b.all, next)
	}
}

// cut reverts the chain to the blocks below n.
func (b *bench) cut(n uint64) {
	b.node.Cut(n)
	b.all = b.all[:n]
}

func (b *bench) run() error {
	if b.layer == stage.L2 {
		return b.RunAggregator(b.t.Context())
	}
	return b.RunSnos(b.t.Context())
}

// pass runs the worker every minute for some time.
func (b *bench) pass(d time.Duration) {
	for end := b.now.Add(d); b.now.Before(end); b.now = b.now.Add(time.Minute) {
		_ = b.run() // what it could not do it does at the next run
	}
}

// want checks all batches: "0-4 Starknet version change; 5-6 open".
func (b *bench) want(want string) {
	b.t.Helper()
	var got []string
	for i := uint64(1); ; i++ {
		var span batch.Span
		var status batch.Status
		var err error
		if b.layer == stage.L2 {
			var a batch.AggregatorBatch
			a, err = b.batches.Aggregator(b.t.Context(), i)
			span, status = a.Span, a.Status
		} else {
			var s batch.SnosBatch
			s, err = b.batches.Snos(b.t.Context(), i)
			span, status = s.Span, s.Status
		}
		if errors.Is(err, batch.ErrNotFound) {
			break
		}
		if err != nil {
			b.t.Fatal(err)
		}
		what := string(span.Reason)
		if status == batch.Open {
			what = "open"
		}
		got = append(got, fmt.Sprintf("%d-%d %s", span.StartBlock, span.EndBlock, what))
	}
	if s := strings.Join(got, "; "); s != want {
		b.t.Errorf("batches %q, want %q", s, want)
	}
}

// told checks the titles of all alerts, and returns the last one's detail.
func (b *bench) told(want ...string) string {
	b.t.Helper()
	var titles []string
	detail := ""
	for _, a := range b.alerts.Sent() {
		titles, detail = append(titles, a.Title), a.Detail
	}
	if fmt.Sprint(titles) != fmt.Sprint(want) {
		b.t.Errorf("alerts %q, want %q", titles, want)
	}
	return detail
}

// each runs a test for both layers.
func each(t *testing.T, run func(t *testing.T, b *bench)) {
	t.Parallel()
	for _, layer := range layers {
		t.Run(string(layer), func(t *testing.T) {
			t.Parallel()
			run(t, setup(t, layer))
		})
	}
}

// Case B2: the batch before an unsupported version closes at once; one alert in 24 hours, a reminder after, and an all-clear
// once a release supports it.
func TestUnsupportedVersion(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		const title = "The chain runs an unsupported Starknet version"
		b.SupportsVersion = func(v string) bool { return v != "0.99.0" }
		b.grow(5, nil)
		b.grow(3, func(x *blocks.Block) { x.Header.StarknetVersion = "0.99.0" })
		if err := b.run(); err != nil {
			t.Errorf("a halt that is reported is not a failure: %v", err)
		}
		b.want("0-4 Starknet version change")
		b.pass(24 * time.Hour)
		b.told(title)
		b.pass(time.Hour)
		b.want("0-4 Starknet version change")
		b.told(title, "Reminder: "+title)
		b.SupportsVersion = nil
		b.pass(time.Minute)
		b.want("0-4 Starknet version change; 5-7 open")
		b.told(title, "Reminder: "+title, "Resolved: "+title)
	})
}

// Case B2: whatever can't be read, the open batch closes at its age. The alert comes when it has lasted, and once.
func TestReadErrorKeepsNoBatchOpen(t *testing.T) {
	down := errors.New("the node is down")
	for name, spoil := range map[string]func(*bench){
		"node":        func(b *bench) { b.node.fail = down },
		"headers":     func(b *bench) { b.node.header = func(h *block.Header) { h.ParentHash = h.Hash } },
		"updates":     func(b *bench) { b.node.update = func(u *block.StateUpdate) { u.BlockHash = u.NewRoot } },
		"measuring":   func(b *bench) { b.NewSizer = func(string, []byte) (batching.Sizer, error) { return nil, down } },
		"lost sizer":  func(b *bench) { b.dropSizer(); b.node.fail = down },
		"missing":     func(b *bench) { b.node.lag = func() uint64 { return 5 } },
		"head behind": func(b *bench) { b.node.head = func(uint64) uint64 { return 1 } },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, b *bench) {
				b.grow(5, nil)
				if err := b.run(); err != nil {
					t.Fatal(err)
				}
				b.want("0-4 open")
				spoil(b)
				b.grow(3, nil)
				b.now = b.now.Add(b.Limits.Age)
				_ = b.run()
				b.want("0-4 age")
				b.pass(10 * time.Hour)
				if n := len(b.alerts.Sent()); n != 1 {
					t.Errorf("%d alerts in 10 hours, want 1", n)
				}
			})
		})
	}
}

func (b *bench) dropSizer() {
	b.t.Helper()
	infos, err := b.artifacts.List(b.t.Context(), "", "", 10)
	if err != nil || len(infos) != 1 {
		b.t.Fatalf("%d artifacts, %v", len(infos), err)
	}
	if err := b.artifacts.Delete(b.t.Context(), infos[0].Key); err != nil {
		b.t.Fatal(err)
	}
}

// A sizer that is lost is made again of the batch's blocks.
func TestLostSizerIsMadeAgain(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.grow(5, nil)
		if err := b.run(); err != nil {
			t.Fatal(err)
		}
		b.dropSizer()
		b.grow(2, nil)
		if err := b.run(); err != nil {
			t.Fatal(err)
		}
		b.want("0-6 open")
		words := 0
		if b.layer == stage.L2 {
			a, _ := b.batches.Aggregator(t.Context(), 1)
			words = a.DAWords
		} else {
			s, _ := b.batches.Snos(t.Context(), 1)
			words = s.DAWords
		}
		if words != 70 {
			t.Errorf("%d words of 7 blocks, want 70", words)
		}
	})
}

// A short disturbance is nobody's business.
func TestShortDisturbance(t *testing.T) {
	each(t, func(_ *testing.T, b *bench) {
		b.grow(5, nil)
		b.node.fail = errors.New("down")
		b.pass(9 * time.Minute)
		b.node.fail = nil
		b.pass(time.Minute)
		b.want("0-4 open")
		b.told()
	})
}

// Case B3: a block that is older than its parent is batched like any other.
func TestTimeMayRunBack(t *testing.T) {
	each(t, func(_ *testing.T, b *bench) {
		b.grow(3, nil)
		b.grow(1, func(x *blocks.Block) { x.Header.Timestamp = x.Header.Timestamp.Add(-time.Second) })
		b.grow(3, nil)
		b.pass(time.Minute)
		b.want("0-6 open")
		b.told()
	})
}

// Case B4: blocks 15 to 39 of another history do not join blocks 0 to 14. Batching halts with the fork point, closes and
// pays for nothing, and goes on when the node serves the first history again.
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
				detail := b.told(title)
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
				b.told(title, "Resolved: "+title)
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
		b.told()
	})
}

// Case B5: nodes of two histories behind one address. What one answers about a block must fit what the others answer.
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
				if u.Number == 7 {
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
				b.told()
			})
		})
	}
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
		"contract has settled":            {0, true, false, "7-9 open", "", nil},
		"contract is new":                 {0, false, false, "0-9 open", "", nil},
		"the first block is named":        {7, true, false, "7-9 open", "", nil},
		"another first block is named":    {5, true, false, "", "CHAIN_FIRST_BLOCK contradicts the core contract", []string{"is 5", "settled block 6", "block 7"}},
		"named, and the contract is new":  {5, false, false, "", "CHAIN_FIRST_BLOCK contradicts the core contract", []string{"is 5", "settled nothing", "block 0"}},
		"contract has settled other ones": {0, true, true, "", "The chain is not the one that the core contract has settled", []string{"block 6", "0x7"}},
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
				detail := b.told(alerts...)
				for _, s := range tt.says {
					if !strings.Contains(detail, s) {
						t.Errorf("the alert lacks %q: %s", s, detail)
					}
				}
			})
		})
	}
}

// Case B6: an L3's batch closes before the block with which its state diff would take more words than a transaction carries;
// a block that is larger alone gets a batch of its own.
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
	b.want("0-2 DA words of a transaction; 3-5 DA words of a transaction; 6-7 DA words of a transaction; 8-8 DA words of a transaction; 9-9 open")
	b.told()
}

// Every weight closes a SNOS batch; L1 gas and messages close an aggregator batch. A block that is over them alone gets a
// batch of its own, one whose messages no transaction can settle stops batching before it.
func TestWeightsCloseBatches(t *testing.T) {
	for name, heavy := range map[string]block.Weights{
		"proving gas": {ProvingGas: 6e9}, "Sierra gas": {ProvingGas: 1, SierraGas: 5e9}, "receipts": {ProvingGas: 1, ReceiptL2Gas: 3e9},
		"L1 gas": {ProvingGas: 1, L1Gas: 5e6}, "messages": {ProvingGas: 1, MessageSegmentLength: 4000}, "events": {ProvingGas: 1, NEvents: 60_000},
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
				case err != nil || len(a.Snos) != 3 || a.Snos[0].EndBlock != 2 || a.Snos[1].EndBlock != 3 || a.Snos[0].Reason != batch.WeightLimit:
					t.Errorf("SNOS batches %+v, %v", a.Snos, err)
				}
				b.told()
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
	if d := b.told("A block is larger than a batch may be"); !strings.Contains(d, "Block 3") {
		t.Errorf("the alert: %s", d)
	}
}
