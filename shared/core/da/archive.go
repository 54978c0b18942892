package da

import (
	"context"
	"errors"
)

var (
	// ErrMissing says that what was published can't be read back: the node does not have it yet, or no longer.
	ErrMissing = errors.New("published data can't be read back")
	// ErrDiffers says that what was published is not what was sent.
	ErrDiffers = errors.New("published data differ from what was sent")
)

// Archive reads back what was published in blobs. Safe for concurrent use.
type Archive interface {
	// Check compares the blobs that a block of the settlement layer carries with those that were sent: the block must
	// have each of them, with the commitment that the bytes themselves have, and the same bytes. ErrMissing,
	// ErrDiffers.
	Check(ctx context.Context, blockHash string, sent [][]byte) error
	// Ping returns an error when the archive can't be asked.
	Ping(ctx context.Context) error
}
