package admin_test

import (
	"context"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// The wallet that settles shows also while the one that publishes data can't be read; the reason shows no key.
func TestWalletOfData(t *testing.T) {
	t.Parallel()
	b := setup(t, stage.L3)
	holds := func(n int64) func(context.Context) (tx.Account, error) {
		return func(context.Context) (tx.Account, error) {
			return tx.Account{Address: "0x1", Balance: big.NewInt(n)}, nil
		}
	}
	b.Wallet, b.DataWallet = holds(5), func(context.Context) (tx.Account, error) {
		return tx.Account{}, errors.New("https://user:hunter2@node.example is down")
	}
	w, err := b.WalletOf(t.Context())
	if err != nil || w.Balance != "5" || w.Data != nil || !strings.Contains(w.DataError, "is down") ||
		strings.Contains(w.DataError, "hunter2") {
		t.Errorf("%+v, %v", w, err)
	}
	b.DataWallet = holds(7)
	if w, err = b.WalletOf(t.Context()); err != nil || w.Data == nil || w.Data.Balance != "7" || w.DataError != "" {
		t.Errorf("%+v, %v", w, err)
	}
}
