package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	apicontroller "github.com/madara-orchestrator/orchestrator/shared/controller/api"
	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/operator"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	devlambda "github.com/madara-orchestrator/orchestrator/shared/dev/lambda"
	"github.com/madara-orchestrator/orchestrator/shared/dev/loopback"
	"github.com/madara-orchestrator/orchestrator/shared/dev/report"
	"github.com/madara-orchestrator/orchestrator/shared/dev/snosrunner"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/expected"
	"github.com/madara-orchestrator/orchestrator/shared/setup/protocol"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/version"
)

// settle runs the whole system until the contract holds the chain's last block.
func settle(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	began, user := time.Now(), ctx
	if o.api == "" || o.limited {
		limited, cancel := context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("not settled within %s", o.timeout))
		defer cancel()
		ctx = limited
	}
	result := stdout
	if o.json {
		stdout = stderr
	}
	defer func() {
		if err != nil && ctx.Err() != nil {
			err = errors.Join(context.Cause(ctx), err)
		}
	}()
	log := slog.New(slog.DiscardHandler)
	if o.verbose {
		log = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	ctx, ended, err := measured(ctx, o, log, stdout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ended()) }()
	r := &system{o: o, log: log, out: stdout}
	defer r.close()
	if err := r.start(ctx); err != nil {
		return err
	}
	if err := r.announce(ctx); err != nil {
		return err
	}
	view := newDisplay(stdout, o, r.chain.total())
	p, err := r.deploy(ctx, view)
	if err != nil {
		view.close()
		return err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	err = r.follow(ctx, running, stop, p, view)
	if user.Err() == nil {
		err = errors.Join(err, r.prover.checkRequests())
		fmt.Fprintf(stdout, "\ncache      %s\n", cached(r.ports.cache.Counts()))
		err = errors.Join(err, summarize(context.WithoutCancel(ctx), o, r.core, r.chain, r.layer, p, stdout, result,
			began, err == nil))
	}
	if o.api != "" && user.Err() == nil { // also after a failure: it is what operators look at
		fmt.Fprintln(stdout, "\nstatus page and API go on until you interrupt")
		<-user.Done()
	}
	return err
}

// system is all that a run starts.
type system struct {
	o   options
	log *slog.Logger
	out io.Writer

	ports   *ports
	core    setup.App
	chain   *appChain
	layer   *settlementLayer
	prover  *proverService
	closers []func()
}

// close ends what was started, the last first.
func (r *system) close() {
	for _, f := range slices.Backward(r.closers) {
		f()
	}
}

// start starts or connects chain, settlement layer and prover.
func (r *system) start(ctx context.Context) (err error) {
	if r.ports, err = openPorts(ctx, r.o, r.log); err != nil {
		return err
	}
	r.closers = append(r.closers, r.ports.close)
	r.core = r.ports.core
	if r.core.Needs, err = expected.Needs(config.Config{Chain: config.Chain{
		ID: snosrunner.ChainID, FeeTokenAddress: snosrunner.FeeToken, EthFeeTokenAddress: snosrunner.EthFeeToken,
	}}); err != nil {
		return err
	}
	warmUp(ctx, r.o, r.log)
	if r.chain, err = startChain(ctx, r.o, r.ports.cache, r.log, r.out); err != nil {
		return err
	}
	r.closers = append(r.closers, r.chain.close)
	r.o.sizes(r.chain.total())
	fmt.Fprintln(r.out, "start      the settlement layer with its contracts")
	if r.layer, err = startLayer(ctx, r.o, r.chain); err != nil {
		return err
	}
	r.closers = append(r.closers, r.layer.close)
	r.layer.wallet.DryRun, r.layer.data.DryRun = r.o.dryRun, r.o.dryRun
	if r.o.inFlight > 0 {
		r.layer.wallet.Policy.InFlight = r.o.inFlight
	}
	if r.prover, err = startProver(r.o, r.chain, r.layer, r.log); err != nil {
		return err
	}
	r.closers = append(r.closers, r.prover.close)
	return nil
}

// announce compares the core contract and says what runs; then what is to be broken is broken.
func (r *system) announce(ctx context.Context) error {
	fmt.Fprintf(r.out, "app chain  blocks %d to %d at %s\n", r.chain.first, r.chain.last, shownURL(r.o, r.chain.url))
	report.Wrap(r.out, "settlement ", r.layer.about)
	found, err := r.layer.compare(r.core, r.chain)(ctx)
	if err = errors.Join(err, found.Err()); err != nil {
		return err
	}
	report.Wrap(r.out, "contract   ", found.Summary())
	if r.prover.about != "" {
		report.Wrap(r.out, "prover     ", r.prover.about)
	}
	if len(r.ports.about) > 0 {
		report.Wrap(r.out, "real parts ", strings.Join(r.ports.about, "; "))
	}
	fmt.Fprintln(r.out)
	r.o.fail.layer(r.layer)
	r.prover.Prover = r.o.fail.prover(r.prover.Prover)
	return nil
}

// deploy puts the functions onto the platform, and serves the API where it is asked for.
func (r *system) deploy(ctx context.Context, view display) (*devlambda.Platform, error) {
	if r.o.api != "" {
		r.core.Seat = operator.Seat{URL: "http://" + r.o.api}
	}
	r.core.Events = newMeter(r.core.Events, r.o.layer, view.show)
	r.core.Alerts = &loud{Notifier: r.core.Alerts, note: view.note}
	runner, err := newRunner(ctx, r.o, r.core, r.chain)
	if err != nil {
		return nil, err
	}
	runner = r.o.fail.runner(runner)
	p := deploy(r.o, r.core, r.ports.queues, r.ports.timers, r.chain, r.layer, r.prover, runner, r.log)
	checks := []admin.Check{
		{Name: "SNOS runner", Ping: runner.Ping}, {Name: "prover", Ping: r.prover.Ping},
		{Name: "cache", Ping: r.ports.cache.Ping},
	}
	return p, serveAPI(ctx, r.o, r.core, r.chain, r.layer, r.prover.hook, checks, view.note)
}

// follow lets the platform run until everything is settled, or for ever where the API is served and nothing fails.
func (r *system) follow(ctx, running context.Context, stop func(), p *devlambda.Platform, view display) (err error) {
	listened := make(chan struct{})
	if r.chain.announces {
		go func() {
			defer close(listened)
			if err := r.core.Listener(r.chain.source).Listen(running); err != nil {
				r.log.WarnContext(running, "new blocks are not announced, schedules find them", "error", err)
			}
		}()
	}
	var held *backlog
	if r.o.backlog {
		if held, err = holdBack(ctx, r.core, r.chain, r.layer); err != nil {
			view.close()
			return err
		}
	}
	stopped := make(chan error, 1)
	go func() {
		err := p.Run(running)
		if r.chain.announces {
			<-listened
		}
		stopped <- err
	}()
	if held != nil {
		err = held.release(ctx)
	}
	if err == nil {
		err = until(ctx, 100*time.Millisecond,
			func(ctx context.Context) (bool, error) { return finished(ctx, r.o, r.core, r.chain, r.layer) })
	}
	view.close()
	if r.o.api == "" || err != nil {
		stop()
		if perr := <-stopped; err == nil {
			err = perr
		}
	}
	if held != nil && err == nil {
		err = held.report(context.WithoutCancel(ctx), r.out)
	}
	return err
}

// linkAge is how long links to artifacts work in a run.
const linkAge = 15 * time.Minute

// serveAPI serves the API function's handler, with the routes that change something: it listens on loopback only.
func serveAPI(ctx context.Context, o options, core setup.App, a *appChain, l *settlementLayer,
	hook apicontroller.ProverHook, checks []admin.Check, note func(string, ...any)) error {
	if o.api == "" {
		return nil
	}
	listener, err := loopback.Listen(o.api)
	if err != nil {
		return fmt.Errorf("-api: %w", err)
	}
	handler := http.NewServeMux()
	if store, ok := core.Artifacts.(*memory.Artifacts); ok { // an emulator serves its own links
		links := memory.NewLinks(store, "http://"+o.api+"/files")
		core.Links = links
		handler.Handle("/files/", links)
	}
	served := setup.API{
		Head: a.source, Contract: l.contract, Admin: true, ProverHook: hook, FeeUnit: l.unit,
		Wallet:    setup.Account(l.open),
		Settle:    l.open,
		Contracts: l.compare(core, a), Checks: checks, LinkAge: linkAge,
	}
	if l.data.Layer != "" {
		served.DataLayer = l.data.Layer
		served.Data = func(context.Context) (setup.Wallet, error) { return l.data, nil }
	}
	handler.Handle("/", core.API(served))
	srv := &http.Server{Handler: loopback.Guard(handler), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = srv.Serve(listener) }()
	note("status     http://%s/", listener.Addr())
	return nil
}

func newDisplay(out io.Writer, o options, total int) display {
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) && !o.verbose {
		return newBars(out, stages(o.layer), total)
	}
	return newLines(out, total)
}

// loud shows alerts as they come.
type loud struct {
	alert.Notifier
	note func(string, ...any)
}

// Notify implements alert.Notifier.
func (l *loud) Notify(ctx context.Context, a alert.Alert) error {
	var b strings.Builder
	report.Wrap(&b, "alert      ", fmt.Sprintf("%s: %s: %s", a.Severity, a.Title, a.Detail))
	if a.Command != "" {
		fmt.Fprintf(&b, "           %s\n", a.Command)
	}
	l.note("%s", strings.TrimSuffix(b.String(), "\n"))
	return l.Notifier.Notify(ctx, a)
}

// deploy puts the functions together and onto the platform.
func deploy(o options, core setup.App, qs queue.Queue, timers schedule.Scheduler, a *appChain, l *settlementLayer,
	prover proof.Prover, runner snos.Runner, log *slog.Logger) *devlambda.Platform {
	limits := batch.DefaultLimits()
	limits.Blocks, limits.SnosBlocks, limits.HasMaxBlock, limits.MaxBlock = o.perBatch, o.perSnos, true, a.last
	switch {
	case o.da == config.EthereumDA:
		limits.DAWords = limits.Capacity()
	case o.layer == stage.L3 && o.da != config.NoDA:
		limits.DAWords = batch.CalldataWords - limits.BlobBuffer
	}
	codec := l.codec
	if o.layer == stage.L2 {
		codec.Compare = comparing(a.source)
	}
	fs := map[string]devlambda.Function{}
	p := newPlatform(o, core, qs, timers, fs, log)
	fs[resource.FnSnosRun] = devlambda.InProcess(core.SnosRun(runner).Handle)
	fs[resource.FnProofCreation] = devlambda.InProcess(core.ProofCreation(prover).Handle)
	fs[resource.FnProofRegistration] = devlambda.InProcess(core.ProofRegistration(prover).Handle)
	fs[resource.FnAggregator] = devlambda.InProcess(core.Aggregator(prover, runner).Handle)
	fs[resource.FnDataSubmission] = devlambda.InProcess(l.dataSubmission(o, core, a).Handle)
	fs[resource.FnStateTransition] = devlambda.InProcess(core.StateTransition(l.contract, l.wallet, codec).Handle)
	fs[resource.FnJobFailure] = devlambda.InProcess(core.DeadLetters().Handle)
	fs[resource.FnTrigger] = devlambda.InProcess(core.TriggerFunction(setup.Trigger{
		Source: a.source, Prover: prover, NewSizer: protocol.NewSizer,
		SupportsVersion: version.Supported, Limits: limits,
		Settled:  func(ctx context.Context) (settlement.State, error) { return l.contract.State(ctx, false) },
		Contract: l.contract.Config, Timers: timers,
		FirstBlock: a.first, ReadAtOnce: true, FirstBatch: 1, Unsettled: l.wallet.Policy.Unsettled(), Window: 50,
		Invoke: invoke(p), ReconcileGrace: time.Second,
	}).Handle)
	return p
}
