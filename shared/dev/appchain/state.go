package appchain

import (
	"cmp"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// version is a value from a block on.
type version struct {
	from  uint64
	value felt.Felt
}

// history keeps every value that a key ever had.
type history[K comparable] map[K][]version

// at returns the value after block n; ok is false when nothing was written up to it.
func (h history[K]) at(k K, n uint64) (felt.Felt, bool) {
	vs := h[k]
	i, found := slices.BinarySearchFunc(vs, n, func(v version, n uint64) int { return cmp.Compare(v.from, n) })
	switch {
	case found:
		return vs[i].value, true
	case i == 0:
		return felt.Zero, false
	}
	return vs[i-1].value, true
}

// latest returns the newest value, 0 where there is none.
func (h history[K]) latest(k K) felt.Felt {
	if vs := h[k]; len(vs) > 0 {
		return vs[len(vs)-1].value
	}
	return felt.Zero
}

// put writes a value from block n on. Blocks come in order.
func (h history[K]) put(k K, n uint64, v felt.Felt) {
	vs := h[k]
	if len(vs) > 0 && vs[len(vs)-1].from == n {
		vs[len(vs)-1].value = v
		return
	}
	h[k] = append(vs, version{from: n, value: v})
}

// state is the chain's state after every block.
type state struct {
	storage history[block.Slot]
	nonces  history[felt.Felt]
	classes history[felt.Felt] // a contract's class
}

func newState() *state {
	return &state{storage: history[block.Slot]{}, nonces: history[felt.Felt]{}, classes: history[felt.Felt]{}}
}

// apply records a block's diff.
func (s *state) apply(n uint64, d block.StateDiff) {
	for _, c := range d.Storage {
		for _, e := range c.Entries {
			s.storage.put(block.Slot{Contract: c.Address, Key: e.Key}, n, e.Value)
		}
	}
	for _, c := range d.Deployed {
		s.classes.put(c.Address, n, c.ClassHash)
	}
	for _, c := range d.Replaced {
		s.classes.put(c.Address, n, c.ClassHash)
	}
	for _, c := range d.Nonces {
		s.nonces.put(c.Address, n, c.Nonce)
	}
}

// commitment is Starknet's state commitment over contracts and classes, kept incrementally.
type commitment struct {
	contracts *trie
	classes   *trie
	storage   map[felt.Felt]*trie
}

func newCommitment() *commitment {
	return &commitment{contracts: newTrie(pedersen), classes: newTrie(poseidon), storage: map[felt.Felt]*trie{}}
}

var (
	stateTag = mustShort("STARKNET_STATE_V0")
	classTag = mustShort("CONTRACT_CLASS_LEAF_V0")
)

// apply brings a diff in and returns the new global root. The state must hold the diff already.
func (c *commitment) apply(d block.StateDiff, s *state) felt.Felt {
	touched := map[felt.Felt]bool{}
	for _, cs := range d.Storage {
		touched[cs.Address] = true
		t := c.storage[cs.Address]
		if t == nil {
			t = newTrie(pedersen)
			c.storage[cs.Address] = t
		}
		for _, e := range cs.Entries {
			t.set(e.Key, e.Value)
		}
	}
	for _, x := range d.Deployed {
		touched[x.Address] = true
	}
	for _, x := range d.Replaced {
		touched[x.Address] = true
	}
	for _, x := range d.Nonces {
		touched[x.Address] = true
	}
	c.contractLeaves(touched, s)
	for _, x := range d.Declared {
		c.classes.set(x.ClassHash, poseidon(classTag, x.CompiledClassHash))
	}
	for _, x := range d.MigratedCompiledHash {
		c.classes.set(x.ClassHash, poseidon(classTag, x.CompiledClassHash))
	}
	return globalRoot(c.contracts.commit(), c.classes.commit())
}

// contractLeaves writes the leaves of the touched contracts, which are hashed on all cores.
func (c *commitment) contractLeaves(touched map[felt.Felt]bool, s *state) {
	addresses := slices.Collect(maps.Keys(touched))
	leaves := make([]felt.Felt, len(addresses))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(addresses)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(addresses); i = int(next.Add(1)) - 1 {
				leaves[i] = c.leaf(addresses[i], s)
			}
		})
	}
	wg.Wait()
	for i, a := range addresses {
		c.contracts.set(a, leaves[i])
	}
}

// leaf is a contract's leaf H(H(H(class, storage root), nonce), 0).
func (c *commitment) leaf(address felt.Felt, s *state) felt.Felt {
	root := felt.Zero
	if t := c.storage[address]; t != nil {
		root = t.commit()
	}
	leaf := pedersen(s.classes.latest(address), root)
	return pedersen(pedersen(leaf, s.nonces.latest(address)), felt.Zero)
}

// globalRoot combines both tries; without classes the contracts' root stands alone, as before Sierra.
func globalRoot(contracts, classes felt.Felt) felt.Felt {
	if classes.IsZero() {
		return contracts
	}
	return poseidonMany(stateTag, contracts, classes)
}

func mustShort(s string) felt.Felt {
	f, err := felt.FromShortString(s)
	if err != nil {
		panic(err)
	}
	return f
}
