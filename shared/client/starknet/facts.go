package starknet

import (
	"context"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
)

// Facts is the fact registry of Integrity, Herodotus' verifier on Starknet: a proof.FactChecker.
type Facts struct {
	node     *Node
	contract felt.Felt
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

// Valid implements proof.FactChecker with one request a fact. A fact that is not a felt can't be registered on
// Starknet.
func (f *Facts) Valid(ctx context.Context, facts []string) ([]bool, error) {
	out := make([]bool, len(facts))
	for i, s := range facts {
		fact, err := parseFact(s)
		if err != nil {
			return nil, err
		}
		if out[i], err = f.valid(ctx, fact, latest); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func parseFact(s string) (felt.Felt, error) {
	f, err := felt.FromHex(s)
	if err != nil || len(s) != 2+2*felt.Bytes {
		return felt.Felt{}, fmt.Errorf("fact %.80q: want 0x and 64 hex digits of a felt", s)
	}
	return f, nil
}

// minSecurity is how many bits of security a verification must have more than: piltover's own limit.
const minSecurity = 50

// valid says whether the registry knows a verification that piltover takes. The answer is a list of verifications, each
// a hash, its bits of security, and settings; piltover looks at the first.
func (f *Facts) valid(ctx context.Context, fact felt.Felt, block any) (bool, error) {
	out, err := f.node.read(ctx, f.contract, "get_all_verifications_for_fact_hash", block, fact)
	if err != nil {
		return false, err
	}
	if len(out) == 0 {
		return false, fmt.Errorf("fact registry %s answers nothing: is it a fact registry?", f.contract)
	}
	if out[0].IsZero() {
		return false, nil
	}
	if len(out) < 3 {
		return false, fmt.Errorf("fact registry %s answers %d felts for a verification: is it a fact registry?",
			f.contract, len(out))
	}
	bits, ok := out[2].Uint64()
	return ok && bits > minSecurity, nil
}
