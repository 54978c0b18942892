package ethereum

import (
	"context"
	"errors"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/madara-orchestrator/orchestrator/shared/core/look"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

const (
	// maxHistory is how many blocks nodes give in one answer (geth: eth/gasprice, maxHeaderHistory).
	maxHistory = 1024
	// slot is the time between two blocks (consensus-specs: SECONDS_PER_SLOT).
	slot = 12 * time.Second
	// pricesEvery is how often the newest prices are read.
	pricesEvery = 5 * time.Minute
	// below is how many blocks below the newest one prices are read: one address may be several nodes behind a load
	// balancer, and one that does not have a block yet answers with an error.
	below = 5
)

// prices are those of past blocks, as they were read.
type prices struct {
	read time.Time // when they were asked for; zero: never
	news time.Time // when the node gave them; zero: never
	last uint64    // the newest block
	list []tx.Price
}

var _ tx.Market = (*Wallet)(nil)

// Prices implements tx.Market by eth_feeHistory. A day takes eight requests the first time, and one every five minutes.
// Where the node answers one with an error, what was read before stands, as long as it is of the window.
func (w *Wallet) Prices(ctx context.Context, window time.Duration) ([]tx.Price, error) {
	w.mu.Lock()
	p := w.prices
	w.mu.Unlock()
	if !p.read.IsZero() && time.Since(p.read) < pricesEvery {
		return p.list, nil
	}
	next, err := w.node.prices(ctx, p, window)
	if err != nil && (errors.Is(err, look.ErrUnanswered) || p.news.IsZero() || time.Since(p.news) >= window) {
		return nil, err
	}
	next.read = time.Now()
	if err == nil {
		next.news = next.read
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.prices = next
	return next.list, nil
}

// prices are those that were known, and those of the blocks since, of a window; those that were known where there is
// an error.
func (n *Node) prices(ctx context.Context, known prices, window time.Duration) (prices, error) {
	var head hexutil.Uint64
	if err := n.call(ctx, "eth_blockNumber", &head); err != nil {
		return known, err
	}
	last, want := uint64(head)-min(uint64(head), below), uint64(window/slot)
	p := known
	for from := max(p.last+1, last+1-min(last+1, want)); from <= last; from = p.last + 1 {
		count := min(last-from+1, maxHistory)
		part, err := n.history(ctx, from, count)
		if err != nil {
			return known, err
		}
		p.list, p.last = append(p.list[:len(p.list):len(p.list)], part...), from+count-1
	}
	p.list = p.list[max(0, len(p.list)-int(want)):]
	return p, nil
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
