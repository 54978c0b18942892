package config

import (
	"errors"
	"net"
	"net/url"
	"regexp"
	"strings"
)

// Kinds of SNOS runners.
const (
	HTTPRunner  = "http"
	GRPCRunner  = "grpc"
	BatchRunner = "batch"
)

// Snos is the SNOS runner, which also runs the aggregator program if the prover does not.
type Snos struct {
	// http, grpc or batch (AWS Batch). A deployment with snos.image has batch: the stack makes queue and definition.
	Kind string `env:"KIND" envDefault:"http"`
	// URL of the runner: http(s)://host for http; grpcs://host:port for grpc, or grpc://host:port without TLS.
	URL string `env:"URL" url:"service" example:"https://snos.mychain.example"`
	// http, grpc: the secret that is the runner's bearer token. Unset: none is sent.
	TokenSecret string `env:"TOKEN_SECRET" secret:"runner" example:"mychain/runner"`
	// grpc: the secret that is the PEM certificate of the runner's own authority. Unset: the system's authorities
	// decide.
	CASecret string `env:"CA_SECRET" secret:"runner" example:"mychain/runner-ca"`
	// batch: name or ARN of the AWS Batch job queue.
	BatchQueue string `env:"BATCH_QUEUE" set:"stack" example:"mychain-snos"`
	// batch: name or ARN of the job definition.
	BatchDefinition string `env:"BATCH_DEFINITION" set:"stack" example:"mychain-snos"`
	// The node that SNOS reads: its root URL without RPC version and query. It must serve starknet_getStorageProof with
	// history. Unset: the runner's own node; with snos.image it is CHAIN_RPC.
	RPC string `env:"RPC" url:"service" example:"https://snos-node.mychain.example"`
	// The secret that is that URL, if it holds a key.
	RPCSecret string `env:"RPC_SECRET" secret:"runner" example:"mychain/snos-node"`
	// http, grpc: URL of the deployment's API. A runner that supports it POSTs here when a run has ended, and the
	// orchestrator then asks for the result. If unset, the runner is polled near the expected end.
	Callback string `env:"CALLBACK" set:"stack" example:"https://abc123.execute-api.eu-west-1.amazonaws.com"`
}

func (s Snos) faults(f *faultList) {
	f.oneOf("SNOS_KIND", s.Kind, HTTPRunner, GRPCRunner, BatchRunner)
	of := func(name, value string, kinds ...string) {
		for _, k := range kinds {
			if s.Kind == k {
				return
			}
		}
		f.check(value == "", name, "means nothing with SNOS_KIND %s", s.Kind)
	}
	of("SNOS_URL", s.URL, HTTPRunner, GRPCRunner)
	of("SNOS_TOKEN_SECRET", s.TokenSecret, HTTPRunner, GRPCRunner)
	of("SNOS_CA_SECRET", s.CASecret, GRPCRunner)
	f.check(s.RPC == "" || s.RPCSecret == "", "SNOS_RPC_SECRET", "give either it or SNOS_RPC, not both")
	if s.RPC != "" {
		err := RPCRoot(s.RPC)
		f.check(err == nil, "SNOS_RPC", "%v", err)
	}
	of("SNOS_CALLBACK", s.Callback, HTTPRunner, GRPCRunner)
	f.url("SNOS_CALLBACK", s.Callback, false)
	of("SNOS_BATCH_QUEUE", s.BatchQueue, BatchRunner)
	of("SNOS_BATCH_DEFINITION", s.BatchDefinition, BatchRunner)
	switch s.Kind {
	case HTTPRunner:
		f.url("SNOS_URL", s.URL, true)
		plain, err := url.Parse(s.URL)
		f.check(s.RPCSecret == "" || err != nil || plain.Scheme != "http" || loopback(plain.Hostname()),
			"SNOS_RPC_SECRET",
			"the URL of the node is sent to the runner, and over http:// it can be read on the way: use https://")
	case GRPCRunner:
		u, err := url.Parse(s.URL)
		good := err == nil && (u.Scheme == "grpcs" || u.Scheme == "grpc") && u.User == nil &&
			strings.Trim(u.Path, "/") == ""
		if good {
			_, _, err = net.SplitHostPort(u.Host)
		}
		f.check(good && err == nil, "SNOS_URL", "want grpcs://host:port, or grpc://host:port for a runner without TLS")
		f.check(err != nil || u.Scheme != "grpc" || s.TokenSecret == "" || loopback(u.Hostname()), "SNOS_TOKEN_SECRET",
			"a token over grpc:// can be read on the way: use grpcs://")
		f.check(err != nil || u.Scheme != "grpc" || s.RPCSecret == "" || loopback(u.Hostname()), "SNOS_RPC_SECRET",
			"the URL of the node is sent to the runner, and over grpc:// it can be read on the way: use grpcs://")
		f.check(err != nil || u.Scheme != "grpc" || s.CASecret == "", "SNOS_CA_SECRET",
			"means nothing with grpc://, which has no TLS")
	case BatchRunner:
		f.check(s.BatchQueue != "", "SNOS_BATCH_QUEUE", "missing: the name or ARN of the AWS Batch job queue")
		f.check(s.BatchDefinition != "", "SNOS_BATCH_DEFINITION", "missing: the name or ARN of the job definition")
	}
}

// versioned is the path of a node's RPC of one specification, such as /rpc/v0_8 or /v0_10_2.
var versioned = regexp.MustCompile(`(^|/)v[0-9]+([_.][0-9]+)*/?$`)

// RPCRoot checks a URL that SNOS is given: generate-pie appends a versioned path to it, so it must have none, and no
// query, which would end up in the middle. The error does not show the URL, which may hold a key.
func RPCRoot(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return errors.New("want an http or https URL")
	case u.User != nil:
		return errors.New("it carries a user or password: put the whole URL into a secret and name that in " +
			"SNOS_RPC_SECRET")
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("it has a query, and generate-pie appends /rpc/v0_10 to the URL: give SNOS_RPC, a root URL " +
			"without one")
	case versioned.MatchString(u.Path):
		return errors.New("it has the path of one RPC version, and generate-pie appends /rpc/v0_10 to the URL: give " +
			"SNOS_RPC, the node's root URL")
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
