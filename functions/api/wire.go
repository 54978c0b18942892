package main

import (
	"context"

	"github.com/madara-orchestrator/orchestrator/shared/config"
	apicontroller "github.com/madara-orchestrator/orchestrator/shared/controller/api"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/expected"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/settle"
)

func wire(ctx context.Context, p *cloud.Process) (any, error) {
	core, err := p.Core(ctx)
	if err != nil {
		return nil, err
	}
	source, err := appchain.Source(ctx, p)
	if err != nil {
		return nil, err
	}
	layer, err := settle.Open(ctx, p)
	if err != nil {
		return nil, err
	}
	contract, err := layer.Reader()
	if err != nil {
		return nil, err
	}
	checks := []admin.Check{
		{Name: "settlement layer", Look: layer.Nodes},
		setup.WalletCheck(layer.Watch),
		{Name: "app chain", Ping: func(ctx context.Context) error { _, err := source.Head(ctx); return err }},
	}
	if core.Needs, err = expected.Needs(p.Config); err != nil {
		return nil, err
	}
	checks = append(
		checks,
		core.ConfigCheck(source, contract),
		setup.WeightsCheck(source, p.Config.Chain.FeederGateway != ""),
	)
	return core.API(setup.API{
		Head: source, Contract: contract, Wallet: setup.Balance(layer.Watch), FeeUnit: feeUnit(p),
		Explorer: p.Config.Settlement.Explorer, Admin: p.Config.API.Admin, Scopes: p.Config.API.CommandScopes,
		Checks: checks,
	}).Handle, nil
}

// feeUnit is the smallest unit of the settlement layer's coin.
func feeUnit(p *cloud.Process) string {
	if p.Config.Settlement.Kind == config.StarknetLayer {
		return "fri"
	}
	return "wei"
}

// unready answers while something lacks, such as a secret's value: the reason is at /ready.
func unready(err error) any { return apicontroller.NewUnready(err).Handle }
