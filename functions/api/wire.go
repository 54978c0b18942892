package main

import (
	"context"

	"github.com/madara-orchestrator/orchestrator/shared/client/lambda"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	apicontroller "github.com/madara-orchestrator/orchestrator/shared/controller/api"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
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
	own, err := settle.OpenOwn(ctx, p)
	if err != nil {
		return nil, err
	}
	checks, err := layerChecks(ctx, p, layer, own)
	if err != nil {
		return nil, err
	}
	checks = append(checks, admin.Check{Name: "app chain",
		Ping: func(ctx context.Context) error { _, err := source.Head(ctx); return err }})
	if cache := p.Checks()[metric.Cache]; cache != nil {
		checks = append(checks, admin.Check{Name: "cache", Ping: cache})
	}
	functions := lambda.New(p.AWS)
	for _, x := range resource.Asks() {
		checks = append(checks, admin.Check{Name: x.Service,
			Ping: cloud.Ask(functions.Invoke, resource.Physical(p.Config.Chain.Name, x.Function), x.Service)})
	}
	if core.Needs, err = expected.Needs(p.Config); err != nil {
		return nil, err
	}
	checks = append(checks, setup.WeightsCheck(source, p.Config.Chain.FeederGateway != ""))
	s, watch := p.Config.Settlement, setup.Once(layer.Watch)
	a := setup.API{
		Head: source, Contract: contract, Wallet: setup.Account(watch), Settle: watch,
		FeeUnit:   config.FeeUnit(s.Kind),
		Contracts: core.Contracts(s.Contract, config.FeeUnit(s.Kind), block.Now(source), watch),
		Explorer:  p.Config.Settlement.Explorer, Admin: p.Config.API.Admin, Scopes: p.Config.API.CommandScopes,
		Checks: checks, LinkAge: p.Config.Links.Age,
	}
	if own != nil {
		a.Data, a.DataLayer = own.WatchData, p.Config.DA.Name()
	}
	return core.API(a).Handle, nil
}

// unready answers while something lacks, such as a secret's value: the reason is at /ready.
func unready(err error) any { return apicontroller.NewUnready(err).Handle }
