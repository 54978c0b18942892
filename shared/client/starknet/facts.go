package starknet

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
)

// Facts is a fact registry on Starknet: Integrity, Herodotus' verifier, or for core contracts of SnosArguments
// Herodotus' Satellite, which knows SHARP's facts: a proof.FactChecker.
type Facts struct {
	node     *Node
	contract felt.Felt
	core     *Core // whose form says which of the two it is; nil: Integrity
}

var _ proof.FactChecker = (*Facts)(nil)

// NewFacts returns the registry at an address for a core contract, nil for one that asks Integrity. It makes no
// request.
func NewFacts(n *Node, address string, core *Core) (*Facts, error) {
	a, err := parseAddress("fact registry", address)
	if err != nil {
		return nil, err
	}
	return &Facts{node: n, contract: a, core: core}, nil
}

// Valid implements proof.FactChecker with one request a fact. A fact that is not a felt can't be registered on
// Integrity.
func (f *Facts) Valid(ctx context.Context, facts []string) ([]bool, error) {
	sharp, err := f.sharp(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]bool, len(facts))
	for i, s := range facts {
		fact, err := parseFact(s, sharp)
		if err != nil {
			return nil, err
		}
		if out[i], err = f.known(ctx, fact, sharp, latest); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// sharp says whether the registry knows SHARP's facts.
func (f *Facts) sharp(ctx context.Context) (bool, error) {
	if f.core == nil {
		return false, nil
	}
	form, err := f.core.Form(ctx)
	return form.Arguments == SnosArguments, err
}

// parseFact reads "0x" and 64 hex digits: of a felt, or of SHARP's fact, which may be larger.
func parseFact(s string, sharp bool) (fact [32]byte, err error) {
	digits, ok := strings.CutPrefix(s, "0x")
	raw, err := hex.DecodeString(digits)
	if !ok || err != nil || len(raw) != len(fact) {
		return fact, fmt.Errorf("fact %.80q: want 0x and 64 hex digits", s)
	}
	copy(fact[:], raw)
	if _, err := felt.FromBytes(raw); err != nil && !sharp {
		return fact, fmt.Errorf("fact %.80q: want 0x and 64 hex digits of a felt", s)
	}
	return fact, nil
}

// halves are a number of 256 bits as Cairo takes it.
func halves(fact [32]byte) []felt.Felt {
	var low, high felt.Felt
	copy(low[16:], fact[16:])
	copy(high[16:], fact[:16])
	return []felt.Felt{low, high}
}

// known says whether the registry knows a fact.
func (f *Facts) known(ctx context.Context, fact [32]byte, sharp bool, block any) (bool, error) {
	if !sharp {
		return f.valid(ctx, fact, block)
	}
	out, err := f.node.read(ctx, f.contract, "isKeccakVerifiedFactHashValid", block, halves(fact)...)
	if err != nil {
		return false, err
	}
	if len(out) != 1 {
		return false, fmt.Errorf("fact registry %s answers %d felts: is it Herodotus' Satellite?", f.contract, len(out))
	}
	return !out[0].IsZero(), nil
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
