package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/madara-orchestrator/orchestrator/shared/config"
	apicontroller "github.com/madara-orchestrator/orchestrator/shared/controller/api"
	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/operator"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
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
	ps, err := openPorts(ctx, o, log)
	if err != nil {
		return err
	}
	defer ps.close()
	core := ps.core
	if core.Needs, err = expected.Needs(config.Config{Chain: config.Chain{
		ID: snosrunner.ChainID, FeeTokenAddress: snosrunner.FeeToken, EthFeeTokenAddress: snosrunner.EthFeeToken,
	}}); err != nil {
		return err
	}
	chain, err := startChain(ctx, o, ps.cache, log, stdout)
	if err != nil {
		return err
	}
	defer chain.close()
	o.sizes(chain.total())
	fmt.Fprintln(stdout, "start      the settlement layer with its contracts")
	layer, err := startLayer(ctx, o, chain, log)
	if err != nil {
		return err
	}
	defer layer.close()
	layer.wallet.DryRun = o.dryRun
	if o.inFlight > 0 {
		layer.wallet.Policy.InFlight = o.inFlight
	}
	compare := layer.compare(core, chain)
	o.fail.layer(layer)
	prover, err := startProver(o, chain, layer, log)
	if err != nil {
		return err
	}
	defer prover.close()
	prover.Prover = o.fail.prover(prover.Prover)
	fmt.Fprintf(stdout, "app chain  blocks %d to %d at %s\n", chain.first, chain.last, chain.url)
	report.Wrap(stdout, "settlement ", layer.about)
	found, err := compare(ctx)
	if err = errors.Join(err, found.Err()); err != nil {
		return err
	}
	report.Wrap(stdout, "contract   ", found.Summary())
	if prover.about != "" {
		report.Wrap(stdout, "prover     ", prover.about)
	}
	if len(ps.about) > 0 {
		report.Wrap(stdout, "real parts ", strings.Join(ps.about, "; "))
	}
	if o.api != "" {
		core.Seat = operator.Seat{URL: "http://" + o.api}
	}
	fmt.Fprintln(stdout)
	view := newDisplay(stdout, o, chain.total())
	core.Events = newMeter(core.Events, o.layer, view.show)
	alerts := &loud{Notifier: core.Alerts, note: view.note}
	core.Alerts = alerts
	runner, err := newRunner(ctx, o, core, chain)
	if err != nil {
		view.close()
		return err
	}
	runner = o.fail.runner(runner)
	p := deploy(o, core, ps.queues, chain, layer, prover, runner, log)
	checks := []admin.Check{
		{
			Name: "SNOS runner",
			Ping: runner.Ping,
		}, {Name: "prover", Ping: prover.Ping}, {Name: "cache", Ping: ps.cache.Ping},
	}
	if err := serveAPI(ctx, o, core, chain, layer, prover.hook, checks, view.note); err != nil {
		view.close()
		return err
	}
	var held *backlog
	if o.backlog {
		if held, err = holdBack(ctx, core, chain, layer); err != nil {
			view.close()
			return err
		}
	}
	running, stop := context.WithCancel(ctx)
	stopped := make(chan error, 1)
	go func() { stopped <- p.Run(running) }()
	if held != nil {
		err = held.release(ctx)
	}
	if err == nil {
		err = until(ctx, 100*time.Millisecond,
			func(ctx context.Context) (bool, error) { return finished(ctx, o, core, chain, layer) })
	}
	view.close()
	if o.api == "" || err != nil {
		stop()
		if perr := <-stopped; err == nil {
			err = perr
		}
	}
	if held != nil && err == nil {
		err = held.report(context.WithoutCancel(ctx), stdout)
	}
	if user.Err() == nil {
		err = errors.Join(err, prover.checkRequests())
		err = errors.Join(err,
			summarize(context.WithoutCancel(ctx), o, core, chain, layer, p, stdout, result, began, err == nil))
	}
	if o.api != "" && user.Err() == nil { // also after a failure: it is what operators look at
		fmt.Fprintln(stdout, "\nstatus page and API go on until you interrupt")
		<-user.Done()
	}
	stop()
	return err
}

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
	api := core.API(setup.API{
		Head: a.source, Contract: l.contract, Admin: true, ProverHook: hook, FeeUnit: l.unit,
		Wallet:    setup.Balance(l.open),
		Contracts: l.compare(core, a), Checks: checks,
	})
	srv := &http.Server{Handler: loopback.Guard(api), ReadHeaderTimeout: 10 * time.Second}
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
func deploy(o options, core setup.App, qs queue.Queue, a *appChain, l *settlementLayer, prover proof.Prover,
	runner snos.Runner, log *slog.Logger) *devlambda.Platform {
	limits := batch.DefaultLimits()
	limits.Blocks, limits.SnosBlocks, limits.HasMaxBlock, limits.MaxBlock = o.perBatch, o.perSnos, true, a.last
	if o.layer == stage.L3 {
		limits.DAWords = batch.CalldataWords - limits.BlobBuffer
	}
	fs := map[string]devlambda.Function{}
	p := newPlatform(o, core, qs, fs, log)
	fs[resource.FnSnosRun] = devlambda.InProcess(core.SnosRun(runner).Handle)
	fs[resource.FnProofCreation] = devlambda.InProcess(core.ProofCreation(prover).Handle)
	fs[resource.FnProofRegistration] = devlambda.InProcess(core.ProofRegistration(prover).Handle)
	fs[resource.FnAggregator] = devlambda.InProcess(core.Aggregator(prover, runner).Handle)
	fs[resource.FnDataSubmission] = devlambda.InProcess(core.DataSubmission(l.da, l.wallet).Handle)
	fs[resource.FnStateTransition] = devlambda.InProcess(core.StateTransition(l.contract, l.wallet, l.codec).Handle)
	fs[resource.FnJobFailure] = devlambda.InProcess(core.DeadLetters().Handle)
	fs[resource.FnTrigger] = devlambda.InProcess(core.TriggerFunction(setup.Trigger{
		Source: a.source, Prover: prover, NewSizer: protocol.NewSizer,
		SupportsVersion: version.Supported, Limits: limits,
		Settled:    func(ctx context.Context) (settlement.State, error) { return l.contract.State(ctx, false) },
		Contract:   l.contract.Config,
		FirstBlock: a.first, ReadAtOnce: true, FirstBatch: 1, Unsettled: l.wallet.Policy.Unsettled(), Window: 50,
		Invoke: invoke(p), ReconcileGrace: time.Second,
	}).Handle)
	return p
}

// finished says whether the contract holds the last block and its job is completed, or in a dry run whether only
// sending is left. A failed job is an end too.
func finished(ctx context.Context, o options, core setup.App, a *appChain, l *settlementLayer) (bool, error) {
	for _, t := range job.Types {
		if o.api != "" {
			break // the operator retries it
		}
		n, err := core.Jobs.Count(ctx, t, []job.Status{job.Failed, job.VerificationTimeout}, 1)
		if err != nil {
			return false, err
		}
		for s, count := range n {
			if count > 0 {
				return false, fmt.Errorf("a %s job is %s: %w", t, s, errEnded)
			}
		}
	}
	if o.dryRun {
		js, err := core.Jobs.List(ctx, job.Filter{Type: job.StateTransition, Limit: 1})
		if err != nil || len(js) == 0 {
			return false, err
		}
		m, ok := js[0].Metadata.(*job.StateTransitionMeta)
		return ok && m.DryRun, nil
	}
	s, err := l.contract.State(ctx, false)
	if err != nil || !s.Settled || s.Block < a.last {
		return false, err
	}
	rs, err := report.Rows(ctx, core.Batches, o.layer)
	if err != nil || len(rs) == 0 {
		return false, err
	}
	last := rs[len(rs)-1]
	return last.Ledger.Tx != "" || last.Status == batch.Completed, nil
}

// summarize prints what happened.
func summarize(ctx context.Context, o options, core setup.App, a *appChain, l *settlementLayer, p *devlambda.Platform,
	w, result io.Writer, began time.Time, ok bool) error {
	fmt.Fprintln(w)
	rs, err := report.Rows(ctx, core.Batches, o.layer)
	if err != nil {
		return err
	}
	report.Table(w, rs, o.layer, l.unit)
	invocations, failures := p.Counts()
	fmt.Fprintf(w, "%d invocations, %d redeliveries; %.1f s in all\n\n",
		invocations, failures, time.Since(began).Seconds())
	if o.json {
		if err := report.JSON(result, rs, l.unit, ok); err != nil {
			return err
		}
	}
	a.printNotes(func(f string, args ...any) { fmt.Fprintf(w, f+"\n", args...) })
	switch {
	case !ok:
		return nil
	case o.dryRun:
		fmt.Fprintln(w, "dry run    everything is ready to be sent; nothing was")
		return wouldSend(ctx, core, l.unit, w)
	}
	head, err := a.head(ctx)
	if err != nil {
		return err
	}
	return report.Check(ctx, w, l.contract, head)
}
