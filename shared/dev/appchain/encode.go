package appchain

import (
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

type object = map[string]any

// headerJSON is a block header as the API writes it.
func (c *Chain) headerJSON(b produced) object {
	price := object{"price_in_fri": "0x1", "price_in_wei": "0x1"}
	return object{
		"block_hash": b.header.Hash, "parent_hash": b.header.ParentHash, "block_number": b.header.Number,
		"new_root": b.header.NewRoot, "timestamp": b.header.Timestamp.Unix(),
		"sequencer_address": felt.FromUint64(0x5e9),
		"l1_gas_price":      price, "l1_data_gas_price": price, "l2_gas_price": price, "l1_da_mode": "BLOB",
		"starknet_version": b.header.StarknetVersion,
	}
}

// json is a transaction with its receipt.
func (tx transaction) json() any {
	kind, body := "INVOKE", object{"version": "0x3", "sender_address": tx.sender,
		"calldata": []string{}, "signature": []string{},
		"nonce": "0x0", "tip": "0x0", "paymaster_data": []string{}, "account_deployment_data": []string{},
		"nonce_data_availability_mode": "L1", "fee_data_availability_mode": "L1"}
	receipt := object{}
	if m := tx.toL2; m != nil {
		kind = "L1_HANDLER"
		body = object{"version": "0x0", "contract_address": m.To, "entry_point_selector": m.Selector, "nonce": m.Nonce,
			"calldata": append([]felt.Felt{m.From}, m.Payload...)}
		receipt["message_hash"] = "0x0"
	}
	messages := make([]any, len(tx.toL1))
	for i, m := range tx.toL1 {
		messages[i] = object{"from_address": m.From, "to_address": m.To, "payload": nonNil(m.Payload)}
	}
	events := make([]any, tx.events)
	for i := range events {
		events[i] = object{"from_address": "0x1", "keys": []string{"0x1"}, "data": []string{}}
	}
	body["type"] = kind
	for k, v := range (object{
		"type": kind, "transaction_hash": tx.hash, "actual_fee": object{"amount": "0x0", "unit": "FRI"},
		"finality_status": "ACCEPTED_ON_L2", "execution_status": "SUCCEEDED",
		"messages_sent": messages, "events": events,
		"execution_resources": object{"l1_gas": tx.l1Gas, "l1_data_gas": 128, "l2_gas": tx.l2Gas},
	}) {
		receipt[k] = v
	}
	return object{"transaction": body, "receipt": receipt}
}

// updateJSON is a state update as the API writes it.
func updateJSON(u block.StateUpdate) any {
	d := u.Diff
	storage := make([]any, len(d.Storage))
	for i, c := range d.Storage {
		entries := make([]any, len(c.Entries))
		for j, e := range c.Entries {
			entries[j] = object{"key": e.Key, "value": e.Value}
		}
		storage[i] = object{"address": c.Address, "storage_entries": entries}
	}
	diff := object{
		"storage_diffs": storage, "deprecated_declared_classes": nonNil(d.DeprecatedDeclared),
		"declared_classes": list(d.Declared, func(x block.DeclaredClass) any {
			return object{"class_hash": x.ClassHash, "compiled_class_hash": x.CompiledClassHash}
		}),
		"deployed_contracts": list(d.Deployed, func(x block.DeployedContract) any {
			return object{"address": x.Address, "class_hash": x.ClassHash}
		}),
		"replaced_classes": list(d.Replaced, func(x block.ReplacedClass) any {
			return object{"contract_address": x.Address, "class_hash": x.ClassHash}
		}),
		"nonces": list(d.Nonces, func(x block.NonceUpdate) any {
			return object{"contract_address": x.Address, "nonce": x.Nonce}
		}),
	}
	if len(d.MigratedCompiledHash) > 0 {
		diff["migrated_compiled_classes"] = list(d.MigratedCompiledHash, func(x block.MigratedClass) any {
			return object{"class_hash": x.ClassHash, "compiled_class_hash": x.CompiledClassHash}
		})
	}
	return object{"block_hash": u.BlockHash, "old_root": u.OldRoot, "new_root": u.NewRoot, "state_diff": diff}
}

func list[T any](in []T, f func(T) any) []any {
	out := make([]any, len(in))
	for i, x := range in {
		out[i] = f(x)
	}
	return out
}

func nonNil(fs []felt.Felt) []felt.Felt {
	if fs == nil {
		return []felt.Felt{}
	}
	return fs
}
