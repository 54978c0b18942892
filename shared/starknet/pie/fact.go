package pie

import (
	"encoding/hex"
	"fmt"
	"math/big"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/hash"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
)

// Fact is a fact as registries on Ethereum know it.
type Fact [32]byte

// String is "0x" and 64 hex digits.
func (f Fact) String() string { return "0x" + hex.EncodeToString(f[:]) }

// SharpFact is the fact that a verifier registers for the PIE: keccak(program hash, Merkle root over the output's pages).
func (p *PIE) SharpFact() (Fact, error) {
	h, err := p.Program.Hash()
	if err != nil {
		return Fact{}, err
	}
	return NewFact(h, p.Output, p.pageSizes(), p.Tree)
}

// AggregatorFact is the fact of an aggregator's PIE: that of the state update's words, which follow its inputs in the
// output, as one page. It is the fact that the core contract asks for.
func (p *PIE) AggregatorFact() (Fact, error) {
	h, err := p.Program.Hash()
	if err != nil {
		return Fact{}, err
	}
	words, err := output.UpdateWords(p.Output)
	if err != nil {
		return Fact{}, err
	}
	return PageFact(h, words), nil
}

// PageFact is the fact of a program with one page of output: keccak(program hash, keccak(words)).
func PageFact(program felt.Felt, words []felt.Felt) Fact {
	page := hash.Keccak256(felt.Concat(words))
	return Fact(hash.Keccak256(program[:], page[:]))
}

// bootloaderHash is the program hash of the bootloader in which SNOS runs on their way to Starknet are proven (protocol.md).
var bootloaderHash = felt.MustHex("0x5ab580b04e3532b6b18f81cfa654a05e29dd8e2352d88df1e765a84072db07")

// StarknetFact is the fact that settlement on Starknet asks for: Poseidon(bootloader program hash, Poseidon(output)).
func StarknetFact(words []felt.Felt) felt.Felt {
	return hash.PoseidonMany([]felt.Felt{bootloaderHash, hash.PoseidonMany(words)})
}

// pageSizes are the sizes of all pages, the main page first.
func (p *PIE) pageSizes() []uint64 {
	if len(p.Pages) == 0 {
		return nil
	}
	sizes := []uint64{p.Pages[0].Start}
	for _, x := range p.Pages {
		sizes = append(sizes, x.Size)
	}
	return sizes
}

// node is one of the tree from which a fact's output root comes.
type node struct {
	hash [32]byte
	end  uint64 // offset in the output after its last word
}

// NewFact is the SHARP fact of an output with a topology (cairo-lang, bootloaders/generate_fact.py and fact_topology.py):
// pages are hashed by keccak, a parent is 1 + keccak(child, end offset, ...). Without pages the output is one page.
func NewFact(program felt.Felt, words []felt.Felt, pages []uint64, tree []int) (Fact, error) {
	if len(pages) == 0 {
		return PageFact(program, words), nil
	}
	if len(tree)%2 != 0 {
		return Fact{}, fmt.Errorf("%w: fact topology with %d numbers, which are no pairs", ErrMalformed, len(tree))
	}
	var stack []node
	at := uint64(0)
	for i := 0; i < len(tree); i += 2 {
		push, join := tree[i], tree[i+1]
		if push < 0 || push > len(pages) || join < 0 || join > len(stack)+push {
			return Fact{}, fmt.Errorf("%w: fact topology takes %d pages of %d and joins %d nodes of %d", ErrMalformed, push, len(pages), join, len(stack)+push)
		}
		for range push {
			size := pages[0]
			pages = pages[1:]
			if size > uint64(len(words))-at {
				return Fact{}, fmt.Errorf("%w: a page of %d words where %d are left", ErrMalformed, size, uint64(len(words))-at)
			}
			page := words[at : at+size]
			at += size
			stack = append(stack, node{hash.Keccak256(felt.Concat(page)), at})
		}
		if join > 0 {
			children := stack[len(stack)-join:]
			stack = append(stack[:len(stack)-join], parent(children))
		}
	}
	if len(stack) != 1 || len(pages) != 0 || at != uint64(len(words)) {
		return Fact{}, fmt.Errorf("%w: fact topology leaves %d nodes, %d pages and %d words", ErrMalformed, len(stack), len(pages), uint64(len(words))-at)
	}
	return Fact(hash.Keccak256(program[:], stack[0].hash[:])), nil
}

// parent joins nodes: 1 + keccak(hash, end offset of each), modulo 2^256.
func parent(children []node) node {
	var raw []byte
	for _, c := range children {
		end := felt.FromUint64(c.end)
		raw = append(append(raw, c.hash[:]...), end[:]...)
	}
	sum := hash.Keccak256(raw)
	n := new(big.Int).SetBytes(sum[:])
	n.Add(n, big.NewInt(1)).SetBit(n, 256, 0)
	var out node
	n.FillBytes(out.hash[:])
	out.end = children[len(children)-1].end
	return out
}
