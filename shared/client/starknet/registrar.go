package starknet

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"sync"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// Registrar registers facts on a development registry, one with a function register_fact(fact), or for SHARP's facts
// register_keccak_fact(fact), with an account of its own.
type Registrar struct {
	*Facts
	wallet *Wallet

	mu   sync.Mutex        // one nonce at a time
	bump uint              // how often prices were doubled since the last transaction that was taken
	sent map[string]string // fact to the hash of its newest transaction from this process
}

// NewRegistrar returns the registrar. The wallet must be used for nothing else, and by one process.
func NewRegistrar(f *Facts, w *Wallet) *Registrar {
	return &Registrar{Facts: f, wallet: w, sent: map[string]string{}}
}

// maxBump bounds how often prices are doubled.
const maxBump = 6

// maxSent bounds how many sent facts are remembered; then all are forgotten.
const maxSent = 10_000

// Register makes sure that a transaction is on its way that registers a fact ("0x" and 64 hex digits). It does not wait
// for it: call it again while the fact is not valid; prices that were too low are doubled then. A fact that a waiting
// transaction registers costs nothing. nil also where another process took the nonce: nothing was sent then.
func (r *Registrar) Register(ctx context.Context, fact string) error {
	sharp, err := r.sharp(ctx)
	if err != nil {
		return err
	}
	f, err := parseFact(fact, sharp)
	if err != nil {
		return err
	}
	register, args := "register_fact", []felt.Felt{f}
	if sharp {
		register, args = "register_keccak_fact", halves(f)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if hash, ok := r.sent[fact]; ok {
		s, err := r.wallet.Lookup(ctx, hash)
		if err != nil || s.Phase == tx.Pending {
			return err
		}
		delete(r.sent, fact)
	}
	if known, err := r.known(ctx, f, sharp, preConfirmed); err != nil || known {
		return err
	}
	hash, err := r.send(ctx, tx.Payload{To: r.contract.String(), Entrypoint: register, Data: felt.Concat(args)})
	if errors.Is(err, tx.ErrNonceTooLow) {
		return nil
	}
	if errors.Is(err, tx.ErrUnderpriced) && r.bump < maxBump {
		r.bump++
		return nil
	}
	if err != nil {
		return fmt.Errorf("register fact %s: %w", fact, err)
	}
	r.bump = 0
	if len(r.sent) >= maxSent {
		clear(r.sent)
	}
	r.sent[fact] = hash
	return nil
}

// send signs and sends at four times the market's price, or more after transactions that were refused.
func (r *Registrar) send(ctx context.Context, p tx.Payload) (string, error) {
	use, err := r.wallet.Simulate(ctx, p)
	if err != nil {
		return "", err
	}
	head, err := r.wallet.Head(ctx)
	if err != nil {
		return "", err
	}
	account, err := r.wallet.Account(ctx, 0)
	if err != nil {
		return "", err
	}
	nonce := max(account.Pending, account.Latest)
	signed, err := r.wallet.Sign(ctx, p, nonce, tx.Fees{
		Gas: 2 * use.Gas, GasPrice: new(big.Int).Lsh(head.BaseFee, 2+r.bump), DataGas: 2 * use.DataGas,
		DataGasPrice: new(big.Int).Lsh(head.BlobBaseFee, 2+r.bump),
	})
	if err != nil {
		return "", err
	}
	return signed.Hash, r.wallet.Broadcast(ctx, signed, p)
}
