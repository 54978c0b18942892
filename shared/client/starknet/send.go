package starknet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/redact"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// Sign implements tx.Chain. fees.GasPrice covers the tip; fees.BlobGas is L1 data gas. The transaction may use no L1
// gas.
func (w *Wallet) Sign(ctx context.Context, p tx.Payload, nonce uint64, fees tx.Fees) (tx.Signed, error) {
	if err := w.node.Ping(ctx); err != nil { // asked each time: a signature for another chain must not exist
		return tx.Signed{}, err
	}
	calldata, err := calldataOf(p)
	if err != nil {
		return tx.Signed{}, fmt.Errorf("sign with nonce %d: %w", nonce, err)
	}
	t := newInvoke(w.account, nonce, calldata)
	if t.Bounds, t.Tip, err = boundsOf(fees); err != nil {
		return tx.Signed{}, fmt.Errorf("sign with nonce %d: %w", nonce, err)
	}
	if w.signer == nil {
		return tx.Signed{}, fmt.Errorf("sign with nonce %d: %w", nonce, ErrWatched)
	}
	hash := t.hash(w.node.chain)
	if t.Signature, err = w.signer.Sign(hash); err != nil {
		return tx.Signed{}, fmt.Errorf("sign with nonce %d: %w", nonce, err)
	}
	raw, err := json.Marshal(t)
	if err != nil {
		return tx.Signed{}, fmt.Errorf("encode transaction: %w", err)
	}
	return tx.Signed{Hash: hash.String(), Raw: raw}, nil
}

// signed reads a signed transaction and checks that hash, chain, signature and payload belong to it.
func (w *Wallet) signed(s tx.Signed, p tx.Payload) (*invoke, error) {
	t, err := decodeInvoke(s.Raw)
	if err != nil {
		return nil, err
	}
	calldata, err := calldataOf(p)
	if err != nil {
		return nil, err
	}
	hash := t.hash(w.node.chain)
	switch {
	case hash.String() != s.Hash:
		return nil, fmt.Errorf("its bytes have hash %s on chain %s", hash, w.node.name)
	case t.Sender != w.account:
		return nil, fmt.Errorf("it is account %s's, the wallet's is %s", t.Sender, w.account)
	case !slices.Equal(t.Calldata, calldata):
		return nil, errors.New("another payload was signed")
	case w.signer == nil:
		return nil, ErrWatched
	case !Verify(w.signer.pub, hash, t.Signature):
		return nil, errors.New("the signature is not the wallet's key's")
	}
	return t, nil
}

// Broadcast implements tx.Chain. A transaction that is in a block already counts as taken.
func (w *Wallet) Broadcast(ctx context.Context, s tx.Signed, p tx.Payload) error {
	t, err := w.signed(s, p)
	if err != nil {
		return fmt.Errorf("signed transaction %s: %w: %w", s.Hash, tx.ErrRefused, err)
	}
	var answer struct {
		Hash felt.Felt `json:"transaction_hash"`
	}
	err = w.node.call(ctx, addInvoke, &answer, t)
	if err == nil && answer.Hash.String() != s.Hash {
		return fmt.Errorf("Starknet node: it says that the transaction's hash is %s, ours is %s: %w",
			answer.Hash, s.Hash, tx.ErrRefused)
	}
	switch v := verdict(err); v {
	case nil:
		return err
	case errKnown:
		return w.rejected(ctx, s.Hash)
	case errNonce:
		return w.nonceRefused(ctx, t, s.Hash, err)
	case errPassing:
		return err
	default:
		return fmt.Errorf("%w: %w", v, err)
	}
}

// rejected says whether the node dropped a transaction that it knows: it never takes one of the same hash again, so
// another one must be signed.
func (w *Wallet) rejected(ctx context.Context, hash string) error {
	st, err := w.status(ctx, hash)
	if err != nil || st.Finality != statusRejected {
		return nil
	}
	return fmt.Errorf("%w: the node rejected %s: %s", tx.ErrUnderpriced, hash, redact.Clip(st.Reason, maxReason))
}

// nonceRefused finds out what a refused nonce means: nodes say the same of one that is too low, too high, or in the
// pool.
func (w *Wallet) nonceRefused(ctx context.Context, t *invoke, hash string, cause error) error {
	if st, err := w.Lookup(ctx, hash); err == nil && st.Phase != tx.Unknown {
		return nil
	}
	ours, _ := t.Nonce.Uint64()
	next, err := w.nonceAt(ctx, preConfirmed)
	switch {
	case err != nil || next < ours:
		return cause // a transaction before this one is missing, or the node lags
	case next > ours:
		return fmt.Errorf("%w: %w", tx.ErrNonceTooLow, cause)
	}
	return fmt.Errorf("another transaction with nonce %d waits in the node's pool: %w", ours, cause)
}
