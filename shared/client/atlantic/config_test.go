package atlantic_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/atlantic"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
)

func TestConfig_Validate(t *testing.T) {
	t.Parallel()
	good := atlantic.Config{APIKey: key, Network: atlantic.Mainnet, Settlement: atlantic.Ethereum}
	if err := good.Validate(); err != nil {
		t.Errorf("defaults: %v", err)
	}
	for name, c := range map[string]struct {
		change func(*atlantic.Config)
		want   string
	}{
		"NoKey":          {func(c *atlantic.Config) { c.APIKey = "" }, "API key"},
		"KeyWithNewline": {func(c *atlantic.Config) { c.APIKey += "\n" }, "API key"},
		"URL":            {func(c *atlantic.Config) { c.URL = "ftp://x" }, "scheme"},
		"Credentials":    {func(c *atlantic.Config) { c.URL = "https://u:" + key + "@x" }, "credentials"},
		"QueryInURL":     {func(c *atlantic.Config) { c.ArtifactsURL = "https://x?k=" + key }, "query"},
		"Network":        {func(c *atlantic.Config) { c.Network = "" }, "network"},
		"Settlement":     {func(c *atlantic.Config) { c.Settlement = "l2" }, "settlement"},
		"Prover":         {func(c *atlantic.Config) { c.SharpProver = "groth" }, "prover"},
		"VM":             {func(c *atlantic.Config) { c.CairoVM = "go" }, "VM"},
		"Result":         {func(c *atlantic.Config) { c.Result = "PROOF" }, "result"},
		"Registration":   {func(c *atlantic.Config) { c.Registration = "x" }, "registration"},
		"MockOnMainnet":  {func(c *atlantic.Config) { c.MockFact = true }, "mocked"},
		"IndexBase":      {func(c *atlantic.Config) { c.IndexBase = 2 }, "index base"},
		"Layout":         {func(c *atlantic.Config) { c.Layout = "a b" }, "layout"},
		"Route":          {func(c *atlantic.Config) { c.Routes.Query = "../x" }, "route"},
		"Version":        {func(c *atlantic.Config) { c.AggregatorVersion = "a b" }, "version"},
		"OutputFile":     {func(c *atlantic.Config) { c.OutputFile = ".." }, "output file"},
		"ProgramHash":    {func(c *atlantic.Config) { c.Settlement = atlantic.Starknet }, "program hash"},
		"ChainID":        {func(c *atlantic.Config) { c.Aggregator.ChainID = strings.Repeat("x", 40) }, "chain id"},
		"FeeToken":       {func(c *atlantic.Config) { c.Aggregator.FeeToken = "x" }, "fee token"},
		"Limit":          {func(c *atlantic.Config) { c.HTTP.Attempts = -1 }, "negative"},
		"NodeWidth":      {func(c *atlantic.Config) { c.NodeWidth = -1 }, "node width"},
		"Header":         {func(c *atlantic.Config) { c.APIKeyHeader = "a b" }, "header"},
	} {
		bad := good
		c.change(&bad)
		err := bad.Validate()
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v; want a fault about %q that does not show the key", name, err, c.want)
		}
		if _, err := atlantic.New(bad, atlantic.Deps{}); err == nil {
			t.Errorf("%s: New takes it", name)
		}
	}
}

// TestSecrets: whatever a server says, no error shows the key; and the key goes to no other host.
func TestSecrets(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s with key %q went elsewhere", r.Method, r.URL, r.Header.Get("api-key"))
	}))
	t.Cleanup(elsewhere.Close)
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"EchoJSON": func(w http.ResponseWriter, r *http.Request) {
			say(w, 400, `{"message":"bad key `+r.Header.Get("api-key")+`"}`)
		},
		"EchoText": func(w http.ResponseWriter, r *http.Request) { say(w, 418, r.Header.Get("api-key")) },
		"EchoFound": func(w http.ResponseWriter, r *http.Request) {
			say(w, 200, `{"atlanticQuery":{"id":"`+r.Header.Get("api-key")+`!"}}`)
		},
		"Redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+"/"+key, http.StatusFound)
		},
		"Huge": func(w http.ResponseWriter, _ *http.Request) { say(w, 200, strings.Repeat(key, 1<<20)) },
		"HTML": func(w http.ResponseWriter, _ *http.Request) { say(w, 200, "<html>"+key) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(http.HandlerFunc(answer))
			t.Cleanup(s.Close)
			w := &pauses{}
			p, err := atlantic.New(atlantic.Config{URL: s.URL, ArtifactsURL: s.URL, APIKey: key,
				Network: atlantic.Testnet, Settlement: atlantic.Ethereum,
				HTTP: atlantic.HTTPSettings{Attempts: 2}}, atlantic.Deps{Sleep: w.sleep})
			if err != nil {
				t.Fatal(err)
			}
			_, submit := p.Submit(t.Context(), child("d", zipped()))
			_, status := p.Status(t.Context(), "01A")
			_, open := p.OpenBucket(t.Context(), "b", "0.13.5")
			for what, err := range map[string]error{"Submit": submit, "Status": status, "OpenBucket": open} {
				if err == nil || strings.Contains(err.Error(), key) || len(err.Error()) > 2000 {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
	p, err := atlantic.New(atlantic.Config{URL: "http://127.0.0.1:1/" + "very-private-path",
		ArtifactsURL: "http://127.0.0.1:1", APIKey: key, Network: atlantic.Testnet,
		Settlement: atlantic.Ethereum, HTTP: atlantic.HTTPSettings{Attempts: 1}}, atlantic.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Ping(t.Context()); err == nil || strings.Contains(err.Error(), "private") ||
		errors.Is(err, proof.ErrRejected) {
		t.Errorf("nobody there: %v", err)
	}
}

func say(w http.ResponseWriter, status int, body string) {
	if strings.HasPrefix(body, "{") {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}
