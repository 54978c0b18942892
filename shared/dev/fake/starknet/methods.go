package starknet

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

var (
	errBlock    = &rpcError{24, "Block not found", nil}
	errContract = &rpcError{20, "Contract not found", nil}
	errHash     = &rpcError{29, "Transaction hash not found", nil}
	errParams   = &rpcError{-32602, "Invalid params", nil}
	errMethod   = &rpcError{-32601, "Method not found", nil}
)

func badParams(err error) *rpcError { return &rpcError{-32602, "Invalid params", err.Error()} }

// params decodes positional parameters; there must be as many.
func params(ps []json.RawMessage, into ...any) *rpcError {
	if len(ps) != len(into) {
		return badParams(fmt.Errorf("%d parameters, want %d", len(ps), len(into)))
	}
	for i, p := range ps {
		if err := json.Unmarshal(p, into[i]); err != nil {
			return badParams(err)
		}
	}
	return nil
}

// order is the order of a method's parameters (starkware-libs/starknet-specs, starknet_api_openrpc.json).
var order = map[string][]string{
	"starknet_getBlockWithTxHashes": {
		"block_id",
	}, "starknet_getNonce": {"block_id", "contract_address"}, "starknet_call": {"request", "block_id"},
	"starknet_estimateFee": {
		"request",
		"simulation_flags",
		"block_id",
	}, "starknet_addInvokeTransaction": {"invoke_transaction"},
	"starknet_getTransactionByHash": {"transaction_hash"},
	"starknet_getTransactionStatus": {"transaction_hash"}, "starknet_getTransactionReceipt": {"transaction_hash"},
	"starknet_getClassHashAt": {"block_id", "contract_address"}, "starknet_getClass": {"block_id", "class_hash"},
}

// named makes a call with parameters by name or by position. Unknown names are refused, as by starknet-devnet 0.8.1.
func (s *Server) named(method string, raw json.RawMessage) (any, *rpcError) {
	var list []json.RawMessage
	if len(raw) == 0 || json.Unmarshal(raw, &list) == nil {
		return s.answer(method, list)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, badParams(err)
	}
	for _, name := range order[method] {
		if p, ok := object[name]; ok {
			list = append(list, p)
			delete(object, name)
		}
	}
	for name := range object {
		return nil, badParams(fmt.Errorf("unknown parameter %s", name))
	}
	return s.answer(method, list)
}

// answer makes a call.
func (s *Server) answer(method string, ps []json.RawMessage) (any, *rpcError) {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	switch method {
	case "starknet_chainId":
		return c.id, nil
	case "starknet_specVersion":
		return c.o.APIVersion, nil
	case "starknet_blockNumber":
		return c.seen().number, nil
	case "starknet_getBlockWithTxHashes":
		return c.getBlock(ps)
	case "starknet_getNonce":
		return c.getNonce(ps)
	case "starknet_getClassHashAt":
		return c.getClassHashAt(ps)
	case "starknet_getClass":
		return c.getClass(ps)
	case "starknet_call":
		return c.callContract(ps)
	case "starknet_estimateFee":
		return c.estimate(ps)
	case "starknet_addInvokeTransaction":
		return c.addInvoke(ps)
	case "starknet_getTransactionByHash":
		return c.byHash(ps)
	case "starknet_getTransactionStatus":
		return c.status(ps)
	case "starknet_getTransactionReceipt":
		return c.receipt(ps)
	}
	return nil, errMethod
}

// blockID finds a block; pending says that it is the one to come.
func (c *chain) blockID(raw json.RawMessage) (b *blockOf, pending bool, e *rpcError) {
	var tag string
	if json.Unmarshal(raw, &tag) == nil {
		switch tag {
		case "latest":
			return c.seen(), false, nil
		case "pre_confirmed":
			return c.seen(), true, nil
		case "l1_accepted":
			if c.accepted < 0 {
				return nil, false, errBlock
			}
			return c.blocks[c.accepted], false, nil
		}
		return nil, false, errParams
	}
	var id struct {
		Number *uint64    `json:"block_number"`
		Hash   *felt.Felt `json:"block_hash"`
	}
	if err := json.Unmarshal(raw, &id); err != nil || (id.Number == nil) == (id.Hash == nil) {
		return nil, false, errParams
	}
	i := slices.IndexFunc(c.blocks, func(b *blockOf) bool {
		return id.Number != nil && b.number == *id.Number || id.Hash != nil && b.hash == *id.Hash
	})
	if i < 0 || uint64(i) > c.seen().number {
		return nil, false, errBlock
	}
	return c.blocks[i], false, nil
}

func hexOf(n *big.Int) string { return "0x" + n.Text(16) }

func hexUint(n uint64) string { return fmt.Sprintf("0x%x", n) }

func priceOf(n *big.Int) map[string]string {
	return map[string]string{"price_in_fri": hexOf(n), "price_in_wei": "0x1"}
}

func (c *chain) getBlock(ps []json.RawMessage) (any, *rpcError) {
	if len(ps) != 1 {
		return nil, errParams
	}
	b, pending, e := c.blockID(ps[0])
	if e != nil || pending {
		return nil, cmpError(e, errBlock)
	}
	status := "ACCEPTED_ON_L2"
	if int(b.number) <= c.accepted {
		status = "ACCEPTED_ON_L1"
	}
	return map[string]any{
		"status": status, "block_hash": b.hash, "parent_hash": b.parent, "block_number": b.number, "new_root": b.hash,
		"timestamp":         1_700_000_000 + b.number,
		"sequencer_address": "0x1", "starknet_version": "0.14.0", "l1_da_mode": "BLOB",
		"transactions": append([]felt.Felt{}, b.txs...),
		"l1_gas_price": priceOf(b.prices.l1), "l2_gas_price": priceOf(b.prices.l2),
		"l1_data_gas_price": priceOf(b.prices.data),
	}, nil
}

func cmpError(e, or *rpcError) *rpcError {
	if e != nil {
		return e
	}
	return or
}

func (c *chain) getNonce(ps []json.RawMessage) (any, *rpcError) {
	var id json.RawMessage
	var a felt.Felt
	if e := params(ps, &id, &a); e != nil {
		return nil, e
	}
	b, pending, e := c.blockID(id)
	if e != nil {
		return nil, e
	}
	n, ok := b.state.nonces[a]
	if !ok {
		return nil, errContract
	}
	if pending {
		n = c.pending(a)
	}
	return felt.FromUint64(n), nil
}

func (c *chain) callContract(ps []json.RawMessage) (any, *rpcError) {
	var q struct {
		To       felt.Felt   `json:"contract_address"`
		Selector felt.Felt   `json:"entry_point_selector"`
		Args     []felt.Felt `json:"calldata"`
	}
	var id json.RawMessage
	if e := params(ps, &q, &id); e != nil {
		return nil, e
	}
	b, _, e := c.blockID(id)
	if e != nil {
		return nil, e
	}
	out, f := b.state.clone().run(felt.Zero, call{q.To, q.Selector, q.Args})
	switch {
	case f == nil:
		return append([]felt.Felt{}, out...), nil
	case f.missing:
		return nil, errContract
	case f.noEntry:
		return nil, &rpcError{21, "Requested entrypoint does not exist in the contract", nil}
	}
	return nil, &rpcError{40, "Contract error", map[string]any{"revert_error": f.nested()}}
}

// getClassHashAt knows the class of the core contract alone.
func (c *chain) getClassHashAt(ps []json.RawMessage) (any, *rpcError) {
	var id json.RawMessage
	var a felt.Felt
	if e := params(ps, &id, &a); e != nil {
		return nil, e
	}
	b, _, e := c.blockID(id)
	switch {
	case e != nil:
		return nil, e
	case a == CoreAddress:
		return b.state.core.o.Form.classHash(), nil
	case a == SinkAddress || a == RegistryAddress:
		return otherClass, nil
	}
	return nil, errContract
}

// otherClass is the class of the contracts that are not the core contract.
var otherClass = felt.MustHex("0xc1a55")

// getClass answers a class without its program, which nobody here reads.
func (c *chain) getClass(ps []json.RawMessage) (any, *rpcError) {
	var id json.RawMessage
	var class felt.Felt
	if e := params(ps, &id, &class); e != nil {
		return nil, e
	}
	b, _, e := c.blockID(id)
	abi := "[]"
	switch {
	case e != nil:
		return nil, e
	case class == b.state.core.o.Form.classHash():
		abi = b.state.core.o.Form.abi()
	case class != otherClass:
		return nil, &rpcError{28, "Class hash not found", nil}
	}
	return map[string]any{
		"sierra_program": []string{"0x1"}, "contract_class_version": "0.1.0", "abi": abi,
		"entry_points_by_type": map[string]any{"CONSTRUCTOR": []any{}, "EXTERNAL": []any{}, "L1_HANDLER": []any{}},
	}, nil
}
