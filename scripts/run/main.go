// Run carries an app chain's blocks to a settled state on this machine, through the real handlers: `make run`.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/madara-orchestrator/orchestrator/shared/core/release"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program: 0 when the contract holds the chain's head, 1 when not, 2 for wrong usage, 130 when the
// user interrupted it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if release.Asked(args, stdout) {
		return 0
	}
	o, err := parse(args, stderr)
	return carry(ctx, o, err, stdout, stderr)
}

func carry(ctx context.Context, o options, err error, stdout, stderr io.Writer) int {
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return 2
	}
	err = settle(ctx, o, stdout, stderr)
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "\nstopped; everything that was started has ended")
		return 130
	case err != nil:
		fmt.Fprintf(stderr, "\nfailed: %v\n", err)
		return 1
	}
	return 0
}
