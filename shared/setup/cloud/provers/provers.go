// Package provers is the prover as a function is configured to use it.
package provers

import (
	"context"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/client/mockprover"
	"github.com/madara-orchestrator/orchestrator/shared/client/sharp"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/atlantic"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/settle"
)

// Prover returns the configured prover.
func Prover(ctx context.Context, p *cloud.Process) (proof.Prover, error) {
	prover, err := open(ctx, p)
	if err == nil {
		p.Check(metric.Prover, prover.Ping)
	}
	return prover, err
}

func open(ctx context.Context, p *cloud.Process) (proof.Prover, error) {
	switch kind := p.Config.Prover.Kind; kind {
	case config.MockProver:
		return mock(ctx, p)
	case config.Atlantic:
		return atlantic.Prover(ctx, p)
	case config.Sharp:
		return gateway(ctx, p)
	default:
		return nil, fmt.Errorf("prover %q is not known", kind)
	}
}

// Check names the faults in the prover's own settings that can be seen without its secrets.
func Check(c config.Config) error {
	switch c.Prover.Kind {
	case config.Atlantic:
		return atlantic.Config(c, "not-read-yet").Validate()
	default: // the certificates of SHARP are secrets
		return nil
	}
}

// gateway returns SHARP as configured.
func gateway(ctx context.Context, p *cloud.Process) (proof.Prover, error) {
	c, s := p.Config.Prover, p.Config.Prover.Sharp
	out := sharp.Config{
		URL: c.URL, CustomerID: s.CustomerID, AggregationKey: s.AggregationKey,
		ProgramHashFunction: s.ProgramHashFunction, Proofs: c.Proofs,
	}
	for _, secret := range []struct {
		name string
		to   *string
	}{{s.ClientCertSecret, &out.ClientCert}, {s.ClientKeySecret, &out.ClientKey},
		{s.ServerCertSecret, &out.ServerCert}} {
		if secret.name == "" {
			continue
		}
		v, err := p.Secrets.Get(ctx, secret.name)
		if err != nil {
			return nil, err
		}
		*secret.to = v
	}
	layer, err := settle.Open(ctx, p)
	if err != nil {
		return nil, err
	}
	facts, err := layer.Facts()
	if err != nil {
		return nil, err
	}
	return sharp.New(out, facts, sharp.Deps{Log: p.Log})
}

// mock registers facts on the configured verifier, if there is one.
func mock(ctx context.Context, p *cloud.Process) (proof.Prover, error) {
	o := mockprover.Options{Proofs: p.Config.Prover.Proofs}
	if p.Config.Settlement.Verifier == "" {
		return mockprover.New(o), nil
	}
	layer, err := settle.Open(ctx, p)
	if err != nil {
		return nil, err
	}
	if o.Registry, err = layer.Registrar(ctx); err != nil {
		return nil, err
	}
	return mockprover.New(o), nil
}
