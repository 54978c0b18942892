// Adopt takes a chain over from Madara's own orchestrator: `make adopt OLD=old.env ENV=new.env`. It reads the old
// database, the core contract and the app chain, and prints what is settled, what is under way and where this
// orchestrator would begin. With -apply it writes this deployment's first batch. It changes nothing in the old
// database.
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
	"syscall"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/madaradb"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/release"
	"github.com/madara-orchestrator/orchestrator/shared/core/takeover"
	devoptions "github.com/madara-orchestrator/orchestrator/shared/dev/options"
	service "github.com/madara-orchestrator/orchestrator/shared/service/takeover"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/provers"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/settle"
	_ "github.com/madara-orchestrator/orchestrator/shared/setup/topics" // an environment may name brokers of Kafka
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// options are the program's arguments.
type options struct {
	env, old    string
	apply, json bool
}

// run is the program: 0 where the takeover is possible or done, 1 where it is refused or something fails, 2 for wrong
// usage.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if release.Asked(args, stdout) {
		return 0
	}
	var o options
	fs := flag.NewFlagSet("adopt", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.env, "env", "", "a file of this deployment's settings, lines ORCHESTRATOR_...=value")
	fs.StringVar(&o.old, "old", "", "the old orchestrator's .env file; "+oldURI+" and "+oldName+" are read of it")
	fs.BoolVar(&o.apply, "apply", false, "write this deployment's first batch; without it nothing is written")
	fs.BoolVar(&o.json, "json", false, "print the plan as JSON")
	if err := devoptions.Parse(fs, "adopt", args, os.Environ()); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if o.env == "" || o.old == "" || fs.NArg() > 0 {
		fmt.Fprintln(
			stderr,
			"adopt: -env FILE and -old FILE are both needed, and nothing else; docs/takeover.md has the steps",
		)
		return 2
	}
	if err := adopt(ctx, o, stdout); err != nil {
		fmt.Fprintf(stderr, "adopt: %v\n", err)
		return 1
	}
	return 0
}

func adopt(ctx context.Context, o options, stdout io.Writer) error {
	old, err := openOld(o.old)
	if err != nil {
		return err
	}
	defer old.Close(context.WithoutCancel(ctx))
	env, err := config.ReadFile(o.env)
	if err != nil {
		return err
	}
	p, err := cloud.NewProcess(ctx, env)
	if err != nil {
		return err
	}
	taker, err := newTaker(ctx, p, old)
	if err != nil {
		return err
	}
	plan, err := taker.Plan(ctx)
	if err != nil {
		return err
	}
	if o.json {
		b, err := json.MarshalIndent(plan, "", "  ")
		if err != nil {
			return fmt.Errorf("encode the plan: %w", err)
		}
		fmt.Fprintf(stdout, "%s\n", b)
	} else {
		fmt.Fprint(stdout, plan.Text())
	}
	if len(plan.Refusals) > 0 {
		return service.ErrRefused
	}
	return apply(ctx, o, p, taker, plan, stdout)
}

func apply(
	ctx context.Context, o options, p *cloud.Process, taker *service.Taker, plan service.Plan, stdout io.Writer,
) error {
	say := func(s string) {
		if !o.json {
			fmt.Fprintln(stdout, s)
		}
	}
	if !o.apply {
		say("\nNothing was written. Run it again with ARGS=-apply to take over.")
		return nil
	}
	if err := p.EnsureStores(ctx); err != nil { // not before: a plan and a refusal write nothing, not even an index
		return err
	}
	if err := taker.Apply(ctx, plan); err != nil {
		return err
	}
	say(fmt.Sprintf("\nTaken over. Deploy now: batching begins with block %d.", plan.Begin))
	return nil
}

// The old orchestrator's names of what is read (orchestrator/src/cli/database/mongodb.rs).
const (
	oldURI  = "MADARA_ORCHESTRATOR_MONGODB_CONNECTION_URL"
	oldName = "MADARA_ORCHESTRATOR_DATABASE_NAME"
)

func openOld(file string) (*madaradb.DB, error) {
	env, err := config.ReadFile(file)
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for _, line := range env {
		for _, key := range []string{oldURI, oldName} {
			if len(line) > len(key) && line[:len(key)+1] == key+"=" {
				values[key] = line[len(key)+1:]
			}
		}
	}
	if values[oldURI] == "" {
		return nil, fmt.Errorf("%s has no %s: name the .env file that the old orchestrator runs with", file, oldURI)
	}
	return madaradb.Connect(madaradb.Config{URI: values[oldURI], Database: values[oldName]})
}

// newTaker connects to everything that this deployment is configured with.
func newTaker(ctx context.Context, p *cloud.Process, old takeover.Reader) (*service.Taker, error) {
	core, err := p.Core(ctx)
	if err != nil {
		return nil, err
	}
	layer, err := settle.Open(ctx, p)
	if err != nil {
		return nil, err
	}
	contract, wallet, err := layer.Watch(ctx)
	if err != nil {
		return nil, err
	}
	source, err := appchain.Source(ctx, p)
	if err != nil {
		return nil, err
	}
	prover, err := provers.Prover(ctx, p)
	if err != nil {
		return nil, err
	}
	return &service.Taker{
		Layer: core.Layer, Old: old, Contract: contract, Chain: wallet.Chain, Source: source,
		Batches: core.Batches, Jobs: core.Jobs, Prover: prover, Now: time.Now,
	}, nil
}
