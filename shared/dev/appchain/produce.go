package appchain

import (
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// Addresses that the protocol reserves.
var (
	blockHashContract = felt.FromUint64(1)
	aliasContract     = felt.FromUint64(2)
)

// blockHashBuffer is after how many blocks a block's hash is written to contract 0x1.
const blockHashBuffer = 10

// Versions from which the protocol changes what a state diff holds.
var (
	aliasesSince   = number{0, 13, 4}
	migrationSince = number{0, 14, 1}
)

// world is what the producer remembers between blocks, besides the state.
type world struct {
	opts      Options
	state     *state
	tries     *commitment
	accounts  []felt.Felt
	apps      []felt.Felt // contracts with counters and lists
	token     felt.Felt
	classes   []block.DeclaredClass
	unmoved   []int // classes that are not migrated yet, by index
	deployed  uint64
	l1Nonce   uint64
	delivered []block.MessageToL2 // to be consumed by the next block
	previous  block.Header
	hashes    []felt.Felt
}

func newWorld(o Options) *world {
	return &world{opts: o, state: newState(), tries: newCommitment()}
}

// draft is a block in the making.
type draft struct {
	*world
	n        uint64
	rng      *rand.Rand
	writes   map[block.Slot]felt.Felt
	diff     block.StateDiff
	nonces   map[felt.Felt]uint64
	replaced map[felt.Felt]felt.Felt
	fresh    map[felt.Felt]felt.Felt // deployed here
	txs      []transaction
}

// transaction is what the served blocks say of a transaction.
type transaction struct {
	hash   felt.Felt
	toL2   *block.MessageToL2 // an L1 handler
	toL1   []block.MessageToL1
	sender felt.Felt
	events int
	l1Gas  uint64
	l2Gas  uint64
}

// produced is a block with everything that is served of it.
type produced struct {
	header  block.Header
	update  block.StateUpdate
	weights block.Weights
	txs     []transaction
}

// produce makes block n, the next one.
func (w *world) produce(n uint64) produced {
	d := &draft{world: w, n: n, rng: rand.New(rand.NewPCG(w.opts.Seed, n)), writes: map[block.Slot]felt.Felt{},
		nonces: map[felt.Felt]uint64{}, replaced: map[felt.Felt]felt.Felt{}, fresh: map[felt.Felt]felt.Felt{}}
	every := w.opts.EmptyEvery
	switch {
	case n == 0:
		d.genesis()
	case every > 0 && n%uint64(every) == uint64(every)-1:
	default:
		d.transactions()
	}
	d.deliveries()
	d.migrate()
	if n >= blockHashBuffer {
		d.write(blockHashContract, felt.FromUint64(n-blockHashBuffer), w.hashes[n-blockHashBuffer])
	}
	d.finishDiff()
	w.state.apply(n, d.diff)
	return d.seal(w.tries.apply(d.diff, w.state))
}

func (d *draft) write(contract, key, value felt.Felt) {
	d.writes[block.Slot{Contract: contract, Key: key}] = value
}

func (d *draft) read(contract, key felt.Felt) felt.Felt {
	k := block.Slot{Contract: contract, Key: key}
	if v, ok := d.writes[k]; ok {
		return v
	}
	return d.state.storage.latest(k)
}

// finishDiff turns the writes into the diff's sections: only what differs from before, in ascending order.
func (d *draft) finishDiff() {
	for address, class := range d.fresh {
		d.diff.Deployed = append(d.diff.Deployed, block.DeployedContract{Address: address, ClassHash: class})
	}
	for address, class := range d.replaced {
		if d.state.classes.latest(address) != class {
			d.diff.Replaced = append(d.diff.Replaced, block.ReplacedClass{Address: address, ClassHash: class})
		}
	}
	for address, nonce := range d.nonces {
		d.diff.Nonces = append(d.diff.Nonces, block.NonceUpdate{Address: address, Nonce: felt.FromUint64(nonce)})
	}
	maps.DeleteFunc(d.writes, func(k block.Slot, v felt.Felt) bool { return d.state.storage.latest(k) == v })
	if since(d.opts.versionAt(d.n), aliasesSince) {
		d.allocateAliases()
	}
	byContract := map[felt.Felt][]block.StorageEntry{}
	for k, v := range d.writes {
		byContract[k.Contract] = append(byContract[k.Contract], block.StorageEntry{Key: k.Key, Value: v})
	}
	for address, entries := range byContract {
		slices.SortFunc(entries, func(a, b block.StorageEntry) int { return a.Key.Cmp(b.Key) })
		d.diff.Storage = append(d.diff.Storage, block.ContractStorage{Address: address, Entries: entries})
	}
	slices.SortFunc(d.diff.Storage, func(a, b block.ContractStorage) int { return a.Address.Cmp(b.Address) })
	slices.SortFunc(d.diff.Deployed, func(a, b block.DeployedContract) int { return a.Address.Cmp(b.Address) })
	slices.SortFunc(d.diff.Replaced, func(a, b block.ReplacedClass) int { return a.Address.Cmp(b.Address) })
	slices.SortFunc(d.diff.Nonces, func(a, b block.NonceUpdate) int { return a.Address.Cmp(b.Address) })
}

// seal computes hash and weights and makes the block the chain's head.
func (d *draft) seal(root felt.Felt) produced {
	h := block.Header{
		Number: d.n, ParentHash: d.previous.Hash, NewRoot: root, StarknetVersion: d.opts.versionAt(d.n),
		Timestamp: d.opts.GenesisTime.Add(d.opts.BlockTime * timeFactor(d.n)), Transactions: len(d.txs),
	}
	p := produced{update: block.StateUpdate{Number: d.n, OldRoot: d.previous.NewRoot, NewRoot: root, Diff: d.diff},
		txs: d.txs}
	h.Hash = blockHash(h, d.txs, d.diff)
	p.header, p.update.BlockHash = h, h.Hash
	p.weights = weigh(p)
	d.previous = h
	d.hashes = append(d.hashes, h.Hash)
	return p
}

// blockHash is the development chain's block hash. It is not Starknet's.
func blockHash(h block.Header, txs []transaction, d block.StateDiff) felt.Felt {
	in := []felt.Felt{mustShort("DEV_BLOCK_HASH"), felt.FromUint64(h.Number), h.NewRoot, h.ParentHash,
		felt.FromUint64(uint64(h.Timestamp.Unix())), mustShort(h.StarknetVersion), felt.FromUint64(uint64(len(txs)))}
	for _, tx := range txs {
		in = append(in, tx.hash)
	}
	for _, c := range d.Storage {
		in = append(in, c.Address)
		for _, e := range c.Entries {
			in = append(in, e.Key, e.Value)
		}
	}
	return poseidonMany(in...)
}

// weigh derives a block's bouncer weights from its content, with made-up gas prices. An empty block has no proving gas,
// as on Madara. A message takes the settlement layer's gas without that of its event: 20,000 to it, 5,000 from it, 512
// a word (starkware-libs/sequencer, blockifier/src/fee/resources.rs, get_starknet_gas_cost).
func weigh(p produced) block.Weights {
	w := block.Weights{NTxs: uint64(len(p.txs))}
	for _, tx := range p.txs {
		w.ReceiptL2Gas += tx.l2Gas
		w.SierraGas += tx.l2Gas
		w.ProvingGas += tx.l2Gas * 3 / 2
		w.NEvents += uint64(tx.events)
		for _, m := range tx.toL1 {
			w.MessageSegmentLength += uint64(3 + len(m.Payload))
			w.L1Gas += 20_000
		}
		if tx.toL2 != nil {
			w.MessageSegmentLength += uint64(5 + len(tx.toL2.Payload))
			w.L1Gas += 5_000
		}
	}
	w.L1Gas += 512 * w.MessageSegmentLength
	d := p.update.Diff
	for _, c := range d.Storage {
		w.StateDiffSize += 2 + 2*uint64(len(c.Entries))
	}
	w.StateDiffSize += 2 * uint64(len(d.Declared)+len(d.MigratedCompiledHash)+len(d.Nonces))
	w.StateDiffSize += 3 * uint64(len(d.Deployed)+len(d.Replaced))
	return w
}
