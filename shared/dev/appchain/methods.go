package appchain

import (
	"encoding/json"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// method is one JSON-RPC method: its parameters' names and what answers it.
type method struct {
	names []string
	call  func(c *Chain, p params) (any, *rpcFault)
}

var methods = map[string]method{
	"starknet_specVersion": {nil,
		func(c *Chain, _ params) (any, *rpcFault) { return c.opts.SpecVersion, nil }},
	"starknet_chainId": {nil,
		func(c *Chain, _ params) (any, *rpcFault) { return mustShort(c.opts.ChainID), nil }},
	"starknet_syncing":              {nil, func(*Chain, params) (any, *rpcFault) { return false, nil }},
	"starknet_blockNumber":          {nil, (*Chain).rpcBlockNumber},
	"starknet_blockHashAndNumber":   {nil, (*Chain).rpcBlockHashAndNumber},
	"starknet_getBlockWithTxHashes": {[]string{"block_id"}, (*Chain).rpcBlockWithTxHashes},
	"starknet_getBlockWithReceipts": {[]string{"block_id"}, (*Chain).rpcBlockWithReceipts},
	"starknet_getStateUpdate":       {[]string{"block_id"}, (*Chain).rpcStateUpdate},
	"starknet_getNonce":             {[]string{"block_id", "contract_address"}, (*Chain).rpcNonce},
	"starknet_getStorageAt":         {[]string{"contract_address", "key", "block_id"}, (*Chain).rpcStorage},
	"starknet_getClassHashAt":       {[]string{"block_id", "contract_address"}, (*Chain).rpcClassHash},
}

func (c *Chain) rpcBlockNumber(params) (any, *rpcFault) {
	h, ok := c.Head()
	if !ok {
		return nil, faultNoBlocks
	}
	return h.Number, nil
}

func (c *Chain) rpcBlockHashAndNumber(params) (any, *rpcFault) {
	h, ok := c.Head()
	if !ok {
		return nil, faultNoBlocks
	}
	return map[string]any{"block_hash": h.Hash, "block_number": h.Number}, nil
}

// blockID reads a block id. beforeFirst lets a number through that is one below a recording's first block: the state
// that the recording starts from.
func (c *Chain) blockID(raw json.RawMessage, beforeFirst bool) (uint64, *rpcFault) {
	var tag string
	if json.Unmarshal(raw, &tag) == nil && len(raw) > 0 {
		h, ok := c.Head()
		switch {
		case tag != "latest" && tag != "pre_confirmed" && tag != "pending":
			return 0, faultParams
		case !ok:
			return 0, faultBlock
		}
		return h.Number, nil
	}
	var id struct {
		Number *uint64    `json:"block_number"`
		Hash   *felt.Felt `json:"block_hash"`
	}
	if json.Unmarshal(raw, &id) != nil || (id.Number == nil) == (id.Hash == nil) {
		return 0, faultParams
	}
	if id.Hash != nil {
		c.mu.RLock()
		n, ok := c.byHash[*id.Hash]
		c.mu.RUnlock()
		if !ok {
			return 0, faultBlock
		}
		id.Number = &n
	}
	if beforeFirst && c.rec != nil && *id.Number+1 == c.first {
		return *id.Number, nil
	}
	if _, ok := c.block(*id.Number); !ok {
		return 0, faultBlock
	}
	return *id.Number, nil
}

func (c *Chain) blockOf(p params) (produced, *rpcFault) {
	n, fault := c.blockID(p[0], false)
	if fault != nil {
		return produced{}, fault
	}
	b, _ := c.block(n)
	return b, nil
}

func (c *Chain) rpcBlockWithTxHashes(p params) (any, *rpcFault) {
	b, fault := c.blockOf(p)
	if fault != nil {
		return nil, fault
	}
	out := c.headerJSON(b)
	hashes := make([]felt.Felt, len(b.txs))
	for i, tx := range b.txs {
		hashes[i] = tx.hash
	}
	out["status"], out["transactions"] = "ACCEPTED_ON_L2", hashes
	return out, nil
}

func (c *Chain) rpcBlockWithReceipts(p params) (any, *rpcFault) {
	b, fault := c.blockOf(p)
	if fault != nil {
		return nil, fault
	}
	out := c.headerJSON(b)
	txs := make([]any, len(b.txs))
	for i, tx := range b.txs {
		txs[i] = tx.json()
	}
	out["status"], out["transactions"] = "ACCEPTED_ON_L2", txs
	return out, nil
}

func (c *Chain) rpcStateUpdate(p params) (any, *rpcFault) {
	b, fault := c.blockOf(p)
	if fault != nil {
		return nil, fault
	}
	return updateJSON(b.update), nil
}

// stateParams reads a contract and a block id.
func (c *Chain) stateParams(contract, id json.RawMessage) (felt.Felt, uint64, *rpcFault) {
	var address felt.Felt
	if json.Unmarshal(contract, &address) != nil {
		return felt.Zero, 0, faultParams
	}
	n, fault := c.blockID(id, true)
	return address, n, fault
}

func (c *Chain) rpcNonce(p params) (any, *rpcFault) {
	address, n, fault := c.stateParams(p[1], p[0])
	if fault != nil {
		return nil, fault
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if v, ok := c.state.nonces.at(address, n); ok {
		return v, nil
	}
	if c.rec != nil {
		return c.rec.nonce(address, n)
	}
	if _, ok := c.state.classes.at(address, n); !ok {
		return nil, faultContract
	}
	return felt.Zero, nil
}

func (c *Chain) rpcStorage(p params) (any, *rpcFault) {
	address, n, fault := c.stateParams(p[0], p[2])
	var key felt.Felt
	if fault == nil && json.Unmarshal(p[1], &key) != nil {
		fault = faultParams
	}
	if fault != nil {
		return nil, fault
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	slot := block.Slot{Contract: address, Key: key}
	if v, ok := c.state.storage.at(slot, n); ok {
		return v, nil
	}
	if c.rec != nil {
		return c.rec.storage(slot, n)
	}
	if _, ok := c.state.classes.at(address, n); !ok && address.Cmp(lastUncompressed) > 0 {
		return nil, faultContract
	}
	return felt.Zero, nil
}

func (c *Chain) rpcClassHash(p params) (any, *rpcFault) {
	address, n, fault := c.stateParams(p[1], p[0])
	if fault != nil {
		return nil, fault
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if v, ok := c.state.classes.at(address, n); ok {
		return v, nil
	}
	return nil, faultContract
}
