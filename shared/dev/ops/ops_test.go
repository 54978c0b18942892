package ops_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/madara-orchestrator/orchestrator/shared/client/deployment"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/operator"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/l1"
	"github.com/madara-orchestrator/orchestrator/shared/dev/ops"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
)

// failedJob is the id of the world's job that waits for an operator.
const failedJob = "00000000000000000000000000000002"

// serve serves the API of a chain with a settled batch, one in progress whose SnosRun has failed, and an open one.
func serve(t *testing.T, commands bool) string {
	t.Helper()
	url, _ := serveWithTopic(t, commands)
	return url
}

// serveWithTopic is serve, and the topic of the alerts.
func serveWithTopic(t *testing.T, commands bool) (string, *memory.Alerts) {
	t.Helper()
	topic := memory.NewAlerts(nil)
	var ds []memory.Declaration
	for _, q := range resource.Queues() {
		ds = append(ds, memory.Declaration{Name: q.Name})
	}
	queues, err := memory.NewQueues(nil, ds...)
	if err != nil {
		t.Fatal(err)
	}
	jobs, batches := memory.NewJobs(nil), memory.NewBatches(nil)
	now := time.Now()
	long := errors.New("the runner answers 500: " + strings.Repeat("it has no memory left, ", 12))
	done := job.New("00000000000000000000000000000001", 1, &job.SnosRunMeta{EndBlock: 9}, "", now)
	failed := job.New(failedJob, 2, &job.SnosRunMeta{StartBlock: 10, EndBlock: 19}, "",
		now).FailedPermanently(now, long)
	span := func(from, to uint64, r batch.Reason) batch.Span {
		return batch.Span{StartBlock: from, EndBlock: to, OpenedAt: now.Add(-time.Hour), Reason: r}
	}
	ledger := batch.Ledger{Tx: "0x" + strings.Repeat("ab", 32), GasUsed: 400_000, Blobs: 1}
	ledger.FeeSaved = big.NewInt(-2_000_000_000_000_000)
	ledger.Pass("SnosRun", now.Add(-time.Minute), now)
	ledger.Pass("StateTransition", now.Add(-time.Second), now)
	aggregator := func(i, from, to uint64, s batch.Status, r batch.Reason, l batch.Ledger) error {
		return batches.CreateAggregator(t.Context(), batch.AggregatorBatch{
			Index: i, FirstSnos: i, Span: span(from, to, r), Snos: []batch.Span{span(from, to, r)}, Status: s,
			Ledger: l,
		})
	}
	if err := errors.Join(
		jobs.Create(t.Context(), done), jobs.Create(t.Context(), failed),
		aggregator(1, 0, 9, batch.Completed, batch.BlockCount, ledger),
		aggregator(2, 10, 19, batch.Closed, batch.Age, batch.Ledger{}),
		aggregator(3, 20, 24, batch.Open, "", batch.Ledger{}),
		batches.CreateSnos(t.Context(),
			batch.SnosBatch{Index: 2, Aggregator: 2, Span: span(10, 19, batch.Age), Status: batch.InSnosRun}),
	); err != nil {
		t.Fatal(err)
	}
	app := setup.App{
		Chain: "mychain", Seat: operator.Seat{Chain: "mychain"},
		Layer: stage.L2, Jobs: jobs, Batches: batches, Locks: memory.NewLocks(nil),
		Control: memory.NewControls(nil), Rewinds: memory.NewRewinds(nil),
		Queue: queues, Artifacts: memory.NewArtifacts(nil), Alerts: topic, Topic: topic,
		Reports: memory.NewReports(nil),
		Events:  memory.NewEvents(nil), Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}
	chain := l1.New(nil, l1.Config{})
	srv := httptest.NewServer(app.API(setup.API{Admin: commands, FeeUnit: "wei",
		Settle: func(context.Context) (settlement.Contract, setup.Wallet, error) {
			return chain, setup.Wallet{Chain: chain}, nil
		}}))
	t.Cleanup(srv.Close)
	return srv.URL, topic
}

func run(t *testing.T, url string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = ops.Main(t.Context(), append([]string{"-url", url}, args...), &o, &e)
	return code, o.String(), e.String()
}

// Each command has its exit code, says what it should, and fits 80 columns; with -json it prints one JSON value.
func TestCommands(t *testing.T) {
	t.Parallel()
	why := []string{"-reason", "the runner is fixed"}
	for name, tt := range map[string]struct {
		args []string
		code int
		says string
		off  bool // commands are off
	}{
		"status": {args: []string{"status"}, code: ops.Attention,
			says: "BLOCKED: SnosRun of SNOS batch 2 (blocks 10-19, in aggregator batch 2) failed."},
		"its command": {args: []string{"status"}, code: ops.Attention,
			says: "make ops CHAIN=mychain ARGS='retry " + failedJob + "'"},
		"lag":    {args: []string{"lag"}, code: ops.Attention, says: "batched    block 24"},
		"ready":  {args: []string{"ready"}, code: ops.OK, says: "ready"},
		"alerts": {args: []string{"alerts"}, code: ops.OK, says: "no alert is open"},
		"batches": {args: []string{"batches"}, code: ops.OK,
			says: "10-19   closed   1h0m  0 of 4 FAILED  none  none yet"},
		"open batches": {args: []string{"batches", "-status", "Open"}, code: ops.OK, says: "20-24"},
		"wrong status": {args: []string{"batches", "-status", "Sold"}, code: ops.Usage, says: "want one of"},
		"batch":        {args: []string{"batch", "2"}, code: ops.OK, says: "SNOS batch  blocks  state"},
		"SNOS batch": {args: []string{"batch", "2", "-snos"}, code: ops.OK,
			says: "SNOS batch 2  blocks 10-19, in SnosRun, closed by age"},
		"no batch": {args: []string{"batch", "9"}, code: ops.Unknown, says: "404"},
		"block":    {args: []string{"block", "12"}, code: ops.OK, says: "block 12 is not settled yet"},
		"block settled": {args: []string{"block", "2"}, code: ops.OK,
			says: "aggregator batch 1 (blocks 0-9) is settled"},
		"no block":      {args: []string{"block", "99"}, code: ops.Unknown, says: "in no batch"},
		"jobs":          {args: []string{"jobs", "-status", "Failed"}, code: ops.OK, says: failedJob},
		"jobs of batch": {args: []string{"jobs", "-batch", "2"}, code: ops.OK, says: failedJob},
		"job":           {args: []string{"job", failedJob}, code: ops.OK, says: "SnosRun of SNOS batch 2"},
		"no job":        {args: []string{"job", strings.Repeat("f", 32)}, code: ops.Unknown, says: "404"},
		"no id":         {args: []string{"job", "x"}, code: ops.Usage, says: "32 hex digits"},
		"stages":        {args: []string{"stages"}, code: ops.OK, says: "StateTransition     runs"},
		"ledger": {args: []string{"ledger"}, code: ops.OK,
			says: "waiting for lower fees cost 0.002000 ETH: they rose"},
		"settled batch": {args: []string{"batch", "1"}, code: ops.OK,
			says: "waiting for lower fees cost 0.002000 ETH: they rose"},
		"days":          {args: []string{"ledger", "-days", "32"}, code: ops.Usage, says: "from 1 to 31"},
		"artifacts":     {args: []string{"artifacts", "1"}, code: ops.OK, says: "no files are stored"},
		"of none":       {args: []string{"artifacts", "9"}, code: ops.Unknown, says: "404"},
		"events":        {args: []string{"events", "-for", "1ms"}, code: ops.OK, says: "what changes from now on"},
		"version":       {args: []string{"ledger", "-version"}, code: ops.Usage, says: "-version"},
		"wallet":        {args: []string{"wallet"}, code: ops.Unknown, says: "does not know its wallet"},
		"contracts":     {args: []string{"contracts"}, code: ops.Unknown, says: "does not know its core contract"},
		"retry":         {args: []string{"retry", failedJob}, code: ops.OK, says: "done: SnosRun of SNOS batch 2"},
		"retry a stage": {args: append([]string{"retry", "SnosRun"}, why...), code: ops.OK, says: "done: 1 jobs"},
		"retry nothing": {args: []string{"retry", "00000000000000000000000000000001"}, code: ops.Refused, says: "409"},
		"no reason":     {args: []string{"retry", "SnosRun"}, code: ops.Usage, says: "-reason"},
		"commands off":  {args: []string{"retry", failedJob}, code: ops.Refused, says: "takes no commands", off: true},
		"pause":         {args: append([]string{"pause", "SnosRun"}, why...), code: ops.OK, says: "PAUSED since"},
		"resume":        {args: append([]string{"resume", "SnosRun"}, why...), code: ops.OK, says: "runs"},
		"requeue":       {args: append([]string{"requeue", "SnosRun"}, why...), code: ops.OK, says: "done: 1 jobs"},
		"no stage":      {args: append([]string{"pause", "Nothing"}, why...), code: ops.Unknown, says: "want one of"},
		"close-open": {args: append([]string{"close-open"}, why...), code: ops.OK,
			says: "closes aggregator batch 3 (blocks 20-24 or more) soon"},
		"close why":   {args: []string{"close-open"}, code: ops.Usage, says: "give a reason"},
		"close where": {args: []string{"close-open"}, code: ops.Usage, says: "make ops ARGS='-url http"},
		"rewind": {args: []string{"rewind", "2"}, code: ops.OK,
			says: "Nothing is changed. To do it, add: -apply -reason"},
		"rewind and do": {args: append([]string{"rewind", "2", "-apply"}, why...), code: ops.OK,
			says: "begun: a rewind from aggregator batch 2 on discards 2 batches"},
		"rewind settled": {args: []string{"rewind", "1"}, code: ops.Refused,
			says: "REFUSED: aggregator batch 1 is settled"},
		"rewind why":     {args: []string{"rewind", "2", "-apply"}, code: ops.Usage, says: "give a reason"},
		"rewind none":    {args: []string{"rewind", "9"}, code: ops.Unknown, says: "404"},
		"rewinds":        {args: []string{"rewinds"}, code: ops.OK, says: "nothing was rewound"},
		"help":           {args: []string{"help"}, code: ops.OK, says: "Exit codes"},
		"help of one":    {args: []string{"help", "close-open"}, code: ops.OK, says: "seconds later"},
		"no command":     {args: []string{"dance"}, code: ops.Usage, says: "no command"},
		"too much":       {args: []string{"lag", "1"}, code: ops.Usage, says: "too much"},
		"too little":     {args: []string{"batch"}, code: ops.Usage, says: "needs N"},
		"not of the bus": {args: []string{"lag", "-bus"}, code: ops.Usage, says: "-bus is for events"},
		"no flag":        {args: []string{"lag", "-x"}, code: ops.Usage, says: "-x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, out, errs := run(t, serve(t, !tt.off), tt.args...)
			if code != tt.code || !strings.Contains(out+errs, tt.says) {
				t.Errorf("code %d, want %d with %q:\n%s%s", code, tt.code, tt.says, out, errs)
			}
			for line := range strings.Lines(out) {
				if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 &&
					!strings.Contains(line, "make ops") {
					t.Errorf("%d columns: %s", n, line)
				}
			}
			if tt.code == ops.Usage || tt.args[0] == "help" || tt.args[0] == "events" { // no change, no line
				return
			}
			code, out, errs = run(t, serve(t, !tt.off), append(tt.args, "-json")...)
			if code != tt.code || out != "" && !json.Valid([]byte(out)) || out == "" && code == ops.OK {
				t.Errorf("-json: code %d, want %d and JSON:\n%s%s", code, tt.code, out, errs)
			}
		})
	}
}

// Files of a batch are downloaded by links; a link that is too old, changed or of nothing is a clear error, and leaves
// no file.
func TestDownload(t *testing.T) {
	t.Parallel()
	var answer atomic.Pointer[string]
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	clock := time.Now()
	store := memory.NewArtifacts(&fault.Env{Now: func() time.Time { return clock }})
	links := memory.NewLinks(store, srv.URL+"/files")
	mux.Handle("/files/", links)
	mux.HandleFunc("/batches/1/artifacts",
		func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, *answer.Load()) })
	const key = "snos/0000000001/a b.json"
	if err := store.Put(t.Context(), key, strings.NewReader("content")); err != nil {
		t.Fatal(err)
	}
	link := func(key string) string {
		u, err := links.Link(t.Context(), key, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	for name, tt := range map[string]struct {
		key, link string
		after     time.Duration
		code      int
		says      string
	}{
		"downloaded": {key: key, link: link(key), code: ops.OK, says: "7B "},
		"too old":    {key: key, link: link(key), after: time.Hour, code: ops.Unreachable, says: "has expired"},
		"changed":    {key: key, link: link("other"), code: ops.Unreachable, says: "not there any more"},
		"forged": {key: key, link: strings.Replace(link("other"), "other", "snos", 1), code: ops.Unreachable,
			says: "SignatureDoesNotMatch"},
		"outside": {key: "../x", link: link(key), code: ops.Unreachable, says: "not a key"},
		"none":    {key: key, code: ops.Refused, says: "no links"},
	} {
		clock = clock.Add(tt.after)
		list := admin.ArtifactList{Artifacts: []admin.Artifact{{Key: tt.key, Size: 7, Link: tt.link}}}
		if tt.link != "" {
			list.LinksEnd = time.Now()
		}
		b, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		answer.Store(&text)
		dir := t.TempDir()
		code, out, errs := run(t, srv.URL, "artifacts", "1", "-into", dir)
		if code != tt.code || !strings.Contains(out+errs, tt.says) {
			t.Errorf("%s: code %d, want %d with %q:\n%s%s", name, code, tt.code, tt.says, out, errs)
		}
		got, err := os.ReadFile(filepath.Join(dir, key))
		if (tt.code == ops.OK) != (err == nil && string(got) == "content") {
			t.Errorf("%s: the file holds %q, %v", name, got, err)
		}
		clock = clock.Add(-tt.after)
		if code, out, _ := run(t, srv.URL, "artifacts", "1", "-links"); code != ops.OK ||
			tt.link != "" && !strings.Contains(out, tt.link) {
			t.Errorf("%s: the link is not whole in\n%s", name, out)
		}
	}
}

// What is not reachable has its own exit code, and the address is said.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.NotFoundHandler())
	srv.Close()
	if code, _, errs := run(t, srv.URL, "lag"); code != ops.Unreachable || !strings.Contains(errs, srv.URL) {
		t.Errorf("%d %s", code, errs)
	}
	if code := ops.Main(t.Context(), []string{"lag"}, &bytes.Buffer{}, &bytes.Buffer{}); code != ops.Usage {
		t.Errorf("without a deployment: %d", code)
	}
}

var quoted = regexp.MustCompile(`"[^"]*"|\S+`)

// Each command that alerts, hints and page print is one that the program takes.
func TestPrintedCommandsAreTaken(t *testing.T) {
	t.Parallel()
	url := serve(t, true)
	for _, seat := range []operator.Seat{{Chain: "mychain"}, {URL: url}} {
		for _, c := range []string{seat.Status(), seat.Ready(), seat.Job(failedJob),
			seat.Retry(failedJob), seat.RetryAll("SnosRun"),
			seat.Resume("SnosRun"), seat.Requeue("SnosRun")} {
			head, args, ok := strings.Cut(strings.TrimSuffix(c, "'"), "ARGS='")
			if want := map[bool]string{true: "make ops CHAIN=mychain ", false: "make ops "}[seat.URL == ""]; !ok ||
				head != want {
				t.Errorf("%q does not begin with %q", c, want)
			}
			words := quoted.FindAllString(args, -1)
			for i := range words {
				words[i] = strings.Trim(words[i], `"`)
			}
			if seat.URL != "" && !slices.Contains(words, url) {
				t.Errorf("%q lacks the URL", c)
			}
			if code, out, errs := run(t, url, words...); code == ops.Usage || code == ops.Unreachable {
				t.Errorf("%q: code %d: %s%s", c, code, out, errs)
			}
		}
	}
}

// The page's proxy passes what the page asks, and nothing that another site's page sends.
func TestProxy(t *testing.T) {
	t.Parallel()
	api, err := deployment.New(serve(t, true), "")
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(ops.Proxy(api))
	defer srv.Close()
	for name, tt := range map[string]struct {
		method, path, body string
		header             map[string]string
		status             int
		says               string
	}{
		"the page":   {"GET", "/", "", nil, 200, "<!doctype html>"},
		"a question": {"GET", "/jobs?status=Failed", "", nil, 200, failedJob},
		"an error":   {"GET", "/batches/9", "", nil, 404, "not found"},
		"a command": {"POST", "/stages/SnosRun/pause", `{"reason":"x"}`,
			map[string]string{"Content-Type": "application/json"}, 200, "paused"},
		"another": {"POST", "/stages/SnosRun/pause", `{"reason":"x"}`,
			map[string]string{"Sec-Fetch-Site": "cross-site"}, 403, ""},
		"rebound":     {"GET", "/jobs", "", map[string]string{"Host": "evil.example"}, 403, ""},
		"a deletion":  {"DELETE", "/jobs", "", nil, 405, ""},
		"a long body": {"POST", "/stages/SnosRun/pause", strings.Repeat("x", 9000), nil, 413, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), tt.method, srv.URL+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range tt.header {
				r.Header.Set(k, v)
			}
			r.Host = tt.header["Host"]
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			var b bytes.Buffer
			_, _ = b.ReadFrom(resp.Body)
			if resp.StatusCode != tt.status || !strings.Contains(b.String(), tt.says) {
				t.Errorf("%d, want %d with %q: %.300s", resp.StatusCode, tt.status, tt.says, b.String())
			}
		})
	}
}
