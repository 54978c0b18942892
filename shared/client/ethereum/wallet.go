package ethereum

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/blob"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/kzg"
)

// Wallet is one account on one node: a tx.Chain.
type Wallet struct {
	node    *Node
	signer  Signer
	sidecar Sidecar

	mu      sync.Mutex
	address *common.Address
}

var _ tx.Chain = (*Wallet)(nil)

// NewWallet returns the wallet of a signer. It makes no request.
func NewWallet(n *Node, s Signer, v Sidecar) *Wallet { return &Wallet{node: n, signer: s, sidecar: v} }

// Address is the wallet's account.
func (w *Wallet) Address(ctx context.Context) (common.Address, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.address == nil {
		a, err := w.signer.Address(ctx)
		if err != nil {
			return a, fmt.Errorf("address of the wallet's key: %w", err)
		}
		w.address = &a
	}
	return *w.address, nil
}

// Account implements tx.Chain.
func (w *Wallet) Account(ctx context.Context, depth uint64) (tx.Account, error) {
	a, err := w.Address(ctx)
	if err != nil {
		return tx.Account{}, err
	}
	var head, pending, latest, confirmed hexutil.Uint64
	var balance hexutil.Big
	if err := w.node.batch(ctx, request{"eth_blockNumber", nil, &head}); err != nil {
		return tx.Account{}, err
	}
	deep := uint64(0)
	if uint64(head) > depth {
		deep = uint64(head) - depth
	}
	err = w.node.batch(ctx,
		request{"eth_getTransactionCount", []any{a, hexutil.Uint64(deep)}, &confirmed},
		request{"eth_getTransactionCount", []any{a, "latest"}, &latest},
		request{"eth_getTransactionCount", []any{a, "pending"}, &pending},
		request{"eth_getBalance", []any{a, "latest"}, &balance},
	)
	return tx.Account{
		Address: a.Hex(), Pending: uint64(pending), Latest: uint64(latest), Confirmed: uint64(confirmed), Balance: balance.ToInt(),
	}, err
}

// feeHistory is the part of eth_feeHistory that tells the next block's fees.
type feeHistory struct {
	Base []*hexutil.Big `json:"baseFeePerGas"`
	Blob []*hexutil.Big `json:"baseFeePerBlobGas"`
}

// Head implements tx.Chain.
func (w *Wallet) Head(ctx context.Context) (tx.Head, error) {
	var number hexutil.Uint64
	var tip hexutil.Big
	var fees feeHistory
	err := w.node.batch(ctx,
		request{"eth_feeHistory", []any{"0x1", "latest", []float64{}}, &fees},
		request{"eth_maxPriorityFeePerGas", nil, &tip},
		request{"eth_blockNumber", nil, &number},
	)
	if err != nil {
		return tx.Head{}, err
	}
	if len(fees.Base) == 0 || fees.Base[len(fees.Base)-1] == nil {
		return tx.Head{}, w.node.wrap("eth_feeHistory", errors.New("answer without base fees"))
	}
	h := tx.Head{Number: uint64(number), BaseFee: fees.Base[len(fees.Base)-1].ToInt(), BlobBaseFee: new(big.Int), Tip: tip.ToInt()}
	if n := len(fees.Blob); n > 0 && fees.Blob[n-1] != nil {
		h.BlobBaseFee = fees.Blob[n-1].ToInt()
	}
	h.Finalized, err = w.node.finalized(ctx)
	return h, err
}

// finalized is the number of the newest finalized block; 0 while there is none.
func (n *Node) finalized(ctx context.Context) (uint64, error) {
	var h *struct {
		Number hexutil.Uint64 `json:"number"`
	}
	err := n.batch(ctx, request{"eth_getBlockByNumber", []any{"finalized", false}, &h})
	var said interface{ ErrorCode() int }
	if errors.As(err, &said) || err == nil && h == nil { // nodes answer with an error before the first
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return uint64(h.Number), nil
}

// Simulate implements tx.Chain.
func (w *Wallet) Simulate(ctx context.Context, p tx.Payload) (uint64, error) {
	from, err := w.Address(ctx)
	if err != nil {
		return 0, err
	}
	to, err := parseAddress("called contract", p.To)
	if err != nil {
		return 0, err
	}
	args := callArgs{From: &from, To: to, Data: p.Data}
	if len(p.Blobs) > 0 {
		cs, err := commitments(p.Blobs)
		if err != nil {
			return 0, err
		}
		args.BlobHashes = versionedHashes(cs)
		head, err := w.Head(ctx)
		if err != nil {
			return 0, err
		}
		args.BlobPrice = (*hexutil.Big)(new(big.Int).Add(new(big.Int).Lsh(head.BlobBaseFee, 1), big.NewInt(1)))
	}
	var gas hexutil.Uint64
	if err := w.node.batch(ctx, request{"eth_estimateGas", []any{args}, &gas}); err != nil {
		if r := revertOf(err); r != nil {
			return 0, r
		}
		return 0, err
	}
	return uint64(gas), nil
}

// Lookup implements tx.Chain.
func (w *Wallet) Lookup(ctx context.Context, hash string) (tx.Status, error) {
	var r *receipt
	var t *transaction
	err := w.node.batch(ctx,
		request{"eth_getTransactionByHash", []any{common.HexToHash(hash)}, &t},
		request{"eth_getTransactionReceipt", []any{common.HexToHash(hash)}, &r},
	)
	switch {
	case err != nil:
		return tx.Status{}, err
	case r != nil:
		return w.included(ctx, r, t)
	case t != nil:
		return tx.Status{Phase: tx.Pending}, nil
	}
	return tx.Status{Phase: tx.Unknown}, nil
}

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
	Data       hexutil.Bytes   `json:"input"`
	BlobHashes []common.Hash   `json:"blobVersionedHashes"`
	BlobPrice  *hexutil.Big    `json:"maxFeePerBlobGas"`
}

func (w *Wallet) included(ctx context.Context, r *receipt, t *transaction) (tx.Status, error) {
	if r.BlockNumber == nil || r.GasPrice == nil {
		return tx.Status{Phase: tx.Pending}, nil // some nodes show receipts of the pending block
	}
	s := tx.Status{
		Phase: tx.Included, Success: r.Status == 1, Block: r.BlockNumber.ToInt().Uint64(), BlockHash: r.BlockHash.Hex(),
		GasUsed: uint64(r.GasUsed), GasPrice: r.GasPrice.ToInt(), BlobGasUsed: uint64(r.BlobGasUsed), BlobPrice: new(big.Int),
	}
	if r.BlobPrice != nil {
		s.BlobPrice = r.BlobPrice.ToInt()
	}
	if !s.Success {
		s.Revert = w.whyReverted(ctx, s.Block, t)
	}
	return s, nil
}

// whyReverted runs a failed transaction again on the state before its block. It is a help for people: without an answer
// there is none.
func (w *Wallet) whyReverted(ctx context.Context, number uint64, t *transaction) *tx.RevertError {
	none := &tx.RevertError{Detail: "the node does not tell why"}
	if t == nil || t.To == nil || number == 0 {
		return none
	}
	args := callArgs{From: t.From, To: *t.To, Data: t.Data, BlobHashes: t.BlobHashes, BlobPrice: t.BlobPrice}
	var out json.RawMessage
	err := w.node.batch(ctx, request{"eth_call", []any{args, hexutil.Uint64(number - 1)}, &out})
	if r := revertOf(err); r != nil {
		return r
	}
	return none
}

// commitments are the KZG commitments of raw blobs.
func commitments(raw [][]byte) ([]kzg.Commitment, error) {
	blobs, err := asBlobs(raw)
	if err != nil {
		return nil, err
	}
	return kzg.CommitAll(blobs)
}

func asBlobs(raw [][]byte) ([]blob.Blob, error) {
	out := make([]blob.Blob, len(raw))
	for i, b := range raw {
		if len(b) != len(out[i]) {
			return nil, fmt.Errorf("blob %d has %d bytes, want %d", i, len(b), len(out[i]))
		}
		copy(out[i][:], b)
	}
	return out, nil
}

func versionedHashes(cs []kzg.Commitment) []common.Hash {
	out := make([]common.Hash, len(cs))
	for i, c := range cs {
		out[i] = kzg.VersionedHash(c)
	}
	return out
}
