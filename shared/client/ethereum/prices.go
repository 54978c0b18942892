package ethereum

import (
	"context"
	"errors"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

const (
	// maxHistory is how many blocks nodes give in one answer (geth: eth/gasprice, maxHeaderHistory).
	maxHistory = 1024
	// slot is the time between two blocks (consensus-specs: SECONDS_PER_SLOT).
	slot = 12 * time.Second
	// pricesEvery is how often the newest prices are read.
	pricesEvery = 5 * time.Minute
)

// prices are those of past blocks, as they were read.
type prices struct {
	read time.Time
	last uint64 // the newest block
	list []tx.Price
}

var _ tx.Market = (*Wallet)(nil)

// Prices implements tx.Market by eth_feeHistory. A day takes eight requests the first time, and one every five minutes.
func (w *Wallet) Prices(ctx context.Context, window time.Duration) ([]tx.Price, error) {
	w.mu.Lock()
	p := w.prices
	w.mu.Unlock()
	if len(p.list) > 0 && time.Since(p.read) < pricesEvery {
		return p.list, nil
	}
	var head hexutil.Uint64
	if err := w.node.call(ctx, "eth_blockNumber", &head); err != nil {
		return nil, err
	}
	want := uint64(window / slot)
	from := max(p.last+1, uint64(head)-min(uint64(head), want))
	list := p.list
	for from <= uint64(head) {
		n := min(uint64(head)-from+1, maxHistory)
		part, err := w.node.history(ctx, from, n)
		if err != nil {
			return nil, err
		}
		list, from = append(list[:len(list):len(list)], part...), from+n
	}
	list = list[max(0, len(list)-int(want)):]
	w.mu.Lock()
	defer w.mu.Unlock()
	w.prices = prices{read: time.Now(), last: uint64(head), list: list}
	return list, nil
}

// history are the prices of n blocks from a number on, or of fewer where the node does not have them.
func (n *Node) history(ctx context.Context, from, count uint64) ([]tx.Price, error) {
	var h feeHistory
	err := n.call(ctx, "eth_feeHistory", &h, hexutil.Uint64(count), hexutil.Uint64(from+count-1), []float64{})
	if err != nil {
		return nil, err
	}
	out := make([]tx.Price, 0, count)
	for i := range max(0, len(h.Base)-1) { // the last one is of a block to come
		if h.Base[i] == nil {
			return nil, n.wrap("eth_feeHistory", errors.New("answer without base fees"))
		}
		p := tx.Price{Base: h.Base[i].ToInt(), Blob: new(big.Int)}
		if i < len(h.Blob) && h.Blob[i] != nil {
			p.Blob = h.Blob[i].ToInt()
		}
		out = append(out, p)
	}
	return out, nil
}
