package ethereum

import (
	"context"
	"fmt"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
)

var registryABI = mustABI(`[
 {"type":"function","name":"isValid","inputs":[{"name":"fact","type":"bytes32"}],
"outputs":[{"type":"bool"}],"stateMutability":"view"},
 {"type":"function","name":"registerFact","inputs":[{"name":"fact","type":"bytes32"}],"outputs":[]}
]`)

// Facts is a fact registry such as SHARP's verifier: a proof.FactChecker.
type Facts struct {
	node     *Node
	contract common.Address
}

var _ proof.FactChecker = (*Facts)(nil)

// NewFacts returns the registry at an address. It makes no request.
func NewFacts(n *Node, address string) (*Facts, error) {
	a, err := parseAddress("fact registry", address)
	if err != nil {
		return nil, err
	}
	return &Facts{node: n, contract: a}, nil
}

func parseFact(s string) (f [32]byte, err error) {
	b, err := hexutil.Decode(s)
	if err != nil || len(b) != len(f) {
		return f, fmt.Errorf("fact %.80q: want 0x and 64 hex digits", s)
	}
	copy(f[:], b)
	return f, nil
}

// factsAtOnce is how many facts one request asks about: nodes take batches of 100 at least.
const factsAtOnce = 100

// Valid implements proof.FactChecker with one request for a hundred facts.
func (f *Facts) Valid(ctx context.Context, facts []string) ([]bool, error) {
	out := make([]bool, 0, len(facts))
	for part := range slices.Chunk(facts, factsAtOnce) {
		valid, err := f.at(ctx, "latest", part)
		if err != nil {
			return nil, err
		}
		out = append(out, valid...)
	}
	return out, nil
}

// at asks about facts in one request, on the state of a block.
func (f *Facts) at(ctx context.Context, block string, facts []string) ([]bool, error) {
	raw := make([]hexutil.Bytes, len(facts))
	rs := make([]request, len(facts))
	for i, s := range facts {
		fact, err := parseFact(s)
		if err != nil {
			return nil, err
		}
		data, err := registryABI.Pack("isValid", fact)
		if err != nil {
			return nil, fmt.Errorf("encode isValid: %w", err)
		}
		rs[i] = request{"eth_call", []any{callArgs{To: f.contract, Data: data}, block}, &raw[i]}
	}
	if err := f.node.batch(ctx, rs...); err != nil {
		return nil, fmt.Errorf("fact registry %s: %w", f.contract, err)
	}
	out := make([]bool, len(facts))
	for i, b := range raw {
		if len(b) != wordBytes {
			return nil, fmt.Errorf("fact registry %s answers %d bytes: is it a fact registry?", f.contract, len(b))
		}
		out[i] = new(big.Int).SetBytes(b).Sign() != 0
	}
	return out, nil
}
