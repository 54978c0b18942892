package appchain

import (
	"math/big"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// height is the number of bits of a key in Starknet's tries.
const height = 251

// hashFunc is a hash of two elements, which makes a trie a Pedersen or a Poseidon one.
type hashFunc func(a, b felt.Felt) felt.Felt

// trie is Starknet's binary Merkle-Patricia trie of height 251, in memory (Starknet documentation, "Starknet state",
// section Merkle-Patricia trie). Setting a value marks the path to it; commit hashes every marked node once.
type trie struct {
	root *node
	hash hashFunc
}

// node is an edge of to-from bits that ends in a leaf (to == height) or in a branch with two children.
type node struct {
	key         felt.Felt // its bits from..to-1 are the edge; bits before are the path to it
	from, to    int
	value       felt.Felt // leaf
	left, right *node     // branch
	sum         felt.Felt // the node's hash, while clean
	clean       bool
}

func newTrie(h hashFunc) *trie { return &trie{hash: h} }

// bit returns bit i of a key, from the most significant of the 251.
func bit(key *felt.Felt, i int) byte {
	i += 256 - height
	return key[i/8] >> (7 - i%8) & 1
}

// diverge returns the first bit position in from..to-1 at which two keys differ, or to.
func diverge(a, b *felt.Felt, from, to int) int {
	for i := from; i < to; i++ {
		if bit(a, i) != bit(b, i) {
			return i
		}
	}
	return to
}

// set writes a value; 0 removes the key.
func (t *trie) set(key, value felt.Felt) {
	if value.IsZero() {
		t.root = remove(t.root, &key)
		return
	}
	t.root = insert(t.root, &key, 0, value)
}

func insert(n *node, key *felt.Felt, from int, value felt.Felt) *node {
	if n == nil {
		return &node{key: *key, from: from, to: height, value: value}
	}
	at := diverge(&n.key, key, n.from, n.to)
	n.clean = false
	switch {
	case at < n.to: // split the edge
		branch := &node{key: n.key, from: n.from, to: at}
		fresh := &node{key: *key, from: at + 1, to: height, value: value}
		n.from = at + 1
		branch.left, branch.right = n, fresh
		if bit(key, at) == 0 {
			branch.left, branch.right = fresh, n
		}
		return branch
	case n.to == height:
		n.value = value
	case bit(key, n.to) == 0:
		n.left = insert(n.left, key, n.to+1, value)
	default:
		n.right = insert(n.right, key, n.to+1, value)
	}
	return n
}

func remove(n *node, key *felt.Felt) *node {
	if n == nil || diverge(&n.key, key, n.from, n.to) < n.to {
		return n
	}
	if n.to == height {
		return nil
	}
	n.clean = false
	if bit(key, n.to) == 0 {
		n.left = remove(n.left, key)
	} else {
		n.right = remove(n.right, key)
	}
	only := n.left
	switch {
	case n.left != nil && n.right != nil:
		return n
	case n.left == nil:
		only = n.right
	}
	only.from, only.clean = n.from, false // the branch goes, its one child's edge grows upwards
	return only
}

// commit returns the trie's root hash, 0 for an empty trie.
func (t *trie) commit() felt.Felt {
	if t.root == nil {
		return felt.Zero
	}
	return t.sum(t.root)
}

func (t *trie) sum(n *node) felt.Felt {
	if n.clean {
		return n.sum
	}
	bottom := n.value
	if n.to < height {
		bottom = t.hash(t.sum(n.left), t.sum(n.right))
	}
	if length := n.to - n.from; length > 0 {
		bottom = plus(t.hash(bottom, edge(&n.key, n.from, n.to)), uint64(length))
	}
	n.sum, n.clean = bottom, true
	return n.sum
}

// edge returns bits from..to-1 of a key as a number.
func edge(key *felt.Felt, from, to int) felt.Felt {
	v := key.Big()
	v.Rsh(v, uint(height-to))
	v.And(v, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(to-from)), big.NewInt(1)))
	return mustFelt(v)
}

// plus adds n in the field.
func plus(f felt.Felt, n uint64) felt.Felt {
	v := f.Big()
	v.Add(v, new(big.Int).SetUint64(n))
	return mustFelt(v.Mod(v, felt.Prime()))
}

// mustFelt converts a number that is below P by construction.
func mustFelt(v *big.Int) felt.Felt {
	f, err := felt.FromBig(v)
	if err != nil {
		panic(err)
	}
	return f
}
