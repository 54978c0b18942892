package config

import (
	atlantic "github.com/madara-orchestrator/orchestrator/shared/client/atlantic/settings"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// Kinds of provers.
const (
	MockProver = "mock"
	Atlantic   = "atlantic"
	Sharp      = "sharp"
)

// Prover is who proves.
type Prover struct {
	// mock, atlantic or sharp. On an L2 change it while no batch is under way (infra/README.md): one that was begun
	// with another prover waits until that is set again.
	Kind string `env:"KIND" envDefault:"mock"`
	// The secret that is Atlantic's API key, or for the mock prover the key of the account that registers facts.
	KeySecret string `env:"KEY_SECRET" secret:"prover,hook" example:"mychain/atlantic"`
	// mock on Starknet: the account contract of the registering key.
	Account string `env:"ACCOUNT" example:"0xacc2"`
	// URL of SHARP's gateway, or of Atlantic; unset for Atlantic's public one.
	URL string `env:"URL" url:"service" example:"https://sharp.example/v1/gateway"`
	// Stores finished proofs.
	Proofs bool `env:"PROOFS"`

	Atlantic AtlanticProver `envPrefix:"ATLANTIC_"`
	Sharp    SharpProver    `envPrefix:"SHARP_"`
}

// AtlanticProver is what only Atlantic has.
type AtlanticProver struct {
	atlantic.Config // its own settings
	// The secret that the URL of Atlantic's webhooks carries. Unset: no webhooks.
	HookSecret string `env:"HOOK_SECRET" secret:"hook" example:"mychain/hook"`
}

// SharpProver is what only SHARP has.
type SharpProver struct {
	// The customer's name at the gateway. Required.
	CustomerID string `env:"CUSTOMER_ID" example:"mychain"`
	// The secret that is the client's certificate, PEM.
	ClientCertSecret string `env:"CLIENT_CERT_SECRET" secret:"prover" example:"mychain/sharp-cert"`
	// The secret that is the client's private key, PEM.
	ClientKeySecret string `env:"CLIENT_KEY_SECRET" secret:"prover" example:"mychain/sharp-key"`
	// The secret that is the server's certificate, PEM. Unset: the system's authorities decide.
	ServerCertSecret string `env:"SERVER_CERT_SECRET" secret:"prover" example:"mychain/sharp-server"`
	// How the keys of aggregations are made: dedup or fact.
	AggregationKey string `env:"AGGREGATION_KEY" example:"fact"`
	// Hash function of the facts' program hashes.
	ProgramHashFunction string `env:"PROGRAM_HASH_FUNCTION" example:"PEDERSEN"`
}

// mainnets are the chain ids on which facts are worth money, by layer of the app chain.
var mainnets = map[stage.Layer]string{stage.L2: "1", stage.L3: "SN_MAIN"}

// faults checks the prover and how it fits chain and settlement. client/atlantic and client/sharp check their own
// values.
func (p Prover) faults(f *faultList, layer stage.Layer, s Settlement) {
	f.oneOf("PROVER_KIND", p.Kind, MockProver, Atlantic, Sharp)
	f.url("PROVER_URL", p.URL, p.Kind == Sharp)
	f.url("PROVER_ATLANTIC_ARTIFACTS_URL", p.Atlantic.ArtifactsURL, false)
	switch p.Kind {
	case MockProver:
		f.check((p.KeySecret == "") == (s.Verifier == ""), "PROVER_KEY_SECRET",
			"the mock prover registers facts on SETTLEMENT_VERIFIER with this key: give both, or none to register "+
				"nothing")
		f.check(p.Account != "" == (p.KeySecret != "" && s.Kind == StarknetLayer), "PROVER_ACCOUNT",
			"the account contract of the registrar's key: give it where the mock prover registers facts on Starknet, "+
				"and only there")
	case Atlantic:
		f.check(p.KeySecret != "", "PROVER_KEY_SECRET", "missing: the name of the secret that is Atlantic's API key")
		f.oneOf("PROVER_ATLANTIC_NETWORK", p.Atlantic.Network, "MAINNET", "TESTNET")
		isMain := mainnets[layer] != "" && s.ChainID == mainnets[layer]
		f.check(p.Atlantic.Network != "TESTNET" || !isMain, "PROVER_ATLANTIC_NETWORK",
			"TESTNET, but the settlement layer %q is a main network: its facts would be registered elsewhere",
			s.ChainID)
		f.check(p.Atlantic.Network != "MAINNET" || isMain || s.ChainID == "", "PROVER_ATLANTIC_NETWORK",
			"MAINNET, but the settlement layer %q is none: proofs would be paid for and registered elsewhere",
			s.ChainID)
		f.check(layer != stage.L3 || p.Atlantic.Registration == "pie" || p.Atlantic.VerifierProgramHash != "",
			"PROVER_ATLANTIC_VERIFIER_PROGRAM_HASH",
			"missing: an L3 registers its proofs under the Cairo verifier's program; or set "+
				"PROVER_ATLANTIC_REGISTRATION to pie")
	case Sharp:
		f.check(s.Kind != StarknetLayer, "PROVER_KIND",
			"sharp registers facts on Ethereum only, and the settlement layer is Starknet")
		f.check(layer != stage.L3, "PROVER_KIND",
			"sharp registers facts on Ethereum only, and an l3 settles on Starknet: use atlantic")
		f.check(s.Verifier != "", "SETTLEMENT_VERIFIER",
			"missing: with SHARP a batch is proven when its fact is registered on this contract")
		f.check(p.Sharp.CustomerID != "", "PROVER_SHARP_CUSTOMER_ID", "missing: the customer's name at the gateway")
		f.check((p.Sharp.ClientCertSecret == "") == (p.Sharp.ClientKeySecret == ""), "PROVER_SHARP_CLIENT_KEY_SECRET",
			"certificate and key belong together: give both or none")
	}
	f.check(p.Kind == Atlantic || p.Atlantic.Network == "" && p.Atlantic.HookSecret == "", "PROVER_ATLANTIC_NETWORK",
		"means nothing with the prover %s", p.Kind)
	f.check(p.Kind == Sharp || p.Sharp.CustomerID == "", "PROVER_SHARP_CUSTOMER_ID", "means nothing with the prover %s",
		p.Kind)
}
