package starknet

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"sync"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/hash"
)

// blockOf is one closed block.
type blockOf struct {
	number       uint64
	hash, parent felt.Felt
	prices       prices
	txs          []felt.Felt
	state        *world
}

type prices struct{ l1, l2, data *big.Int }

// receipt is what became of a transaction.
type receipt struct {
	block   uint64
	fee     *big.Int
	gas     uint64
	data    uint64
	revert  string
	tx      *transaction
	blockID felt.Felt
}

// chain is the node's state; all of it is guarded by mu.
type chain struct {
	mu       sync.Mutex
	o        Options
	id       felt.Felt
	blocks   []*blockOf
	prices   prices
	pool     []*transaction
	receipts map[felt.Felt]*receipt
	rejected map[felt.Felt]string
	accepted int // newest block that is accepted on L1; -1 for none

	lag      uint64 // blocks that reads at latest are behind
	toReject []string
	forks    uint64
}

func newChain(o Options) (*chain, error) {
	if o.ChainID == "" {
		o.ChainID = "SN_FAKE"
	}
	if o.APIVersion == "" {
		o.APIVersion = "0.9.0"
	}
	id, err := felt.FromShortString(o.ChainID)
	if err != nil {
		return nil, fmt.Errorf("chain id: %w", err)
	}
	c := &chain{
		o: o, id: id, prices: prices{l1Price, l2Price, dataPrice}, receipts: map[felt.Felt]*receipt{},
		rejected: map[felt.Felt]string{},
		accepted: -1,
	}
	c.close(newWorld(o), nil)
	return c, nil
}

// close adds a block with a state.
func (c *chain) close(w *world, txs []felt.Felt) *blockOf {
	b := &blockOf{number: uint64(len(c.blocks)), prices: c.prices, txs: txs, state: w}
	if len(c.blocks) > 0 {
		b.parent = c.tip().hash
	}
	b.hash = hash.PoseidonMany(
		append([]felt.Felt{b.parent, felt.FromUint64(b.number), felt.FromUint64(c.forks)}, txs...))
	c.blocks = append(c.blocks, b)
	if lag := int(c.o.L1Lag); lag > 0 {
		c.accepted = max(c.accepted, len(c.blocks)-1-lag)
	}
	return b
}

func (c *chain) tip() *blockOf { return c.blocks[len(c.blocks)-1] }

// seen is the newest block as reads show it.
func (c *chain) seen() *blockOf {
	return c.blocks[len(c.blocks)-1-int(min(c.lag, uint64(len(c.blocks)-1)))]
}

// pending is the account's next nonce counting the pool.
func (c *chain) pending(sender felt.Felt) uint64 {
	n := c.seen().state.nonces[sender]
	if c.lag > 0 {
		return n
	}
	for slices.ContainsFunc(c.pool, func(t *transaction) bool { return t.sender == sender && t.nonce == n }) {
		n++
	}
	return n
}

// mine closes a block of what the pool holds, in order of nonces, as far as prices allow.
func (c *chain) mine() {
	w := c.tip().state
	slices.SortStableFunc(c.pool, func(a, b *transaction) int { return cmp.Compare(a.nonce, b.nonce) })
	var left []*transaction
	var done []felt.Felt
	for _, t := range c.pool {
		switch {
		case t.nonce < w.nonces[t.sender]:
			continue // another one with its nonce was quicker
		case t.nonce > w.nonces[t.sender] || c.tooCheap(t) != "":
			left = append(left, t)
			continue
		}
		w = w.clone()
		c.receipts[t.hash] = c.execute(w, t)
		done = append(done, t.hash)
	}
	c.pool = left
	b := c.close(w, done)
	for _, h := range done {
		c.receipts[h].block, c.receipts[h].blockID = b.number, b.hash
	}
}

// tooCheap says which price limit lies below the chain's price; "" for none.
func (c *chain) tooCheap(t *transaction) string {
	for _, r := range []struct {
		name       string
		has, wants *big.Int
	}{{"L1Gas", t.l1.price, c.prices.l1}, {"L2Gas", t.l2.price, c.prices.l2},
		{"L1DataGas", t.data.price, c.prices.data}} {
		if r.has.Cmp(r.wants) < 0 {
			return fmt.Sprintf("Resource bounds were not satisfied: Max %s price (%s) is lower than the actual gas "+
				"price: %s.", r.name, r.has, r.wants)
		}
	}
	return ""
}

// execute runs a transaction on a state of its own, and takes the fee.
func (c *chain) execute(w *world, t *transaction) *receipt {
	r := &receipt{tx: t}
	w.nonces[t.sender]++
	run := w.clone()
	run.written = 0
	gas, data, f := usage(run, t)
	switch {
	case f != nil:
		r.revert = f.trace(t.sender)
		data = baseDataGas
	case gas > t.l2.amount:
		r.revert = fmt.Sprintf("Insufficient max L2Gas: max amount: %d, actual used: %d.", t.l2.amount, gas)
	case data > t.data.amount:
		r.revert = fmt.Sprintf("Insufficient max L1DataGas: max amount: %d, actual used: %d.", t.data.amount, data)
	default:
		w.core, w.facts, w.keccak = run.core, run.facts, run.keccak
	}
	r.gas, r.data = min(gas, t.l2.amount), min(data, t.data.amount)
	r.fee = new(big.Int).Mul(new(big.Int).SetUint64(r.gas), new(big.Int).Add(c.prices.l2, t.tip))
	r.fee.Add(r.fee, new(big.Int).Mul(new(big.Int).SetUint64(r.data), c.prices.data))
	w.balances[t.sender] = new(big.Int).Sub(w.balances[t.sender], r.fee)
	return r
}

// usage runs a transaction's calls and returns what they take.
func usage(w *world, t *transaction) (gas, data uint64, f *fault) {
	calls, ok := t.calls()
	gas = baseGas + gasPerFelt*uint64(len(t.calldata))
	if !ok {
		return gas, baseDataGas, panics("Failed to deserialize param #1")
	}
	for _, call := range calls {
		if _, f := w.run(t.sender, call); f != nil {
			return gas, baseDataGas, f
		}
	}
	return gas, baseDataGas + dataGasSlot*uint64(w.written), nil
}

// add takes a transaction into the pool.
func (c *chain) add(t *transaction) *rpcError {
	w := c.tip().state
	key, known := w.keys[t.sender]
	_, done := c.receipts[t.hash]
	_, gone := c.rejected[t.hash]
	next := w.nonces[t.sender]
	switch {
	case done, gone, slices.ContainsFunc(c.pool, func(o *transaction) bool { return o.hash == t.hash }):
		return &rpcError{59, "A transaction with the same hash already exists in the mempool", nil}
	case !known:
		return &rpcError{55, "Account validation failed",
			fmt.Sprintf("Transaction validation error: Requested contract address %s is not deployed.", t.sender)}
	case t.nonce < next:
		return &rpcError{52, "Invalid transaction nonce", fmt.Sprintf("Invalid transaction nonce of contract at "+
			"address %s. Account nonce: %d; got: %d.", t.sender, next, t.nonce)}
	case t.query || !t.signedBy(key):
		return &rpcError{55, "Account validation failed",
			"Transaction validation has failed: Account: invalid signature"}
	case len(t.calldata) > maxCalldata:
		return &rpcError{63, "An unexpected error occurred", fmt.Sprintf("Calldata length exceeded maximum: length "+
			"%d (allowed length: %d).", len(t.calldata), maxCalldata)}
	case t.l2.amount > maxL2Gas:
		return &rpcError{53, "The transaction's resources don't cover validation or the minimal transaction fee",
			"L2 gas amount is above the maximum"}
	case len(c.pool) >= maxPool:
		return &rpcError{63, "An unexpected error occurred", "mempool is full"}
	}
	if why := c.tooCheap(t); why != "" || t.l2.amount < baseGas/2 {
		return &rpcError{53, "The transaction's resources don't cover validation or the minimal transaction fee", why}
	}
	if t.most().Cmp(w.balances[t.sender]) > 0 {
		return &rpcError{54, "Account balance is smaller than the transaction's maximal fee (calculated as the sum " +
			"of each resource's limit x max price)", nil}
	}
	if len(c.toReject) > 0 {
		c.rejected[t.hash], c.toReject = c.toReject[0], c.toReject[1:]
		return nil
	}
	for i, o := range c.pool {
		if o.sender != t.sender || o.nonce != t.nonce {
			continue
		}
		if !outbids(t.tip, o.tip) || !outbids(t.l2.price, o.l2.price) {
			return &rpcError{64, "Replacement transaction is underpriced", nil}
		}
		c.pool[i] = t
		return nil
	}
	c.pool = append(c.pool, t)
	return nil
}

// outbids says whether a price is a tenth above another.
func outbids(new, old *big.Int) bool {
	want := bigMul(old, escalation)
	return bigMul(new, 100).Cmp(want) >= 0
}

func bigMul(n *big.Int, by int64) *big.Int { return new(big.Int).Mul(n, big.NewInt(by)) }

// trace is a reverted transaction's reason as nodes write it.
func (f *fault) trace(account felt.Felt) string {
	head := fmt.Sprintf("Transaction execution has failed:\n0: Error in the called contract (contract address: %s, "+
		"class hash: 0xacc, selector: %s):\n"+
		"1: Error in the called contract (contract address: %s, class hash: 0xc1a55, selector: %s):\n",
		account, hash.Selector("__execute__"), f.to, f.selector)
	return head + f.text()
}

func (f *fault) text() string {
	switch {
	case f.missing:
		return fmt.Sprintf("Requested contract address %s is not deployed.\n", f.to)
	case f.noEntry:
		return "Execution failed. Failure reason:\n0x454e545259504f494e545f4e4f545f464f554e44 " +
			"('ENTRYPOINT_NOT_FOUND').\n"
	}
	text := "Execution failed. Failure reason:\n("
	for _, w := range append(slices.Clone(f.words), "ENTRYPOINT_FAILED") {
		text += fmt.Sprintf("0x%x ('%s'), ", w, w)
	}
	return text[:len(text)-2] + ").\n"
}
