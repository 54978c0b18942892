package l1

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/look"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// sight is how a node sees the chain.
type sight struct {
	behind int  // blocks that it does not have yet
	hidden bool // it shows nothing of its pool
}

// all is the sight of a node that has every block.
func (s *Chain) all() sight { return sight{hidden: s.cfg.Hidden} }

// struck is the sight with a fault: a stale answer misses one more block.
func (v sight) struck(f fault.Fault) sight {
	if f.Is(fault.Stale) {
		v.behind++
	}
	return v
}

// ErrOtherChain is the answer of a node that was set up for another chain.
var ErrOtherChain = errors.New("node serves another chain")

// Manners are how a node behaves.
type Manners struct {
	Behind int   // how many blocks it lags behind
	Hidden bool  // it shows nothing of its pool
	Fail   error // what it answers to everything: ErrOtherChain, or an error that says nothing; nil: it works
}

// Node is one of several nodes of the chain, with the chain's wallet and contract: a tx.Chain and a
// settlement.Contract. All share one pool. A node that lags takes a transaction whose nonce is used, without effect.
type Node struct {
	chain   *Chain
	manners Manners
}

var (
	_ tx.Chain            = (*Node)(nil)
	_ tx.Market           = (*Node)(nil)
	_ settlement.Contract = (*Node)(nil)
)

// Node returns one more node, which has every block and works.
func (s *Chain) Node() *Node { return &Node{chain: s} }

// Behave sets how the node behaves from now on. It must not be called at the same time as the node's other methods.
func (n *Node) Behave(m Manners) { n.manners = m }

func (n *Node) sight() sight {
	return sight{behind: n.manners.Behind, hidden: n.manners.Hidden || n.chain.cfg.Hidden}
}

// ask makes a call of a node that works. What the chain's faults did to it is not an answer.
func ask[T any](n *Node, call func(sight) (T, error)) (out T, err error) {
	if f := n.manners.Fail; errors.Is(f, ErrOtherChain) {
		return out, f
	} else if f != nil {
		return out, look.Unanswered(f)
	}
	out, err = call(n.sight())
	if errors.Is(err, fault.ErrInjected) {
		err = look.Unanswered(err)
	}
	return out, err
}

// Probe returns the node's newest block.
func (n *Node) Probe(ctx context.Context) (uint64, error) {
	return ask(n, func(v sight) (uint64, error) {
		return fault.Call(ctx, n.chain.env, "l1", "Probe", "", func(f fault.Fault) (uint64, error) {
			n.chain.mu.Lock()
			defer n.chain.mu.Unlock()
			n.chain.catchUp()
			return n.chain.tip(v.struck(f).behind).number, nil
		})
	})
}

// Account implements tx.Chain.
func (n *Node) Account(ctx context.Context, depth uint64) (tx.Account, error) {
	return ask(n, func(v sight) (tx.Account, error) { return n.chain.walletAt(ctx, v, depth) })
}

// Used implements tx.Chain.
func (n *Node) Used(ctx context.Context, address string, depth uint64) (tx.Used, error) {
	return ask(n, func(v sight) (tx.Used, error) { return n.chain.used(ctx, v, address, depth) })
}

// Head implements tx.Chain.
func (n *Node) Head(ctx context.Context) (tx.Head, error) {
	return ask(n, func(v sight) (tx.Head, error) { return n.chain.head(ctx, v) })
}

// Prices implements tx.Market.
func (n *Node) Prices(ctx context.Context, window time.Duration) ([]tx.Price, error) {
	return ask(n, func(sight) ([]tx.Price, error) { return n.chain.Prices(ctx, window) })
}

// Simulate implements tx.Chain.
func (n *Node) Simulate(ctx context.Context, p tx.Payload, before ...tx.Signed) (tx.Usage, error) {
	return ask(n, func(v sight) (tx.Usage, error) { return n.chain.simulate(ctx, v, p, before...) })
}

// Sign implements tx.Chain.
func (n *Node) Sign(ctx context.Context, p tx.Payload, nonce uint64, fees tx.Fees) (tx.Signed, error) {
	return ask(n, func(sight) (tx.Signed, error) { return n.chain.Sign(ctx, p, nonce, fees) })
}

// Broadcast implements tx.Chain.
func (n *Node) Broadcast(ctx context.Context, signed tx.Signed, p tx.Payload) error {
	_, err := ask(n, func(v sight) (struct{}, error) {
		err := n.chain.Broadcast(ctx, signed, p)
		if errors.Is(err, tx.ErrNonceTooLow) && v.behind > 0 {
			err = nil // it does not have the block that used the nonce
		}
		return struct{}{}, err
	})
	return err
}

// BlockHash implements tx.Chain.
func (n *Node) BlockHash(ctx context.Context, number uint64) (string, error) {
	return ask(n, func(v sight) (string, error) { return n.chain.hash(ctx, v, number) })
}

// Lookup implements tx.Chain.
func (n *Node) Lookup(ctx context.Context, hash string) (tx.Status, error) {
	return ask(n, func(v sight) (tx.Status, error) { return n.chain.lookup(ctx, v, hash) })
}

// State implements settlement.Contract.
func (n *Node) State(ctx context.Context, finalized bool) (settlement.State, error) {
	return ask(n, func(v sight) (settlement.State, error) { return n.chain.state(ctx, v, finalized) })
}

// Config implements settlement.Contract.
func (n *Node) Config(ctx context.Context) (settlement.Config, error) {
	return ask(n, func(sight) (settlement.Config, error) { return n.chain.Config(ctx) })
}

// Encode implements settlement.Contract.
func (n *Node) Encode(ctx context.Context, u settlement.Update, st settlement.State,
	c settlement.Config) (tx.Payload, error) {
	return n.chain.Encode(ctx, u, st, c)
}

// String names the node's manners, for a story.
func (m Manners) String() string {
	switch {
	case m.Fail != nil:
		return m.Fail.Error()
	case m.Behind > 0:
		return fmt.Sprintf("%d blocks behind", m.Behind)
	case m.Hidden:
		return "hides its pool"
	}
	return "works"
}
