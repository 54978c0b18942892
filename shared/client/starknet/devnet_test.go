package starknet_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/starknet"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx/txtest"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

// The first account of starknet-devnet with seed 0.
const (
	devnetAccount = "0x064b48806902a367c8598f4f95c305e8c1a1acba5f082d294a43793113115691"
	devnetKey     = "0x71d7bb07b9a64f6f78ac4c816aff4da9"
)

// devnet is a real Starknet node of the test's own that makes blocks on demand.
func devnet(t *testing.T) string {
	t.Helper()
	return tools.Devnet(t, "--block-generation-on", "demand")
}

// control calls a method of devnet's own.
func control(t *testing.T, url, method, params string) {
	t.Helper()
	resp, err := http.Post(url, "application/json",
		bytes.NewReader(fmt.Appendf(nil, `{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var a struct{ Error json.RawMessage }
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil || len(a.Error) > 0 {
		t.Fatalf("%s: %s, %v", method, a.Error, err)
	}
}

// approve is a call of the fee token that goes well; the amount is made of the text.
func approve(text string) tx.Payload {
	amount, err := felt.FromShortString(text[:min(len(text), 15)])
	if err != nil {
		panic(err)
	}
	return tx.Payload{To: starknet.STRK, Entrypoint: "approve",
		Data: felt.Concat([]felt.Felt{felt.FromUint64(77), amount, felt.Zero})}
}

// TestDevnet_Wallet runs the suite against Starknet's own execution, which checks hash, signature, nonce and bounds.
func TestDevnet_Wallet(t *testing.T) {
	txtest.TestChain(t, txtest.Harness{New: func(t *testing.T) txtest.Service {
		url := devnet(t)
		node := must(starknet.Dial(url, "SN_SEPOLIA"))(t)
		w := must(starknet.NewWallet(node, must(starknet.NewKeySigner(devnetKey))(t), devnetAccount, starknet.STRK))(t)
		return txtest.Service{
			Chain: w, Payload: approve, NoReplacement: true, Rounds: true, Gas: 20_000_000, DataGas: 2_000,
			Refused: tx.Payload{To: starknet.STRK, Entrypoint: "transfer",
				Data: felt.Concat([]felt.Felt{felt.FromUint64(77), felt.Zero, felt.FromUint64(1)})},
			Mine: func(n int) {
				for range n {
					control(t, url, "devnet_createBlock", "{}")
				}
			},
		}
	}})
}

// TestDevnet_Data publishes segments by a real account contract, and reads the reasons of real refusals.
func TestDevnet_Data(t *testing.T) {
	t.Parallel()
	url := devnet(t)
	ctx := t.Context()
	node := must(starknet.Dial(url, "SN_SEPOLIA"))(t)
	w := must(starknet.NewWallet(node, must(starknet.NewKeySigner(devnetKey))(t), devnetAccount, starknet.STRK))(t)
	layer := must(starknet.NewDA(devnetAccount, ""))(t)
	for _, n := range []int{1, 2, 300, starknet.MaxSegment} {
		d := da.Data{Batch: 1, Words: make([]felt.Felt, n)}
		for i := range d.Words {
			d.Words[i] = felt.FromUint64(uint64(i + 1))
		}
		p, _, err := layer.Encode(ctx, d)
		if err != nil {
			t.Fatal(err)
		}
		use := must(w.Simulate(ctx, p))(t)
		h, a := must(w.Head(ctx))(t), must(w.Account(ctx, 0))(t)
		decision := tx.Decide(tx.Journal{},
			tx.View{Head: h, Account: a, Gas: use.Gas * 3 / 2, DataGas: use.DataGas * 3 / 2}, tx.StarknetPolicy())
		signed := must(w.Sign(ctx, p, decision.Nonce, decision.Fees))(t)
		if err := w.Broadcast(ctx, signed, p); err != nil {
			t.Fatalf("%d words: %v", n, err)
		}
		control(t, url, "devnet_createBlock", "{}")
		s := must(w.Lookup(ctx, signed.Hash))(t)
		if s.Phase != tx.Included || !s.Success {
			t.Errorf("%d words: %+v, %v", n, s, s.Revert)
		}
		t.Logf("%d words: simulated %+v, used %d gas and %d data gas, fee %s fri",
			n, use, s.GasUsed, s.DataGasUsed, s.Cost())
	}
	control(t, url, "devnet_acceptOnL1", `{"starting_block_id":"latest"}`)
	if h := must(w.Head(ctx))(t); h.Finalized == 0 {
		t.Errorf("head %+v after blocks were accepted on L1", h)
	}
	core := must(starknet.NewCore(node, starknet.STRK, w))(t)
	if _, err := core.State(ctx, false); err == nil {
		t.Error("the fee token is taken for a core contract")
	}
	for code, p := range map[string]tx.Payload{
		"ENTRYPOINT_NOT_FOUND":  {To: starknet.STRK, Entrypoint: "update_state"},
		"CONTRACT_NOT_DEPLOYED": {To: "0x99", Entrypoint: "update_state"},
		"WRONG_ARGUMENTS": {To: starknet.STRK, Entrypoint: "balanceOf",
			Data: felt.Concat([]felt.Felt{felt.FromUint64(9), felt.FromUint64(9)})},
	} {
		_, err := w.Simulate(ctx, p)
		var revert *tx.RevertError
		if !errors.As(err, &revert) || revert.Code != code {
			t.Errorf("%s: %v", code, err)
		}
	}
}
