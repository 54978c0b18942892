package config

import (
	"net"
	"net/url"
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
	// http, grpc or batch (AWS Batch).
	Kind string `env:"KIND" envDefault:"http"`
	// URL of the runner: http(s)://host for http; grpcs://host:port for grpc, or grpc://host:port without TLS.
	URL string `env:"URL" example:"https://snos.mychain.example"`
	// http, grpc: the secret that is the runner's bearer token. Unset: none is sent.
	TokenSecret string `env:"TOKEN_SECRET" secret:"runner" example:"mychain/runner"`
	// grpc: the secret that is the PEM certificate of the runner's own authority. Unset: the system's authorities decide.
	CASecret string `env:"CA_SECRET" secret:"runner" example:"mychain/runner-ca"`
	// batch: name or ARN of the AWS Batch job queue.
	BatchQueue string `env:"BATCH_QUEUE" set:"stack" example:"mychain-snos"`
	// batch: name or ARN of the job definition.
	BatchDefinition string `env:"BATCH_DEFINITION" set:"stack" example:"mychain-snos"`
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
	of("SNOS_BATCH_QUEUE", s.BatchQueue, BatchRunner)
	of("SNOS_BATCH_DEFINITION", s.BatchDefinition, BatchRunner)
	switch s.Kind {
	case HTTPRunner:
		f.url("SNOS_URL", s.URL, true)
	case GRPCRunner:
		u, err := url.Parse(s.URL)
		good := err == nil && (u.Scheme == "grpcs" || u.Scheme == "grpc") && u.User == nil && strings.Trim(u.Path, "/") == ""
		if good {
			_, _, err = net.SplitHostPort(u.Host)
		}
		f.check(good && err == nil, "SNOS_URL", "want grpcs://host:port, or grpc://host:port for a runner without TLS")
		f.check(err != nil || u.Scheme != "grpc" || s.TokenSecret == "" || loopback(u.Hostname()), "SNOS_TOKEN_SECRET", "a token over grpc:// can be read on the way: use grpcs://")
		f.check(err != nil || u.Scheme != "grpc" || s.CASecret == "", "SNOS_CA_SECRET", "means nothing with grpc://, which has no TLS")
	case BatchRunner:
		f.check(s.BatchQueue != "", "SNOS_BATCH_QUEUE", "missing: the name or ARN of the AWS Batch job queue")
		f.check(s.BatchDefinition != "", "SNOS_BATCH_DEFINITION", "missing: the name or ARN of the job definition")
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
