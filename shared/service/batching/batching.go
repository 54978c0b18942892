// Package batching groups the chain's blocks into batches: the AggregatorBatching and SnosBatching workers. The rules
// are those of core/batch; this package reads blocks, keeps the lease, and saves so that a crash tears nothing.
package batching

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/lock"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/rewind"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/service/alerting"
	"github.com/madara-orchestrator/orchestrator/shared/service/cutover"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
)

// Sizer measures an open batch's compressed state diff. Adding a block costs in proportion to that block.
type Sizer interface {
	// Add adds the next block's state update.
	Add(u block.StateUpdate) error
	// Words is an upper bound of the DA words of everything added.
	Words() int
	// MarshalBinary returns the state for the store; NewSizer reads it back.
	MarshalBinary() ([]byte, error)
}

// Batcher runs the batching workers. All fields but Settled, Cutover, Rewinds, Sweep, FirstBlock, SupportsVersion and
// Log are required.
type Batcher struct {
	Source    block.Source
	Batches   batch.Store
	Locks     lock.Locker
	Artifacts artifact.Store
	Prover    proof.Prover // opens buckets where it has them
	// NewSizer returns a sizer for blocks of a Starknet version, with the saved state or empty for nil.
	NewSizer func(version string, saved []byte) (Sizer, error)
	Alerts   *alerting.Reporter
	Events   event.Bus
	Wake     *executor.Waker
	Limits   batch.Limits
	// SupportsVersion says whether blocks of a Starknet version can be proven by what is deployed.
	SupportsVersion func(version string) bool
	// Settled reads what the core contract has settled: with an empty database batching begins after it. nil: at
	// FirstBlock.
	Settled func(context.Context) (settlement.State, error)
	// Cutover announces what the core contract must change for the Starknet version that the newest batch has. nil:
	// nothing.
	Cutover *cutover.Watch
	// Rewinds says which batches were discarded, and in which epoch new ones are made; nil: none ever. Sweep removes
	// what an invocation from before a rewind has made since.
	Rewinds rewind.Store
	Sweep   func(context.Context, rewind.State) error
	// FirstBlock is the block that batching must begin with; 0: the contract says it.
	FirstBlock uint64
	// AtOnce reads headers, weights and state updates of a chunk at once. The simulation, which is one goroutine, does
	// not.
	AtOnce   bool
	Chain    string
	Now      func() time.Time
	NewOwner func() string
	Log      *slog.Logger

	asked uint64 // index of the batch that an operator wants closed; 0: none
}

// leaseTTL is how long a batching run may work without renewing its lease; it renews with each chunk of blocks.
const leaseTTL = 2 * time.Minute

// chunk is how many blocks are read at a time.
const chunk = 50

// maxSizer bounds a saved sizer in bytes.
const maxSizer = 256 << 20

// locked runs f under the worker's lease. Another holder means that there is nothing to do.
func (b *Batcher) locked(ctx context.Context, w stage.Name, f func(context.Context, *lease) error) error {
	l, err := b.Locks.Acquire(ctx, string(w), b.NewOwner(), leaseTTL)
	if errors.Is(err, lock.ErrHeld) && b.asked != 0 {
		return b.Wake.CloseLater(ctx, w, b.asked)
	}
	if errors.Is(err, lock.ErrHeld) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("take the lease of %s: %w", w, err)
	}
	held := &lease{Lease: l, locks: b.Locks}
	err = f(ctx, held)
	if rerr := b.Locks.Release(context.WithoutCancel(ctx), held.Lease); rerr != nil {
		b.log().WarnContext(ctx, "lease not released, it runs out", "stage", string(w), "error", rerr)
	}
	if errors.Is(err, errDiscarded) {
		b.log().InfoContext(ctx, "nothing is batched: a rewind is under way or has discarded the open batch", "stage",
			string(w))
		return nil
	}
	if errors.Is(err, lock.ErrLost) || errors.Is(err, batch.ErrFenced) || errors.Is(err, batch.ErrConflict) {
		b.log().WarnContext(ctx, "another invocation took over", "stage", string(w), "error", err)
		return nil
	}
	return err
}

// lease is a held lease that can be renewed.
type lease struct {
	lock.Lease
	locks lock.Locker
}

func (l *lease) renew(ctx context.Context) error {
	renewed, err := l.locks.Renew(ctx, l.Lease, leaseTTL)
	if err != nil {
		return fmt.Errorf("renew the lease of %s: %w", l.Name, err)
	}
	l.Lease = renewed
	return nil
}

// closed says that a batch was closed; fill is the largest part that it has of a limit.
func (b *Batcher) closed(ctx context.Context, index uint64, s batch.Span, trace, kind string, fill float64) {
	b.log().InfoContext(ctx, "batch closed", "kind", kind, "batch", index, "blocks", s.Blocks(),
		"start_block", s.StartBlock, "end_block", s.EndBlock, "reason", string(s.Reason), "trace_id", trace)
	b.measure(ctx, index, s, trace, kind, fill)
	err := b.Events.Publish(ctx, event.Event{
		Type: event.BatchClosed, At: b.Now(), Chain: b.Chain, Batch: index, TraceID: trace,
		Detail: map[string]string{
			"kind": kind, "reason": string(s.Reason),
			"start_block": fmt.Sprint(s.StartBlock), "end_block": fmt.Sprint(s.EndBlock),
		},
	})
	if err != nil {
		b.log().WarnContext(ctx, "event not published", "batch", index, "error", err)
	}
}

func (b *Batcher) log() *slog.Logger {
	if b.Log == nil {
		return slog.Default()
	}
	return b.Log
}
