package ethereum

import (
	"context"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
)

// BlockTime returns when a block was made; the zero time where the node does not know a block of the hash.
func (n *Node) BlockTime(ctx context.Context, hash string) (time.Time, error) {
	h, err := parseHash(hash)
	if err != nil {
		return time.Time{}, err
	}
	var b *struct {
		Timestamp hexutil.Uint64 `json:"timestamp"`
	}
	if err := n.call(ctx, "eth_getBlockByHash", &b, h, false); err != nil || b == nil {
		return time.Time{}, err
	}
	return time.Unix(int64(b.Timestamp), 0), nil
}
