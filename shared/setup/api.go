package setup

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apicontroller "github.com/madara-orchestrator/orchestrator/shared/controller/api"
	"github.com/madara-orchestrator/orchestrator/shared/core/look"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
	"github.com/madara-orchestrator/orchestrator/shared/service/rewinding"
)

// API is what the API function needs beyond the core. Head and Contract may be nil.
type API struct {
	Head     admin.Head
	Contract admin.Contract
	Admin    bool          // serve the routes that change something
	Scopes   []string      // of which a token that gives a command must carry one; none: any token may
	Checks   []admin.Check // beside those of the core
	// Wallet reads the wallet that settles; nil: unknown.
	Wallet func(context.Context) (tx.Account, error)
	// Settle opens the contract and the wallet's chain, which a rewind asks whether transactions may still be mined;
	// nil: nothing can be rewound. It is asked for each question: Once opens once.
	Settle Opener
	// Data opens the wallet that publishes data on a layer of its own; nil: the wallet that settles does.
	Data func(context.Context) (Wallet, error)
	// DataLayer names that layer, as its wallet does.
	DataLayer string
	// Contracts compares the core contract with settings and app chain, for its route and as a part of readiness; nil:
	// neither.
	Contracts Contracts
	// FeeUnit is that of the settlement layer's fees: wei or fri (config.FeeUnit).
	FeeUnit string
	// Explorer is the URL to which a transaction's hash is appended; "": no links.
	Explorer string
	// LinkAge is how long links to artifacts work; 0: there are none.
	LinkAge time.Duration
	// ProverHook reads the prover's webhooks; nil: it sends none.
	ProverHook apicontroller.ProverHook
}

// API is the API function's handler; it is an http.Handler too.
func (c App) API(a API) *apicontroller.Handler {
	checks := []admin.Check{
		{Name: "database", Ping: c.Jobs.Ping}, {Name: "artifacts", Ping: c.Artifacts.Ping},
		{Name: "schedules", Ping: func(ctx context.Context) error { _, err := c.Control.Pauses(ctx); return err }},
		{Name: "alerts topic", Ping: c.Alerts.Ping}, {Name: "event bus", Ping: c.Events.Ping},
	}
	if p, ok := c.Queue.(interface {
		Ping(ctx context.Context, queue string) error
	}); ok { // the queue that the API itself sends to
		checks = append(checks, admin.Check{Name: "queues", Ping: func(ctx context.Context) error {
			return p.Ping(ctx, c.queueName(resource.TriggerQueue))
		}})
	}
	data := a.data()
	if data != nil {
		checks = append(checks, BalanceCheck("data wallet", Account(data), admin.DataUnit))
	}
	if a.Contracts != nil {
		checks = append(checks, ContractsCheck(a.Contracts))
	}
	service := &admin.Service{
		Chain: c.Chain, Layer: c.Layer, Jobs: c.Jobs, Batches: c.Batches, Control: c.Control,
		Executor: c.Executor(nil), Queue: c.Queue,
		Trigger: c.queueName(resource.TriggerQueue), Events: c.Events, Now: c.Now, Head: a.Head, Contract: a.Contract,
		Reports: c.Reports, Topic: c.Topic, History: c.History, Checks: append(checks, a.Checks...), Seat: c.Seat,
		Wallet: a.Wallet, FeeUnit: a.FeeUnit,
		Explorer: a.Explorer, Artifacts: c.Artifacts, Links: c.Links, LinkAge: a.LinkAge, Contracts: a.Contracts,
		Rewinds: c.Rewinds, Log: c.Log,
	}
	if data != nil {
		service.DataWallet = Account(data)
	}
	if a.Settle != nil {
		r, o := c.Rewinder(), opened(a.Settle)
		r.Contract, r.Wallet = o, o
		if data != nil {
			r.DataLayer, r.DataWallet = a.DataLayer, opened(data)
		}
		service.Rewinder = r
	}
	h := apicontroller.New(service, a.Admin, a.ProverHook, c.Log)
	h.Scopes = a.Scopes
	return h
}

// Opener opens the core contract, with a wallet on its chain.
type Opener func(context.Context) (settlement.Contract, Wallet, error)

// Once opens once in a process: with KMS that is a request. What failed is tried again by the next caller.
func Once(open Opener) Opener {
	var mu sync.Mutex
	var done bool
	var contract settlement.Contract
	var wallet Wallet
	return func(ctx context.Context) (settlement.Contract, Wallet, error) {
		mu.Lock()
		defer mu.Unlock()
		if done {
			return contract, wallet, nil
		}
		k, w, err := open(ctx)
		if err == nil {
			done, contract, wallet = true, k, w
		}
		return k, w, err
	}
}

// data opens the wallet that publishes data on a layer of its own, where no contract is; nil: there is none.
func (a API) data() Opener {
	if a.Data == nil {
		return nil
	}
	return Once(func(ctx context.Context) (settlement.Contract, Wallet, error) {
		w, err := a.Data(ctx)
		return nil, w, err
	})
}

// BalanceCheck is the part of readiness that says what a wallet holds: it must hold something.
func BalanceCheck(name string, read func(context.Context) (tx.Account, error), unit string) admin.Check {
	return admin.Check{Name: name, Look: func(ctx context.Context) (string, error) {
		a, err := look.Value(ctx, read)
		switch {
		case err != nil:
			return "", fmt.Errorf("read the wallet: %w", err)
		case a.Balance == nil:
			return "", errors.New("the node does not say what the wallet holds")
		case a.Balance.Sign() == 0:
			return "", fmt.Errorf("%s holds nothing: send funds to it", a.Address)
		}
		return fmt.Sprintf("%s holds %s %s", a.Address, a.Balance, unit), nil
	}}
}

// opened opens the settlement layer when it is asked, so that a wallet that can't be opened fails no other route.
type opened Opener

var _ rewinding.Wallet = opened(nil)

// State reads what is settled.
func (o opened) State(ctx context.Context, finalized bool) (settlement.State, error) {
	k, _, err := o(ctx)
	if err != nil {
		return settlement.State{}, err
	}
	return k.State(ctx, finalized)
}

// Head implements rewinding.Wallet.
func (o opened) Head(ctx context.Context) (tx.Head, error) {
	_, w, err := o(ctx)
	if err != nil {
		return tx.Head{}, err
	}
	return w.Chain.Head(ctx)
}

// Account implements rewinding.Wallet.
func (o opened) Account(ctx context.Context, depth uint64) (tx.Account, error) {
	_, w, err := o(ctx)
	if err != nil {
		return tx.Account{}, err
	}
	return w.Chain.Account(ctx, depth)
}

// Used implements rewinding.Wallet.
func (o opened) Used(ctx context.Context, address string, depth uint64) (tx.Used, error) {
	_, w, err := o(ctx)
	if err != nil {
		return tx.Used{}, err
	}
	return w.Chain.Used(ctx, address, depth)
}

// Lookup implements rewinding.Wallet.
func (o opened) Lookup(ctx context.Context, hash string) (tx.Status, error) {
	_, w, err := o(ctx)
	if err != nil {
		return tx.Status{}, err
	}
	return w.Chain.Lookup(ctx, hash)
}

// Hooks is the hooks function's handler. hook reads a prover's own webhooks; nil: it sends none.
func (c App) Hooks(hook apicontroller.ProverHook) *apicontroller.Handler {
	return apicontroller.NewHooks(&admin.Service{Jobs: c.Jobs, Executor: c.Executor(nil), Now: c.Now, Log: c.Log}, hook,
		c.Log)
}

// Account returns what reads the account of the wallet that open opens.
func Account(open Opener) func(context.Context) (tx.Account, error) {
	return func(ctx context.Context) (tx.Account, error) {
		_, w, err := open(ctx)
		if err != nil {
			return tx.Account{}, err
		}
		return w.Chain.Account(ctx, 0)
	}
}
