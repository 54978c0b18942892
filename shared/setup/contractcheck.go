package setup

import (
	"context"

	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
	"github.com/madara-orchestrator/orchestrator/shared/service/contracts"
)

// Contracts is what compares the core contract with settings and app chain.
type Contracts = func(context.Context) (contracts.Report, error)

// Contracts compares the core contract at an address. open opens it, with the wallet that settles; unit is that of its
// fees.
func (c App) Contracts(address, unit string, chain contracts.Chain,
	open Opener) Contracts {
	return func(ctx context.Context) (contracts.Report, error) {
		contract, w, err := open(ctx)
		if err != nil {
			return contracts.Report{}, err
		}
		checker := contracts.Checker{
			Address: address, Contract: contract, Chain: chain, Needs: c.Needs, FeeCap: w.Policy.FeeCap, Unit: unit,
			Wallet: func(ctx context.Context) (tx.Account, error) { return w.Chain.Account(ctx, 0) },
		}
		return checker.Check(ctx)
	}
}

// ContractsCheck is the comparison as a check of /ready: not ready where a line is wrong.
func ContractsCheck(compare Contracts) admin.Check {
	return admin.Check{Name: "core contract", Look: func(ctx context.Context) (string, error) {
		r, err := compare(ctx)
		if err != nil {
			return "", err
		}
		return r.String(), r.Err()
	}}
}
