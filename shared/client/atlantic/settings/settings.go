// Package settings is how Atlantic is used: one struct, whose tags are the names, defaults and examples of the settings
// that operators choose. The configuration reads it from variables, client/atlantic works by it, and docs/settings.md
// is generated from it. It links no protocol code, so that every function can read its configuration.
package settings

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/internal/httpcall"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// Networks that Atlantic verifies on.
const (
	Mainnet = "MAINNET"
	Testnet = "TESTNET"
)

// Settlement layers.
const (
	Ethereum = "ethereum" // L2: children in buckets, aggregated
	Starknet = "starknet" // L3: children on their own, their proofs registered
)

// Results that a query can be asked for.
const (
	TraceGeneration       = "TRACE_GENERATION"
	ProofGeneration       = "PROOF_GENERATION"
	VerificationOnL1      = "PROOF_VERIFICATION_ON_L1"
	VerificationOnL2      = "PROOF_VERIFICATION_ON_L2"
	VerificationOnL2Trans = "PROOF_VERIFICATION_ON_L2_WITH_TRANSLATION"
)

// What a registration submits.
const (
	RegisterProof = "proof" // the proof of the child, for the Cairo verifier's program
	RegisterPIE   = "pie"   // the child's PIE, which Atlantic proves and verifies in one query
)

// Config says where Atlantic is and how queries are made. A zero field takes the default of its tag. Fields with the
// tag env are settings; their names begin with ORCHESTRATOR_PROVER_ATLANTIC_.
type Config struct {
	// URL is the interface's root.
	URL string `default:"https://atlantic.api.herodotus.cloud"`
	// Root of the public store of results.
	ArtifactsURL string `env:"ARTIFACTS_URL" url:"service" default:"https://storage.googleapis.com/hero-atlantic-bucket"`
	// APIKey authenticates. It is sent to URL only.
	APIKey string
	// HTTP header that carries the API key.
	APIKeyHeader string `env:"KEY_HEADER" default:"api-key"`
	// Network on which Atlantic verifies: MAINNET or TESTNET. Required.
	Network string `env:"NETWORK" example:"TESTNET"`
	// Settlement is Ethereum or Starknet. Required.
	Settlement string
	// Proof system: stone, stwo or stwoHerodotus; - leaves it to Atlantic.
	SharpProver string `env:"PROVER" default:"stone"`
	// What runs PIEs: rust or python.
	CairoVM string `env:"CAIRO_VM" default:"rust"`
	// What is asked for SNOS batches: TRACE_GENERATION, PROOF_GENERATION or one of the PROOF_VERIFICATION_ON_ results.
	Result string `env:"RESULT" default:"PROOF_GENERATION"`
	// Layout of the proofs of SNOS batches, such as auto; - sends none. Unset: - on an L2, dynamic on an L3.
	Layout string `env:"LAYOUT" example:"dynamic"`
	// Asks for mocked facts, which Atlantic has on TESTNET only.
	MockFact bool `env:"MOCK_FACT"`
	// Index of a bucket's first SNOS batch: 0 as documented, or 1.
	IndexBase uint64 `env:"INDEX_BASE" unit:"index" example:"1"`
	// Width of a bucket's tree; 0 leaves it to Atlantic.
	NodeWidth int `env:"NODE_WIDTH" unit:"proofs" example:"2"`
	// Aggregator program of buckets. Unset: the newest one for the batch's Starknet version.
	AggregatorVersion string `env:"AGGREGATOR_VERSION" example:"snos_aggregator_0.13.3"`
	// Aggregator are the aggregator's parameters.
	Aggregator AggregatorParams
	// L3: what a registration submits: proof (the proof, for the Cairo verifier's program) or pie.
	Registration string `env:"REGISTRATION" default:"proof"`
	// L3: hash of the Cairo verifier's program. Required where registrations submit proofs.
	VerifierProgramHash string `env:"VERIFIER_PROGRAM_HASH" example:"0x1d07…"`
	// L3: layout of a registration's query.
	RegistrationLayout string `env:"REGISTRATION_LAYOUT" default:"recursive_with_poseidon"`
	// L3: what runs a registration: rust or python.
	RegistrationVM string `env:"REGISTRATION_CAIRO_VM" default:"python"`
	// L3: what a registration's query is asked for.
	RegistrationResult string `env:"REGISTRATION_RESULT" default:"PROOF_VERIFICATION_ON_L2"`
	// File of an aggregation's program output in the store. Unset: the output is read out of the PIE.
	OutputFile string `env:"OUTPUT_FILE" example:"output.json"`
	// Routes are the paths of the interface.
	Routes Routes `envPrefix:"ROUTE_"`
	// MaxArtifact is the most bytes that a result may have; 0: 4 GiB.
	MaxArtifact int64
	// ArtifactGrace is how long after a query's end a missing result counts as not there yet; later it is ErrExpired.
	// 0: an hour.
	ArtifactGrace time.Duration
	// HTTP bounds the requests.
	HTTP httpcall.Settings
}

// AggregatorParams are handed to the aggregator program as they are.
type AggregatorParams struct {
	// Calldata publishes state diffs as calldata instead of blobs with KZG commitments.
	Calldata bool
	// FullOutput keeps the state diff uncompressed in the output.
	FullOutput bool
	// ChainID is the chain's id, such as "SN_SEPOLIA" or hex; unset sends none.
	ChainID string
	// FeeToken is the address of the fee token, hex; unset sends none.
	FeeToken string
	// PublicKeys are the data availability committee's, hex; none sends none.
	PublicKeys []string
}

// Routes are paths below Config.URL.
type Routes struct {
	// Path to submit and read queries.
	Query string `env:"QUERY" default:"atlantic-query"`
	// Path to find a query by its dedup id.
	QueryByDedup string `env:"QUERY_BY_DEDUP" default:"atlantic-query-by-dedup-id"`
	// Path to open and read buckets.
	Buckets string `env:"BUCKETS" default:"buckets"`
	// Path to close a bucket.
	CloseBucket string `env:"CLOSE_BUCKET" default:"buckets/close"`
	// Path that answers while the service runs.
	Alive string `env:"ALIVE" default:"is-alive"`
	// Path that lists buckets by the query parameter externalId; - does not ask. Atlantic does not document it: where
	// it does not exist, a bucket whose id was lost stays behind, empty, and another one is created.
	FindBucket string `env:"FIND_BUCKET" default:"buckets"`
}

// None is the value of a setting that says: send none.
const None = "-"

// WithDefaults returns c with its zero fields set.
func (c Config) WithDefaults() Config {
	fill(reflect.ValueOf(&c).Elem())
	if c.Layout == "" {
		c.Layout = None
		if c.Settlement == Starknet {
			c.Layout = "dynamic"
		}
	}
	if c.MaxArtifact == 0 {
		c.MaxArtifact = 4 << 30
	}
	if c.ArtifactGrace == 0 {
		c.ArtifactGrace = time.Hour
	}
	c.URL, c.ArtifactsURL = strings.TrimRight(c.URL, "/"), strings.TrimRight(c.ArtifactsURL, "/")
	return c
}

// fill sets the empty strings of a struct, and of the structs in it, to the defaults of their tags.
func fill(v reflect.Value) {
	for i := range v.NumField() {
		f, tag := v.Field(i), v.Type().Field(i).Tag.Get("default")
		switch {
		case f.Kind() == reflect.Struct:
			fill(f)
		case tag != "" && f.Kind() == reflect.String && f.Len() == 0:
			f.SetString(tag)
		}
	}
}

var (
	wordPattern  = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
	routePattern = regexp.MustCompile(`^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$`)
)

// Validate names every fault of c at once. It shows no key.
func (c Config) Validate() error {
	c = c.WithDefaults()
	errs := []error{
		httpcall.Check("Atlantic's URL", c.URL, "http", "https"),
		httpcall.Check("Atlantic's artifacts URL", c.ArtifactsURL, "http", "https"), c.HTTP.Validate(),
	}
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf("Atlantic: "+format, args...))
		}
	}
	fault(c.APIKey == "" || strings.ContainsFunc(c.APIKey, func(r rune) bool { return r <= ' ' || r > '~' }),
		"the API key is missing or has other characters than printable ASCII")
	fault(http.CanonicalHeaderKey(c.APIKeyHeader) == "" || !wordPattern.MatchString(c.APIKeyHeader),
		"API key header %q is not a header's name", c.APIKeyHeader)
	oneOf := func(what, v string, allowed ...string) {
		fault(!slices.Contains(allowed, v), "%s %q: want one of %q", what, v, allowed)
	}
	oneOf("network", c.Network, Mainnet, Testnet)
	oneOf("settlement", c.Settlement, Ethereum, Starknet)
	oneOf("prover", c.SharpProver, "stone", "stwo", "stwoHerodotus", None)
	oneOf("Cairo VM", c.CairoVM, "rust", "python")
	oneOf("registration's Cairo VM", c.RegistrationVM, "rust", "python")
	results := []string{TraceGeneration, ProofGeneration, VerificationOnL1, VerificationOnL2, VerificationOnL2Trans}
	oneOf("result", c.Result, results...)
	oneOf("registration's result", c.RegistrationResult, results...)
	oneOf("registration", c.Registration, RegisterProof, RegisterPIE)
	fault(c.MockFact && c.Network == Mainnet, "facts can't be mocked on %s", Mainnet)
	fault(c.IndexBase > 1, "index base %d: want 0 or 1", c.IndexBase)
	fault(c.NodeWidth < 0, "node width %d is negative", c.NodeWidth)
	fault(c.MaxArtifact < 0 || c.ArtifactGrace < 0, "a limit is negative")
	for _, w := range []string{c.Layout, c.RegistrationLayout} {
		fault(!wordPattern.MatchString(w), "layout %q is not a layout's name", w)
	}
	fault(c.AggregatorVersion != "" && !wordPattern.MatchString(c.AggregatorVersion),
		"aggregator version %q is not a version", c.AggregatorVersion)
	fault(c.OutputFile != "" && (!wordPattern.MatchString(c.OutputFile) || strings.Trim(c.OutputFile, ".") == ""),
		"output file %q is not a file's name", c.OutputFile)
	for _, r := range []string{c.Routes.Query, c.Routes.QueryByDedup, c.Routes.Buckets, c.Routes.CloseBucket,
		c.Routes.Alive, c.Routes.FindBucket} {
		fault(r != None && !routePattern.MatchString(r), "route %q is not a path", r)
	}
	if c.Settlement == Starknet && c.Registration == RegisterProof {
		_, err := felt.FromHex(c.VerifierProgramHash)
		fault(err != nil, "the verifier's program hash %q is not a felt in hex", c.VerifierProgramHash)
	}
	if _, err := c.Aggregator.Wire(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// WireParams are AggregatorParams as Atlantic takes them.
type WireParams struct {
	UseKZG     bool     `json:"use_kzg_da"`
	FullOutput bool     `json:"full_output"`
	ChainID    string   `json:"chain_id_hex,omitempty"`
	FeeToken   string   `json:"fee_token_address,omitempty"`
	PublicKeys []string `json:"public_keys,omitempty"`
}

// Wire returns the parameters as Atlantic takes them. The error names what is not hex or too long.
func (p AggregatorParams) Wire() (WireParams, error) {
	out := WireParams{UseKZG: !p.Calldata, FullOutput: p.FullOutput}
	switch {
	case p.ChainID == "":
	case strings.HasPrefix(p.ChainID, "0x"):
		f, err := felt.FromHex(p.ChainID)
		if err != nil {
			return out, fmt.Errorf("Atlantic: chain id: %w", err)
		}
		out.ChainID = f.String()
	default:
		f, err := felt.FromShortString(p.ChainID)
		if err != nil {
			return out, fmt.Errorf("Atlantic: chain id: %w", err)
		}
		out.ChainID = f.String()
	}
	for _, k := range append([]string{p.FeeToken}, p.PublicKeys...) {
		if _, err := felt.FromHex(k); err != nil && k != "" {
			return out, fmt.Errorf("Atlantic: fee token or public key: %w", err)
		}
	}
	out.FeeToken, out.PublicKeys = p.FeeToken, p.PublicKeys
	return out, nil
}
