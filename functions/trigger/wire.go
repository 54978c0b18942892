package main

import (
	"context"

	"github.com/madara-orchestrator/orchestrator/shared/client/lambda"
	"github.com/madara-orchestrator/orchestrator/shared/client/scheduler"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/expected"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/provers"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/settle"
	"github.com/madara-orchestrator/orchestrator/shared/setup/protocol"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/version"
)

func wire(ctx context.Context, p *cloud.Process) (any, error) {
	core, err := p.Core(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.EnsureStores(ctx); err != nil {
		return nil, err
	}
	source, err := appchain.Source(ctx, p)
	if err != nil {
		return nil, err
	}
	prover, err := provers.Prover(ctx, p)
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
	if core.Needs, err = expected.Needs(p.Config); err != nil {
		return nil, err
	}
	functions := lambda.New(p.AWS)
	c := p.Config
	return core.TriggerFunction(setup.Trigger{
		Source: source, Prover: prover, NewSizer: protocol.NewSizer,
		SupportsVersion: version.Supported, Limits: c.Limits(),
		Settled:    func(ctx context.Context) (settlement.State, error) { return contract.State(ctx, false) },
		Contract:   contract.Config,
		FirstBlock: c.Chain.FirstBlock, ReadAtOnce: true, FirstBatch: c.Settlement.FirstBatch,
		Unsettled: c.TxPolicy().Unsettled(),
		Window:    c.Batch.Window, WantProofs: c.Prover.Proofs,
		Timers: scheduler.New(p.AWS, resource.Physical(c.Chain.Name, resource.ScheduleGroup),
			resource.Physical(c.Chain.Name, "")),
		Intervals: c.Schedules.Intervals(), Retention: c.Retention,
		Invoke: func(ctx context.Context, t job.Type, body string) error {
			return functions.InvokeMessage(ctx, resource.Physical(c.Chain.Name, resource.FunctionOf(t)), body)
		},
	}).Handle, nil
}
