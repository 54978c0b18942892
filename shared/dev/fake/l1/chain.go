// Package l1 is a fake of a settlement chain in memory: a transaction pool, a fee market, reorganisations and the core
// contract. Its calls can fail as a Hook of package fault decides.
package l1

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// Config is how a settlement chain behaves. A zero field takes the default that its comment names.
type Config struct {
	Wallet   string   // address of the wallet that signs at first; by default "0xa11ce"
	Balance  *big.Int // of every account, in wei; by default 100 ETH
	Contract string   // address of the core contract; by default "0xc04e"
	DA       string   // address that published data is sent to; by default "0xda"

	BaseFee, BlobBaseFee *big.Int // of the first block, in wei; by default 1 gwei each
	Tip                  *big.Int // that the node suggests, in wei; by default 0.2 gwei
	MinTip               *big.Int // the lowest tip that the pool takes, in wei; by default 1
	BuilderTip           *big.Int // the lowest tip for which blocks take a transaction, in wei; by default 0
	GasCap               uint64   // highest gas limit of a transaction (EIP-7825: 2^24 since Osaka); 0: any
	// Strict has the pool refuse replacements that pay exactly the factor more (reth,
	// crates/transaction-pool/src/validate, is_underpriced: "<="); otherwise the factor is enough (geth,
	// core/txpool/blobpool, "Cmp(min) < 0").
	Strict bool
	// Hidden has the node answer as if its pool were empty, and take what it has again (nodes behind private relays).
	Hidden bool
	// OneAtATime has the node simulate a call on the newest state alone.
	OneAtATime bool
	MaxBlobs   int // of a transaction and of a block; by default 6
	MaxDAWords int // of one publication; by default 6 * 4096

	// Core is the contract's configuration. Its Operator is true unless NotOperator is set.
	Core        settlement.Config
	NotOperator bool
	// Initial is the contract's state in the first block. If it is not Settled, the first update must start from its
	// Root.
	Initial settlement.State
	// Facts has the contract revert updates of batches whose facts RegisterFact did not register.
	Facts bool

	// Finality is how many blocks the finalized block is behind the head. With 0 only Finalize makes blocks final.
	Finality uint64
	// BlockTime, if set, makes blocks by the clock: each call first mines those that are due. With 0 only Mine and its
	// relatives do.
	BlockTime time.Duration
}

// Chain is a settlement chain with a wallet, which Rotate changes, and the core contract. It is a tx.Chain and a
// settlement.Contract; DA returns it as a da.Layer. Its pool, fee market and reorganisations follow Ethereum's rules;
// comments say what is simpler here.
type Chain struct {
	env *fault.Env
	cfg Config

	mu        sync.Mutex
	blocks    []block // by number, from 0
	finalized uint64
	forks     int    // reorganisations so far: part of a block's hash
	wallet    string // that signs
	pool      map[slot]*transaction
	known     map[string]*transaction // every transaction ever accepted or mined
	order     []string                // their hashes, in the order in which they came
	mined     map[string]uint64       // hash to block, of the canonical chain
	facts     map[uint64]uint64       // batch to the block that registers the fact of its update
	foreign   []*transaction          // signed elsewhere, for the next block
	load      Load
	next      Fees
	minedAt   time.Time // of the newest block, with BlockTime
}

var (
	_ tx.Chain            = (*Chain)(nil)
	_ tx.Market           = (*Chain)(nil)
	_ settlement.Contract = (*Chain)(nil)
)

// Fees are a block's fees in wei.
type Fees struct{ Base, Blob *big.Int }

// Load is how full the transactions of others make the blocks, in percent of the target. At 100 a fee stays, at 200 it
// grows by an eighth a block (EIP-1559), at 0 it falls by an eighth. The blob fee follows the same rule, which is
// simpler than EIP-4844.
type Load struct{ Gas, Blob int64 }

type block struct {
	number  uint64
	hash    string
	fees    Fees
	results []result
	// State after the block.
	accounts map[string]account // those that have done something
	core     settlement.State
}

// account is the state of an account; its balance is never changed in place.
type account struct {
	nonce   uint64
	balance *big.Int
}

// slot is what one transaction at a time can have in the pool.
type slot struct {
	from  string
	nonce uint64
}

func (t *transaction) slot() slot { return slot{t.From, t.Nonce} }

// transaction is a signed transaction.
type transaction struct {
	signedTx
	hash    string
	foreign bool // signed elsewhere

	update *updateCall // of Data, once History has decoded it
}

// result is a transaction in a block.
type result struct {
	tx        *transaction
	revert    *tx.RevertError
	gas       uint64
	gasPrice  *big.Int
	blobPrice *big.Int
}

// gwei returns n gwei in wei.
func gwei(n int64) *big.Int { return new(big.Int).Mul(big.NewInt(n), big.NewInt(1e9)) }

// New returns a chain with one block, number 0.
func New(e *fault.Env, c Config) *Chain {
	or := func(n *big.Int, d *big.Int) *big.Int {
		if n == nil {
			return d
		}
		return new(big.Int).Set(n)
	}
	c.Wallet, c.Contract, c.DA = cmp.Or(c.Wallet, "0xa11ce"), cmp.Or(c.Contract, "0xc04e"), cmp.Or(c.DA, "0xda")
	c.Balance = or(c.Balance, new(big.Int).Mul(gwei(100), big.NewInt(1e9)))
	c.BaseFee, c.BlobBaseFee = or(c.BaseFee, gwei(1)), or(c.BlobBaseFee, gwei(1))
	c.Tip, c.MinTip = or(c.Tip, big.NewInt(200_000_000)), or(c.MinTip, big.NewInt(1))
	c.BuilderTip = or(c.BuilderTip, new(big.Int))
	c.MaxBlobs, c.MaxDAWords = cmp.Or(c.MaxBlobs, 6), cmp.Or(c.MaxDAWords, 6*4096)
	c.Core.Operator = !c.NotOperator
	s := &Chain{
		env: e, cfg: c, wallet: c.Wallet, pool: map[slot]*transaction{}, known: map[string]*transaction{},
		mined: map[string]uint64{}, facts: map[uint64]uint64{},
		load: Load{Gas: 100, Blob: 100}, next: Fees{c.BaseFee, c.BlobBaseFee}, minedAt: e.Time(),
	}
	s.blocks = []block{{hash: s.blockHash("", nil), fees: s.next, core: c.Initial}}
	return s
}

// account is an account's state after a block.
func (s *Chain) account(b *block, address string) account {
	if a, ok := b.accounts[address]; ok {
		return a
	}
	return account{balance: s.cfg.Balance}
}

// tip is the newest block of a node that is some blocks behind. The caller holds the lock.
func (s *Chain) tip(behind int) *block {
	return &s.blocks[max(len(s.blocks)-1-behind, 0)]
}

// Mine makes a block of what the pool holds and the fees allow, and returns its number.
func (s *Chain) Mine() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mine(true)
	return s.tip(0).number
}

// MineEmpty makes n empty blocks, which leave the pool as it is, and returns the last one's number.
func (s *Chain) MineEmpty(n int) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.mine(false)
	}
	return s.tip(0).number
}

// maxCatchUp is the most blocks that one call mines by the clock.
const maxCatchUp = 1000

// catchUp mines the blocks that are due by the clock. The caller holds the lock.
func (s *Chain) catchUp() {
	if s.cfg.BlockTime <= 0 {
		return
	}
	due := int64(s.env.Time().Sub(s.minedAt) / s.cfg.BlockTime)
	if due <= 0 {
		return
	}
	s.minedAt = s.minedAt.Add(time.Duration(due) * s.cfg.BlockTime)
	for range min(due, maxCatchUp) {
		s.mine(true)
	}
}

// mine makes a block. The caller holds the lock.
func (s *Chain) mine(withPool bool) {
	last := s.tip(0)
	b := s.after(last)
	if withPool {
		for _, t := range s.foreign {
			t.Nonce = s.account(&b, t.From).nonce
			s.include(&b, t)
		}
		s.foreign = nil
		blobs := 0
		for _, from := range s.senders() {
			next := func() *transaction { return s.pool[slot{from, s.account(&b, from).nonce}] }
			for t := next(); t != nil && s.pays(t, &b) && blobs+t.Blobs <= s.cfg.MaxBlobs; t = next() {
				blobs += t.Blobs
				s.include(&b, t)
			}
		}
	}
	b.hash = s.blockHash(last.hash, b.results)
	s.append(b)
}

// after is a block without transactions that follows last. The caller holds the lock.
func (s *Chain) after(last *block) block {
	return block{
		number: last.number + 1, fees: s.next, accounts: maps.Clone(last.accounts), core: last.core,
	}
}

// senders are the accounts that have transactions in the pool. The caller holds the lock.
func (s *Chain) senders() (out []string) {
	for at := range s.pool {
		if !slices.Contains(out, at.from) {
			out = append(out, at.from)
		}
	}
	slices.Sort(out)
	return out
}

// append adds a block and removes used nonces from the pool. The caller holds the lock.
func (s *Chain) append(b block) {
	s.blocks = append(s.blocks, b)
	for _, r := range b.results {
		s.mined[r.tx.hash] = b.number
	}
	for at := range s.pool {
		if at.nonce < s.account(&b, at.from).nonce {
			delete(s.pool, at)
		}
	}
	s.next = Fees{moved(b.fees.Base, s.load.Gas), moved(b.fees.Blob, s.load.Blob)}
	if f := s.cfg.Finality; f > 0 && b.number > f {
		s.finalized = max(s.finalized, b.number-f)
	}
}

// moved is the fee after a block with the given load, in percent of the target.
func moved(fee *big.Int, load int64) *big.Int {
	change := new(big.Int).Mul(fee, big.NewInt(load-100))
	change.Quo(change, big.NewInt(800))
	if change.Sign() == 0 && load > 100 {
		change.SetInt64(1)
	}
	change.Add(change, fee)
	if change.Sign() <= 0 {
		return big.NewInt(1)
	}
	return change
}

// pays reports whether a transaction's limits allow a block's fees.
func (s *Chain) pays(t *transaction, b *block) bool {
	if most := new(big.Int).Sub(t.Fees.GasPrice, b.fees.Base); most.Cmp(s.cfg.BuilderTip) < 0 ||
		t.Fees.Tip.Cmp(s.cfg.BuilderTip) < 0 {
		return false
	}
	if t.Fees.GasPrice.Cmp(b.fees.Base) < 0 || t.Blobs > 0 && t.Fees.DataGasPrice.Cmp(b.fees.Blob) < 0 {
		return false
	}
	return t.Fees.Total().Cmp(s.account(b, t.From).balance) <= 0
}

// include runs a transaction in a block.
func (s *Chain) include(b *block, t *transaction) {
	gas, core, revert := s.execute(b.core, t.payload(), b.number)
	r := result{tx: t, revert: revert, gas: gas, gasPrice: new(big.Int), blobPrice: new(big.Int)}
	if !t.foreign {
		r.gasPrice.Add(b.fees.Base, t.Fees.Tip)
		if r.gasPrice.Cmp(t.Fees.GasPrice) > 0 {
			r.gasPrice.Set(t.Fees.GasPrice)
		}
		if gas > t.Fees.Gas {
			r.gas, core, r.revert = t.Fees.Gas, b.core, &tx.RevertError{Detail: "out of gas"}
		}
		if t.Blobs > 0 {
			r.blobPrice.Set(b.fees.Blob)
		}
	}
	if r.revert == nil {
		b.core = core
	}
	from := s.account(b, t.From)
	if b.accounts == nil {
		b.accounts = map[string]account{}
	}
	b.accounts[t.From] = account{from.nonce + 1, new(big.Int).Sub(from.balance, r.cost())}
	b.results = append(b.results, r)
}

func (r result) cost() *big.Int {
	return tx.Fees{Gas: r.gas, GasPrice: r.gasPrice, DataGas: r.blobGas(), DataGasPrice: r.blobPrice}.Total()
}

func (r result) blobGas() uint64 { return uint64(r.tx.Blobs) * tx.BlobGas }

// blockHash derives a block's hash from its parent, its transactions and the fork.
func (s *Chain) blockHash(parent string, results []result) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %d", parent, s.forks)
	for _, r := range results {
		fmt.Fprintf(h, " %s", r.tx.hash)
	}
	return "0x" + hex.EncodeToString(h.Sum(nil))
}

// core is the contract's state in a block. The caller holds the lock.
func (s *Chain) core(finalized bool, behind int) settlement.State {
	b := s.tip(behind)
	if finalized {
		b = &s.blocks[min(s.finalized, b.number)]
	}
	return b.core
}

// Forks is how many reorganisations there were.
func (s *Chain) Forks() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forks
}
