package pie

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/hash"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/version"
)

// Fact is a fact as registries on Ethereum know it.
type Fact [32]byte

// String is "0x" and 64 hex digits.
func (f Fact) String() string { return "0x" + hex.EncodeToString(f[:]) }

// SharpFact is the fact that a verifier registers for the PIE: keccak(program hash, Merkle root over the output's
// pages).
func (p *PIE) SharpFact(f version.HashFunction) (Fact, error) {
	h, err := p.Program.Hash(f)
	if err != nil {
		return Fact{}, err
	}
	return p.SharpFactOf(h)
}

// SharpFactOf is SharpFact under a program hash that is known already.
func (p *PIE) SharpFactOf(program felt.Felt) (Fact, error) { return p.fact(program, 0) }

func (p *PIE) fact(program felt.Felt, cut uint64) (Fact, error) {
	pages, err := p.pageSizes(cut)
	if err != nil {
		return Fact{}, err
	}
	return NewFact(program, p.Output[cut:], pages, p.Tree)
}

// AggregatorFact is the fact that a verifier such as SHARP registers for an aggregator's state update: under the
// program's hash with the aggregator prefix, AggregatorHash.
func (p *PIE) AggregatorFact(f version.HashFunction) (Fact, error) {
	h, err := p.Program.Hash(f)
	if err != nil {
		return Fact{}, err
	}
	return p.AggregatorFactOf(AggregatorHash(h, f))
}

// AggregatorFactOf is the fact that the core contract asks for when its aggregatorProgramHash is program: that of the
// state update's words, which follow the aggregator's inputs in the output.
//
// Zeros after an update on one page do not belong to it and are left out, as the contract takes no words beyond the
// messages.
func (p *PIE) AggregatorFactOf(program felt.Felt) (Fact, error) {
	inputs, err := output.SkipInputs(p.Output)
	if err != nil {
		return Fact{}, err
	}
	if p.Tree != nil {
		return p.fact(program, uint64(inputs))
	}
	words, err := output.UpdateWords(p.Output[inputs:])
	if err != nil {
		return Fact{}, err
	}
	return PageFact(program, words), nil
}

// PageFact is the fact of a program with one page of output: keccak(program hash, keccak(words)).
func PageFact(program felt.Felt, words []felt.Felt) Fact {
	page := hash.Keccak256(felt.Concat(words))
	return Fact(hash.Keccak256(program[:], page[:]))
}

// bootloaderHash is the program hash of the bootloader in which SNOS runs on their way to Starknet are proven
// (protocol.md).
var bootloaderHash = felt.MustHex("0x5ab580b04e3532b6b18f81cfa654a05e29dd8e2352d88df1e765a84072db07")

// BootloaderHash is the program hash that StarknetFact is of: what a core contract on Starknet is set up with.
func BootloaderHash() felt.Felt { return bootloaderHash }

// StarknetFact is the fact that settlement on Starknet asks for: Poseidon(bootloader program hash, Poseidon(output)).
func StarknetFact(words []felt.Felt) felt.Felt {
	return hash.PoseidonMany([]felt.Felt{bootloaderHash, hash.PoseidonMany(words)})
}

// node is one of the tree from which a fact's output root comes.
type node struct {
	hash     [32]byte
	words    uint64 // how many it covers
	end      uint64 // offset in the output after its last word
	children []node // none for pages
}

// NewFact is the SHARP fact of an output with a topology (cairo-lang, bootloaders/generate_fact.py and
// fact_topology.py): pages are hashed by keccak, a parent is 1 + keccak(child, end offset, ...). pages are the sizes of
// all pages in words, and together the whole output; none stand for one page. No tree stands for one page that is the
// root. A topology that does not fit is ErrMalformed.
func NewFact(program felt.Felt, words []felt.Felt, pages []uint64, tree []int) (Fact, error) {
	root, err := outputRoot(words, pages, tree)
	if err != nil {
		return Fact{}, err
	}
	return Fact(hash.Keccak256(program[:], root.hash[:])), nil
}

// DataHash returns hash and size in words of the second of an output's two parts, which in calldata mode is the state
// diff on pages of its own: what updateState of the core contract and update_state of its like on Starknet take as data
// hash and data size. Other outputs have none: ok is false.
func (p *PIE) DataHash() (data [32]byte, size uint64, ok bool, err error) {
	pages, err := p.pageSizes(0)
	if err != nil {
		return data, 0, false, err
	}
	root, err := outputRoot(p.Output, pages, p.Tree)
	if err != nil || len(root.children) != 2 {
		return data, 0, false, err
	}
	return root.children[1].hash, root.children[1].words, true, nil
}

func outputRoot(words []felt.Felt, pages []uint64, tree []int) (root node, err error) {
	if len(pages) == 0 {
		pages = []uint64{uint64(len(words))}
	}
	if tree == nil {
		tree = []int{1, 0}
	}
	if len(tree)%2 != 0 {
		return root, fmt.Errorf("%w: fact topology with %d numbers, which is not a list of pairs",
			ErrMalformed, len(tree))
	}
	var stack []node
	at := uint64(0)
	for i := 0; i < len(tree); i += 2 {
		push, join := tree[i], tree[i+1]
		if push < 0 || push > len(pages) || join < 0 || join > len(stack)+push {
			return root, fmt.Errorf("%w: fact topology takes %d pages of %d and joins %d nodes of %d",
				ErrMalformed, push, len(pages), join, len(stack)+push)
		}
		for range push {
			size := pages[0]
			pages = pages[1:]
			if size > uint64(len(words))-at {
				return root, fmt.Errorf("%w: a page of %d words where %d are left",
					ErrMalformed, size, uint64(len(words))-at)
			}
			page := words[at : at+size]
			at += size
			stack = append(stack, node{hash: hash.Keccak256(felt.Concat(page)), words: size, end: at})
		}
		if join > 0 {
			joined := parent(stack[len(stack)-join:])
			stack = append(stack[:len(stack)-join], joined)
		}
	}
	if len(stack) != 1 || len(pages) != 0 || at != uint64(len(words)) {
		return root, fmt.Errorf("%w: fact topology leaves %d nodes, %d pages and %d words",
			ErrMalformed, len(stack), len(pages), uint64(len(words))-at)
	}
	return stack[0], nil
}

// parent joins nodes: 1 + keccak(hash, end offset of each), modulo 2^256.
func parent(children []node) node {
	var raw []byte
	out := node{end: children[len(children)-1].end, children: slices.Clone(children)}
	for _, c := range children {
		end := felt.FromUint64(c.end)
		raw = append(append(raw, c.hash[:]...), end[:]...)
		out.words += c.words
	}
	sum := hash.Keccak256(raw)
	n := new(big.Int).SetBytes(sum[:])
	n.Add(n, big.NewInt(1)).SetBit(n, 256, 0)
	n.FillBytes(out.hash[:])
	return out
}
