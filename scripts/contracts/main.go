// Contracts deploys a core contract and a fact registry on Ethereum and sets them up for an app chain: `make
// deploy-contracts RPC=URL KEY=FILE`. They are the development contracts, which prove nothing, or those of compiled
// artifacts.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/madara-orchestrator/orchestrator/shared/core/redact"
	"github.com/madara-orchestrator/orchestrator/shared/core/release"
	"github.com/madara-orchestrator/orchestrator/shared/dev/report"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// maxError bounds a line that is printed of an error.
const maxError = 2000

// run is the program: 0 where the contracts are there and right (with -dry-run: could be deployed), 1 where something
// fails or a line of the check is wrong, 2 for wrong usage.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if release.Asked(args, stdout) {
		return 0
	}
	o, err := parse(args, os.Environ(), stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("not done within %s", o.timeout))
	defer cancel()
	d := &deployer{o: o, out: stdout, err: stderr}
	if o.json {
		d.out = stderr
	}
	err = d.deploy(ctx)
	if err != nil && ctx.Err() != nil {
		err = errors.Join(context.Cause(ctx), err)
	}
	text := ""
	if err != nil {
		text = d.hidden(err)
		fmt.Fprintln(stderr)
		report.Wrap(stderr, "", "failed: "+text)
		d.printMade(stderr)
	}
	if o.json {
		if err := d.printJSON(stdout, text); err != nil {
			fmt.Fprintln(stderr, err)
			return 1
		}
	}
	if err != nil {
		return 1
	}
	return 0
}

// hidden is an error without what must show nowhere: the key, and what URLs hold.
func (d *deployer) hidden(err error) string {
	known := redact.New(d.o.secret).WithURL(d.o.rpc).WithURL(d.o.chainRPC)
	lines := strings.Split(err.Error(), "\n")
	for i, l := range lines {
		lines[i] = known.Text(l, maxError)
	}
	return strings.Join(lines, "\n")
}
