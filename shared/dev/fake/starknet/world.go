package starknet

import (
	"bytes"
	"maps"
	"math/big"
	"slices"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/hash"
)

// world is the state after a block. It is never changed once a block has it.
type world struct {
	nonces   map[felt.Felt]uint64
	keys     map[felt.Felt]felt.Felt // public keys of accounts
	balances map[felt.Felt]*big.Int
	core     core
	facts    map[felt.Felt]bool
	keccak   map[[32]byte]bool // SHARP's facts

	registrar felt.Felt
	written   int // slots, by the transaction that runs
}

func newWorld(o Options) *world {
	w := &world{
		nonces: map[felt.Felt]uint64{}, keys: map[felt.Felt]felt.Felt{},
		balances: map[felt.Felt]*big.Int{}, facts: map[felt.Felt]bool{}, keccak: map[[32]byte]bool{},
		core: newCore(o.Core), registrar: o.Registrar,
	}
	for _, a := range o.Accounts {
		w.keys[a.Address], w.balances[a.Address], w.nonces[a.Address] = a.PublicKey, new(big.Int), 0
		if a.Balance != nil {
			w.balances[a.Address].Set(a.Balance)
		}
	}
	return w
}

func (w *world) clone() *world {
	c := *w
	c.nonces, c.balances, c.facts = maps.Clone(w.nonces), maps.Clone(w.balances), maps.Clone(w.facts)
	c.core.messages, c.keccak = maps.Clone(w.core.messages), maps.Clone(w.keccak)
	return &c
}

// fault is how a call ends that fails: in a contract at a selector, with the felts of its panic.
type fault struct {
	to, selector felt.Felt
	words        []string // short strings
	missing      bool     // no such contract
	noEntry      bool     // no such function
}

func panics(words ...string) *fault { return &fault{words: words} }

// run makes a call; what it writes stays in w.
func (w *world) run(from felt.Felt, c call) ([]felt.Felt, *fault) {
	out, f := w.dispatch(from, c)
	if f != nil {
		f.to, f.selector = c.to, c.selector
	}
	return out, f
}

var selectors = func() map[felt.Felt]string {
	m := map[felt.Felt]string{}
	for _, n := range []string{
		"balanceOf", "is_valid_signature", "take", "fail", "get_state", "get_program_info",
		"get_facts_registry", "is_operator", "owner",
		"update_state", "get_all_verifications_for_fact_hash", "register_fact",
		"isKeccakVerifiedFactHashValid", "register_keccak_fact",
	} {
		m[hash.Selector(n)] = n
	}
	return m
}()

func (w *world) dispatch(from felt.Felt, c call) ([]felt.Felt, *fault) {
	name := selectors[c.selector]
	_, account := w.keys[c.to]
	switch {
	case c.to == TokenAddress && name == "balanceOf":
		return w.balanceOf(c.args)
	case account && name == "is_valid_signature":
		return isValidSignature(c.args)
	case c.to == SinkAddress && name == "take":
		w.written++
		return nil, nil
	case c.to == SinkAddress && name == "fail":
		return nil, panics("sink: refused")
	case c.to == CoreAddress:
		return w.core.call(w, from, name, c.args)
	case c.to == RegistryAddress:
		return w.registry(from, name, c.args)
	case !account && !slices.Contains([]felt.Felt{TokenAddress, SinkAddress}, c.to):
		return nil, &fault{missing: true}
	}
	return nil, &fault{noEntry: true}
}

func (w *world) balanceOf(args []felt.Felt) ([]felt.Felt, *fault) {
	if len(args) != 1 {
		return nil, panics("Input too long for arguments")
	}
	b := w.balances[args[0]]
	if b == nil {
		return []felt.Felt{felt.Zero, felt.Zero}, nil
	}
	mask := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1))
	low, _ := felt.FromBig(new(big.Int).And(b, mask))
	high, _ := felt.FromBig(new(big.Int).Rsh(b, 128))
	return []felt.Felt{low, high}, nil
}

// isValidSignature answers 0 to whatever is not a signature, as OpenZeppelin's accounts do.
func isValidSignature(args []felt.Felt) ([]felt.Felt, *fault) {
	if len(args) < 2 {
		return nil, panics("Failed to deserialize param #2")
	}
	if n, ok := args[1].Uint64(); !ok || n != uint64(len(args)-2) {
		return nil, panics("Failed to deserialize param #2")
	}
	return []felt.Felt{felt.Zero}, nil
}

// registry is Integrity's fact registry and Herodotus' Satellite, and registers facts without a proof.
func (w *world) registry(from felt.Felt, name string, args []felt.Felt) ([]felt.Felt, *fault) {
	switch name {
	case "isKeccakVerifiedFactHashValid", "register_keccak_fact":
		return w.satellite(from, name, args)
	case "get_all_verifications_for_fact_hash":
		if len(args) != 1 {
			return nil, panics("Failed to deserialize param #1")
		}
		if !w.facts[args[0]] {
			return []felt.Felt{felt.Zero}, nil
		}
		layout, _ := felt.FromShortString("recursive_with_poseidon")
		one := felt.FromUint64(1)
		return []felt.Felt{one, args[0], felt.FromUint64(securityBits), layout, one, one, one}, nil
	case "register_fact":
		switch {
		case len(args) != 1:
			return nil, panics("Failed to deserialize param #1")
		case !w.registrar.IsZero() && from != w.registrar:
			return nil, panics("Registry: only registrar")
		}
		w.facts[args[0]] = true
		w.written++
		return nil, nil
	}
	return nil, &fault{noEntry: true}
}

// satellite knows SHARP's facts, which are 256 bits: low and high half.
func (w *world) satellite(from felt.Felt, name string, args []felt.Felt) ([]felt.Felt, *fault) {
	var fact, zero [32]byte
	for i, half := range args {
		if i > 1 || !bytes.Equal(half[:16], zero[:16]) {
			return nil, panics("Failed to deserialize param #1")
		}
		copy(fact[16*(1-i):], half[16:])
	}
	switch {
	case len(args) != 2:
		return nil, panics("Failed to deserialize param #1")
	case name == "isKeccakVerifiedFactHashValid" && w.keccak[fact]:
		return []felt.Felt{felt.FromUint64(1)}, nil
	case name == "isKeccakVerifiedFactHashValid":
		return []felt.Felt{felt.Zero}, nil
	case !w.registrar.IsZero() && from != w.registrar:
		return nil, panics("Registry: only registrar")
	}
	w.keccak[fact] = true
	w.written++
	return nil, nil
}
