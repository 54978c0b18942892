package e2e_test

import (
	"context"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/dev/stack"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// The compiled functions carry a chain's blocks to a settled state on mongod, the AWS emulator, Redis and anvil, with
// each prover; TestSettlesOnBatch has the mock prover.
func TestSettles(t *testing.T) {
	t.Parallel()
	for _, prover := range []string{"atlantic", "sharp"} {
		t.Run(prover, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, stack.Options{Name: "e2e-" + prover, Blocks: 6, Prover: prover})
			w.settle(t, 3*time.Minute, nil)
			w.check(t)
			w.checkMemory(t)
		})
	}
}

// checkMemory ends the functions and wants each to have kept within three quarters of the memory that it is given.
func (w *world) checkMemory(t *testing.T) {
	t.Helper()
	for _, f := range resource.Functions() {
		b := w.binaries[f.Name]
		if b == nil {
			continue
		}
		b.Close()
		peak := int(b.PeakMemory() >> 20)
		t.Logf("%s: %d of %d MB", f.Name, peak, f.MemoryMB)
		if peak > f.MemoryMB*3/4 {
			t.Errorf("%s took %d MB, it has %d", f.Name, peak, f.MemoryMB)
		}
	}
}

// holdsHead wants the contract to hold the chain's head, within a minute: while anvil adds a block, it may answer some
// of the reads of the block before with the new one's state (findings/anvil-old-block-shows-the-next-state.sh).
func holdsHead(t *testing.T, s *stack.Sandbox) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	head, _ := s.Chain.Head()
	for {
		is, err := s.Contract.State(ctx, false)
		if err == nil && is.Block == head.Number && is.Root == head.NewRoot && is.BlockHash == head.Hash {
			return
		}
		select {
		case <-ctx.Done():
			t.Errorf("the contract holds %+v, %v; the chain's head is %+v", is, err, head)
			return
		case <-tick.C:
		}
	}
}

// check holds what is in contract and database against the chain: every batch settled once, in order, by a transaction
// that is recorded; no secret in any log.
func (w *world) check(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	holdsHead(t, w.Sandbox)
	js, err := w.DB.Jobs().List(ctx, job.Filter{Type: job.StateTransition, Limit: job.MaxPage})
	if err != nil {
		t.Fatal(err)
	}
	next := uint64(0)
	hashes := map[string]bool{}
	for _, j := range js {
		m, ok := j.Metadata.(*job.StateTransitionMeta)
		if !ok || m.StartBlock != next {
			t.Fatalf("job %d has %+v, want it to start at block %d", j.Batch, j.Metadata, next)
		}
		next = m.EndBlock + 1
		if len(m.Journal.Records) == 0 {
			t.Errorf("batch %d has no recorded transaction", j.Batch)
		}
		for _, r := range m.Journal.Records {
			if hashes[r.Hash] {
				t.Errorf("transaction %s is of two batches", r.Hash)
			}
			hashes[r.Hash] = true
		}
	}
	if next != w.Last+1 {
		t.Errorf("jobs cover blocks up to %d, the chain has %d", next, w.Last+1)
	}
	if w.layer == stage.L2 {
		b, err := w.DB.Batches().Aggregator(ctx, 1)
		if err != nil || b.Status == batch.Closed || b.Status == batch.Open {
			t.Errorf("batch 1 is %s, %v", b.Status, err)
		}
	}
	if leaks := w.logs.lines(w.Secrets()...); len(leaks) > 0 {
		t.Errorf("secrets are in the logs: %d lines", len(leaks))
	}
	if len(w.logs.lines("batch closed")) == 0 {
		t.Error("the functions logged nothing: the search for secrets proves nothing")
	}
	if vs := w.Violations(); len(vs) > 0 {
		t.Errorf("requests to the prover were not as documented: %q", vs)
	}
	invocations, failures := w.platform.Counts()
	t.Logf("%d invocations, %d messages or schedules failed, %d transactions", invocations, failures, len(hashes))
}
