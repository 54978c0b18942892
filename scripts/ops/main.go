// Ops is the operator's seat: `make ops CHAIN=mychain ARGS='status'`. It asks a deployment's HTTP API and gives it
// commands.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/madara-orchestrator/orchestrator/shared/dev/ops"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(ops.Main(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
