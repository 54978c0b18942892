package sending

import (
	"context"
	"fmt"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// Sight is what one look says of a transaction that was confirmed and that another read missed.
type Sight string

// What a look says.
const (
	// Stands: the block of its receipt is on the chain, or it is in another block. The read that missed it was out of
	// date.
	Stands Sight = "stands"
	// Gone: another block has the number of its block, and no block has the transaction.
	Gone Sight = "gone"
	// Doubt: the node does not have the block; it may lag. A second look, some time later, decides.
	Doubt Sight = "doubt"
)

// apart is how far two looks lie apart that count as two: a node that lags has caught up by then.
const apart = 30 * time.Second

// Undone says whether a confirmed transaction is undone. One answer of a node may be out of date, so it counts when the
// block of its receipt is gone, or when two looks apart agree. doubted is the time of the first look; it is changed in
// place. nil for in: a third party's transaction, of which no receipt is known. It is part of the caller's look, which
// asks for a node that has the block of the receipt (look.AtLeast).
func (s *Sender) Undone(ctx context.Context, in *job.Inclusion, doubted *time.Time) (bool, error) {
	sight := Doubt
	if in != nil {
		var err error
		if sight, err = s.sight(ctx, in); err != nil {
			return false, err
		}
	}
	now := s.Now()
	switch {
	case sight == Stands:
		*doubted = time.Time{}
		return false, nil
	case sight == Gone:
		*doubted = time.Time{}
		return true, nil
	case doubted.IsZero():
		*doubted = now
		return false, nil
	case now.Sub(*doubted) < apart:
		return false, nil
	}
	*doubted = time.Time{}
	return true, nil
}

// sight looks at the block of a receipt, and where another one has its number, for the transaction itself.
func (s *Sender) sight(ctx context.Context, in *job.Inclusion) (Sight, error) {
	hash, err := s.Chain.BlockHash(ctx, in.Block)
	switch {
	case err != nil:
		return "", fmt.Errorf("read block %d of %s: %w", in.Block, s.layer(), err)
	case hash == in.BlockHash:
		return Stands, nil
	case hash == "":
		return Doubt, nil
	}
	st, err := s.Chain.Lookup(ctx, in.Hash)
	if err != nil {
		return "", fmt.Errorf("look up transaction %s: %w", in.Hash, err)
	}
	if st.Phase == tx.Included && st.Success {
		in.Block, in.BlockHash = st.Block, st.BlockHash
		return Stands, nil
	}
	return Gone, nil
}
