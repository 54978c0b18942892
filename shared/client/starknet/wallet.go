package starknet

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// STRK is the token in which transactions of version 3 pay their fees on Starknet (Starknet documentation, "STRK").
const STRK = "0x04718f5a0fc34cc1af16a1cdee98ffb20c31f5cd61d6ab07201858f4287c938d"

// Wallet is one account contract on one node: a tx.Chain. The contract must be deployed, read calls as accounts in
// Cairo 1 do, and take a signature of two felts by the signer's key, as those of OpenZeppelin do.
type Wallet struct {
	node    *Node
	signer  *KeySigner // nil: the account is only watched
	account felt.Felt
	token   felt.Felt
}

var _ tx.Chain = (*Wallet)(nil)

// ErrWatched says that a wallet only watches an account: it has no key.
var ErrWatched = errors.New("this wallet only watches the account: it can't sign")

// NewWallet returns the wallet of an account that the signer's key controls; nil watches the account and never signs.
// token is the chain's fee token: STRK, but on chains of one's own. It makes no request.
func NewWallet(n *Node, s *KeySigner, account, token string) (*Wallet, error) {
	a, err := parseAddress("account", account)
	if err != nil {
		return nil, err
	}
	t, err := parseAddress("fee token", token)
	if err != nil {
		return nil, err
	}
	return &Wallet{node: n, signer: s, account: a, token: t}, nil
}

func trimSpace(s string) string { return strings.TrimSpace(s) }

// Address is the wallet's account contract.
func (w *Wallet) Address() felt.Felt { return w.account }

// nonceAt is the account's nonce after a block; 0 where it is not deployed there.
func (w *Wallet) nonceAt(ctx context.Context, block any) (uint64, error) {
	return w.nonceOf(ctx, w.account, block)
}

func (w *Wallet) nonceOf(ctx context.Context, account felt.Felt, block any) (uint64, error) {
	var f felt.Felt
	err := w.node.call(ctx, "starknet_getNonce", &f, block, account)
	if code(err) == codeContractNotFound {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, ok := f.Uint64()
	if !ok {
		return 0, fmt.Errorf("Starknet node: nonce of account %s is %s, which has more than 64 bits", account, f)
	}
	return n, nil
}

// Account implements tx.Chain. The balance is unknown where the fee token is not a contract.
func (w *Wallet) Account(ctx context.Context, depth uint64) (tx.Account, error) {
	used, err := w.used(ctx, w.account, depth)
	if err != nil {
		return tx.Account{}, err
	}
	a := tx.Account{Address: w.account.String(), Latest: used.Latest, Confirmed: used.Confirmed}
	if a.Pending, err = w.nonceAt(ctx, preConfirmed); err != nil {
		return tx.Account{}, err
	}
	a.Balance, err = w.balance(ctx)
	return a, err
}

// Used implements tx.Chain.
func (w *Wallet) Used(ctx context.Context, address string, depth uint64) (tx.Used, error) {
	account, err := felt.FromHex(address)
	if err != nil {
		return tx.Used{}, fmt.Errorf("%q is not the address of an account: %w", address, err)
	}
	return w.used(ctx, account, depth)
}

func (w *Wallet) used(ctx context.Context, account felt.Felt, depth uint64) (tx.Used, error) {
	var head uint64
	if err := w.node.call(ctx, "starknet_blockNumber", &head); err != nil {
		return tx.Used{}, err
	}
	confirmed, err := w.nonceOf(ctx, account, blockNumber{head - min(head, depth)})
	if err != nil {
		return tx.Used{}, err
	}
	last, err := w.nonceOf(ctx, account, latest)
	return tx.Used{Latest: last, Confirmed: min(confirmed, last)}, err
}

// balance is what the account holds of the fee token; nil where that can't be asked.
func (w *Wallet) balance(ctx context.Context) (*big.Int, error) {
	out, err := w.node.read(ctx, w.token, "balanceOf", latest, w.account)
	if c := code(err); c == codeContractNotFound || c == codeNoEntrypoint {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if len(out) != 2 { // u256: low, high
		return nil, fmt.Errorf("fee token %s: balanceOf answers %d felts, want 2", w.token, len(out))
	}
	return new(big.Int).Add(new(big.Int).Lsh(out[1].Big(), 128), out[0].Big()), nil
}

// price is one of a block's prices.
type price struct {
	Fri *hexBig `json:"price_in_fri"`
}

// header is what is used of a block.
type header struct {
	Number  *uint64    `json:"block_number"`
	Hash    *felt.Felt `json:"block_hash"`
	L2Gas   price      `json:"l2_gas_price"`
	L1Data  price      `json:"l1_data_gas_price"`
	L1Gas   price      `json:"l1_gas_price"`
	DAModes string     `json:"l1_da_mode"`
}

// block reads a closed block.
func (n *Node) block(ctx context.Context, id any) (header, error) {
	var h header
	if err := n.call(ctx, "starknet_getBlockWithTxHashes", &h, id); err != nil {
		return h, err
	}
	if h.Number == nil || h.Hash == nil || h.L2Gas.Fri == nil || h.L1Data.Fri == nil {
		return h, n.wrap("starknet_getBlockWithTxHashes", errors.New("the block lacks number, hash or prices"))
	}
	return h, nil
}

// accepted is the number of the newest block that is accepted on L1; ok is false while there is none.
func (n *Node) accepted(ctx context.Context) (number uint64, ok bool, err error) {
	h, err := n.block(ctx, l1Accepted)
	if c := code(err); c == codeBlockNotFound || c == codeNoBlocks {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	return *h.Number, true, nil
}

// Head implements tx.Chain. Finalized is the newest block that is accepted on L1. Nodes suggest no tip, so it is 0.
func (w *Wallet) Head(ctx context.Context) (tx.Head, error) {
	h, err := w.node.block(ctx, latest)
	if err != nil {
		return tx.Head{}, err
	}
	final, _, err := w.node.accepted(ctx)
	return tx.Head{
		Number: *h.Number, Finalized: min(final, *h.Number), BaseFee: h.L2Gas.Fri.big(),
		BlobBaseFee: h.L1Data.Fri.big(), Tip: new(big.Int),
	}, err
}

// estimate is what is used of a fee estimate.
type estimate struct {
	L1Gas   *hexBig `json:"l1_gas_consumed"`
	L1Data  *hexBig `json:"l1_data_gas_consumed"`
	L2Gas   *hexBig `json:"l2_gas_consumed"`
	Overall *hexBig `json:"overall_fee"`
}

// simulationGas is the limit of L2 gas in simulations: what a block has room for (Starknet documentation, "Chain
// info").
const simulationGas = 1_000_000_000

// maxNonceMoves is how often a simulation begins again because another transaction of the account was mined meanwhile.
const maxNonceMoves = 3

// Simulate implements tx.Chain: a fee estimate on the newest block's state, without signatures, of the transactions
// that go before it and of itself, each on top of those before. Other transactions of ours that wait in the pool do not
// count. Nodes check the nonce in estimates, so a block between the two requests makes the first answer out of date:
// both are asked again.
func (w *Wallet) Simulate(ctx context.Context, p tx.Payload, before ...tx.Signed) (tx.Usage, error) {
	calldata, err := calldataOf(p)
	if err != nil {
		return tx.Usage{}, err
	}
	for range maxNonceMoves {
		var use tx.Usage
		if use, err = w.simulate(ctx, p, calldata, before); !errors.Is(err, tx.ErrNonceMoved) {
			return use, err
		}
	}
	return tx.Usage{}, err
}

// simulate asks for the nonce, then for an estimate with it.
func (w *Wallet) simulate(ctx context.Context, p tx.Payload, calldata []felt.Felt,
	before []tx.Signed) (tx.Usage, error) {
	nonce, err := w.nonceAt(ctx, latest)
	if err != nil {
		return tx.Usage{}, err
	}
	ts, err := w.queries(nonce, calldata, before)
	if err != nil {
		return tx.Usage{}, err
	}
	var es []estimate
	err = w.node.call(ctx, "starknet_estimateFee", &es, ts, []string{"SKIP_VALIDATE"}, latest)
	if nonceRefusal(err) {
		return tx.Usage{}, fmt.Errorf("simulate %s of %s with nonce %d: %w: %w",
			p.Entrypoint, p.To, nonce, tx.ErrNonceMoved, err)
	}
	if r := revertOf(err); r != nil {
		if i := failedAt(err); i < len(ts)-1 {
			r = &tx.RevertError{Refusal: tx.NotYet, Code: r.Code,
				Detail: "a transaction that goes before it would fail: " + r.Detail}
		}
		return tx.Usage{}, fmt.Errorf("simulate %s of %s: %w", p.Entrypoint, p.To, r)
	}
	if err != nil {
		return tx.Usage{}, err
	}
	if len(es) != len(ts) {
		return tx.Usage{}, w.node.wrap("starknet_estimateFee", errors.New("the answer has another number of estimates"))
	}
	return w.usage(p, es[len(es)-1:])
}

// queries are unsigned transactions with consecutive nonces: those of before that are in no block yet, then one with
// the calldata.
func (w *Wallet) queries(nonce uint64, calldata []felt.Felt, before []tx.Signed) ([]invoke, error) {
	var all [][]felt.Felt
	for _, s := range before {
		t, err := decodeInvoke(s.Raw)
		if err != nil {
			return nil, fmt.Errorf("signed transaction %s: %w", s.Hash, err)
		}
		if n, ok := t.Nonce.Uint64(); ok && n >= nonce {
			all = append(all, t.Calldata)
		}
	}
	var ts []invoke
	for i, data := range append(all, calldata) {
		t := newInvoke(w.account, nonce+uint64(i), data)
		t.Version, t.Bounds.L2Gas.Amount = queryVersion, simulationGas
		ts = append(ts, t)
	}
	return ts, nil
}

// usage reads the estimate of one transaction.
func (w *Wallet) usage(p tx.Payload, es []estimate) (tx.Usage, error) {
	if len(es) != 1 || es[0].L1Gas == nil || es[0].L2Gas == nil || es[0].L1Data == nil {
		return tx.Usage{}, w.node.wrap("starknet_estimateFee",
			errors.New("answer is not an estimate of one transaction"))
	}
	e := es[0]
	if e.L1Gas.big().Sign() != 0 {
		return tx.Usage{}, fmt.Errorf("simulate %s of %s: it uses %s L1 gas, as on chains that publish their state "+
			"in calldata or "+
			"with messages to L1, which is not supported: %w", p.Entrypoint, p.To, e.L1Gas.big(), tx.ErrRefused)
	}
	if !e.L2Gas.big().IsUint64() || !e.L1Data.big().IsUint64() || e.L2Gas.big().Sign() == 0 {
		return tx.Usage{}, w.node.wrap("starknet_estimateFee", errors.New("amounts of gas are out of range"))
	}
	return tx.Usage{Gas: e.L2Gas.big().Uint64(), DataGas: e.L1Data.big().Uint64()}, nil
}
