package tools_test

import (
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

// runs are how often TestAnvilAgain ran: each run has a node of its own.
var runs atomic.Int64

// A node that a test had is the next one's, as it was at its start.
func TestAnvilAgain(t *testing.T) {
	t.Parallel()
	began := time.Now().Add(-time.Hour).Unix() - runs.Add(1)
	args := []string{"--no-mining", "--timestamp", strconv.FormatInt(began, 10)} // no other test's
	var before string
	for _, name := range []string{"first", "second"} {
		t.Run(name, func(t *testing.T) { // one after the other
			url := tools.Anvil(t, args...)
			if before != "" && url != before {
				t.Errorf("the node is at %s, the first test had %s", url, before)
			}
			before = url
			node, err := rpc.DialContext(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			defer node.Close()
			ask := func(into any, method string, params ...any) {
				t.Helper()
				if err := node.CallContext(t.Context(), into, method, params...); err != nil {
					t.Fatalf("%s: %v", method, err)
				}
			}
			var accounts []common.Address
			ask(&accounts, "eth_accounts")
			one, other := accounts[0], common.Address{19: 7}
			var mining bool
			ask(&mining, "anvil_getAutomine")
			if mining {
				t.Error("it mines by itself")
			}
			var head, nonce, wealth hexutil.Big
			ask(&head, "eth_blockNumber")
			ask(&nonce, "eth_getTransactionCount", one, "pending")
			ask(&wealth, "eth_getBalance", other, "latest")
			if head.ToInt().Sign() != 0 || nonce.ToInt().Sign() != 0 || wealth.ToInt().Sign() != 0 {
				t.Errorf("block %s, nonce %s, balance %s: want a new chain", &head, &nonce, &wealth)
			}
			ask(nil, "anvil_mine", 1)
			var h types.Header
			ask(&h, "eth_getBlockByNumber", "latest", false)
			if h.Number.Int64() != 1 || h.BaseFee.Int64() != 1e9 {
				t.Errorf("block %s with base fee %s: want the first, and 1 gwei", h.Number, h.BaseFee)
			}
			// Its clock began an hour ago, which the second test does not see.
			if age := time.Since(time.Unix(int64(h.Time), 0)).Minutes(); (age > 30) != (name == "first") {
				t.Errorf("the block is %.0f minutes old", age)
			}
			ask(nil, "anvil_setBalance", other, "0x5")
			ask(nil, "anvil_setNextBlockBaseFeePerGas", "0x12345678901")
			ask(nil, "eth_sendTransaction", map[string]any{"from": one, "to": other})
			ask(nil, "evm_setAutomine", true)
			ask(nil, "anvil_mine", 40)
			ask(nil, "eth_sendTransaction", map[string]any{"from": one, "to": other, "nonce": "0x63"})
		})
	}
}
