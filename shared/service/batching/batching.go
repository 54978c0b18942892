// Package batching groups the chain's blocks into batches: the AggregatorBatching and SnosBatching workers. The rules are
// those of core/batch; this package reads blocks, keeps the lease, and saves so that a crash tears nothing.
package batching

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/lock"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/service/alerting"
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

// Batcher runs the batching workers. All fields but Log are required.
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
	FirstBlock      uint64 // of the first batch
	Chain           string
	Now             func() time.Time
	NewOwner        func() string
	Log             *slog.Logger
}

// leaseTTL is how long a batching run may work without renewing its lease; it renews with each chunk of blocks.
const leaseTTL = 2 * time.Minute

// chunk is how many blocks are read at a time.
const chunk = 50

// maxSizer bounds a saved sizer in bytes.
const maxSizer = 256 << 20

// ErrBlockTooLarge says that one block alone exceeds a batch's limits: the limits are wrong for this chain.
var ErrBlockTooLarge = errors.New("one block alone is larger than a batch may be")

// ErrUnsupportedVersion says that the chain runs a Starknet version that the deployed provers don't support.
var ErrUnsupportedVersion = errors.New("Starknet version is not supported by this deployment")

// locked runs f under the worker's lease. Another holder means that there is nothing to do.
func (b *Batcher) locked(ctx context.Context, w stage.Name, f func(context.Context, *lease) error) error {
	l, err := b.Locks.Acquire(ctx, string(w), b.NewOwner(), leaseTTL)
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

// read is one block with all that batching looks at.
type read struct {
	header  block.Header
	update  block.StateUpdate
	weights block.Weights
}

// span is what blocks one run batches.
type span struct {
	to   uint64 // the last one
	any  bool   // there are some
	more bool   // there are more than one run takes
}

// reach tells which blocks from next on may be batched now.
func (b *Batcher) reach(ctx context.Context, next uint64) (s span, err error) {
	head, err := b.Source.Head(ctx)
	if errors.Is(err, block.ErrNotFound) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("read the chain's head: %w", err)
	}
	s.to = head
	if b.Limits.HasMaxBlock {
		s.to = min(s.to, b.Limits.MaxBlock)
	}
	if s.any = s.to >= next; !s.any { // also when the node lags behind what was batched
		return s, nil
	}
	if n := uint64(max(b.Limits.BlocksPerRun, 1)); s.to-next >= n {
		s.to, s.more = next+n-1, true
	}
	return s, nil
}

// blocks reads from..to; updates are read only where they are wanted.
func (b *Batcher) blocks(ctx context.Context, from, to uint64, updates bool) ([]read, error) {
	headers, err := b.Source.Headers(ctx, from, to)
	if err != nil {
		return nil, fmt.Errorf("read headers %d to %d: %w", from, to, err)
	}
	weights, err := b.Source.Weights(ctx, from, to)
	if err != nil {
		return nil, fmt.Errorf("read bouncer weights %d to %d: %w", from, to, err)
	}
	var us []block.StateUpdate
	if updates {
		if us, err = b.Source.StateUpdates(ctx, from, to); err != nil {
			return nil, fmt.Errorf("read state updates %d to %d: %w", from, to, err)
		}
	}
	n := int(to - from + 1)
	if len(headers) != n || len(weights) != n || (updates && len(us) != n) {
		return nil, fmt.Errorf("blocks %d to %d: %d headers, %d weights, %d state updates: %w",
			from, to, len(headers), len(weights), len(us), block.ErrMalformed)
	}
	out := make([]read, n)
	for i := range out {
		out[i] = read{header: headers[i], weights: weights[i]}
		if updates {
			out[i].update = us[i]
		}
		if out[i].weights.ProvingGas == 0 {
			out[i].weights.ProvingGas = b.Limits.EmptyGas
		}
	}
	return out, nil
}

// checkVersion alerts when the chain has been upgraded past what is deployed. Batching stops there and loses nothing.
func (b *Batcher) checkVersion(ctx context.Context, h block.Header) error {
	if b.SupportsVersion == nil || b.SupportsVersion(h.StarknetVersion) {
		return nil
	}
	err := fmt.Errorf("block %d has version %q: %w", h.Number, h.StarknetVersion, ErrUnsupportedVersion)
	b.alert(ctx, "version/"+h.StarknetVersion, "The chain runs an unsupported Starknet version",
		err.Error()+". Batching stops before this block; deploy a version that supports it, and it goes on.")
	return err
}

func (b *Batcher) alert(ctx context.Context, key, title, detail string) {
	err := b.Alerts.Raise(ctx, alert.Cause{Severity: alert.Critical, Key: "batching/" + key, Title: title, Detail: detail})
	if err != nil && !errors.Is(err, alerting.ErrBusy) {
		b.log().ErrorContext(ctx, "alert not sent", "key", key, "error", err)
	}
}

func (b *Batcher) closed(ctx context.Context, index uint64, s batch.Span, trace, kind string) {
	b.log().InfoContext(ctx, "batch closed", "kind", kind, "batch", index, "blocks", s.Blocks(),
		"start_block", s.StartBlock, "end_block", s.EndBlock, "reason", string(s.Reason), "trace_id", trace)
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
