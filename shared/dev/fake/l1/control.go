package l1

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"

	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// Transaction is a transaction that the chain has seen.
type Transaction struct {
	Hash   string
	From   string
	Nonce  uint64
	Fees   tx.Fees
	Status tx.Status
}

// Transactions returns every transaction that the chain ever accepted, in that order, with its status now.
func (s *Chain) Transactions() []Transaction {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Transaction, 0, len(s.order))
	for _, hash := range s.order {
		t := s.known[hash]
		out = append(out,
			Transaction{hash, t.From, t.Nonce, cloneFees(t.Fees), s.status(hash, sight{})})
	}
	return out
}

// Pool returns the hashes in the pool, by account and nonce.
func (s *Chain) Pool() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]string, 0, len(s.pool))
	for _, at := range slices.SortedFunc(maps.Keys(s.pool), func(a, b slot) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.nonce, b.nonce))
	}) {
		out = append(out, s.pool[at].hash)
	}
	return out
}

// Drop removes a transaction from the pool, as a full pool or a node's restart does. It reports whether it was there.
func (s *Chain) Drop(hash string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.known[hash]
	if t == nil || s.pool[t.slot()] != t {
		return false
	}
	delete(s.pool, t.slot())
	return true
}

// MineOnly makes a block with one transaction that the chain has ever accepted, even if it was replaced or dropped:
// another node's pool may still have it.
func (s *Chain) MineOnly(hash string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, last := s.known[hash], s.tip(0)
	if t == nil || t.foreign || t.Nonce != s.account(last, t.From).nonce {
		return fmt.Errorf("mine %s: it is unknown, or its nonce is not its account's next", hash)
	}
	b := s.after(last)
	s.include(&b, t)
	b.hash = s.blockHash(last.hash, b.results)
	s.append(b)
	return nil
}

// Intrude puts a third party's transaction into the next block, before those of the pool, and returns its hash. With
// ourWallet it uses the wallet's next nonce, as a second signer with the same key does; otherwise it comes from another
// account.
func (s *Chain) Intrude(p tx.Payload, ourWallet bool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &transaction{foreign: true, signedTx: signedTx{
		From: s.wallet, Fees: whole(tx.Fees{}), To: p.To, Entrypoint: p.Entrypoint, Data: slices.Clone(p.Data),
		Blobs: len(p.Blobs), BlobHash: blobHash(p.Blobs),
	}}
	if !ourWallet {
		t.From = "0x5774a96e4"
	}
	raw, err := json.Marshal(t.signedTx)
	if err != nil {
		panic(err) // strings, bytes and integers always marshal
	}
	t.hash = hashOf(fmt.Appendf(raw, "%d", len(s.order)))
	s.remember(t)
	s.foreign = append(s.foreign, t)
	return t.hash
}

func cloneFees(f tx.Fees) tx.Fees {
	f.GasPrice, f.Tip = new(big.Int).Set(f.GasPrice), new(big.Int).Set(f.Tip)
	f.DataGasPrice = new(big.Int).Set(f.DataGasPrice)
	return f
}

// Reorg removes the newest depth blocks. With keep their transactions return to the pool, unless another one has taken
// their nonce; otherwise they are lost. It returns the hashes of the removed transactions. Finalized blocks stay: Reorg
// returns an error if it would remove one.
func (s *Chain) Reorg(depth int, keep bool) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	head := s.tip(0).number
	if depth < 0 || uint64(depth) > head-s.finalized {
		return nil, fmt.Errorf("undo %d of %d blocks, %d is finalized", depth, head, s.finalized)
	}
	cut := len(s.blocks) - depth
	var undone []string
	for _, b := range s.blocks[cut:] {
		for _, r := range b.results {
			undone = append(undone, r.tx.hash)
			delete(s.mined, r.tx.hash)
			if keep && !r.tx.foreign && s.pool[r.tx.slot()] == nil {
				s.pool[r.tx.slot()] = r.tx
			}
		}
	}
	if depth > 0 {
		s.next = s.blocks[cut].fees
		s.blocks = slices.Delete(s.blocks, cut, len(s.blocks))
		s.takeBack(uint64(cut))
		s.forks++
	}
	return undone, nil
}

// Finalize makes the blocks up to number final. A final block stays final.
func (s *Chain) Finalize(number uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finalized = max(s.finalized, min(number, s.tip(0).number))
}

// SetFees sets the fees of the next block in wei; nil leaves a fee as it is.
func (s *Chain) SetFees(base, blob *big.Int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if base != nil {
		s.next.Base = new(big.Int).Set(base)
	}
	if blob != nil {
		s.next.Blob = new(big.Int).Set(blob)
	}
}

// SetLoad sets how full the blocks are, from the next one on.
func (s *Chain) SetLoad(l Load) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.load = l
}

// SetBalance sets the wallet's balance in wei as of the newest block.
func (s *Chain) SetBalance(wei *big.Int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.tip(0)
	a := s.account(b, s.wallet)
	if b.accounts == nil {
		b.accounts = map[string]account{}
	}
	b.accounts[s.wallet] = account{a.nonce, new(big.Int).Set(wei)}
}

// Rotate makes another account the wallet that signs. What the one before sent stays in the pool.
func (s *Chain) Rotate(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wallet = address
}
