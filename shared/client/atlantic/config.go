package atlantic

import (
	"errors"
	"fmt"
	"net/http"
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

// Config says where Atlantic is and how queries are made. Zero fields take the defaults of DefaultConfig.
type Config struct {
	// URL is the interface's root; ArtifactsURL is the root of the public store of results.
	URL, ArtifactsURL string
	// APIKey authenticates; it is sent in the header APIKeyHeader, to URL only.
	APIKey, APIKeyHeader string
	// Network is Mainnet or Testnet; required.
	Network string
	// Settlement is Ethereum or Starknet; required.
	Settlement string
	// SharpProver is the proof system: "stone", "stwo" or "stwoHerodotus"; "-" leaves it to Atlantic.
	SharpProver string
	// CairoVM runs PIEs: "rust" or "python".
	CairoVM string
	// Result is what children are asked for.
	Result string
	// Layout is that of children, such as "auto" or "dynamic"; "-" sends none. Unset, it is "-" for Ethereum, "dynamic" for
	// Starknet.
	Layout string
	// MockFact asks for mocked facts, which Atlantic has on test networks only.
	MockFact bool
	// IndexBase is the index of a bucket's first child: 0 as documented, or 1.
	IndexBase uint64
	// NodeWidth is the width of a bucket's tree; 0 leaves it to Atlantic.
	NodeWidth int
	// AggregatorVersion is the aggregator program of buckets; unset, it is the newest one for the batch's Starknet version.
	AggregatorVersion string
	// Aggregator are the aggregator's parameters.
	Aggregator AggregatorParams
	// Registration says what a registration submits: RegisterProof or RegisterPIE.
	Registration string
	// VerifierProgramHash is the hash of the Cairo verifier's program ("0x..."); required for RegisterProof on Starknet.
	VerifierProgramHash string
	// RegistrationLayout, RegistrationVM and RegistrationResult are those of a registration's query.
	RegistrationLayout, RegistrationVM, RegistrationResult string
	// OutputFile is the file of an aggregation's program output in the store; unset, the output is read out of the PIE.
	OutputFile string
	// Routes are the paths of the interface.
	Routes Routes
	// MaxArtifact is the most bytes that a result may have.
	MaxArtifact int64
	// ArtifactGrace is how long after a query's end a missing result counts as not there yet; later it is ErrExpired.
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
	Query, QueryByDedup, Buckets, CloseBucket, Alive string
	// FindBucket lists buckets by the query parameter externalId. It is not documented: where there is no such route, a
	// bucket whose id was lost stays behind, empty, and another one is created. "-" does not ask.
	FindBucket string
}

// DefaultConfig holds the defaults of Config.
var DefaultConfig = Config{
	URL: "https://atlantic.api.herodotus.cloud", ArtifactsURL: "https://storage.googleapis.com/hero-atlantic-bucket",
	APIKeyHeader: "api-key", SharpProver: "stone", CairoVM: "rust", Result: ProofGeneration, Registration: RegisterProof,
	RegistrationLayout: "recursive_with_poseidon", RegistrationVM: "python", RegistrationResult: VerificationOnL2,
	Routes: Routes{
		Query: "atlantic-query", QueryByDedup: "atlantic-query-by-dedup-id", Buckets: "buckets",
		CloseBucket: "buckets/close", Alive: "is-alive", FindBucket: "buckets",
	},
	MaxArtifact: 4 << 30, ArtifactGrace: time.Hour,
}

// none is the value of a setting that says: send none.
const none = "-"

func (c Config) withDefaults() Config {
	d := DefaultConfig
	for _, f := range []struct {
		field *string
		def   string
	}{
		{&c.URL, d.URL}, {&c.ArtifactsURL, d.ArtifactsURL}, {&c.APIKeyHeader, d.APIKeyHeader}, {&c.SharpProver, d.SharpProver},
		{&c.CairoVM, d.CairoVM}, {&c.Result, d.Result}, {&c.Registration, d.Registration}, {&c.RegistrationVM, d.RegistrationVM},
		{&c.RegistrationLayout, d.RegistrationLayout}, {&c.RegistrationResult, d.RegistrationResult},
		{&c.Routes.Query, d.Routes.Query}, {&c.Routes.QueryByDedup, d.Routes.QueryByDedup},
		{&c.Routes.Buckets, d.Routes.Buckets}, {&c.Routes.CloseBucket, d.Routes.CloseBucket},
		{&c.Routes.Alive, d.Routes.Alive}, {&c.Routes.FindBucket, d.Routes.FindBucket},
	} {
		if *f.field == "" {
			*f.field = f.def
		}
	}
	if c.Layout == "" {
		c.Layout = none
		if c.Settlement == Starknet {
			c.Layout = "dynamic"
		}
	}
	if c.MaxArtifact == 0 {
		c.MaxArtifact = d.MaxArtifact
	}
	if c.ArtifactGrace == 0 {
		c.ArtifactGrace = d.ArtifactGrace
	}
	c.URL, c.ArtifactsURL = strings.TrimRight(c.URL, "/"), strings.TrimRight(c.ArtifactsURL, "/")
	return c
}

var (
	wordPattern  = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
	routePattern = regexp.MustCompile(`^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$`)
)

// Validate names every fault of c at once. It shows no key.
func (c Config) Validate() error {
	c = c.withDefaults()
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
	fault(http.CanonicalHeaderKey(c.APIKeyHeader) == "" || !wordPattern.MatchString(c.APIKeyHeader), "API key header %q is no header", c.APIKeyHeader)
	oneOf := func(what, v string, allowed ...string) {
		fault(!slices.Contains(allowed, v), "%s %q: want one of %q", what, v, allowed)
	}
	oneOf("network", c.Network, Mainnet, Testnet)
	oneOf("settlement", c.Settlement, Ethereum, Starknet)
	oneOf("prover", c.SharpProver, "stone", "stwo", "stwoHerodotus", none)
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
		fault(!wordPattern.MatchString(w), "layout %q is no layout's name", w)
	}
	fault(c.AggregatorVersion != "" && !wordPattern.MatchString(c.AggregatorVersion), "aggregator version %q is no version", c.AggregatorVersion)
	fault(c.OutputFile != "" && (!wordPattern.MatchString(c.OutputFile) || strings.Trim(c.OutputFile, ".") == ""), "output file %q is no file's name", c.OutputFile)
	for _, r := range []string{c.Routes.Query, c.Routes.QueryByDedup, c.Routes.Buckets, c.Routes.CloseBucket, c.Routes.Alive, c.Routes.FindBucket} {
		fault(r != none && !routePattern.MatchString(r), "route %q is no path", r)
	}
	if c.Settlement == Starknet && c.Registration == RegisterProof {
		_, err := felt.FromHex(c.VerifierProgramHash)
		fault(err != nil, "the verifier's program hash %q is no hex felt", c.VerifierProgramHash)
	}
	if _, err := c.Aggregator.wire(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// wireParams are AggregatorParams as Atlantic takes them.
type wireParams struct {
	UseKZG     bool     `json:"use_kzg_da"`
	FullOutput bool     `json:"full_output"`
	ChainID    string   `json:"chain_id_hex,omitempty"`
	FeeToken   string   `json:"fee_token_address,omitempty"`
	PublicKeys []string `json:"public_keys,omitempty"`
}

func (p AggregatorParams) wire() (wireParams, error) {
	out := wireParams{UseKZG: !p.Calldata, FullOutput: p.FullOutput}
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
