package config

import (
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
	Kind      string `env:"KIND" envDefault:"mock"` // mock, atlantic, sharp
	KeySecret string `env:"KEY_SECRET"`             // name of a secret: mock: the registrar's key; atlantic: the API key
	Account   string `env:"ACCOUNT"`                // mock on Starknet: the registrar's account contract
	URL       string `env:"URL"`                    // sharp: the gateway's; atlantic: "" for its public one
	Proofs    bool   `env:"PROOFS"`                 // store finished proofs

	Atlantic AtlanticProver `envPrefix:"ATLANTIC_"`
	Sharp    SharpProver    `envPrefix:"SHARP_"`
}

// AtlanticProver is what only Atlantic has. Unset fields take the defaults of client/atlantic, which explains them.
type AtlanticProver struct {
	Network             string `env:"NETWORK"` // MAINNET or TESTNET
	ArtifactsURL        string `env:"ARTIFACTS_URL"`
	KeyHeader           string `env:"KEY_HEADER"`
	SharpProver         string `env:"PROVER"` // stone, stwo, stwoHerodotus
	CairoVM             string `env:"CAIRO_VM"`
	Result              string `env:"RESULT"`
	Layout              string `env:"LAYOUT"`
	MockFact            bool   `env:"MOCK_FACT"`
	IndexBase           uint64 `env:"INDEX_BASE"`
	NodeWidth           int    `env:"NODE_WIDTH"`
	AggregatorVersion   string `env:"AGGREGATOR_VERSION"`
	Registration        string `env:"REGISTRATION"` // L3: proof or pie
	VerifierProgramHash string `env:"VERIFIER_PROGRAM_HASH"`
	RegistrationLayout  string `env:"REGISTRATION_LAYOUT"`
	RegistrationVM      string `env:"REGISTRATION_CAIRO_VM"`
	RegistrationResult  string `env:"REGISTRATION_RESULT"`
	OutputFile          string `env:"OUTPUT_FILE"`
	RouteQuery          string `env:"ROUTE_QUERY"`
	RouteQueryByDedup   string `env:"ROUTE_QUERY_BY_DEDUP"`
	RouteBuckets        string `env:"ROUTE_BUCKETS"`
	RouteCloseBucket    string `env:"ROUTE_CLOSE_BUCKET"`
	RouteAlive          string `env:"ROUTE_ALIVE"`
	RouteFindBucket     string `env:"ROUTE_FIND_BUCKET"`
	HookSecret          string `env:"HOOK_SECRET"` // name of the secret that the webhook's URL carries; unset: no webhooks
}

// SharpProver is what only SHARP has.
type SharpProver struct {
	CustomerID          string `env:"CUSTOMER_ID"`
	ClientCertSecret    string `env:"CLIENT_CERT_SECRET"` // names of secrets, PEM
	ClientKeySecret     string `env:"CLIENT_KEY_SECRET"`
	ServerCertSecret    string `env:"SERVER_CERT_SECRET"` // "": the system's authorities
	AggregationKey      string `env:"AGGREGATION_KEY"`    // dedup or fact
	ProgramHashFunction string `env:"PROGRAM_HASH_FUNCTION"`
}

// mainnets are the chain ids on which facts are worth money, by layer of the app chain.
var mainnets = map[stage.Layer]string{stage.L2: "1", stage.L3: "SN_MAIN"}

// faults checks the prover and how it fits chain and settlement. client/atlantic and client/sharp check their own values.
func (p Prover) faults(f *faultList, layer stage.Layer, s Settlement) {
	f.oneOf("PROVER_KIND", p.Kind, MockProver, Atlantic, Sharp)
	f.url("PROVER_URL", p.URL, p.Kind == Sharp)
	f.url("PROVER_ATLANTIC_ARTIFACTS_URL", p.Atlantic.ArtifactsURL, false)
	switch p.Kind {
	case MockProver:
		f.check((p.KeySecret == "") == (s.Verifier == ""), "PROVER_KEY_SECRET",
			"the mock prover registers facts on SETTLEMENT_VERIFIER with this key: give both, or none to register nothing")
		f.check(p.Account != "" == (p.KeySecret != "" && s.Kind == StarknetLayer), "PROVER_ACCOUNT",
			"the account contract of the registrar's key: give it where the mock prover registers facts on Starknet, and only there")
	case Atlantic:
		f.check(p.KeySecret != "", "PROVER_KEY_SECRET", "missing: the name of the secret that is Atlantic's API key")
		f.oneOf("PROVER_ATLANTIC_NETWORK", p.Atlantic.Network, "MAINNET", "TESTNET")
		isMain := mainnets[layer] != "" && s.ChainID == mainnets[layer]
		f.check(p.Atlantic.Network != "TESTNET" || !isMain, "PROVER_ATLANTIC_NETWORK",
			"TESTNET, but the settlement layer %q is a main network: its facts would be registered elsewhere", s.ChainID)
		f.check(p.Atlantic.Network != "MAINNET" || isMain || s.ChainID == "", "PROVER_ATLANTIC_NETWORK",
			"MAINNET, but the settlement layer %q is none: proofs would be paid for and registered elsewhere", s.ChainID)
		f.check(layer != stage.L3 || p.Atlantic.Registration == "pie" || p.Atlantic.VerifierProgramHash != "", "PROVER_ATLANTIC_VERIFIER_PROGRAM_HASH",
			"missing: an L3 registers its proofs under the Cairo verifier's program; or set PROVER_ATLANTIC_REGISTRATION to pie")
	case Sharp:
		f.check(s.Kind != StarknetLayer, "PROVER_KIND", "sharp registers facts on Ethereum only, and the settlement layer is Starknet")
		f.check(layer != stage.L3, "PROVER_KIND", "sharp registers facts on Ethereum only, and an l3 settles on Starknet: use atlantic")
		f.check(s.Verifier != "", "SETTLEMENT_VERIFIER", "missing: with SHARP a batch is proven when its fact is registered on this contract")
		f.check(p.Sharp.CustomerID != "", "PROVER_SHARP_CUSTOMER_ID", "missing: the customer's name at the gateway")
		f.check((p.Sharp.ClientCertSecret == "") == (p.Sharp.ClientKeySecret == ""), "PROVER_SHARP_CLIENT_KEY_SECRET",
			"certificate and key belong together: give both or none")
	}
	f.check(p.Kind == Atlantic || p.Atlantic.Network == "" && p.Atlantic.HookSecret == "", "PROVER_ATLANTIC_NETWORK", "means nothing with the prover %s", p.Kind)
	f.check(p.Kind == Sharp || p.Sharp.CustomerID == "", "PROVER_SHARP_CUSTOMER_ID", "means nothing with the prover %s", p.Kind)
}
