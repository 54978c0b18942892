package ethereum

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// Wallet is one account on one node: a tx.Chain.
type Wallet struct {
	node    *Node
	signer  Signer
	sidecar Sidecar
	took    atomic.Value // Sidecar that the node took last, with SidecarAuto

	mu      sync.Mutex
	address *common.Address
	tips    blobTips
	prices  prices
}

var _ tx.Chain = (*Wallet)(nil)

// NewWallet returns the wallet of a signer. v says how blobs travel; see SidecarAuto. It makes no request.
func NewWallet(n *Node, s Signer, v Sidecar) *Wallet { return &Wallet{node: n, signer: s, sidecar: v} }

// Address is the wallet's account.
func (w *Wallet) Address(ctx context.Context) (common.Address, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.address == nil {
		a, err := w.signer.Address(ctx)
		if err != nil {
			return common.Address{}, fmt.Errorf("address of the wallet's key: %w", err)
		}
		w.address = (*common.Address)(&a)
	}
	return *w.address, nil
}

// Account implements tx.Chain.
func (w *Wallet) Account(ctx context.Context, depth uint64) (tx.Account, error) {
	a, err := w.Address(ctx)
	if err != nil {
		return tx.Account{}, err
	}
	var pending hexutil.Uint64
	var balance hexutil.Big
	used, err := w.used(ctx, a, depth,
		request{"eth_getTransactionCount", []any{a, "pending"}, &pending},
		request{"eth_getBalance", []any{a, "latest"}, &balance},
	)
	if err != nil {
		return tx.Account{}, err
	}
	return tx.Account{
		Address: a.Hex(), Pending: uint64(pending), Latest: used.Latest, Confirmed: used.Confirmed,
		Balance: balance.ToInt(),
	}, nil
}

// Used implements tx.Chain.
func (w *Wallet) Used(ctx context.Context, address string, depth uint64) (tx.Used, error) {
	if !common.IsHexAddress(address) {
		return tx.Used{}, fmt.Errorf("%q is not an Ethereum address", address)
	}
	return w.used(ctx, common.HexToAddress(address), depth)
}

// used asks for an account's nonces, in one batch with other requests.
func (w *Wallet) used(ctx context.Context, a common.Address, depth uint64, also ...request) (tx.Used, error) {
	var head, latest, confirmed hexutil.Uint64
	if err := w.node.call(ctx, "eth_blockNumber", &head); err != nil {
		return tx.Used{}, err
	}
	deep := uint64(head) - min(uint64(head), depth)
	if err := w.node.batch(ctx, append([]request{
		{"eth_getTransactionCount", []any{a, hexutil.Uint64(deep)}, &confirmed},
		{"eth_getTransactionCount", []any{a, "latest"}, &latest},
	}, also...)...); err != nil {
		return tx.Used{}, err
	}
	return tx.Used{Latest: uint64(latest), Confirmed: min(uint64(confirmed), uint64(latest))}, nil
}

// blockHeader is what is used of a block.
type blockHeader struct {
	Number hexutil.Uint64 `json:"number"`
}

// finalized is the number of the newest finalized block, as asked for with the error err; 0 while there is none, which
// some nodes answer with an error and others with nothing.
func (h *blockHeader) finalized(err error) (uint64, error) {
	if answered(err) || err == nil && h == nil {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return uint64(h.Number), nil
}

// finalized is the number of the newest finalized block; 0 while there is none.
func (n *Node) finalized(ctx context.Context) (uint64, error) {
	var h *blockHeader
	err := n.call(ctx, "eth_getBlockByNumber", &h, "finalized", false)
	return h.finalized(err)
}

// Simulate implements tx.Chain. It runs on the newest block's state, not on the pool's: a transaction of ours that
// waits there is the one that may have to be replaced. Those that go before it are run first, with eth_simulateV1.
func (w *Wallet) Simulate(ctx context.Context, p tx.Payload, before ...tx.Signed) (tx.Usage, error) {
	from, err := w.Address(ctx)
	if err != nil {
		return tx.Usage{}, err
	}
	args, err := w.callOf(ctx, from, p)
	if err != nil {
		return tx.Usage{}, err
	}
	if calls, err := w.waiting(ctx, from, before); err != nil || len(calls) > 0 {
		if err != nil {
			return tx.Usage{}, err
		}
		return w.simulateAfter(ctx, calls, args)
	}
	var gas hexutil.Uint64
	if err := w.node.call(ctx, "eth_estimateGas", &gas, args, "latest"); err != nil {
		return tx.Usage{}, simulateError(args.To, err)
	}
	return args.usage(uint64(gas)), nil
}

// usage is what a call takes, with the hashes of its blobs.
func (a callArgs) usage(gas uint64) tx.Usage {
	var hashes []string
	for _, h := range a.BlobHashes {
		hashes = append(hashes, h.Hex())
	}
	return tx.Usage{Gas: gas, BlobHashes: strings.Join(hashes, " ")}
}

// simulateError translates a node's answer to a simulated call.
func simulateError(to common.Address, err error) error {
	if r := revertOf(err); r != nil {
		return fmt.Errorf("simulate call of %s: %w", to, r)
	}
	if answered(err) && errors.Is(verdict(err.Error()), tx.ErrInsufficientFunds) {
		return fmt.Errorf("%w: %w", tx.ErrInsufficientFunds, err)
	}
	return err
}

// callOf are the arguments of a payload's call. A price for blobs is given, which some nodes want.
func (w *Wallet) callOf(ctx context.Context, from common.Address, p tx.Payload) (callArgs, error) {
	to, err := parseAddress("called contract", p.To)
	if err != nil {
		return callArgs{}, err
	}
	args := callArgs{From: &from, To: to, Data: p.Data}
	if len(p.Blobs) == 0 {
		return args, nil
	}
	cs, err := commitments(p.Blobs)
	if err != nil {
		return args, err
	}
	args.BlobHashes = versionedHashes(cs)
	head, err := w.Head(ctx)
	args.BlobPrice = (*hexutil.Big)(new(big.Int).Add(new(big.Int).Lsh(orZero(head.BlobBaseFee), 1), big.NewInt(1)))
	return args, err
}
