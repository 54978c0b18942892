package ethereum_test

import (
	"errors"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/core/look"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	devethereum "github.com/madara-orchestrator/orchestrator/shared/dev/ethereum"
)

// A transaction surely did not reach a node that did not even say its chain; it may have reached one that fails later.
func TestBroadcast_Unreached(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fails     string // the method that the node does not answer
		unreached bool
	}{"asked for its chain": {"eth_chainId", true}, "sent the transaction": {"eth_sendRawTransaction", false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				payload := tx.Payload{To: devethereum.Address(devethereum.Keys[1]).Hex()}
				h := &historian{}
				s := must(h.wallet(t).Sign(t.Context(), payload, 0, tx.Fees{Gas: 21_000, GasPrice: big.NewInt(1)}))(t)
				err := h.overloaded(t, c.fails).Broadcast(t.Context(), s, payload)
				if !errors.Is(err, look.ErrUnanswered) || errors.Is(err, look.ErrUnreached) != c.unreached {
					t.Errorf("%v, unreached %t", err, errors.Is(err, look.ErrUnreached))
				}
			})
		})
	}
}

// overloaded is a wallet on a node that does not answer a method.
func (h *historian) overloaded(t *testing.T, method string) *ethereum.Wallet {
	t.Helper()
	return h.walletBy(t, func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		if strings.Contains(string(body), method) {
			return &http.Response{StatusCode: http.StatusServiceUnavailable, Status: "503 Service Unavailable",
				Body: http.NoBody, Request: r}, nil
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		return h.answer(r)
	})
}
