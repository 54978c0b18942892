package several

import (
	"context"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// value makes a read that returns a value.
func value[N, T any](ctx context.Context, s *Set, nodes []N,
	read func(context.Context, N) (T, error)) (out T, err error) {
	err = s.Read(ctx, func(ctx context.Context, node int) error {
		var err error
		out, err = read(ctx, nodes[node])
		return err
	})
	return out, err
}

// Chain is one wallet on several nodes: a tx.Chain.
type Chain struct {
	set     *Set
	wallets []tx.Chain
}

var (
	_ tx.Chain  = (*Chain)(nil)
	_ tx.Market = (*Chain)(nil)
)

// NewChain returns the wallet that has one of wallets on each node of a set, in the set's order.
func NewChain(s *Set, wallets ...tx.Chain) *Chain { return &Chain{s, wallets} }

// Account implements tx.Chain.
func (c *Chain) Account(ctx context.Context, depth uint64) (tx.Account, error) {
	return value(ctx, c.set, c.wallets, func(ctx context.Context, w tx.Chain) (tx.Account, error) {
		return w.Account(ctx, depth)
	})
}

// Used implements tx.Chain.
func (c *Chain) Used(ctx context.Context, address string, depth uint64) (tx.Used, error) {
	return value(ctx, c.set, c.wallets, func(ctx context.Context, w tx.Chain) (tx.Used, error) {
		return w.Used(ctx, address, depth)
	})
}

// Head implements tx.Chain.
func (c *Chain) Head(ctx context.Context) (tx.Head, error) {
	return value(ctx, c.set, c.wallets, func(ctx context.Context, w tx.Chain) (tx.Head, error) { return w.Head(ctx) })
}

// Simulate implements tx.Chain.
func (c *Chain) Simulate(ctx context.Context, p tx.Payload, before ...tx.Signed) (tx.Usage, error) {
	return value(ctx, c.set, c.wallets, func(ctx context.Context, w tx.Chain) (tx.Usage, error) {
		return w.Simulate(ctx, p, before...)
	})
}

// Sign implements tx.Chain. The node that the look asks is asked again whether it serves the chain.
func (c *Chain) Sign(ctx context.Context, p tx.Payload, nonce uint64, fees tx.Fees) (tx.Signed, error) {
	return value(ctx, c.set, c.wallets, func(ctx context.Context, w tx.Chain) (tx.Signed, error) {
		return w.Sign(ctx, p, nonce, fees)
	})
}

// Broadcast implements tx.Chain: it hands the transaction to all nodes.
func (c *Chain) Broadcast(ctx context.Context, signed tx.Signed, p tx.Payload) error {
	return c.set.Offer(ctx, func(ctx context.Context, node int) error {
		return c.wallets[node].Broadcast(ctx, signed, p)
	})
}

// BlockHash implements tx.Chain.
func (c *Chain) BlockHash(ctx context.Context, number uint64) (string, error) {
	return value(ctx, c.set, c.wallets, func(ctx context.Context, w tx.Chain) (string, error) {
		return w.BlockHash(ctx, number)
	})
}

// Lookup implements tx.Chain.
func (c *Chain) Lookup(ctx context.Context, hash string) (tx.Status, error) {
	return value(ctx, c.set, c.wallets, func(ctx context.Context, w tx.Chain) (tx.Status, error) {
		return w.Lookup(ctx, hash)
	})
}

// Prices implements tx.Market; none where the wallets don't know any.
func (c *Chain) Prices(ctx context.Context, window time.Duration) ([]tx.Price, error) {
	return value(ctx, c.set, c.wallets, func(ctx context.Context, w tx.Chain) ([]tx.Price, error) {
		m, ok := w.(tx.Market)
		if !ok {
			return nil, nil
		}
		return m.Prices(ctx, window)
	})
}

// Contract is a core contract on several nodes: a settlement.Contract.
type Contract struct {
	set       *Set
	contracts []settlement.Contract
}

var _ settlement.Contract = (*Contract)(nil)

// NewContract returns the contract that is read through one of contracts on each node of a set, in the set's order.
func NewContract(s *Set, contracts ...settlement.Contract) *Contract { return &Contract{s, contracts} }

// State implements settlement.Contract.
func (c *Contract) State(ctx context.Context, finalized bool) (settlement.State, error) {
	return value(ctx, c.set, c.contracts, func(ctx context.Context, k settlement.Contract) (settlement.State, error) {
		return k.State(ctx, finalized)
	})
}

// Config implements settlement.Contract.
func (c *Contract) Config(ctx context.Context) (settlement.Config, error) {
	return value(ctx, c.set, c.contracts, func(ctx context.Context, k settlement.Contract) (settlement.Config, error) {
		return k.Config(ctx)
	})
}

// Encode implements settlement.Contract.
func (c *Contract) Encode(ctx context.Context, u settlement.Update, st settlement.State,
	cfg settlement.Config) (tx.Payload, error) {
	return value(ctx, c.set, c.contracts, func(ctx context.Context, k settlement.Contract) (tx.Payload, error) {
		return k.Encode(ctx, u, st, cfg)
	})
}

// Archive is what the nodes of a layer have of publications: a da.Archive.
type Archive struct {
	set      *Set
	archives []da.Archive
}

var _ da.Archive = (*Archive)(nil)

// NewArchive returns the archive that is read through one of archives on each node of a set, in the set's order.
func NewArchive(s *Set, archives ...da.Archive) *Archive { return &Archive{s, archives} }

// Check implements da.Archive.
func (a *Archive) Check(ctx context.Context, sent da.Sent) error {
	return a.set.Read(ctx, func(ctx context.Context, node int) error { return a.archives[node].Check(ctx, sent) })
}

// Kept implements da.Archive.
func (a *Archive) Kept() time.Duration { return a.archives[0].Kept() }

// Ping implements da.Archive.
func (a *Archive) Ping(ctx context.Context) error {
	return a.set.Read(ctx, func(ctx context.Context, node int) error { return a.archives[node].Ping(ctx) })
}

// Facts is a fact registry on several nodes: a proof.FactChecker.
type Facts struct {
	set   *Set
	facts []proof.FactChecker
}

var _ proof.FactChecker = (*Facts)(nil)

// NewFacts returns the registry that is read through one of facts on each node of a set, in the set's order.
func NewFacts(s *Set, facts ...proof.FactChecker) *Facts { return &Facts{s, facts} }

// Valid implements proof.FactChecker.
func (f *Facts) Valid(ctx context.Context, facts []string) ([]bool, error) {
	return value(ctx, f.set, f.facts, func(ctx context.Context, c proof.FactChecker) ([]bool, error) {
		return c.Valid(ctx, facts)
	})
}

// Registrar is a development registry on several nodes. It registers a fact through one of them.
type Registrar struct {
	*Facts
	registries []proof.Registry
}

// NewRegistrar returns the registry that has one of registries on each node of a set, in the set's order.
func NewRegistrar(s *Set, registries ...proof.Registry) *Registrar {
	facts := make([]proof.FactChecker, len(registries))
	for i, r := range registries {
		facts[i] = r
	}
	return &Registrar{NewFacts(s, facts...), registries}
}

// Register starts the registration of a fact, as the one of the node that the look asks does.
func (r *Registrar) Register(ctx context.Context, fact string) error {
	return r.set.Read(ctx, func(ctx context.Context, node int) error { return r.registries[node].Register(ctx, fact) })
}
