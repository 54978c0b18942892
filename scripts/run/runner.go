package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/batchrunner"
	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/grpcrunner"
	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/grpcrunner/grpcserver"
	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/httprunner"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/awsbatch"
	"github.com/madara-orchestrator/orchestrator/shared/dev/loopback"
	"github.com/madara-orchestrator/orchestrator/shared/dev/snosrunner"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
)

// devRunner is the development runner in this process.
const devRunner = "dev"

// newRunner is the development runner: in this process, or behind a server of its own that a real client asks.
func newRunner(ctx context.Context, o options, core setup.App, a *appChain) (snos.Runner, error) {
	r, err := snosrunner.New(snosrunner.Options{Source: a.source, Artifacts: core.Artifacts,
		Calldata: o.layer == stage.L3, Fact: o.fact()})
	if err != nil || o.snos == devRunner {
		return r, err
	}
	if o.snos == config.BatchRunner {
		return batchRunner(ctx, r)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("serve the SNOS runner: %w", err)
	}
	if o.snos == config.GRPCRunner {
		srv := grpcserver.NewServer(r, "", nil)
		go func() { _ = srv.Serve(l) }()
		context.AfterFunc(ctx, srv.Stop)
		return grpcrunner.New(grpcrunner.Config{URL: "grpc://" + l.Addr().String()})
	}
	srv := &http.Server{Handler: loopback.Guard(httprunner.NewHandler(r, "")), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = srv.Serve(l) }()
	context.AfterFunc(ctx, func() { _ = srv.Close() })
	return httprunner.New("http://"+l.Addr().String(), "", 0)
}

// batchRunner is the client of AWS Batch with a fake of it, whose containers are runs of r.
func batchRunner(ctx context.Context, r snos.Runner) (snos.Runner, error) {
	const name = "run-snos"
	srv, err := awsbatch.Start(awsbatch.Config{Queue: name, Definition: name, Run: awsbatch.Container(r)})
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = srv.Close() })
	return batchrunner.New(devcloud.Config(srv.URL()),
		batchrunner.Config{Queue: name, Definition: name, Chain: "run"}), nil
}
