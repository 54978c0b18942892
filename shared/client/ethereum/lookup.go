package ethereum

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// receipt is what is used of a receipt.
type receipt struct {
	Status      hexutil.Uint64 `json:"status"`
	BlockNumber *hexutil.Big   `json:"blockNumber"`
	BlockHash   common.Hash    `json:"blockHash"`
	GasUsed     hexutil.Uint64 `json:"gasUsed"`
	GasPrice    *hexutil.Big   `json:"effectiveGasPrice"`
	BlobGasUsed hexutil.Uint64 `json:"blobGasUsed"`
	BlobPrice   *hexutil.Big   `json:"blobGasPrice"`
}

// transaction is what is used of a transaction to run it again.
type transaction struct {
	From       *common.Address `json:"from"`
	To         *common.Address `json:"to"`
	Gas        hexutil.Uint64  `json:"gas"`
	Data       hexutil.Bytes   `json:"input"`
	BlobHashes []common.Hash   `json:"blobVersionedHashes"`
	BlobPrice  *hexutil.Big    `json:"maxFeePerBlobGas"`
}

// Lookup implements tx.Chain. A transaction in a block whose receipt the node does not have yet counts as Pending.
func (w *Wallet) Lookup(ctx context.Context, hash string) (tx.Status, error) {
	h, err := parseHash(hash)
	if err != nil {
		return tx.Status{}, err
	}
	var r *receipt
	var t *transaction
	err = w.node.batch(ctx,
		request{"eth_getTransactionByHash", []any{h}, &t},
		request{"eth_getTransactionReceipt", []any{h}, &r},
	)
	switch {
	case err != nil:
		return tx.Status{}, err
	case r != nil && r.BlockNumber != nil && r.GasPrice != nil: // some nodes show receipts of the pending block
		return w.included(ctx, r, t), nil
	case t != nil || r != nil:
		return tx.Status{Phase: tx.Pending}, nil
	}
	return tx.Status{Phase: tx.Unknown}, nil
}

// BlockHash implements tx.Chain.
func (w *Wallet) BlockHash(ctx context.Context, number uint64) (string, error) {
	var b *struct {
		Hash common.Hash `json:"hash"`
	}
	if err := w.node.call(ctx, "eth_getBlockByNumber", &b, hexutil.Uint64(number), false); err != nil || b == nil {
		return "", err
	}
	return b.Hash.Hex(), nil
}

func parseHash(s string) (h common.Hash, err error) {
	b, err := hexutil.Decode(s)
	if err != nil || len(b) != len(h) {
		return h, fmt.Errorf("transaction hash %.80q: want 0x and 64 hex digits", s)
	}
	copy(h[:], b)
	return h, nil
}

func (w *Wallet) included(ctx context.Context, r *receipt, t *transaction) tx.Status {
	s := tx.Status{
		Phase: tx.Included, Success: r.Status == 1, Block: r.BlockNumber.ToInt().Uint64(), BlockHash: r.BlockHash.Hex(),
		GasUsed: uint64(r.GasUsed), GasPrice: r.GasPrice.ToInt(),
		DataGasUsed: uint64(r.BlobGasUsed), DataGasPrice: new(big.Int),
	}
	if r.BlobPrice != nil {
		s.DataGasPrice = r.BlobPrice.ToInt()
	}
	if !s.Success {
		s.Revert = w.whyReverted(ctx, s, t)
	}
	return s
}

// whyReverted runs a failed transaction again: on the state before its block and, where that goes well because another
// transaction of the block made the difference, on the state after it. It is a help for people: without an answer there
// is none.
func (w *Wallet) whyReverted(ctx context.Context, s tx.Status, t *transaction) *tx.RevertError {
	if t != nil && s.GasUsed >= uint64(t.Gas) {
		return &tx.RevertError{Detail: fmt.Sprintf("out of gas: it used all of its %d gas", t.Gas)}
	}
	if t != nil && t.To != nil && s.Block > 0 {
		args := callArgs{From: t.From, To: *t.To, Gas: &t.Gas, Data: t.Data,
			BlobHashes: t.BlobHashes, BlobPrice: t.BlobPrice}
		for _, block := range []uint64{s.Block - 1, s.Block} {
			var out json.RawMessage
			if r := revertOf(w.node.call(ctx, "eth_call", &out, args, hexutil.Uint64(block))); r != nil {
				return r
			}
		}
	}
	return &tx.RevertError{Detail: fmt.Sprintf("the node does not say why; it used %d gas", s.GasUsed)}
}
