package main

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/atlantic"
	"github.com/madara-orchestrator/orchestrator/shared/client/mockprover"
	"github.com/madara-orchestrator/orchestrator/shared/client/sharp"
	apicontroller "github.com/madara-orchestrator/orchestrator/shared/controller/api"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	fakeatlantic "github.com/madara-orchestrator/orchestrator/shared/dev/fake/atlantic"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/proving"
	fakesharp "github.com/madara-orchestrator/orchestrator/shared/dev/fake/sharp"
	atlanticsetup "github.com/madara-orchestrator/orchestrator/shared/setup/cloud/atlantic"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/version"
)

// proofTime is how long a fake takes for a proof.
const proofTime = 300 * time.Millisecond

// hookSecret is what the URL of the fake's webhooks carries.
const hookSecret = "hook-of-this-run"

// proverService is the prover of a run and what came with it.
type proverService struct {
	proof.Prover
	hook       apicontroller.ProverHook // nil: it sends no webhooks
	violations func() []string          // requests that were not as documented
	about      string
	close      func()
}

// startProver starts a fake of the prover, or the mock prover.
func startProver(o options, a *appChain, l *settlementLayer, log *slog.Logger) (*proverService, error) {
	world := &proving.World{Source: a.source, Registry: l.registry, Fact: o.fact()}
	switch o.prover {
	case "atlantic":
		return startAtlantic(o, world, log)
	case "sharp":
		return startSharp(o, world, l.facts, log)
	}
	return &proverService{
		Prover:     mockprover.New(mockprover.Options{Registry: l.registry, Proofs: true}),
		violations: func() []string { return nil }, close: func() {},
	}, nil
}

func startAtlantic(o options, world *proving.World, log *slog.Logger) (*proverService, error) {
	key := job.NewID()
	s := fakeatlantic.Config{APIKey: key, ProofTime: proofTime}
	if o.api != "" {
		s.Webhook = "http://" + o.api + "/hooks/atlantic/" + hookSecret
	}
	s = world.Atlantic(s)
	c := atlantic.Config{APIKey: key, Network: atlantic.Testnet, Settlement: atlantic.Ethereum}
	if f, err := version.HashFunctionOf(o.version); err == nil && f == version.Blake2s {
		// Atlantic documents no aggregator for it, so an operator names the one that Atlantic has.
		c.AggregatorVersion = "snos_aggregator_" + o.version
		s.MoreVersions = []string{c.AggregatorVersion}
	}
	if o.atlantic != nil {
		o.atlantic(&s, &c)
	}
	server, err := fakeatlantic.Start(s)
	if err != nil {
		return nil, fmt.Errorf("start the fake of Atlantic: %w", err)
	}
	if o.started != nil {
		o.started(server)
	}
	c.URL, c.ArtifactsURL = server.URL(), server.ArtifactsURL()
	if o.layer == stage.L3 {
		// the fake has no verifier program
		c.Settlement, c.VerifierProgramHash = atlantic.Starknet, felt.FromUint64(1).String()
	}
	p, err := atlantic.New(c, atlantic.Deps{Log: log})
	if err != nil {
		_ = server.Close()
		return nil, err
	}
	return &proverService{
		Prover: p, hook: atlanticsetup.HookOf(p, hookSecret), violations: server.Violations,
		about: "a fake of Atlantic at " + server.URL(),
		close: func() { _ = server.Close() },
	}, nil
}

func startSharp(o options, world *proving.World, facts proof.FactChecker, log *slog.Logger) (*proverService, error) {
	s := world.Sharp(fakesharp.Config{CustomerID: chainName, TLS: true, ProofTime: proofTime, Validate: true})
	if o.sharp != nil {
		o.sharp(&s)
	}
	server, err := fakesharp.Start(s)
	if err != nil {
		return nil, fmt.Errorf("start the fake of SHARP: %w", err)
	}
	if o.started != nil {
		o.started(server)
	}
	creds := server.Credentials()
	p, err := sharp.New(sharp.Config{
		URL: server.URL(), CustomerID: chainName, ClientCert: creds.ClientCert,
		ClientKey: creds.ClientKey, ServerCert: creds.ServerCert,
	}, facts, sharp.Deps{Log: log})
	if err != nil {
		_ = server.Close()
		return nil, err
	}
	return &proverService{
		Prover: p, violations: server.Violations, about: "a fake of SHARP at " + server.URL() + " (mutual TLS)",
		close: func() { _ = server.Close() },
	}, nil
}

// checkRequests says whether the fake was asked as its documentation wants.
func (p *proverService) checkRequests() error {
	if vs := p.violations(); len(vs) > 0 {
		return fmt.Errorf("%d requests to the prover were not as documented, such as %s", len(vs), vs[0])
	}
	return nil
}
