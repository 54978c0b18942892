package starknet

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
)

// Core is the core contract piltover: a settlement.Contract.
type Core struct {
	node     *Node
	contract felt.Felt
	wallet   *Wallet // nil for readers

	mu    sync.Mutex
	class felt.Felt // whose form is known; zero: none
	form  Form
}

var _ settlement.Contract = (*Core)(nil)

// NewCore returns the core contract at an address. wallet, whose rights Config reports, may be nil. It makes no
// request. What the contract takes and answers is read from the ABI of its class, again after an upgrade.
func NewCore(n *Node, address string, wallet *Wallet) (*Core, error) {
	a, err := parseAddress("core contract", address)
	if err != nil {
		return nil, err
	}
	return &Core{node: n, contract: a, wallet: wallet}, nil
}

// Form is what the contract takes and answers now.
func (c *Core) Form(ctx context.Context) (Form, error) {
	var class felt.Felt
	err := c.node.call(ctx, "starknet_getClassHashAt", &class, latest, c.contract)
	if code(err) == codeContractNotFound {
		return Form{}, fmt.Errorf("%w: %w", settlement.ErrNotConfigured, err)
	}
	if err != nil {
		return Form{}, fmt.Errorf("class of core contract %s: %w", c.contract, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if class == c.class && !class.IsZero() {
		return c.form, nil
	}
	abi, err := c.node.abi(ctx, class)
	if err != nil {
		return Form{}, fmt.Errorf("class %s of core contract %s: %w", class, c.contract, err)
	}
	form, err := ParseForm(abi)
	if err != nil {
		return Form{}, fmt.Errorf("core contract %s, class %s: %w", c.contract, class, err)
	}
	c.class, c.form = class, form
	return form, nil
}

// view reads a function of the contract that answers at least n felts.
func (c *Core) view(ctx context.Context, name string, block any, n int, args ...felt.Felt) ([]felt.Felt, error) {
	out, err := c.node.read(ctx, c.contract, name, block, args...)
	switch code(err) {
	case codeContractNotFound:
		return nil, fmt.Errorf("%w: %w", settlement.ErrNotConfigured, err)
	case codeNoEntrypoint, codeContractError:
		return nil, fmt.Errorf("core contract %s has no %s as piltover has it: %w", c.contract, name, err)
	}
	if err != nil {
		return nil, err
	}
	if len(out) < n {
		return nil, fmt.Errorf("core contract %s: %s answers %d felts, want %d", c.contract, name, len(out), n)
	}
	return out, nil
}

// State implements settlement.Contract. Root and BlockHash are set before the first update too: what it must start
// from. Final is what is accepted on L1; a contract that is younger than that is not settled yet.
func (c *Core) State(ctx context.Context, finalized bool) (settlement.State, error) {
	var block any = latest
	if finalized {
		n, ok, err := c.node.accepted(ctx)
		if err != nil || !ok {
			return settlement.State{}, err
		}
		block = blockNumber{n}
	}
	out, err := c.view(ctx, "get_state", block, 3)
	if finalized && errors.Is(err, settlement.ErrNotConfigured) {
		return settlement.State{}, nil
	}
	if err != nil {
		return settlement.State{}, err
	}
	s := settlement.State{Root: out[0], BlockHash: out[2]}
	if out[1] == felt.MinusOne() {
		return s, nil
	}
	n, ok := out[1].Uint64()
	if !ok {
		return settlement.State{}, fmt.Errorf("core contract %s: its block number is %s", c.contract, out[1])
	}
	s.Settled, s.Block = true, n
	return s, nil
}

// Config implements settlement.Contract. Contracts before the layout bridge's program hash was kept have none.
func (c *Core) Config(ctx context.Context) (settlement.Config, error) {
	form, err := c.Form(ctx)
	if err != nil {
		return settlement.Config{}, err
	}
	out, err := c.view(ctx, "get_program_info", latest, 2)
	if err != nil {
		return settlement.Config{}, err
	}
	cfg, err := form.config(out)
	if err != nil {
		return cfg, fmt.Errorf("core contract %s: %w", c.contract, err)
	}
	if c.wallet == nil {
		return cfg, nil
	}
	cfg.Operator, err = c.operator(ctx)
	return cfg, err
}

// operator says whether the wallet may update the state: operators and the owner may.
func (c *Core) operator(ctx context.Context) (bool, error) {
	out, err := c.view(ctx, "is_operator", latest, 1, c.wallet.account)
	if err != nil || !out[0].IsZero() {
		return err == nil, err
	}
	if out, err = c.view(ctx, "owner", latest, 1); err != nil {
		return false, err
	}
	return out[0] == c.wallet.account, nil
}
