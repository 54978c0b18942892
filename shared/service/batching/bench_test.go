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

func (n *node) HeadersNow(ctx context.Context, from, to uint64) ([]block.Header, error) {
	return n.Headers(ctx, from, to)
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
	locks     *memory.Locks
	queues    *memory.Queues
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
	b.locks, b.queues = memory.NewLocks(env), queues
	limits := batch.DefaultLimits()
	limits.SnosBlocks, limits.Blocks = 100, 100
	owners := 0
	b.Batcher = &batching.Batcher{
		Source: b.node, Batches: b.batches, Locks: b.locks, Artifacts: b.artifacts,
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

// close runs the worker, which closes the open batch if it has the index.
func (b *bench) close(index uint64) error {
	if b.layer == stage.L2 {
		return b.CloseAggregator(b.t.Context(), index)
	}
	return b.CloseSnos(b.t.Context(), index)
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

// alerted checks the titles of all alerts, and returns the last one's detail.
func (b *bench) alerted(want ...string) string {
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
