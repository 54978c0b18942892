package ethereum_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// TestReadsAreTriedAgain (W13): a read that the node did not answer is made again; one that it answered is not, nor is
// what changes the chain.
func TestReadsAreTriedAgain(t *testing.T) {
	t.Parallel()
	limited := `{"jsonrpc":"2.0","id":%s,"error":{"code":-32005,"message":"limit exceeded"}}`
	for name, tt := range map[string]struct {
		status int
		body   string // %s is the request's id
		fails  int32  // how often, before the right answer
		ok     bool
		asked  int32
	}{
		"bad gateway, with HTML": {502, "<html>bad gateway</html>", 2, true, 3},
		"too many requests":      {429, "slow down", 3, true, 4},
		"HTML with status 200":   {200, "<html>maintenance</html>", 1, true, 2},
		"limit as an answer":     {200, limited, 2, true, 3},
		"an empty answer":        {200, "", 1, true, 2},
		"down for long":          {503, "down", 99, false, 4},
		"wrong credentials":      {401, "who are you", 99, false, 1},
		"an answer that is error": {200, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no such method"}}`,
			99, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var q struct {
					ID json.RawMessage `json:"id"`
				}
				_ = json.NewDecoder(r.Body).Decode(&q)
				if asked.Add(1) <= tt.fails {
					w.WriteHeader(tt.status)
					body := tt.body
					if strings.Contains(body, "%s") {
						body = fmt.Sprintf(body, q.ID)
					}
					fmt.Fprint(w, body)
					return
				}
				fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":"0x7"}`, q.ID)
			}))
			t.Cleanup(s.Close)
			n := must(ethereum.Dial(s.URL, "7"))(t)
			t.Cleanup(n.Close)
			if err := n.Ping(t.Context()); (err == nil) != tt.ok {
				t.Errorf("%v, want an answer %t", err, tt.ok)
			}
			if got := asked.Load(); got != tt.asked {
				t.Errorf("asked %d times, want %d", got, tt.asked)
			}
		})
	}
}

// A transaction is offered once: whether the network has it must be asked first.
func TestBroadcastIsNotRepeated(t *testing.T) {
	t.Parallel()
	var sent atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			ID     json.RawMessage `json:"id"`
			Method string          `json:"method"`
		}
		_ = json.NewDecoder(r.Body).Decode(&q)
		if q.Method == "eth_sendRawTransaction" {
			sent.Add(1)
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":"0x7"}`, q.ID)
	}))
	t.Cleanup(s.Close)
	n := must(ethereum.Dial(s.URL, "7"))(t)
	t.Cleanup(n.Close)
	key := must(ethereum.NewKeySigner(strings.Repeat("11", 32)))(t)
	w := ethereum.NewWallet(n, key, ethereum.SidecarAuto)
	p := tx.Payload{To: common.Address{1}.Hex()}
	signed := must(w.Sign(t.Context(), p, 0, tx.Fees{Gas: 21_000}))(t)
	if err := w.Broadcast(t.Context(), signed, p); err == nil || sent.Load() != 1 {
		t.Errorf("%v after %d requests, want an error after one", err, sent.Load())
	}
}
