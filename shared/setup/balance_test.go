package setup_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/l1"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
)

// Readiness says what a wallet holds, and that it holds nothing.
func TestBalanceCheck(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		balance *big.Int
		err     error
		detail  string
		says    string
	}{
		"filled":  {big.NewInt(12), nil, "0xa holds 12 wei", ""},
		"empty":   {new(big.Int), nil, "", "0xa holds nothing"},
		"unknown": {nil, nil, "", "does not say"},
		"down":    {nil, errors.New("no route"), "", "no route"},
	} {
		check := setup.BalanceCheck("data wallet", func(context.Context) (tx.Account, error) {
			return tx.Account{Address: "0xa", Balance: c.balance}, c.err
		}, "wei")
		detail, err := check.Look(t.Context())
		if detail != c.detail || (err != nil) != (c.says != "") ||
			err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %q, %v", name, detail, err)
		}
	}
}

// The API shows the wallet that publishes data on a layer of its own, in that layer's unit, and asks about it.
func TestTwoWallets(t *testing.T) {
	t.Parallel()
	queues, err := memory.NewQueues(nil)
	if err != nil {
		t.Fatal(err)
	}
	core := setup.App{Chain: "dev", Layer: stage.L3, Jobs: memory.NewJobs(nil), Batches: memory.NewBatches(nil),
		Locks: memory.NewLocks(nil), Control: memory.NewControls(nil), Queue: queues,
		Artifacts: memory.NewArtifacts(nil), Alerts: memory.NewAlerts(nil), Reports: memory.NewReports(nil),
		Events: memory.NewEvents(nil), Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	settles, data := l1.New(nil, l1.Config{Balance: big.NewInt(5)}), l1.New(nil, l1.Config{Balance: big.NewInt(6)})
	service := core.API(setup.API{FeeUnit: "fri", DataLayer: "ethereum/1",
		Wallet: func(ctx context.Context) (tx.Account, error) { return settles.Account(ctx, 0) },
		Data:   func(context.Context) (setup.Wallet, error) { return setup.Wallet{Chain: data}, nil },
	})
	w := answerOf[admin.Wallet](t, service, "/wallet")
	if w.Balance != "5" || w.Unit != "fri" || w.Data == nil || w.Data.Balance != "6" || w.Data.Unit != "wei" {
		t.Errorf("%+v, %+v", w, w.Data)
	}
	found := false
	for _, c := range answerOf[admin.Readiness](t, service, "/ready").Checks {
		found = found || c.Name == "data wallet" && c.OK && strings.Contains(c.Detail, "holds 6 wei")
	}
	if !found {
		t.Error("readiness does not look at the wallet that publishes")
	}
}

// answerOf is what the API answers.
func answerOf[T any](t *testing.T, h http.Handler, path string) (out T) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatalf("%s: %s, %v", path, w.Body, err)
	}
	return out
}
