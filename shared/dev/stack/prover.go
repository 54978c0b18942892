package stack

import (
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/client/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	devethereum "github.com/madara-orchestrator/orchestrator/shared/dev/ethereum"
	fakeatlantic "github.com/madara-orchestrator/orchestrator/shared/dev/fake/atlantic"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/proving"
	fakesharp "github.com/madara-orchestrator/orchestrator/shared/dev/fake/sharp"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/version"
)

// proverKey is the API key of Atlantic's stand-in.
const proverKey = "prover-key-hunter2"

// prover is what a sandbox needs for its prover: secrets by name below the deployment's, and settings.
type prover struct{ secrets, settings map[string]string }

// prover starts the stand-in of the prover, if it is to be one, which registers facts on the contracts.
func (s *Sandbox) prover(o Options, d devethereum.Deployment, chainID string) (prover, error) {
	if o.Prover == "" || o.Prover == config.MockProver {
		return prover{
			secrets:  map[string]string{"registrar": devethereum.Keys[1]},
			settings: map[string]string{"PROVER_KEY_SECRET": o.Name + "/registrar"},
		}, nil
	}
	world, err := s.world(o, d, chainID)
	if err != nil {
		return prover{}, err
	}
	switch o.Prover {
	case config.Atlantic:
		// Atlantic documents no aggregator for the newest Starknet, so an operator names the one that Atlantic has.
		aggregator := "snos_aggregator_" + version.Newest()
		server, err := fakeatlantic.Start(world.Atlantic(fakeatlantic.Config{APIKey: proverKey, MoreVersions: []string{aggregator}}))
		if err != nil {
			return prover{}, err
		}
		s.closers = append(s.closers, func() { _ = server.Close() })
		s.Violations = server.Violations
		return prover{map[string]string{"prover": proverKey}, map[string]string{
			"PROVER_KIND": config.Atlantic, "PROVER_URL": server.URL(), "PROVER_ATLANTIC_ARTIFACTS_URL": server.ArtifactsURL(),
			"PROVER_KEY_SECRET": o.Name + "/prover", "PROVER_ATLANTIC_NETWORK": "TESTNET",
			"PROVER_ATLANTIC_AGGREGATOR_VERSION": aggregator,
		}}, nil
	case config.Sharp:
		server, err := fakesharp.Start(world.Sharp(fakesharp.Config{CustomerID: o.Name, TLS: true}))
		if err != nil {
			return prover{}, err
		}
		s.closers = append(s.closers, func() { _ = server.Close() })
		s.Violations = server.Violations
		c := server.Credentials()
		return prover{map[string]string{"cert": c.ClientCert, "key": c.ClientKey, "server": c.ServerCert}, map[string]string{
			"PROVER_KIND": config.Sharp, "PROVER_URL": server.URL(), "PROVER_SHARP_CUSTOMER_ID": o.Name, "PROVER_SHARP_CLIENT_CERT_SECRET": o.Name + "/cert",
			"PROVER_SHARP_CLIENT_KEY_SECRET": o.Name + "/key", "PROVER_SHARP_SERVER_CERT_SECRET": o.Name + "/server",
		}}, nil
	}
	return prover{}, fmt.Errorf("prover %q is not known", o.Prover)
}

// world is what the stand-ins prove.
func (s *Sandbox) world(o Options, d devethereum.Deployment, chainID string) (*proving.World, error) {
	source, err := appchain.New(appchain.Config{URL: s.Chain.URL(), GatewayURL: s.Chain.GatewayURL()}, appchain.Deps{})
	if err != nil {
		return nil, err
	}
	node, err := ethereum.Dial(o.Ethereum, chainID)
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, node.Close)
	facts, err := ethereum.NewFacts(node, d.Registry.Hex())
	if err != nil {
		return nil, err
	}
	signer, err := ethereum.NewKeySigner(devethereum.Keys[1])
	if err != nil {
		return nil, err
	}
	return &proving.World{Source: source, Registry: ethereum.NewRegistrar(facts, ethereum.NewWallet(node, signer, ethereum.SidecarAuto))}, nil
}
