package appchain

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/redact"
)

const (
	blockJSON = `{"status":"ACCEPTED_ON_L2","block_hash":"0x1","parent_hash":"0x2","block_number":7,` +
		`"new_root":"0x3","timestamp":1,` +
		`"starknet_version":"0.13.5","transactions":[`
	handlerJSON = `{"transaction":{"type":"L1_HANDLER","contract_address":"0x5","entry_point_selector":"0x6",` +
		`"nonce":"0x7","calldata":["0x8","0x9"]},` +
		`"receipt":{"messages_sent":[{"from_address":"0x1","to_address":"0x2","payload":["0x3"]}],"events":[{}],` +
		`"execution_resources":{"l1_gas":1,"l2_gas":2}}}`
	updateJSON = `{"block_hash":"0x1","old_root":"0x2","new_root":"0x3",` +
		`"state_diff":{"storage_diffs":[{"address":"0x4","storage_entries":` +
		`[{"key":"0x5","value":"0x6"}]}],"nonces":[{"contract_address":"0x1","nonce":"0x2"}],` +
		`"deployed_contracts":[{"address":"0x1","class_hash":"0x2"}],` +
		`"replaced_classes":[{"contract_address":"0x1","class_hash":"0x2"}],"declared_classes":[{"class_hash":"0x1",` +
		`"compiled_class_hash":"0x2"}],` +
		`"deprecated_declared_classes":["0x1"],"migrated_compiled_classes":[{"class_hash":"0x1",` +
		`"compiled_class_hash":"0x2"}]}}`
	weightsText = `{"l1_gas":1,"message_segment_length":2,"n_events":3,"state_diff_size":4,"sierra_gas":5,"n_txs":6,` +
		`"proving_gas":7,"receipt_l2_gas":8}`
	headText = `{"jsonrpc":"2.0","method":"starknet_subscriptionNewHeads","params":{"subscription_id":"1","result":` +
		blockJSON + `]}}}`
)

func TestDecode(t *testing.T) {
	t.Parallel()
	r, err := decodeReceipts(7, []byte(blockJSON+handlerJSON+"]}"))
	if err != nil || len(r.messages.ToL1) != 1 || len(r.messages.ToL2) != 1 || len(r.messages.ToL2[0].Payload) != 1 ||
		r.events != 1 || r.l2Gas != 2 {
		t.Errorf("receipts %+v, %v", r, err)
	}
	u, err := decodeStateUpdate(7, []byte(updateJSON))
	d := u.Diff
	if err != nil || len(d.Storage) != 1 || len(d.Nonces) != 1 || len(d.Deployed) != 1 ||
		len(d.Replaced) != 1 || len(d.Declared) != 1 ||
		len(d.DeprecatedDeclared) != 1 || len(d.MigratedCompiledHash) != 1 {
		t.Errorf("state update %+v, %v", u, err)
	}
	w, err := decodeWeights([]byte(weightsText))
	if want := (block.Weights{L1Gas: 1, MessageSegmentLength: 2, NEvents: 3, StateDiffSize: 4, SierraGas: 5, NTxs: 6,
		ProvingGas: 7, ReceiptL2Gas: 8}); err != nil || w != want {
		t.Errorf("weights %+v, %v", w, err)
	}
	if n, ok, err := decodeNotice([]byte(headText)); err != nil || !ok || n.Head == nil || n.Head.Number != 7 {
		t.Errorf("head %+v, %v, %v", n, ok, err)
	}
	reorg := func(result string) string {
		return `{"jsonrpc":"2.0","method":"starknet_subscriptionReorg","params":{"result":` + result + `}}`
	}
	n, ok, err := decodeNotice([]byte(reorg(`{"starting_block_number":4,"ending_block_number":6}`)))
	if err != nil || !ok || n.Replaced == nil || *n.Replaced != (block.Replaced{From: 4, To: 6}) {
		t.Errorf("reorganisation %+v, %v, %v", n, ok, err)
	}
	for _, bad := range []string{`{}`, `[]`, `{"starting_block_number":4}`,
		`{"starting_block_number":6,"ending_block_number":4}`,
		`{"starting_block_number":0,"ending_block_number":18446744073709551615}`} {
		if _, ok, err := decodeNotice([]byte(reorg(bad))); ok || !errors.Is(err, block.ErrMalformed) {
			t.Errorf("reorganisation %s: %v, %v", bad, ok, err)
		}
	}
	if _, ok, err := decodeNotice([]byte(`{"method":"starknet_subscriptionPendingTransactions"}`)); ok || err != nil {
		t.Errorf("a message of another kind: %v, %v", ok, err)
	}
}

// oneOf says whether err is nil or one of the errors that a decoder may return.
func oneOf(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, block.ErrMalformed) && !errors.Is(err, block.ErrNotFound) {
		t.Errorf("decoder returned %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{blockJSON + "]}", blockJSON + `"0x5"]}`, blockJSON + handlerJSON + "]}",
		updateJSON, weightsText, headText,
		`"0x534e5f5345504f4c4941"`, `null`, `{}`, `[]`, `{"block_number":18446744073709551615}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := decodeHeader(7, b)
		oneOf(t, err)
		if err == nil && (h.Number != 7 || h.Hash.IsZero()) {
			t.Errorf("header %+v", h)
		}
		if err == nil {
			if _, err := json.Marshal(h.Timestamp); err != nil {
				t.Errorf("time %v", h.Timestamp)
			}
		}
		_, err = decodeReceipts(7, b)
		oneOf(t, err)
		u, err := decodeStateUpdate(7, b)
		oneOf(t, err)
		if err == nil && u.Number != 7 {
			t.Errorf("state update %+v", u)
		}
		_, err = decodeWeights(b)
		oneOf(t, err)
		_, _, err = decodeNotice(b)
		oneOf(t, err)
		id, err := decodeChainID(b)
		oneOf(t, err)
		if err == nil && (id == "" || len(id) > 32) {
			t.Errorf("chain id %q", id)
		}
	})
}

func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`[{"id":1,"result":1},{"id":2,"error":{"code":24,"message":"x"}}]`), 2)
	f.Add([]byte(`{"id":1,"result":1}`), 1)
	f.Add([]byte(`{"id":null,"error":{"code":-32600}}`), 3)
	f.Fuzz(func(t *testing.T, b []byte, want int) {
		want = 1 + want&7
		got, err := decodeAnswers(b, 1, want)
		var rpc *rpcError
		switch {
		case err != nil && !errors.Is(err, block.ErrMalformed) && !errors.As(err, &rpc):
			t.Errorf("decoder returned %v", err)
		case err == nil && len(got) != want:
			t.Errorf("%d answers, want %d", len(got), want)
		}
	})
}

func FuzzHeaders(f *testing.F) {
	f.Add("12", "https://user:pass@host/key?k=v")
	f.Fuzz(func(t *testing.T, retry, address string) {
		if d := parseRetryAfter(retry, time.Unix(1700000000, 0)); d < 0 {
			t.Errorf("Retry-After %q is %v", retry, d)
		}
		redact.OfURL(address).Text(redact.Host(address), 100)
	})
}
