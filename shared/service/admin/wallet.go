package admin

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// Wallet is the wallet that settles, and how long what it holds lasts.
type Wallet struct {
	Address string `json:"address"`
	Balance string `json:"balance"` // decimal, in Unit
	Unit    string `json:"unit"`
	// FeePerBatch is the mean fee of the newest settled batches, at most 20 of them; "" before the first.
	FeePerBatch string `json:"fee_per_batch,omitempty"`
	// BatchesLeft is how many such batches the balance pays for; null before the first.
	BatchesLeft *int64 `json:"batches_left"`
	// DaysLeft is how many days that is at the rate of those batches; null where the rate is unknown.
	DaysLeft *float64 `json:"days_left"`
	// Data is the wallet that publishes data on a layer of its own; null where the wallet that settles does.
	Data *Wallet `json:"data,omitempty"`
	// DataError says why that wallet can't be read now: the one that settles shows all the same.
	DataError string `json:"data_error,omitempty"`
}

// walletBatches is of how many settled batches the runway is computed, walletRead of how many of the newest batches:
// some of them are still on their way.
const (
	walletBatches = 20
	walletRead    = 50
)

// ErrNoWallet says that this deployment can't say which wallet settles.
var ErrNoWallet = fmt.Errorf("this deployment does not know its wallet: %w", ErrUnknown)

// WalletOf returns the wallet that settles. Errors: ErrNoWallet, ErrOutside.
func (s *Service) WalletOf(ctx context.Context) (Wallet, error) {
	if s.Wallet == nil {
		return Wallet{}, ErrNoWallet
	}
	store, err := s.store("")
	if err != nil {
		return Wallet{}, err
	}
	ds, err := newest(ctx, store, 0, walletRead)
	if err != nil {
		return Wallet{}, err
	}
	w, err := walletOf(ctx, s.Wallet, s.FeeUnit, ds, func(l batch.Ledger) *big.Int { return l.Fee })
	if err != nil || s.DataWallet == nil {
		return w, err
	}
	data, err := walletOf(ctx, s.DataWallet, DataUnit, ds, func(l batch.Ledger) *big.Int { return l.DataFee })
	if err != nil {
		w.DataError = Redact("the wallet that publishes data: " + err.Error())
		return w, nil
	}
	w.Data = &data
	return w, nil
}

// DataUnit is the unit of fees on a layer of its own that data are published on: Ethereum's.
const DataUnit = "wei"

// walletOf reads a wallet, and computes how long it lasts from what batches paid with it.
func walletOf(ctx context.Context, read func(context.Context) (tx.Account, error), unit string, ds []document,
	fee func(batch.Ledger) *big.Int) (Wallet, error) {
	b, err := within(ctx, checkTimeout, read)
	if err != nil {
		return Wallet{}, fmt.Errorf("read the wallet: %w", err)
	}
	if b.Balance == nil {
		return Wallet{}, errors.New("read the wallet: the node does not say what it holds")
	}
	w := Wallet{Address: b.Address, Balance: b.Balance.String(), Unit: unit}
	w.runway(b.Balance, ds, fee)
	return w, nil
}

// runway computes how long a balance lasts from batches, the newest first.
func (w *Wallet) runway(balance *big.Int, ds []document, fee func(batch.Ledger) *big.Int) {
	sum, n := new(big.Int), int64(0)
	var newest, oldest time.Time
	for _, d := range ds {
		if fee(d.ledger) == nil || !d.settled || n == walletBatches {
			continue
		}
		sum.Add(sum, fee(d.ledger))
		oldest = d.ledger.Stages[settledByStage].EndedAt
		if n++; n == 1 {
			newest = oldest
		}
	}
	if n == 0 {
		return
	}
	mean := sum.Div(sum, big.NewInt(n))
	w.FeePerBatch = mean.String()
	if mean.Sign() == 0 {
		return
	}
	left := new(big.Int).Div(balance, mean)
	if !left.IsInt64() {
		left.SetInt64(1<<53 - 1) // more than anybody waits for, and what JavaScript reads
	}
	batches := min(left.Int64(), 1<<53-1)
	w.BatchesLeft = &batches
	if span := newest.Sub(oldest); n > 1 && span > 0 {
		days := float64(batches) * span.Hours() / 24 / float64(n-1)
		w.DaysLeft = &days
	}
}
