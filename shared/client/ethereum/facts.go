package ethereum

import (
	"context"
	"fmt"
	"math/big"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

var registryABI = mustABI(`[
 {"type":"function","name":"isValid","inputs":[{"name":"fact","type":"bytes32"}],"outputs":[{"type":"bool"}],"stateMutability":"view"},
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

// Valid implements proof.FactChecker with one request for all facts.
func (f *Facts) Valid(ctx context.Context, facts []string) ([]bool, error) {
	if len(facts) == 0 {
		return nil, nil
	}
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
		rs[i] = request{"eth_call", []any{callArgs{To: f.contract, Data: data}, "latest"}, &raw[i]}
	}
	if err := f.node.batch(ctx, rs...); err != nil {
		return nil, err
	}
	out := make([]bool, len(facts))
	for i, b := range raw {
		if len(b) != 32 {
			return nil, fmt.Errorf("fact registry %s answers %d bytes: is it a fact registry?", f.contract, len(b))
		}
		out[i] = new(big.Int).SetBytes(b).Sign() != 0
	}
	return out, nil
}

// Registrar registers facts on a development registry with a wallet of its own.
type Registrar struct {
	*Facts
	wallet *Wallet
	mu     sync.Mutex // one nonce at a time
}

// NewRegistrar returns the registrar. The wallet must be used for nothing else.
func NewRegistrar(f *Facts, w *Wallet) *Registrar { return &Registrar{Facts: f, wallet: w} }

// registerGas is enough for registerFact, which writes two slots at the most.
const registerGas = 120_000

// Register sends a transaction that registers a fact, and does not wait for it. A fact registered twice is no error.
func (r *Registrar) Register(ctx context.Context, s string) error {
	fact, err := parseFact(s)
	if err != nil {
		return err
	}
	data, err := registryABI.Pack("registerFact", fact)
	if err != nil {
		return fmt.Errorf("encode registerFact: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	head, err := r.wallet.Head(ctx)
	if err != nil {
		return err
	}
	account, err := r.wallet.Account(ctx, 0)
	if err != nil {
		return err
	}
	p := tx.Payload{To: r.contract.Hex(), Data: data}
	price := new(big.Int).Add(new(big.Int).Mul(head.BaseFee, big.NewInt(4)), head.Tip)
	signed, err := r.wallet.Sign(ctx, p, max(account.Pending, account.Latest), tx.Fees{Gas: registerGas, GasPrice: price, Tip: head.Tip})
	if err != nil {
		return err
	}
	return r.wallet.Broadcast(ctx, signed, p)
}
