package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/operator"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
)

// pageWorld is a chain as an operator finds it: two settled batches, one in progress, an open one.
type pageWorld struct {
	t       *testing.T
	layer   stage.Layer
	jobs    *memory.Jobs
	batches *memory.Batches
	control *memory.Controls
	reports *memory.Reports
	faults  *fault.Rules
	api     setup.API
	now     time.Time
}

// brokenContract is a settlement layer that does not answer.
type brokenContract struct{}

func (brokenContract) State(context.Context, bool) (settlement.State, error) {
	return settlement.State{}, errors.New("dial https://l1.example: connection refused")
}

func newPageWorld(t *testing.T, layer stage.Layer) *pageWorld {
	w := &pageWorld{t: t, layer: layer, faults: fault.NewRules(), now: time.Now()}
	env := &fault.Env{Hook: w.faults}
	w.jobs, w.batches, w.control, w.reports = memory.NewJobs(env), memory.NewBatches(
		env), memory.NewControls(env), memory.NewReports(env)
	w.api = setup.API{
		Head: head(52), Contract: contract{Settled: true, Block: 19}, Admin: true,
		Explorer: "https://explorer.example/tx/", FeeUnit: unitOf(layer),
		Checks: []admin.Check{{Name: "prover", Ping: func(context.Context) error { return nil }}},
		Wallet: func(context.Context) (tx.Account, error) {
			return tx.Account{Address: "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
				Balance: big.NewInt(2_345_678_901_234_567_890)}, nil
		},
	}
	w.fill()
	return w
}

// oneDay is how much earlier something that lasts must begin to be of one day in UTC: the page shows sums of days.
func oneDay(begin time.Time, lasts time.Duration) time.Duration {
	if begin.UTC().Day() == begin.Add(lasts).UTC().Day() {
		return 0
	}
	return lasts
}

// fill writes the documents.
func (w *pageWorld) fill() {
	w.t.Helper()
	for i := range uint64(4) {
		at := w.now.Add(-time.Duration(4-i) * 50 * time.Minute)
		if i < 2 {
			at = at.Add(-oneDay(w.now.Add(-200*time.Minute), 52*time.Minute))
		}
		spans := []batch.Span{
			{StartBlock: i * 10, EndBlock: i*10 + 4, OpenedAt: at, ClosedAt: at, Reason: batch.BlockCount},
			{StartBlock: i*10 + 5, EndBlock: i*10 + 9, OpenedAt: at, ClosedAt: at, Reason: batch.BlockCount}}
		whole := batch.Span{StartBlock: i * 10, EndBlock: i*10 + 9, OpenedAt: at, ClosedAt: at, Reason: batch.Age}
		status, l := batch.Completed, batch.Ledger{}
		switch i {
		case 0, 1:
			l = batch.Ledger{Tx: "0x" + strings.Repeat("5a", 32), GasUsed: 412_345, DataGasUsed: 131072, Blobs: 1,
				Fee: big.NewInt(1_234_567_890_123_456), FeeSaved: big.NewInt(20_000_000_000_000_000)}
			for _, t := range job.Types {
				if w.layer.Has(t) {
					l.Pass(string(t), at, at.Add(90*time.Second))
				}
			}
		case 2:
			status = batch.InProofCreation
		case 3:
			status, whole.Reason, whole.ClosedAt, spans[1].Reason = batch.Open, "", time.Time{}, ""
		}
		a := batch.AggregatorBatch{Index: i + 1, Span: whole, FirstSnos: 2*i + 1,
			Snos: spans, Status: status, Ledger: l}
		if i == 2 && w.layer == stage.L2 {
			a.Status = batch.Closed
		}
		errs := []error{nil}
		if w.layer == stage.L2 {
			errs = append(errs, w.batches.CreateAggregator(w.t.Context(), a))
		}
		for k, s := range spans {
			b := batch.SnosBatch{Index: 2*i + 1 + uint64(k), Span: s, Status: batch.Proven, Aggregator: i + 1}
			if w.layer == stage.L3 {
				b.Status, b.Aggregator, b.Ledger = status, 0, l
			}
			errs = append(errs, w.batches.CreateSnos(w.t.Context(), b))
		}
		if err := errors.Join(errs...); err != nil {
			w.t.Fatal(err)
		}
	}
	done := w.job("5", 5, &job.SnosRunMeta{}, job.Completed)
	done.EndedAt, done.NextAction, done.DueAt = w.now, job.None, time.Time{}
	w.create(done, w.job("6", 6, &job.SnosRunMeta{}, job.PendingVerification))
}

func (w *pageWorld) job(id string, index uint64, m job.Metadata, s job.Status) job.Job {
	j := job.New(strings.Repeat("0", 31)+id, index, m, "", w.now.Add(-10*time.Minute))
	j.Status = s
	return j
}

func (w *pageWorld) create(js ...job.Job) {
	w.t.Helper()
	for _, j := range js {
		if err := w.jobs.Create(w.t.Context(), j); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *pageWorld) serve() string {
	w.t.Helper()
	var ds []memory.Declaration
	for _, q := range resource.Queues() {
		ds = append(ds, memory.Declaration{Name: q.Name})
	}
	queues, err := memory.NewQueues(nil, ds...)
	if err != nil {
		w.t.Fatal(err)
	}
	app := setup.App{
		Chain: "mychain", Seat: operator.Seat{Chain: "mychain"},
		Layer: w.layer, Jobs: w.jobs, Batches: w.batches, Locks: memory.NewLocks(nil),
		Control: w.control, Queue: queues,
		Artifacts: memory.NewArtifacts(nil), Alerts: memory.NewAlerts(nil), Reports: w.reports,
		Events: memory.NewEvents(nil),
		Now:    time.Now, Log: slog.New(slog.DiscardHandler),
	}
	srv := httptest.NewServer(http.Handler(app.API(w.api)))
	w.t.Cleanup(srv.Close)
	return srv.URL
}

// pageTask is what the browser is to look at, and pageResult what it found.
type pageTask struct {
	Name  string  `json:"name"`
	URL   string  `json:"url"`
	Wait  string  `json:"wait"` // text that must show
	Open  string  `json:"open,omitempty"`
	Act   string  `json:"act,omitempty"`
	Then  string  `json:"then,omitempty"`
	Views [][]any `json:"views,omitempty"`
}

type pageResult struct {
	Name, Scheme, Text string
	Width, Overflow    int
	Overlaps           int
	Violations, Errors []string
}

// The status page in a real browser, in every state that an operator may find: it says what blocks settlement and what
// to do, has no accessibility violation, fits a phone, and shows no raw state.
func TestStatusPage(t *testing.T) {
	t.Parallel()
	program := tools.Program(t, "chromium/usr/lib/chromium/chromium")
	modules := filepath.Dir(tools.Program(t, "browser/node_modules"))
	root := filepath.Dir(modules)
	failed := func(w *pageWorld) {
		w.create(w.job("7", 7, &job.SnosRunMeta{}, job.Created).FailedPermanently(w.now,
			errors.New("the runner answers 500: it has no memory left")))
	}
	var tasks []pageTask
	for _, tt := range []struct {
		name   string
		layer  stage.Layer
		change func(*pageWorld)
		task   pageTask
	}{
		{"running", stage.L2, func(*pageWorld) {},
			pageTask{Wait: "SNOS run: runs, 1 of 2", Open: "SNOS batch 7, blocks 30 to 34"}},
		{"fees saved", stage.L2, func(*pageWorld) {},
			pageTask{Wait: "waiting for lower fees saved 0.040000 ETH"}},
		{"settled", stage.L2, func(w *pageWorld) {
			w.api.Head, w.jobs = head(19), memory.NewJobs(nil)
		}, pageTask{Wait: "Everything is settled, up to block 19."}},
		{"failed", stage.L2, failed, pageTask{Wait: "make ops CHAIN=mychain ARGS='retry"}},
		{"retried", stage.L2, failed,
			pageTask{Wait: "SnosRun of SNOS batch 7 (blocks 30-34, in aggregator batch 4) failed",
				Act: "Retry this job", Then: "Jobs that wait for you\nNone."}},
		{"paused", stage.L2, func(w *pageWorld) {
			p := schedule.Pause{Stage: stage.StateTransition, Since: w.now.Add(-time.Hour),
				By: "arn:aws:iam::123456789012:user/ann", Reason: "gas is too dear"}
			if err := w.control.Pause(w.t.Context(), p); err != nil {
				w.t.Fatal(err)
			}
		}, pageTask{Wait: "by arn:aws:iam::123456789012:user/ann: gas is too dear"}},
		{"l1-down", stage.L2, func(w *pageWorld) { w.api.Contract = brokenContract{} },
			pageTask{Wait: "The settlement layer can't be read"}},
		{"database-down", stage.L2, func(w *pageWorld) {
			for _, c := range []string{"jobs", "batches", "controls", "reports"} {
				w.faults.Add(fault.Rule{Component: c, Times: -1,
					Fault: fault.Fault{Kind: fault.FailBefore, Err: errors.New("no primary")}})
			}
		}, pageTask{Wait: "The database can't be read."}},
		{"alert", stage.L2, func(w *pageWorld) {
			r := alert.Report{Key: "batching/version/0.15.0", Severity: alert.Critical,
				Title: "The chain runs an unsupported Starknet version", Since: w.now,
				Detail: "Block 60 has version 0.15.0. Deploy a release that supports it.", ReportedAt: w.now}
			if _, err := w.reports.Save(w.t.Context(), r); err != nil {
				w.t.Fatal(err)
			}
		}, pageTask{Wait: "Critical: The chain runs an unsupported Starknet version"}},
		{"l3", stage.L3, func(*pageWorld) {}, pageTask{Wait: "Data submission: "}},
		{"no-commands", stage.L2, func(w *pageWorld) { failed(w); w.api.Admin = false },
			pageTask{Wait: "make ops CHAIN=mychain ARGS='retry"}},
	} {
		w := newPageWorld(t, tt.layer)
		tt.change(w)
		tt.task.Name, tt.task.URL = tt.name, w.serve()
		if tt.task.Act != "" {
			tt.task.Views = [][]any{{390, "dark"}}
		}
		tasks = append(tasks, tt.task)
	}
	shots := os.Getenv("ORCHESTRATOR_SCREENSHOTS") // a folder for people to look at
	if shots == "" {
		shots = t.TempDir()
	}
	in, err := json.Marshal(map[string]any{"chromium": program, "shots": shots, "pages": tasks})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "../../dev/browser/check.mjs")
	libraries := filepath.Join(root, "chromium/usr/lib/x86_64-linux-gnu")
	cmd.Env = append(os.Environ(), "ORCHESTRATOR_BROWSER="+filepath.Join(root, "browser"),
		"LD_LIBRARY_PATH="+libraries+":"+libraries+"/pulseaudio")
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		t.Fatalf("%v: %s", err, exit.Stderr)
	}
	var results []pageResult
	if err := errors.Join(err, json.Unmarshal(out, &results)); err != nil {
		t.Fatal(err)
	}
	if len(results) < len(tasks) {
		t.Fatalf("%d results of %d pages", len(results), len(tasks))
	}
	for _, r := range results {
		r.check(t)
	}
}

// check holds what every state must.
func (r pageResult) check(t *testing.T) {
	t.Helper()
	at := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s, %d px, %s: "+format, append([]any{r.Name, r.Width, r.Scheme}, args...)...)
	}
	for _, v := range r.Violations {
		at("accessibility: %s", v)
	}
	for _, e := range r.Errors {
		at("error: %s\n%.1500s", e, r.Text)
	}
	if r.Overflow > 0 {
		at("it is %d px too wide", r.Overflow)
	}
	if r.Overlaps > 0 {
		at("%d requests began before the one before ended", r.Overlaps)
	}
	for _, raw := range []string{"–", "LockedForProcessing", "PendingVerification", "VerificationTimeout",
		"PendingRetry", "undefined", "null", "NaN", "[object"} {
		if strings.Contains(r.Text, raw) {
			at("it shows %q", raw)
		}
	}
	if !strings.Contains(r.Text, "refreshed at") && r.Name != "database-down" {
		at("it does not say when it was refreshed")
	}
	if has := strings.Contains(r.Text, "\nPause\n"); has != (r.Name != "no-commands") && r.Name != "database-down" {
		at("buttons for commands: %t", has)
	}
}
