package ethereum

import (
	"context"
	"errors"
	"math/big"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

const (
	// historyBlocks is over how many blocks tips are learned: four minutes.
	historyBlocks = 20
	// historyPercentile is whose tip counts in a block: a quarter of the gas was used by transactions that paid less.
	historyPercentile = 25
	// tipsEvery is how often the newest block is read with its transactions, some hundred KB, for the tips of those
	// with blobs.
	tipsEvery = time.Minute
)

// feeHistory is the part of eth_feeHistory that is used. The next block's fees are the last ones of the lists of base
// fees.
type feeHistory struct {
	Base   []*hexutil.Big   `json:"baseFeePerGas"`
	Blob   []*hexutil.Big   `json:"baseFeePerBlobGas"`
	Ratio  []float64        `json:"gasUsedRatio"`
	Reward [][]*hexutil.Big `json:"reward"`
}

// tip is the median over the blocks that took transactions; nil where there are none.
func (h feeHistory) tip() *big.Int {
	var tips []*big.Int
	for i, r := range h.Reward {
		if len(r) > 0 && r[0] != nil && i < len(h.Ratio) && h.Ratio[i] > 0 {
			tips = append(tips, r[0].ToInt())
		}
	}
	return median(tips)
}

func median(ns []*big.Int) *big.Int {
	if len(ns) == 0 {
		return nil
	}
	slices.SortFunc(ns, (*big.Int).Cmp)
	return ns[len(ns)/2]
}

// highest is the largest of some tips; nil ones don't count.
func highest(ns ...*big.Int) *big.Int {
	out := new(big.Int)
	for _, n := range ns {
		if n != nil && n.Cmp(out) > 0 {
			out = n
		}
	}
	return out
}

// Head implements tx.Chain. A node without blobs has a blob base fee of 0. The tip is the highest of what the node
// suggests, what a quarter of the recent blocks' gas was had for, and what blob transactions of the newest block that
// was looked at paid: builders may want more for blobs than nodes suggest.
func (w *Wallet) Head(ctx context.Context) (tx.Head, error) {
	var number hexutil.Uint64
	var tip, blobFee hexutil.Big
	var fees feeHistory
	var final *blockHeader
	rs := []request{
		{"eth_feeHistory", []any{hexutil.Uint64(historyBlocks), "latest", []float64{historyPercentile}}, &fees},
		{"eth_maxPriorityFeePerGas", nil, &tip},
		{"eth_blockNumber", nil, &number},
		{"eth_getBlockByNumber", []any{"finalized", false}, &final},
		{"eth_blobBaseFee", nil, &blobFee},
	}
	errs, err := w.node.batchEach(ctx, rs...)
	if err == nil {
		err = errors.Join(errs[:3]...)
	}
	if err != nil {
		return tx.Head{}, err
	}
	if n := len(fees.Base); n == 0 || fees.Base[n-1] == nil {
		return tx.Head{}, w.node.wrap("eth_feeHistory", errors.New("answer without base fees"))
	}
	h := tx.Head{
		Number: uint64(number), BaseFee: fees.Base[len(fees.Base)-1].ToInt(), BlobBaseFee: new(big.Int),
		Tip: highest(tip.ToInt(), fees.tip(), w.blobTip(ctx)),
	}
	if n := len(fees.Blob); n > 0 && fees.Blob[n-1] != nil {
		h.BlobBaseFee = fees.Blob[n-1].ToInt()
	} else if errs[4] == nil {
		h.BlobBaseFee = blobFee.ToInt()
	} else if !answered(errs[4]) {
		return tx.Head{}, errs[4]
	}
	finalized, err := final.finalized(errs[3])
	h.Finalized = min(finalized, h.Number)
	return h, err
}

// blobTips are the tips of the blob transactions of the newest block that was looked at and had any.
type blobTips struct {
	looked time.Time
	tip    *big.Int
}

// fullBlock is what is used of a block with its transactions.
type fullBlock struct {
	Base         *hexutil.Big `json:"baseFeePerGas"`
	Transactions []struct {
		Type hexutil.Uint64 `json:"type"`
		Tip  *hexutil.Big   `json:"maxPriorityFeePerGas"`
		Cap  *hexutil.Big   `json:"maxFeePerGas"`
	} `json:"transactions"`
}

// tip is the median of what blob transactions paid above the base fee; nil where there are none.
func (b *fullBlock) tip() *big.Int {
	if b == nil || b.Base == nil {
		return nil
	}
	var tips []*big.Int
	for _, t := range b.Transactions {
		if uint64(t.Type) != types.BlobTxType || t.Tip == nil || t.Cap == nil {
			continue
		}
		paid := new(big.Int).Sub(t.Cap.ToInt(), b.Base.ToInt())
		if paid.Cmp(t.Tip.ToInt()) > 0 {
			paid = t.Tip.ToInt()
		}
		tips = append(tips, paid)
	}
	return median(tips)
}

// blobTip is what blob transactions paid lately; nil where that is not known. It is a help: without an answer there is
// none.
func (w *Wallet) blobTip(ctx context.Context) *big.Int {
	w.mu.Lock()
	known, due := w.tips.tip, time.Since(w.tips.looked) >= tipsEvery
	if due {
		w.tips.looked = time.Now()
	}
	w.mu.Unlock()
	if !due {
		return known
	}
	var b *fullBlock
	if err := w.node.call(ctx, "eth_getBlockByNumber", &b, "latest", true); err != nil {
		return known
	}
	tip := b.tip()
	if tip == nil {
		return known
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tips.tip = tip
	return tip
}
