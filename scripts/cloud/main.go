// Cloud runs a whole deployment on this machine, without Docker and without an AWS account: `make cloud`. The CDK's own
// command line deploys the stack that goes to AWS into an AWS emulator (ministack). Its schedules and event source
// mappings then settle a development chain.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/release"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	devoptions "github.com/madara-orchestrator/orchestrator/shared/dev/options"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// options are what the user may choose.
type options struct {
	layer   stage.Layer
	kms     bool // a KMS key signs
	blocks  int
	speed   float64 // blocks a second; 0: all blocks are there from the start
	fail    failure
	keep    bool
	verbose bool
	json    bool // the result goes to stdout as JSON, everything else to stderr
	timeout time.Duration
	root    string // the project's folder
}

// chainName is the deployment's name.
const chainName = "cloud"

// run is the program: 0 when the contract holds the chain's head, 1 when not, 2 for wrong usage, 130 when interrupted.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if release.Asked(args, stdout) {
		return 0
	}
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return 2
	}
	if !o.json {
		return deployed(ctx, o, stdout, stderr)
	}
	began := time.Now()
	code := deployed(ctx, o, stderr, stderr)
	_ = json.NewEncoder(stdout).Encode(result{Settled: code == 0, Layer: o.layer, Blocks: o.blocks,
		Seconds: time.Since(began).Seconds(), ExitCode: code}) // the reader has gone if this fails
	return code
}

// result is what -json prints.
type result struct {
	Settled  bool        `json:"settled"`
	Layer    stage.Layer `json:"layer"`
	Blocks   int         `json:"blocks"`
	Seconds  float64     `json:"seconds"`
	ExitCode int         `json:"exit_code"`
}

// deployed deploys and settles, and returns the program's exit code.
func deployed(ctx context.Context, o options, stdout, stderr io.Writer) int {
	user, err := ctx, error(nil)
	if !o.keep {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, o.timeout,
			fmt.Errorf("not settled within %s: -timeout gives it longer", o.timeout))
		defer cancel()
	}
	err = settle(ctx, user, o, stdout)
	tools.Stop()
	switch {
	case user.Err() != nil:
		fmt.Fprintln(stdout, "\nstopped; all that was started has ended")
		if err == nil { // -keep: it had settled before
			return 0
		}
		return 130
	case err != nil && ctx.Err() != nil:
		err = fmt.Errorf("%w (%w)", context.Cause(ctx), err)
		fallthrough
	case err != nil:
		fmt.Fprintf(stderr, "\nfailed: %v\n", err)
		return 1
	}
	return 0
}

func parse(args []string, stderr io.Writer) (options, error) {
	o := options{root: "."}
	var layer, wallet, fail string
	f := flag.NewFlagSet("cloud", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&layer, "layer", "l2", "l2 settles on Ethereum (anvil), l3 on a fake of Starknet")
	f.StringVar(&wallet, "wallet", "key", "what signs: key (a secret) or kms (a KMS key that the stack makes)")
	f.IntVar(&o.blocks, "blocks", 20, "blocks of the development chain, 1 to 10000")
	f.Float64Var(&o.speed, "speed", 0, "blocks a second that the chain makes; 0: all are there from the start")
	f.StringVar(&fail, "fail", "",
		"what breaks, to practise being on call: prover@3 (a proof is refused once), l1 or mongo (hangs for a minute)")
	f.BoolVar(&o.keep, "keep", false,
		"leave the deployment up until you interrupt, whatever fails, without a time limit")
	f.BoolVar(&o.verbose, "v", false, "show what the CDK prints")
	f.DurationVar(&o.timeout, "timeout", 10*time.Minute, "give up after this time")
	f.BoolVar(&o.json, "json", false, "print the result as JSON to stdout, and everything else to stderr")
	if err := devoptions.Parse(f, "cloud", args, os.Environ()); err != nil {
		return o, err
	}
	var errs []error
	if f.NArg() > 0 {
		errs = append(errs, fmt.Errorf("unexpected argument %q: settings are flags, see -help", f.Arg(0)))
	}
	if o.layer = stage.Layer(layer); o.layer != stage.L2 && o.layer != stage.L3 {
		errs = append(errs, fmt.Errorf("-layer %q: want l2 or l3", layer))
	}
	if wallet != "key" && wallet != "kms" {
		errs = append(errs, fmt.Errorf("-wallet %q: want key or kms", wallet))
	}
	if o.kms = wallet == "kms"; o.kms && o.layer == stage.L3 {
		errs = append(errs, errors.New("-wallet kms: Starknet's curve is not in KMS, so an l3 signs with a key"))
	}
	if o.blocks < 1 || o.blocks > 10_000 {
		errs = append(errs, fmt.Errorf("-blocks %d: want 1 to 10000", o.blocks))
	}
	if o.speed < 0 || o.speed > 1000 {
		errs = append(errs, fmt.Errorf("-speed %g: want 0 to 1000 blocks a second", o.speed))
	}
	var err error
	if o.fail, err = parseFailure(fail, o.layer); err != nil {
		errs = append(errs, err)
	}
	root, err := filepath.Abs(o.root)
	if err != nil {
		errs = append(errs, err)
	}
	o.root = root
	if err := errors.Join(errs...); err != nil {
		fmt.Fprintln(stderr, err)
		return o, err
	}
	return o, nil
}
