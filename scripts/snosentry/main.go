// Snosentry is the first process of a SNOS container on AWS Batch: it runs an operator's own SNOS program, such as the
// Rust generate-pie, for one task, takes the outputs out of its PIE, and writes everything to the artifacts bucket.
// shared/client/snosrunner/contract/README.md is its manual.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"github.com/madara-orchestrator/orchestrator/shared/client/s3"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/release"
)

func main() {
	if release.Asked(os.Args[1:], os.Stdout) {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Environ(), func(ctx context.Context, bucket string) (artifact.Store, error) {
		cfg, err := awsconfig.LoadDefaultConfig(ctx)
		if err != nil {
			return nil, fmt.Errorf("AWS configuration: %w", err)
		}
		return s3.New(cfg, bucket, os.Getenv("AWS_ENDPOINT_URL") != ""), nil
	}, os.Stderr))
}
