// Package pie reads and writes Cairo PIEs: the zip of a run's program, memory and resources that a prover is given. It
// finds program hash, output and facts. A PIE comes from outside, so every size is bounded while it is read.
package pie

import (
	"errors"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/hash"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/version"
)

// ErrMalformed says that a file is not a Cairo PIE; the wrapping text says where.
var ErrMalformed = errors.New("malformed Cairo PIE")

// ErrTooLarge says that a PIE is beyond the reader's limits.
var ErrTooLarge = errors.New("Cairo PIE is too large")

// Program is a run's program without identifiers.
type Program struct {
	Data     []felt.Felt
	Builtins []string // in the program's order, such as "output", "pedersen"
	Main     uint64   // program counter of main
}

// Page is a continuous part of the output that is published as one. Start and Size are words.
type Page struct{ Start, Size uint64 }

// PIE is what is known of a run. Memory beside the output is checked while it is read, and left out.
type PIE struct {
	// Version is the form of the file: "1.0" or "1.1".
	Version string
	Program Program
	// Output are the words of the output builtin's segment.
	Output []felt.Felt
	// Pages are the output's pages beside the main page, by page id from 1; empty where there is one page.
	Pages []Page
	// Tree is the fact topology's tree in pairs (pages to push, nodes to join); nil for one page.
	Tree []int
	// Steps is the number of Cairo steps.
	Steps uint64
	// MemoryHoles is the number of cells of the run's address space that were not used.
	MemoryHoles uint64
	// Instances is how often each builtin was used, by the builtin's name.
	Instances map[string]uint64
	// MemoryCells is the number of cells in memory.bin.
	MemoryCells int64
}

// bootloaderVersion is the first element of what a program hash hashes.
const bootloaderVersion = 0

// Hash is the program hash that a fact holds, over [bootloader version, main, number of builtins, builtins, data]: with
// Pedersen a hash chain that begins with their number, else their Blake2s hash (cairo-lang,
// bootloaders/hash_program.py). Which one a Starknet version takes says version.HashFunctionOf. It takes time in
// proportion to the data: with Pedersen about 3 s for 100,000 words.
func (p Program) Hash(f version.HashFunction) (felt.Felt, error) {
	chain := []felt.Felt{felt.FromUint64(bootloaderVersion), felt.FromUint64(p.Main),
		felt.FromUint64(uint64(len(p.Builtins)))}
	for _, b := range p.Builtins {
		name, err := felt.FromShortString(b)
		if err != nil {
			return felt.Zero, fmt.Errorf("builtin %.40q: %w", b, err)
		}
		chain = append(chain, name)
	}
	chain = append(chain, p.Data...)
	switch f {
	case version.Blake2s:
		return hash.Blake2s(chain), nil
	case version.Pedersen:
		return pedersenChain(chain), nil
	}
	return felt.Zero, fmt.Errorf("programs are hashed with %s or %s, not with %.20q",
		version.Pedersen, version.Blake2s, f)
}

// pedersenChain is the hash chain over the number of elements and the elements (cairo-lang, common/hash_chain.py).
func pedersenChain(chain []felt.Felt) felt.Felt {
	chain = append([]felt.Felt{felt.FromUint64(uint64(len(chain)))}, chain...)
	acc := chain[len(chain)-1]
	for i := len(chain) - 2; i >= 0; i-- {
		acc = hash.PedersenOften(chain[i], acc)
	}
	return acc
}

// aggregatorPrefix marks the hash of a program that a bootloader ran as an aggregator.
var aggregatorPrefix = func() felt.Felt {
	f, err := felt.FromShortString("AGGREGATOR")
	if err != nil {
		panic(err) // fixed input
	}
	return f
}()

// AggregatorHash is the program hash under which the applicative bootloader registers an aggregator's fact, from the
// program's own hash with the same function: that of "AGGREGATOR" and it (cairo-lang, bootloaders/aggregator_utils.py).
// Core contracts on Ethereum hold it as their aggregatorProgramHash.
func AggregatorHash(program felt.Felt, f version.HashFunction) felt.Felt {
	if f == version.Blake2s {
		return hash.Blake2s([]felt.Felt{aggregatorPrefix, program})
	}
	return hash.Pedersen(aggregatorPrefix, program)
}
