package ethereum_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	devethereum "github.com/madara-orchestrator/orchestrator/shared/dev/ethereum"
)

// A window is read in requests of at most 1,024 blocks, each block once, without the fee of the block to come; a second
// read soon after makes none.
func TestPrices(t *testing.T) {
	t.Parallel()
	type span struct{ from, count uint64 }
	var asked []span
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			ID     json.RawMessage
			Method string
			Params []json.RawMessage
		}
		_ = json.NewDecoder(r.Body).Decode(&q)
		var result any
		switch q.Method {
		case "eth_chainId":
			result = "0x7"
		case "eth_blockNumber":
			result = "0xbb8" // 3,000
		case "eth_feeHistory":
			var count, last uint64
			for i, to := range []*uint64{&count, &last} {
				var hex string
				_ = json.Unmarshal(q.Params[i], &hex)
				*to, _ = hexutil.DecodeUint64(hex)
			}
			asked = append(asked, span{last - count + 1, count})
			fees := struct {
				Base []string `json:"baseFeePerGas"`
				Blob []string `json:"baseFeePerBlobGas"`
			}{}
			for n := last - count + 1; n <= last+1; n++ {
				fees.Base = append(fees.Base, fmt.Sprintf("0x%x", n))
				fees.Blob = append(fees.Blob, fmt.Sprintf("0x%x", 2*n))
			}
			result = fees
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"jsonrpc": "2.0", "id": q.ID, "result": result})
	}))
	t.Cleanup(s.Close)
	n := must(ethereum.Dial(s.URL, "7"))(t)
	t.Cleanup(n.Close)
	w := ethereum.NewWallet(n, must(ethereum.NewKeySigner(devethereum.Keys[0]))(t), ethereum.SidecarAuto)
	for range 2 {
		got := must(w.Prices(t.Context(), 2000*12*time.Second))(t)
		if len(got) != 2000 || got[0].Base.Uint64() != 1001 || got[1999].Base.Uint64() != 3000 ||
			got[1999].Blob.Uint64() != 6000 {
			t.Errorf("%d prices", len(got))
		}
	}
	if want := []span{{1000, 1024}, {2024, 977}}; !slices.Equal(asked, want) {
		t.Errorf("asked for %v, want %v", asked, want)
	}
}

// A real node's history has a price for each of its blocks.
func TestPrices_OfANode(t *testing.T) {
	t.Parallel()
	b := setup(t, devethereum.Setup{ProgramHash: felt.FromUint64(1)})
	b.Mine(5)
	w := b.wallet(t, operator, ethereum.SidecarAuto)
	head := must(w.Head(t.Context()))(t)
	got := must(w.Prices(t.Context(), tx.FeeWindow))(t)
	if uint64(len(got)) != head.Number && uint64(len(got)) != head.Number+1 {
		t.Errorf("%d prices of %d blocks", len(got), head.Number)
	}
	for i, p := range got {
		if p.Base.Sign() <= 0 || p.Blob.Sign() < 0 {
			t.Errorf("price %d: %v", i, p)
		}
	}
}
