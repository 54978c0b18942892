package batching

import (
	"context"
	"errors"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/rewind"
)

// errDiscarded says that the open batch is gone: a rewind has discarded it.
var errDiscarded = errors.New("the open batch was discarded by a rewind")

// rewound returns the record of rewinds, read under the worker's lease; ready is false while a rewind is under way:
// nothing is batched then.
func (b *Batcher) rewound(ctx context.Context) (s rewind.State, ready bool, err error) {
	if s, err = rewind.Of(ctx, b.Rewinds); err != nil {
		return s, false, err
	}
	_, active := s.Active()
	return s, !active, nil
}

// swept removes what was made of discarded batches since, if the newest one is of those. again says that the newest
// batch is to be read again.
func (b *Batcher) swept(ctx context.Context, s rewind.State, k rewind.Kind, index, epoch uint64) (again bool,
	err error) {
	if !s.Stale(k, index, epoch) {
		return false, nil
	}
	if b.Sweep == nil {
		return false, fmt.Errorf("batch %d of epoch %d was discarded and is there again", index, epoch)
	}
	return true, b.Sweep(ctx, s)
}
