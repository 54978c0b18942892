package ethereum_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	devethereum "github.com/madara-orchestrator/orchestrator/shared/dev/ethereum"
)

// TestLookup_AfterReorganisation: a receipt that the chain has undone is not Included any more, and the contract's
// state is that of the new branch.
func TestLookup_AfterReorganisation(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	u, s, c := made(t, 1)
	b := setup(t, setupFor(s, c))
	registry := &devethereum.Sender{Client: b.sender.Client, Key: devethereum.Keys[registrar], Mine: b.sender.Mine}
	if err := registry.RegisterFact(ctx, b.at.Registry, fact(u, c)); err != nil {
		t.Fatal(err)
	}
	w := b.wallet(t, operator, ethereum.SidecarAuto)
	core := b.core(t, w)
	parent := must(b.sender.Client.HeaderByNumber(ctx, nil))(t)
	p := must(core.Encode(ctx, u, s, c))(t)
	a := must(w.Account(ctx, 0))(t)
	f := tx.Fees{Gas: 3_000_000, GasPrice: big.NewInt(10e9), Tip: big.NewInt(1e9), DataGas: tx.BlobGas,
		DataGasPrice: big.NewInt(1e9)}
	signed := must(w.Sign(ctx, p, a.Pending, f))(t)
	if err := w.Broadcast(ctx, signed, p); err != nil {
		t.Fatal(err)
	}
	b.Mine(1)
	if st := must(w.Lookup(ctx, signed.Hash))(t); st.Phase != tx.Included || !st.Success {
		t.Fatalf("status %+v", st)
	}
	if err := b.Fork(parent.Hash()); err != nil {
		t.Fatal(err)
	}
	if st := must(w.Lookup(ctx, signed.Hash))(t); st.Phase == tx.Included {
		t.Errorf("undone, and still %+v", st)
	}
	if now := must(core.State(ctx, false))(t); now != s {
		t.Errorf("state %+v after the update was undone, want %+v", now, s)
	}
	if a := must(w.Account(ctx, 0))(t); a.Latest != 0 {
		t.Errorf("account %+v", a)
	}
	// Sending the same bytes again brings it back.
	if err := w.Broadcast(ctx, signed, p); err != nil {
		t.Fatal(err)
	}
	b.Mine(1)
	if st := must(w.Lookup(ctx, signed.Hash))(t); st.Phase != tx.Included || !st.Success {
		t.Errorf("sent again it is %+v", st)
	}
}

// answers is a node that answers calls by method, or by the selector of the called function.
func answers(t *testing.T, by map[string]string) *ethereum.Node {
	t.Helper()
	type query struct {
		ID     json.RawMessage   `json:"id"`
		Method string            `json:"method"`
		Params []json.RawMessage `json:"params"`
	}
	answer := func(q query) string {
		key := q.Method
		if q.Method == "eth_call" {
			var call struct {
				Input string `json:"input"`
			}
			_ = json.Unmarshal(q.Params[0], &call)
			key = call.Input[:10]
		}
		body, ok := by[key]
		if !ok {
			body = `"error":{"code":-32601,"message":"no such method"}`
		}
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,%s}`, q.ID, body)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var raw json.RawMessage
		if err := json.NewDecoder(r.Body).Decode(&raw); err != nil {
			t.Error(err)
		}
		var many []query
		if json.Unmarshal(raw, &many) == nil {
			var out []string
			for _, q := range many {
				out = append(out, answer(q))
			}
			fmt.Fprintf(w, "[%s]", strings.Join(out, ","))
			return
		}
		var one query
		if err := json.Unmarshal(raw, &one); err != nil {
			t.Error(err)
		}
		fmt.Fprint(w, answer(one))
	}))
	t.Cleanup(s.Close)
	n := must(ethereum.Dial(s.URL, "7"))(t)
	t.Cleanup(n.Close)
	return n
}

func result(hex string) string { return fmt.Sprintf(`"result":%q`, hex) }

func number(n uint64) string { return result(fmt.Sprintf("0x%064x", n)) }

// Selectors of the core contract's views (its ABI).
const (
	selProgram    = "0x8a9bf090"
	selConfig     = "0xe1f1176d"
	selAggregator = "0xeb27feeb"
)

// TestConfig_OfOlderContract has no aggregatorProgramHash, so that asking for it reverts.
func TestConfig_OfOlderContract(t *testing.T) {
	t.Parallel()
	by := map[string]string{
		"eth_chainId": result("0x7"), "eth_blockNumber": result("0x5"), selProgram: number(11), selConfig: number(12),
		selAggregator: `"error":{"code":3,"message":"execution reverted","data":"0x"}`,
	}
	core := must(ethereum.NewCore(answers(t, by), sink, nil))(t)
	want := settlement.Config{ProgramHash: felt.FromUint64(11), ConfigHash: felt.FromUint64(12)}
	if got, err := core.Config(t.Context()); err != nil || got != want {
		t.Errorf("Config = %+v, %v; want %+v", got, err, want)
	}
	by[selAggregator] = `"error":{"code":-32005,"message":"limit exceeded"}`
	core = must(ethereum.NewCore(answers(t, by), sink, nil))(t)
	if got, err := core.Config(t.Context()); err == nil {
		t.Errorf("a node that fails counts as an older contract: %+v", got)
	}
}

// TestHead_OfOddNodes: what a node leaves out is asked for in another way, or counts as absent.
func TestHead_OfOddNodes(t *testing.T) {
	t.Parallel()
	base := map[string]string{
		"eth_chainId": result("0x7"), "eth_blockNumber": result("0x5"), "eth_maxPriorityFeePerGas": result("0x2"),
		"eth_feeHistory": `"result":{"baseFeePerGas":["0x3","0x4"]}`,
	}
	for name, c := range map[string]struct {
		more  map[string]string
		want  tx.Head
		fault bool
	}{
		"NoBlobsNoFinality": {nil,
			tx.Head{Number: 5, BaseFee: big.NewInt(4), BlobBaseFee: new(big.Int), Tip: big.NewInt(2)}, false},
		"BlobFeeByMethod": {
			map[string]string{"eth_blobBaseFee": result("0x9"), "eth_getBlockByNumber": `"result":{"number":"0x3"}`},
			tx.Head{Number: 5, Finalized: 3, BaseFee: big.NewInt(4), BlobBaseFee: big.NewInt(9), Tip: big.NewInt(2)},
			false},
		"BlobFeeInHistory": {map[string]string{
			"eth_feeHistory":       `"result":{"baseFeePerGas":["0x3","0x4"],"baseFeePerBlobGas":["0x1","0x8"]}`,
			"eth_getBlockByNumber": `"result":null`},
			tx.Head{Number: 5, BaseFee: big.NewInt(4), BlobBaseFee: big.NewInt(8), Tip: big.NewInt(2)}, false},
		"NoHistory":   {map[string]string{"eth_feeHistory": `"result":{}`}, tx.Head{}, true},
		"NullHistory": {map[string]string{"eth_feeHistory": `"result":{"baseFeePerGas":[null]}`}, tx.Head{}, true},
		"NullNumber":  {map[string]string{"eth_blockNumber": `"result":null`}, tx.Head{}, true},
		"NoTip": {map[string]string{"eth_maxPriorityFeePerGas": `"error":{"code":1,"message":"x"}`}, tx.Head{},
			true},
	} {
		by := map[string]string{}
		for _, m := range []map[string]string{base, c.more} {
			for k, v := range m {
				by[k] = v
			}
		}
		w := ethereum.NewWallet(answers(t, by), must(ethereum.NewKeySigner(devethereum.Keys[0]))(t),
			ethereum.SidecarAuto)
		got, err := w.Head(t.Context())
		if c.fault != (err != nil) || !c.fault && fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, c.want)
		}
	}
}
