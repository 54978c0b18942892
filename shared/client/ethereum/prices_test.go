package ethereum_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/look"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	devethereum "github.com/madara-orchestrator/orchestrator/shared/dev/ethereum"
)

// historian is a node with a history of fees: those of block n are n and, for blobs, 2n.
type historian struct {
	head  uint64
	none  bool // it keeps no history
	error string
	asked []string // first block and number of blocks, one a request
	heads int      // how often it was asked for its newest block
}

// fees are its answer for some blocks, with those of the block to come.
func (h *historian) fees(params []json.RawMessage) any {
	var count, last uint64
	for i, to := range []*uint64{&count, &last} {
		var hex string
		_ = json.Unmarshal(params[i], &hex)
		*to, _ = hexutil.DecodeUint64(hex)
	}
	h.asked = append(h.asked, fmt.Sprintf("%d+%d", last-count+1, count))
	fees := map[string][]string{}
	for n := last - count + 1; n <= last+1 && !h.none; n++ {
		fees["baseFeePerGas"] = append(fees["baseFeePerGas"], fmt.Sprintf("0x%x", n))
		fees["baseFeePerBlobGas"] = append(fees["baseFeePerBlobGas"], fmt.Sprintf("0x%x", 2*n))
	}
	return fees
}

// ServeHTTP implements http.Handler.
func (h *historian) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q struct {
		ID     json.RawMessage
		Method string
		Params []json.RawMessage
	}
	_ = json.NewDecoder(r.Body).Decode(&q)
	answer := map[string]any{"jsonrpc": "2.0", "id": q.ID}
	switch q.Method {
	case "eth_chainId":
		answer["result"] = "0x7"
	case "eth_blockNumber":
		h.heads++
		answer["result"] = hexutil.EncodeUint64(h.head)
	case "eth_feeHistory":
		if answer["result"] = h.fees(q.Params); h.error != "" {
			delete(answer, "result")
			answer["error"] = map[string]any{"code": -32000, "message": h.error}
		}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// wallet is a wallet on the node. Nothing goes through the network, so that a test's bubble has the time.
func (h *historian) wallet(t *testing.T) *ethereum.Wallet {
	t.Helper()
	return h.walletBy(t, h.answer)
}

func (h *historian) answer(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result(), nil
}

func (h *historian) walletBy(t *testing.T, by roundTrip) *ethereum.Wallet {
	t.Helper()
	n := must(ethereum.DialHTTP("http://node.test", "7", &http.Client{Transport: by}))(t)
	t.Cleanup(n.Close)
	return ethereum.NewWallet(n, must(ethereum.NewKeySigner(devethereum.Keys[0]))(t), ethereum.SidecarAuto)
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A window is read in requests of at most 1,024 blocks, each block once, without the fee of the block to come, and not
// up to the newest block; a second read soon after makes none, and a later one asks for what is new.
func TestPrices(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &historian{head: 3005}
		w := h.wallet(t)
		check := func(last uint64) {
			t.Helper()
			got := must(w.Prices(t.Context(), 2000*12*time.Second))(t)
			if len(got) != 2000 || got[0].Base.Uint64() != last-1999 || got[1999].Base.Uint64() != last ||
				got[1999].Blob.Uint64() != 2*last {
				t.Errorf("%d prices", len(got))
			}
		}
		check(3000)
		h.head += 25
		check(3000)
		time.Sleep(5 * time.Minute)
		check(3025)
		h.head -= 10 // another one answers, which lags
		time.Sleep(5 * time.Minute)
		check(3025)
		if want := []string{"1001+1024", "2025+976", "3001+25"}; !slices.Equal(h.asked, want) {
			t.Errorf("asked for %v, want %v", h.asked, want)
		}
	})
}

// What a node said before stands where it answers with an error, for as long as it is of the window; a node that keeps
// no history is not asked each time.
func TestPrices_OfANodeThatRefuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &historian{head: 3005, error: "request beyond head block"}
		w := h.wallet(t)
		const window = 2000 * 12 * time.Second
		if got, err := w.Prices(t.Context(), window); err == nil || errors.Is(err, look.ErrUnanswered) {
			t.Fatalf("%d prices, %v: want the node's error", len(got), err)
		}
		h.error = ""
		must(w.Prices(t.Context(), window))(t)
		h.head, h.error = 3105, "header not found"
		time.Sleep(5 * time.Minute)
		if got := must(w.Prices(t.Context(), window))(t); len(got) != 2000 {
			t.Errorf("%d prices", len(got))
		}
		time.Sleep(window)
		if got, err := w.Prices(t.Context(), window); err == nil {
			t.Errorf("%d prices of days ago", len(got))
		}
		h = &historian{head: 3005, none: true}
		w = h.wallet(t)
		for range 3 {
			if got := must(w.Prices(t.Context(), window))(t); len(got) != 0 {
				t.Errorf("%d prices", len(got))
			}
		}
		if len(h.asked) != 2 || h.heads != 1 {
			t.Errorf("asked for %v, and %d times for the newest block", h.asked, h.heads)
		}
	})
}

// A real node's history has a price for each of its blocks but the newest.
func TestPrices_OfANode(t *testing.T) {
	t.Parallel()
	b := setup(t, devethereum.Setup{ProgramHash: felt.FromUint64(1)})
	b.Mine(20)
	w := b.wallet(t, operator, ethereum.SidecarAuto)
	head := must(w.Head(t.Context()))(t)
	got := must(w.Prices(t.Context(), tx.FeeWindow))(t)
	if n := uint64(len(got)); n == 0 || n+5 != head.Number && n+4 != head.Number {
		t.Errorf("%d prices of %d blocks", len(got), head.Number)
	}
	for i, p := range got {
		if p.Base.Sign() <= 0 || p.Blob.Sign() < 0 {
			t.Errorf("price %d: %v", i, p)
		}
	}
}
