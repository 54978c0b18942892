package ethereum

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"

	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// Registrar registers facts on a development registry with a wallet of its own, from any number of processes.
type Registrar struct {
	*Facts
	wallet *Wallet

	mu   sync.Mutex        // one nonce at a time
	sent map[string]string // fact to the hash of its newest transaction from this process
	last struct {          // transaction of this process
		hash  string
		nonce uint64
	}
}

// NewRegistrar returns the registrar. The wallet must be used for nothing else.
func NewRegistrar(f *Facts, w *Wallet) *Registrar {
	return &Registrar{Facts: f, wallet: w, sent: map[string]string{}}
}

const (
	// registerGas is enough for registerFact, which writes two slots at the most.
	registerGas = 120_000
	// maxSent bounds how many sent facts are remembered; then all are forgotten.
	maxSent = 10_000
)

// Register makes sure that a transaction is on its way that registers a fact ("0x" and 64 hex digits). It does not wait
// for it: call it again while the fact is not valid. A fact that is registered, or that a waiting transaction
// registers, costs nothing. nil also where another process took the nonce: nothing was sent then.
func (r *Registrar) Register(ctx context.Context, fact string) error {
	f, err := parseFact(fact)
	if err != nil {
		return err
	}
	fact = strings.ToLower(fact)
	r.mu.Lock()
	defer r.mu.Unlock()
	if waiting, err := r.waiting(ctx, fact); err != nil || waiting {
		return err
	}
	data, err := registryABI.Pack("registerFact", f)
	if err != nil {
		return fmt.Errorf("encode registerFact: %w", err)
	}
	p := tx.Payload{To: r.contract.Hex(), Data: data}
	if _, err := r.wallet.Simulate(ctx, p); err != nil {
		return fmt.Errorf("register fact %s: %w", fact, err)
	}
	hash, err := r.send(ctx, p)
	if errors.Is(err, errTaken) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("register fact %s: %w", fact, err)
	}
	if len(r.sent) >= maxSent {
		clear(r.sent)
	}
	r.sent[fact] = hash
	return nil
}

// waiting says whether a transaction with the fact is in a block or in the pool, as far as this process or the node's
// pending state knows.
func (r *Registrar) waiting(ctx context.Context, fact string) (bool, error) {
	if hash, ok := r.sent[fact]; ok {
		s, err := r.wallet.Lookup(ctx, hash)
		if err != nil {
			return false, err
		}
		if s.Phase == tx.Pending {
			return true, nil
		}
		delete(r.sent, fact)
	}
	valid, err := r.at(ctx, "pending", []string{fact})
	if answered(err) { // a node without pending state
		valid, err = r.at(ctx, "latest", []string{fact})
	}
	return err == nil && valid[0], err
}

// errTaken says that another transaction took the nonce in between.
var errTaken = errors.New("nonce was taken by another process")

// send signs and sends at four times the base fee, which lasts for ten full blocks.
func (r *Registrar) send(ctx context.Context, p tx.Payload) (string, error) {
	head, err := r.wallet.Head(ctx)
	if err != nil {
		return "", err
	}
	account, err := r.wallet.Account(ctx, 0)
	if err != nil {
		return "", err
	}
	nonce, err := r.next(ctx, max(account.Pending, account.Latest))
	if err != nil {
		return "", err
	}
	tip := head.Tip
	if tip.Sign() == 0 {
		tip = big.NewInt(1) // pools want one
	}
	price := new(big.Int).Add(new(big.Int).Lsh(head.BaseFee, 2), tip)
	signed, err := r.wallet.Sign(ctx, p, nonce, tx.Fees{Gas: registerGas, GasPrice: price, Tip: tip})
	if err != nil {
		return "", err
	}
	err = r.wallet.Broadcast(ctx, signed, p)
	if errors.Is(err, tx.ErrNonceTooLow) {
		return "", errTaken
	}
	if errors.Is(err, tx.ErrUnderpriced) {
		if now, aerr := r.wallet.Account(ctx, 0); aerr == nil && max(now.Pending, now.Latest) > nonce {
			return "", errTaken
		}
	}
	if err == nil {
		r.last.hash, r.last.nonce = signed.Hash, nonce
	}
	return signed.Hash, err
}

// next is the next free nonce. go-ethereum's pool counts a transaction that it has just taken some moments later only
// (core/txpool/legacypool, promoteExecutables runs in the background), but it shows it at once.
func (r *Registrar) next(ctx context.Context, free uint64) (uint64, error) {
	if r.last.hash == "" || r.last.nonce < free {
		return free, nil
	}
	s, err := r.wallet.Lookup(ctx, r.last.hash)
	if err != nil {
		return 0, err
	}
	if s.Phase == tx.Pending {
		return r.last.nonce + 1, nil
	}
	return free, nil
}
