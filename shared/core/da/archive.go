package da

import (
	"context"
	"errors"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

var (
	// ErrMissing says that what was published can't be read back: the node does not have it yet, or no longer.
	ErrMissing = errors.New("published data can't be read back")
	// ErrDiffers says that what was published is not what was sent.
	ErrDiffers = errors.New("published data differ from what was sent")
)

// Sent is what a confirmed transaction published.
type Sent struct {
	Hash      string     // of the transaction
	BlockHash string     // of the block that it is in
	Payload   tx.Payload // what it carries
}

// Archive reads back what was published, in blobs or in calldata. Safe for concurrent use.
type Archive interface {
	// Check compares what the settlement layer holds of a transaction with what was sent: its block must have each of
	// the payload's blobs, with the commitment that the bytes themselves have, or the transaction must have the
	// payload's calldata. ErrMissing, ErrDiffers.
	Check(ctx context.Context, s Sent) error
	// Kept is how long what was published can be read back; 0: as long as the chain exists.
	Kept() time.Duration
	// Ping returns an error when the archive can't be asked.
	Ping(ctx context.Context) error
}

// Gone says whether nobody can be expected to have any more what was sent at a time.
func Gone(a Archive, sent, now time.Time) bool {
	kept := a.Kept()
	return kept > 0 && !sent.IsZero() && now.Sub(sent) >= kept
}
