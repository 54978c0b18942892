package ethereum

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
)

// coreABI is what is called of Starknet's core contract (cairo-lang, starkware/starknet/solidity/Starknet.sol).
var coreABI = mustABI(`[
 {"type":"function","name":"stateBlockNumber","inputs":[],"outputs":[{"type":"int256"}],"stateMutability":"view"},
 {"type":"function","name":"stateRoot","inputs":[],"outputs":[{"type":"uint256"}],"stateMutability":"view"},
 {"type":"function","name":"stateBlockHash","inputs":[],"outputs":[{"type":"uint256"}],"stateMutability":"view"},
 {"type":"function","name":"programHash","inputs":[],"outputs":[{"type":"uint256"}],"stateMutability":"view"},
 {"type":"function","name":"aggregatorProgramHash","inputs":[],"outputs":[{"type":"uint256"}],"stateMutability":"view"},
 {"type":"function","name":"configHash","inputs":[],"outputs":[{"type":"uint256"}],"stateMutability":"view"},
 {"type":"function","name":"isOperator","inputs":[{"name":"user","type":"address"}],"outputs":[{"type":"bool"}],"stateMutability":"view"},
 {"type":"function","name":"updateStateKzgDA","inputs":[{"name":"programOutput","type":"uint256[]"},{"name":"kzgProofs","type":"bytes[]"}],"outputs":[]},
 {"type":"function","name":"updateState","inputs":[{"name":"programOutput","type":"uint256[]"},{"name":"onchainDataHash","type":"uint256"},{"name":"onchainDataSize","type":"uint256"}],"outputs":[]}
]`)

func mustABI(s string) abi.ABI {
	a, err := abi.JSON(strings.NewReader(s))
	if err != nil {
		panic("ABI: " + err.Error())
	}
	return a
}

// Core is Starknet's core contract: a settlement.Contract.
type Core struct {
	node     *Node
	contract common.Address
	wallet   *Wallet // nil for readers
}

var _ settlement.Contract = (*Core)(nil)

// NewCore returns the core contract at an address. wallet, whose rights Config tells of, may be nil. It makes no request.
func NewCore(n *Node, address string, wallet *Wallet) (*Core, error) {
	a, err := parseAddress("core contract", address)
	if err != nil {
		return nil, err
	}
	return &Core{node: n, contract: a, wallet: wallet}, nil
}

// State implements settlement.Contract. Root and BlockHash are set before the first update too: what it must start from.
func (c *Core) State(ctx context.Context, finalized bool) (settlement.State, error) {
	var block hexutil.Uint64
	if finalized {
		n, err := c.node.finalized(ctx)
		if err != nil || n == 0 {
			return settlement.State{}, err
		}
		block = hexutil.Uint64(n)
	} else if err := c.node.batch(ctx, request{"eth_blockNumber", nil, &block}); err != nil {
		return settlement.State{}, err
	}
	out, err := c.call(ctx, block, "stateBlockNumber", "stateRoot", "stateBlockHash")
	if err != nil {
		if finalized && errors.Is(err, settlement.ErrNotConfigured) { // deployed after the newest finalized block
			return settlement.State{}, nil
		}
		return settlement.State{}, err
	}
	number, ok := out[0].(*big.Int)
	if !ok || number.Sign() >= 0 && !number.IsUint64() {
		return settlement.State{}, c.node.wrap("stateBlockNumber", fmt.Errorf("answer %v is no block number", out[0]))
	}
	s := settlement.State{Settled: number.Sign() >= 0}
	if s.Settled {
		s.Block = number.Uint64()
	}
	if s.Root, err = asFelt("stateRoot", out[1]); err != nil {
		return s, err
	}
	s.BlockHash, err = asFelt("stateBlockHash", out[2])
	return s, err
}

// Config implements settlement.Contract.
func (c *Core) Config(ctx context.Context) (settlement.Config, error) {
	var head hexutil.Uint64
	if err := c.node.batch(ctx, request{"eth_blockNumber", nil, &head}); err != nil {
		return settlement.Config{}, err
	}
	out, err := c.call(ctx, head, "programHash", "aggregatorProgramHash", "configHash")
	if err != nil {
		return settlement.Config{}, err
	}
	var cfg settlement.Config
	for i, to := range []*felt.Felt{&cfg.ProgramHash, &cfg.AggregatorProgramHash, &cfg.ConfigHash} {
		if *to, err = asFelt("configuration", out[i]); err != nil {
			return cfg, err
		}
	}
	if c.wallet == nil {
		return cfg, nil
	}
	from, err := c.wallet.Address(ctx)
	if err != nil {
		return cfg, err
	}
	data, err := coreABI.Pack("isOperator", from)
	if err != nil {
		return cfg, fmt.Errorf("encode isOperator: %w", err)
	}
	var raw hexutil.Bytes
	if err := c.node.batch(ctx, request{"eth_call", []any{callArgs{To: c.contract, Data: data}, head}, &raw}); err != nil {
		return cfg, err
	}
	cfg.Operator = new(big.Int).SetBytes(raw).Sign() != 0
	return cfg, nil
}

// call reads views without arguments at a block, in one request.
func (c *Core) call(ctx context.Context, block hexutil.Uint64, names ...string) ([]any, error) {
	raw := make([]hexutil.Bytes, len(names))
	rs := make([]request, len(names))
	for i, n := range names {
		data, err := coreABI.Pack(n)
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", n, err)
		}
		rs[i] = request{"eth_call", []any{callArgs{To: c.contract, Data: data}, block}, &raw[i]}
	}
	if err := c.node.batch(ctx, rs...); err != nil {
		return nil, err
	}
	out := make([]any, len(names))
	for i, n := range names {
		if len(raw[i]) == 0 {
			return nil, fmt.Errorf("%s answers nothing: %w: %s", n, settlement.ErrNotConfigured, c.contract)
		}
		vs, err := coreABI.Unpack(n, raw[i])
		if err != nil || len(vs) != 1 {
			return nil, c.node.wrap(n, fmt.Errorf("answer %.80s does not decode: %w", raw[i], err))
		}
		out[i] = vs[0]
	}
	return out, nil
}

func asFelt(what string, v any) (felt.Felt, error) {
	n, ok := v.(*big.Int)
	if !ok {
		return felt.Zero, fmt.Errorf("%s: answer %v is no number", what, v)
	}
	f, err := felt.FromBig(n)
	if err != nil {
		return f, fmt.Errorf("%s: %w", what, err)
	}
	return f, nil
}
