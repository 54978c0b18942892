package setup_test

import (
	"context"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/l1"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
)

// The wallet's check reports address and balance, and what must be done before it can settle.
func TestWalletCheck(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		config l1.Config
		detail string
		fault  string
	}{
		"can settle": {l1.Config{Wallet: "0xa", Balance: big.NewInt(5)}, "0xa holds 5", ""},
		"no operator": {l1.Config{Wallet: "0xa", NotOperator: true}, "0xa holds ",
			"not an operator of the core contract"},
		"empty": {l1.Config{Wallet: "0xa", Balance: new(big.Int)}, "0xa holds 0", "fund it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chain := l1.New(nil, tt.config)
			check := setup.WalletCheck(func(context.Context) (settlement.Contract, setup.Wallet, error) {
				return chain, setup.Wallet{Chain: chain}, nil
			})
			detail, err := check.Look(t.Context())
			if !strings.HasPrefix(detail, tt.detail) || (err == nil) != (tt.fault == "") ||
				err != nil && !strings.Contains(err.Error(), tt.fault) {
				t.Errorf("%q, %v; want %q and %q", detail, err, tt.detail, tt.fault)
			}
		})
	}
	closed := errors.New("no key")
	check := setup.WalletCheck(
		func(context.Context) (settlement.Contract, setup.Wallet, error) { return nil, setup.Wallet{}, closed })
	if _, err := check.Look(t.Context()); !errors.Is(err, closed) {
		t.Errorf("got %v, want %v", err, closed)
	}
}
