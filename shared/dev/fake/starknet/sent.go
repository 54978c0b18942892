package starknet

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// nested is a failure as the API's CONTRACT_EXECUTION_ERROR.
func (f *fault) nested() map[string]any {
	return map[string]any{"contract_address": f.to, "class_hash": "0xc1a55", "selector": f.selector, "error": f.text()}
}

func (c *chain) estimate(ps []json.RawMessage) (any, *rpcError) {
	var txs []json.RawMessage
	var flags []string
	var id json.RawMessage
	if e := params(ps, &txs, &flags, &id); e != nil {
		return nil, e
	}
	b, _, e := c.blockID(id)
	if e != nil {
		return nil, e
	}
	if len(txs) == 0 || !slices.Equal(flags, []string{"SKIP_VALIDATE"}) {
		return nil, errParams // all that settlement asks for
	}
	w, out := b.state.clone(), []map[string]string{}
	for i, raw := range txs { // each on the state that those before it leave (starknet-specs, starknet_estimateFee)
		e, fault := c.estimateOne(w, b.prices, raw, i)
		if fault != nil {
			return nil, fault
		}
		out = append(out, e)
	}
	return out, nil
}

// estimateOne runs the transaction with an index on a state.
func (c *chain) estimateOne(w *world, p prices, raw json.RawMessage, index int) (map[string]string, *rpcError) {
	t, err := parseTransaction(raw, c.id)
	if err != nil {
		return nil, badParams(err)
	}
	failed := func(what any) *rpcError {
		return &rpcError{41, "Transaction execution error",
			map[string]any{"transaction_index": index, "execution_error": what}}
	}
	if n, ok := w.nonces[t.sender]; !ok || t.nonce != n {
		return nil, failed(fmt.Sprintf("Invalid transaction nonce of contract at address %s. Account nonce: %d; got: "+
			"%d.", t.sender, n, t.nonce))
	}
	w.nonces[t.sender]++
	w.written = 0
	gas, data, f := usage(w, t)
	if f != nil {
		return nil, failed(
			map[string]any{"contract_address": t.sender, "class_hash": "0xacc", "selector": "0x1", "error": f.nested()})
	}
	fee := new(big.Int).Add(bigMul(p.l2, int64(gas)), bigMul(p.data, int64(data)))
	return map[string]string{
		"l1_gas_consumed": "0x0", "l1_gas_price": hexOf(p.l1),
		"l2_gas_consumed": hexUint(gas), "l2_gas_price": hexOf(p.l2),
		"l1_data_gas_consumed": hexUint(data), "l1_data_gas_price": hexOf(p.data),
		"overall_fee": hexOf(fee), "unit": "FRI",
	}, nil
}

func (c *chain) addInvoke(ps []json.RawMessage) (any, *rpcError) {
	var raw json.RawMessage
	if e := params(ps, &raw); e != nil {
		return nil, e
	}
	t, err := parseTransaction(raw, c.id)
	if err == errVersion {
		return nil, &rpcError{61, "The transaction version is not supported", nil}
	}
	if err != nil {
		return nil, badParams(err)
	}
	if e := c.add(t); e != nil {
		return nil, e
	}
	return map[string]any{"transaction_hash": t.hash}, nil
}

func (c *chain) status(ps []json.RawMessage) (any, *rpcError) {
	var h felt.Felt
	if e := params(ps, &h); e != nil {
		return nil, e
	}
	if why, ok := c.rejected[h]; ok {
		return map[string]any{"finality_status": "REJECTED", "failure_reason": why}, nil
	}
	if r, ok := c.receipts[h]; ok && r.block <= c.seen().number {
		return r.outcome(c.finality(r), "failure_reason"), nil
	}
	if slices.ContainsFunc(c.pool, func(t *transaction) bool { return t.hash == h }) {
		return map[string]any{"finality_status": "RECEIVED"}, nil
	}
	return nil, errHash
}

// byHash answers a transaction of a block or of the pool. What the API has of it besides is left out: nobody reads it.
func (c *chain) byHash(ps []json.RawMessage) (any, *rpcError) {
	var h felt.Felt
	if e := params(ps, &h); e != nil {
		return nil, e
	}
	var t *transaction
	if r, ok := c.receipts[h]; ok && r.block <= c.seen().number {
		t = r.tx
	} else if i := slices.IndexFunc(c.pool, func(t *transaction) bool { return t.hash == h }); i >= 0 {
		t = c.pool[i]
	}
	if t == nil {
		return nil, errHash
	}
	return map[string]any{
		"type": "INVOKE", "version": "0x3", "transaction_hash": t.hash, "sender_address": t.sender,
		"nonce": hexUint(t.nonce), "calldata": t.calldata, "signature": t.signature,
	}, nil
}

func (c *chain) finality(r *receipt) string {
	if int(r.block) <= c.accepted {
		return "ACCEPTED_ON_L1"
	}
	return "ACCEPTED_ON_L2"
}

func (r *receipt) outcome(finality, reason string) map[string]any {
	m := map[string]any{"finality_status": finality, "execution_status": "SUCCEEDED"}
	if r.revert != "" {
		m["execution_status"], m[reason] = "REVERTED", r.revert
	}
	return m
}

func (c *chain) receipt(ps []json.RawMessage) (any, *rpcError) {
	var h felt.Felt
	if e := params(ps, &h); e != nil {
		return nil, e
	}
	r, ok := c.receipts[h]
	if !ok || r.block > c.seen().number {
		return nil, errHash
	}
	m := r.outcome(c.finality(r), "revert_reason")
	m["type"], m["transaction_hash"], m["block_number"], m["block_hash"] = "INVOKE", h, r.block, r.blockID
	m["actual_fee"] = map[string]string{"amount": hexOf(r.fee), "unit": "FRI"}
	m["messages_sent"], m["events"] = []any{}, []any{}
	m["execution_resources"] = map[string]uint64{"l1_gas": 0, "l2_gas": r.gas, "l1_data_gas": r.data}
	return m, nil
}
