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
 {"type":"function","name":"isOperator","inputs":[{"name":"user","type":"address"}],
"outputs":[{"type":"bool"}],"stateMutability":"view"},
 {"type":"function","name":"updateStateKzgDA","inputs":[{"name":"programOutput","type":"uint256[]"},
{"name":"kzgProofs","type":"bytes[]"}],"outputs":[]},
 {"type":"function","name":"updateState","inputs":[{"name":"programOutput","type":"uint256[]"},
{"name":"onchainDataHash","type":"uint256"},{"name":"onchainDataSize","type":"uint256"}],"outputs":[]}
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

// NewCore returns the core contract at an address. wallet, whose rights Config reports, may be nil. It makes no
// request.
func NewCore(n *Node, address string, wallet *Wallet) (*Core, error) {
	a, err := parseAddress("core contract", address)
	if err != nil {
		return nil, err
	}
	return &Core{node: n, contract: a, wallet: wallet}, nil
}

// State implements settlement.Contract. Root and BlockHash are set before the first update too: what it must start
// from. With finalized, a contract that is younger than the newest finalized block is not settled yet.
func (c *Core) State(ctx context.Context, finalized bool) (settlement.State, error) {
	var block hexutil.Uint64
	if finalized {
		n, err := c.node.finalized(ctx)
		if err != nil || n == 0 {
			return settlement.State{}, err
		}
		block = hexutil.Uint64(n)
	} else if err := c.node.call(ctx, "eth_blockNumber", &block); err != nil {
		return settlement.State{}, err
	}
	out := make([]*big.Int, 3)
	err := c.read(ctx, block, view{name: "stateBlockNumber", into: &out[0], signed: true},
		view{name: "stateRoot", into: &out[1]}, view{name: "stateBlockHash", into: &out[2]})
	if finalized && errors.Is(err, settlement.ErrNotConfigured) {
		return settlement.State{}, nil
	}
	if err != nil {
		return settlement.State{}, err
	}
	if n := out[0]; n.Sign() >= 0 && !n.IsUint64() {
		return settlement.State{}, fmt.Errorf("core contract %s: stateBlockNumber is %s", c.contract, n)
	}
	s := settlement.State{Settled: out[0].Sign() >= 0}
	if s.Settled {
		s.Block = out[0].Uint64()
	}
	if s.Root, err = felt.FromBig(out[1]); err != nil {
		return settlement.State{}, fmt.Errorf("core contract %s: stateRoot: %w", c.contract, err)
	}
	if s.BlockHash, err = felt.FromBig(out[2]); err != nil {
		return settlement.State{}, fmt.Errorf("core contract %s: stateBlockHash: %w", c.contract, err)
	}
	return s, nil
}

// Config implements settlement.Contract. Contracts before the aggregator have no aggregatorProgramHash.
func (c *Core) Config(ctx context.Context) (settlement.Config, error) {
	var cfg settlement.Config
	var head hexutil.Uint64
	if err := c.node.call(ctx, "eth_blockNumber", &head); err != nil {
		return cfg, err
	}
	out, operator := make([]*big.Int, 3), new(big.Int)
	views := []view{
		{name: "programHash", into: &out[0]}, {name: "configHash", into: &out[1]},
		{name: "aggregatorProgramHash", into: &out[2], optional: true},
	}
	if c.wallet != nil {
		from, err := c.wallet.Address(ctx)
		if err != nil {
			return cfg, err
		}
		views = append(views, view{name: "isOperator", args: []any{from}, into: &operator})
	}
	if err := c.read(ctx, head, views...); err != nil {
		return cfg, err
	}
	for i, to := range []*felt.Felt{&cfg.ProgramHash, &cfg.ConfigHash, &cfg.AggregatorProgramHash} {
		f, err := felt.FromBig(out[i])
		if err != nil {
			return settlement.Config{}, fmt.Errorf("core contract %s: %s: %w", c.contract, views[i].name, err)
		}
		*to = f
	}
	cfg.Operator = operator.Sign() != 0
	return cfg, nil
}

// view is a call that reads one number or flag of the contract.
type view struct {
	name     string
	args     []any
	into     **big.Int
	optional bool // 0 where the contract has no such function
	signed   bool // int256
}

// wordBytes is the length of a number in a contract's answer.
const wordBytes = 32

// read makes calls at a block in one request.
func (c *Core) read(ctx context.Context, block hexutil.Uint64, views ...view) error {
	raw := make([]hexutil.Bytes, len(views))
	rs := make([]request, len(views))
	for i, v := range views {
		data, err := pack(v.name, v.args...)
		if err != nil {
			return err
		}
		rs[i] = request{"eth_call", []any{callArgs{To: c.contract, Data: data}, block}, &raw[i]}
	}
	errs, err := c.node.batchEach(ctx, rs...)
	if err != nil {
		return err
	}
	for i, v := range views {
		if v.optional && (revertOf(errs[i]) != nil || errs[i] == nil && len(raw[i]) == 0) {
			*v.into = new(big.Int)
			continue
		}
		if errs[i] != nil {
			return fmt.Errorf("core contract %s: %s: %w", c.contract, v.name, errs[i])
		}
		if len(raw[i]) == 0 {
			return fmt.Errorf("%s answers nothing to %s: %w", c.contract, v.name, settlement.ErrNotConfigured)
		}
		if len(raw[i]) != wordBytes {
			return fmt.Errorf("core contract %s: %s answers %d bytes, want %d",
				c.contract, v.name, len(raw[i]), wordBytes)
		}
		*v.into = new(big.Int).SetBytes(raw[i])
		if v.signed && (*v.into).Bit(8*wordBytes-1) == 1 {
			(*v.into).Sub(*v.into, new(big.Int).Lsh(big.NewInt(1), 8*wordBytes))
		}
	}
	return nil
}
