package simulation_test

import (
	"context"
	"math/big"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/simulation"
)

// backlog is how many batches wait for their state update.
const backlog = 100

// settleBacklog has all batches of an L2 ready before the first is settled, and returns how long it takes from then
// until the last one is on a settlement layer with blocks of 12 seconds, and what the updates cost.
func settleBacklog(t *testing.T, inFlight int) (took time.Duration, fees *big.Int) {
	t.Helper()
	ctx := context.Background()
	l := limits()
	l.SnosBlocks, l.Blocks = 1, 1
	w, err := simulation.New(
		simulation.Config{Layer: stage.L2, Blocks: backlog, Limits: l, Prompt: true, InFlight: inFlight})
	if err != nil {
		t.Fatal(err)
	}
	until := func(what string, done func() bool) {
		for !done() {
			if err := step(ctx, w); err != nil {
				t.Fatal(err)
			}
			if w.Now().Sub(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) > 48*time.Hour {
				t.Fatalf("not %s: %s", what, w.Describe(ctx))
			}
		}
	}
	if err := w.Control.Pause(ctx,
		schedule.Pause{Stage: stage.StateTransition, By: "test", Reason: "a backlog"}); err != nil {
		t.Fatal(err)
	}
	until("ready", func() bool {
		n, err := w.Jobs.Count(ctx, job.Aggregator, []job.Status{job.Completed}, backlog)
		return err == nil && n[job.Completed] == backlog
	})
	if err := w.Control.Resume(ctx, stage.StateTransition); err != nil {
		t.Fatal(err)
	}
	began := w.Now()
	until("settled", func() bool {
		s, err := w.L1.State(ctx, false)
		return err == nil && s.Settled && s.Block == backlog-1
	})
	took = w.Now().Sub(began)
	until("completed", func() bool {
		open, err := w.Batches.ListAggregators(ctx, batch.InStateTransition, 0, 1)
		return err == nil && len(open) == 0
	})
	fees = new(big.Int)
	for i := uint64(1); i <= backlog; i++ {
		b, err := w.Batches.Aggregator(ctx, i)
		if err != nil || b.Ledger.Fee == nil {
			t.Fatalf("batch %d: ledger %+v, %v", i, b.Ledger, err)
		}
		fees.Add(fees, b.Ledger.Fee)
	}
	if a := w.Alerts.Sent(); len(a) > 0 {
		t.Errorf("operators were alerted: %+v", a[0])
	}
	for _, x := range w.L1.Transactions() {
		if x.Status.Revert != nil {
			t.Errorf("transaction %s reverted: %v", x.Hash, x.Status.Revert)
		}
	}
	return took, fees
}

// A backlog is settled at least five times faster with several updates on their way than with one at a time, and costs
// no more than a hundredth more.
func TestBacklog(t *testing.T) {
	t.Parallel()
	slow, before := settleBacklog(t, 1)
	fast, after := settleBacklog(t, 0)
	t.Logf("%d batches, one at a time: %s for %s wei; several: %s for %s wei; %.1f times faster",
		backlog, slow, before, fast, after, slow.Seconds()/fast.Seconds())
	if slow < 5*fast {
		t.Errorf("%s one at a time, %s with several", slow, fast)
	}
	if most := new(big.Int).Mul(before, big.NewInt(101)); new(big.Int).Mul(after, big.NewInt(100)).Cmp(most) > 0 {
		t.Errorf("it costs %s, one at a time %s", after, before)
	}
}
