package starknet

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

func TestRevert(t *testing.T) {
	t.Parallel()
	for reason, want := range map[string]string{
		// As starknet-devnet 0.8.1, pathfinder and juno write it.
		"Transaction execution has failed:\n0: Error in the called contract (contract address: " +
			"0x064b48806902a367c8598f4f95c305e8c1a1acba5f082d294a43793113115691, class hash: " +
			"0x05b4b537eaa2399e3aa99c4e2e0208ebd6c71bc1467938cd52c798c601e43564, selector: " +
			"0x015d40a3d6ca2ac30f4031e42be28da9b056fef9bb7357ac5e85627ee876e5ad):\nExecution failed. Failure " +
			"reason:\n(0x53746174653a20696e76616c6964206e756d626572 ('State: invalid number'), " +
			"0x454e545259504f494e545f4641494c4544 ('ENTRYPOINT_FAILED')).\n": "State: invalid number",
		"Failure reason: 0x53746174653a20696e76616c696420626c6f636b206e756d626572 " +
			"('State: invalid block number')": "INVALID_PREV_BLOCK_NUMBER",
		"Execution failed. Failure reason: (0x617267656e742f6d756c746963616c6c2d6661696c6564, " +
			"0x6e6f20666163742072656769737465726564)": "NO_STATE_TRANSITION_PROOF",
		"Error message: 'Config: not owner or operator'": "ONLY_OPERATOR",

		`("argent/multicall-failed", "lb: invalid program hash")`: "INVALID_LAYOUT_BRIDGE_PROGRAM_HASH",

		"Execution failed. Failure reason: 0x4f7574206f6620676173 ('Out of gas').": "OUT_OF_GAS",
		"Insufficient max L2Gas: max amount: 1, actual used: 2.":                   "",
		"Requested contract address 0x63 is not deployed.":                         "CONTRACT_NOT_DEPLOYED",
		"": "",
		strings.Repeat("0: Error in the called contract\n", 5000) +
			"('snos: invalid config hash')": "INVALID_CONFIG_HASH",
	} {
		r := newRevert(reason)
		if r.Code != want || r.Detail == "" || len(r.Detail) > 2*maxReason {
			t.Errorf("%.80q: code %q, detail %q, want %q", reason, r.Code, r.Detail, want)
		}
	}
}

// TestRevert_Nested: the API nests failures of calls within calls.
func TestRevert_Nested(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		`{"transaction_index":0,"execution_error":{"contract_address":"0x1","class_hash":"0x2","selector":"0x3",` +
			`"error":{"contract_address":"0x4","class_hash":"0x5","selector":"0x6",` +
			`"error":"0x6e6f20666163742072656769737465726564 ('no fact registered')"}}}`,
		`{"revert_error":{"contract_address":"0x1","class_hash":"0x2","selector":"0x3","error":"('no fact ` +
			`registered')"}}`,
		`{"revert_error":"'no fact registered'"}`, `"('no fact registered')"`,
	} {
		r := revertOf(&rpcError{Code: codeExecutionError, Data: json.RawMessage(data)})
		if r == nil || r.Code != "NO_STATE_TRANSITION_PROOF" {
			t.Errorf("%s: %v", data, r)
		}
	}
	if r := revertOf(&rpcError{Code: codeBlockNotFound}); r != nil {
		t.Errorf("a missing block is taken for a refusal: %v", r)
	}
	deep := strings.Repeat(`{"error":`, 100) + `"x"` + strings.Repeat("}", 100)
	if d := (&rpcError{Data: json.RawMessage(deep)}).detail(); d != "" {
		t.Errorf("detail %q", d)
	}
}

func TestPaid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ gas, data, price, fee, want int64 }{
		{1_529_040, 192, 1_000_000_000, 3_058_272_000_000_000, 2_000_000_000}, // starknet-devnet, tip included
		{10, 5, 100, 1500, 100}, {10, 5, 100, 400, 400}, {0, 5, 100, 700, 700}, {7, 0, 1, 100, 14},
	} {
		s := paid(tx.Status{GasUsed: uint64(c.gas), DataGasUsed: uint64(c.data), DataGasPrice: big.NewInt(c.price)},
			big.NewInt(c.fee))
		if s.GasPrice.Int64() != c.want || new(big.Int).Sub(big.NewInt(c.fee), s.Cost()).Cmp(big.NewInt(c.gas+1)) >= 0 {
			t.Errorf("%+v: price %s, cost %s", c, s.GasPrice, s.Cost())
		}
	}
}

func TestSupported(t *testing.T) {
	t.Parallel()
	for v, want := range map[string]bool{"0.9.0": true, "0.10.2": true, "1.0.0": true, "0.8.1": false, "": false,
		"9": false, "a.b": false, "0.9.0-rc.1": true} {
		if supported(v) != want {
			t.Errorf("%q", v)
		}
	}
}

// FuzzDecode feeds answers to every decoder of one.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"jsonrpc":"2.0","id":1,"result":"0x1"}`,
		`{"jsonrpc":"2.0","id":1,"error":{"code":41,"message":"x","data":{"execution_error":{"error":"('a')"}}}}`,
		`{"id":1,"result":{"block_number":3,"block_hash":"0x1","l2_gas_price":{"price_in_fri":"0x1"},` +
			`"l1_data_gas_price":{"price_in_fri":"0x2"}}}`,
		`{"id":1,"result":{"actual_fee":{"amount":"0x1","unit":"FRI"},"execution_status":"REVERTED",` +
			`"finality_status":"ACCEPTED_ON_L2","block_hash":"0x1","block_number":1,` +
			`"execution_resources":{"l1_gas":0,"l2_gas":1,"l1_data_gas":1}}}`,
		`{"id":1,"result":[{"l1_gas_consumed":"0x0","l1_data_gas_consumed":"0x1","l2_gas_consumed":"0x2"}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var h header
		var r receipt
		var es []estimate
		var s txStatus
		var fs []felt.Felt
		for _, into := range []any{&h, &r, &es, &s, &fs, new(string), new(uint64)} {
			if err := decode(raw, 1, into); err != nil {
				_ = err.Error()
				_ = verdict(err)
				if v := revertOf(err); v != nil && v.Code == "" && v.Detail == "" {
					t.Error("a refusal without words")
				}
			}
		}
		for _, n := range []*hexBig{h.L2Gas.Fri, h.L1Data.Fri, r.Fee.Amount} {
			if n != nil && (n.big().Sign() < 0 || n.big().BitLen() > 128) {
				t.Errorf("number %s", n.big())
			}
		}
	})
}

// FuzzRevert: any reason gives words of bounded length.
func FuzzRevert(f *testing.F) {
	f.Add("('State: invalid block number')")
	f.Add("0x6e6f20666163742072656769737465726564")
	f.Fuzz(func(t *testing.T, reason string) {
		r := newRevert(reason)
		if r.Detail == "" || len(r.Detail) > maxReason+100 || len(r.Code) > 100 {
			t.Errorf("code %q, detail %q", r.Code, r.Detail)
		}
	})
}
