package starknet_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/starknet"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	fakestarknet "github.com/madara-orchestrator/orchestrator/shared/dev/fake/starknet"
)

var account = felt.MustHex("0xacc1")

// start starts a node and signs a transaction for it.
func start(t *testing.T, fees tx.Fees) (*fakestarknet.Server, string) {
	t.Helper()
	key, err := starknet.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := starknet.NewKeySigner(key)
	if err != nil {
		t.Fatal(err)
	}
	s, err := fakestarknet.Start(fakestarknet.Options{
		Accounts: []fakestarknet.Account{{Address: account, PublicKey: signer.PublicKey(), Balance: big.NewInt(1e18)}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	node, err := starknet.Dial(s.URL(), s.ChainID())
	if err != nil {
		t.Fatal(err)
	}
	w, err := starknet.NewWallet(node, signer, account.String(), starknet.STRK)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := w.Sign(t.Context(), tx.Payload{To: fakestarknet.SinkAddress.String(), Entrypoint: "take"}, 0, fees)
	if err != nil {
		t.Fatal(err)
	}
	return s, string(signed.Raw)
}

// call makes a call and returns its error's code; 0 for none.
func call(t *testing.T, s *fakestarknet.Server, method, params string) int {
	t.Helper()
	resp, err := http.Post(s.URL(), "application/json",
		bytes.NewReader(fmt.Appendf(nil, `{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var a struct {
		Error struct{ Code int }
	}
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		t.Fatal(err)
	}
	return a.Error.Code
}

// TestChecks: what Starknet would refuse is refused, with its codes.
func TestChecks(t *testing.T) {
	t.Parallel()
	good := tx.Fees{Gas: 2_000_000, GasPrice: big.NewInt(4e9), Tip: big.NewInt(1), DataGas: 500,
		DataGasPrice: big.NewInt(20_000)}
	with := func(change func(*tx.Fees)) tx.Fees { f := good; change(&f); return f }
	for name, c := range map[string]struct {
		fees     tx.Fees
		old, new string
		code     int
	}{
		"as it is":            {good, "", "", 0},
		"nonce":               {good, `"nonce":"0x0"`, `"nonce":"0x1"`, 55},
		"calldata":            {good, `"calldata":["0x1"`, `"calldata":["0x2"`, 55},
		"tip":                 {good, `"tip":"0x1"`, `"tip":"0x2"`, 55},
		"bound":               {good, `"max_amount":"0x1f4"`, `"max_amount":"0x1f5"`, 55},
		"sender":              {good, `"sender_address":"0xacc1"`, `"sender_address":"0xacc2"`, 55},
		"signature":           {good, `"signature":["0x`, `"signature":["0x1","0x`, 55},
		"version":             {good, `"version":"0x3"`, `"version":"0x1"`, 61},
		"leading zeros":       {good, `"tip":"0x1"`, `"tip":"0x01"`, -32602},
		"no list":             {good, `"paymaster_data":[]`, `"paymaster_data":null`, -32602},
		"other type":          {good, `"INVOKE"`, `"DECLARE"`, -32602},
		"price below market":  {with(func(f *tx.Fees) { f.GasPrice = big.NewInt(2e9) }), "", "", 53},
		"data price":          {with(func(f *tx.Fees) { f.DataGasPrice = big.NewInt(1) }), "", "", 53},
		"more than the chain": {with(func(f *tx.Fees) { f.Gas = 2_000_000_000 }), "", "", 53},
		"more than it has":    {with(func(f *tx.Fees) { f.GasPrice = big.NewInt(1e12) }), "", "", 54},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, raw := start(t, c.fees)
			changed := strings.Replace(raw, c.old, c.new, 1)
			if c.old != "" && changed == raw {
				t.Fatalf("nothing to change in %s", raw)
			}
			if code := call(t, s, "starknet_addInvokeTransaction", "["+changed+"]"); code != c.code {
				t.Errorf("code %d, want %d", code, c.code)
			}
			if c.code != 0 {
				return
			}
			if code := call(t, s, "starknet_addInvokeTransaction", "["+raw+"]"); code != 59 {
				t.Errorf("again: code %d, want 59", code)
			}
		})
	}
}

// TestNotAsked: what the node does not have is reported with the API's codes.
func TestNotAsked(t *testing.T) {
	t.Parallel()
	s, _ := start(t, tx.Fees{GasPrice: big.NewInt(1), Tip: big.NewInt(1)})
	for _, c := range []struct {
		method, params string
		code           int
	}{
		{"starknet_nonsense", "[]", -32601}, {"starknet_getNonce", "[]", -32602},
		{"starknet_getNonce", `["latest","0x99"]`, 20},
		{"starknet_getNonce", `[{"block_number":7},"0xacc1"]`, 24},
		{"starknet_getBlockWithTxHashes", `["l1_accepted"]`, 24},
		{"starknet_getTransactionStatus", `["0x5"]`, 29}, {"starknet_getTransactionReceipt", `["0x5"]`, 29},
		{"starknet_blockNumber", "[]", 0},
	} {
		if code := call(t, s, c.method, c.params); code != c.code {
			t.Errorf("%s %s: code %d, want %d", c.method, c.params, code, c.code)
		}
	}
}
