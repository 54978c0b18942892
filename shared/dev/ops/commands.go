package ops

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
	"github.com/madara-orchestrator/orchestrator/shared/service/contracts"
)

// command is one command of the program.
type command struct {
	name, args string // args as the help shows them
	about      string
	more       string // further lines of its help
	min, max   int    // arguments
	reason     bool   // needs -reason
	run        func(*session) (int, error)
}

func (c command) usage() string {
	u := c.name
	if c.args != "" {
		u += " " + c.args
	}
	if c.reason {
		u += ` -reason "..."`
	}
	return u
}

func (c command) check(s *session) error {
	switch n := len(s.args); {
	case n < c.min:
		return fmt.Errorf("%s needs %s", c.name, c.args)
	case n > c.max:
		return fmt.Errorf("%s: %q is too much", c.name, s.args[c.max])
	case c.reason && s.reason == "":
		return errors.New("this concerns a whole stage or batch: give a reason, it is kept for the audit")
	}
	return nil
}

var commands []command

func init() {
	names := func(ns []stage.Name) string {
		var out []string
		for _, n := range ns {
			out = append(out, string(n))
		}
		return strings.Join(out, ", ")
	}
	stages := "Stages: " + names(stage.Names()) + "."
	types := "Stages with jobs: " + names(stage.WithJobs()) + "."
	commands = []command{
		{name: "status", about: "how far settlement is, what blocks it, and what to do", run: (*session).statusOf,
			more: "Exit code 1 where a person is needed."},
		{name: "lag", about: "head, batched and settled block, in blocks and seconds", run: (*session).lag,
			more: "Exit code 1 where a person is needed."},
		{name: "ready", about: "which external services can be used", run: (*session).ready,
			more: "Exit code 1 where one can't."},
		{name: "contracts", about: "the core contract compared with settings and app chain",
			run: (*session).contracts, more: "Exit code 1 where a line is wrong."},
		{name: "alerts", about: "the causes of which operators are alerted now", run: (*session).alerts,
			more: "Exit code 1 where there is one."},
		{name: "batches", about: "batches, the newest first", run: (*session).batches,
			more: "-snos lists SNOS batches, -status one status, -before N and -limit N page.\n" +
				"With -status the oldest come first, and -after N pages.\n" +
				"Statuses: " + statuses(batch.Statuses) + "."},
		{name: "batch", args: "N", min: 1, max: 1, about: "a batch with its stages, SNOS batches and jobs",
			run:  (*session).oneBatch,
			more: "-snos: the SNOS batch with the index N."},
		{name: "artifacts", args: "N", min: 1, max: 1, about: "the stored files of a batch", run: (*session).artifacts,
			more: "-snos: of the SNOS batch with the index N."},
		{name: "events", about: "what happens, as it happens, until Ctrl-C", run: (*session).events,
			more: "It asks the API every two seconds and prints what has changed: batches and\ntheir stages, " +
				"alerts, paused stages. With -json each change is one line of JSON.\n" +
				"-for 10m ends it after that time."},
		{name: "block", args: "N", min: 1, max: 1, about: "how far a block is settled", run: (*session).block,
			more: "Exit code 3 while it is in no batch."},
		{name: "jobs", about: "jobs, by stage and then by batch", run: (*session).jobs,
			more: "-stage, -status and -batch choose, -newest turns the order, -limit N.\n" + types +
				"\nStatuses: " + statuses(job.Statuses) + ".\n-batch N: the jobs of a batch; with -snos of a SNOS " +
				"batch."},
		{name: "job", args: "ID", min: 1, max: 1, about: "a job with its recorded failures", run: (*session).oneJob},
		{name: "stages", about: "the stages, and which are paused by whom and why", run: (*session).stages},
		{name: "wallet", about: "what the wallet that settles holds, and how long that lasts", run: (*session).wallet},
		{name: "ledger", about: "what settlement cost, by day", run: (*session).ledger,
			more: "-days N: how many days back, today included (7; at most 31). Days are those of UTC."},
		{name: "retry", args: "ID|STAGE", min: 1, max: 1, about: "start a failed job, or all of a stage, again",
			run:  (*session).retry,
			more: "For a stage it needs -reason. " + types},
		{name: "process", args: "ID", min: 1, max: 1, about: "make a job's processing due now",
			run: jobCommand("process")},
		{name: "verify", args: "ID", min: 1, max: 1, about: "make a job's verification due now",
			run: jobCommand("verify")},
		{name: "pause", args: "STAGE", min: 1, max: 1, reason: true, about: "stop a stage; what is under way ends",
			run: stageCommand("pause"), more: stages},
		{name: "resume", args: "STAGE", min: 1, max: 1, reason: true, about: "let a paused stage go on",
			run: stageCommand("resume"), more: stages},
		{name: "requeue", args: "STAGE", min: 1, max: 1, reason: true,
			about: "run a stage's worker and waiting jobs now", run: bulkCommand("requeue"), more: stages},
		{name: "close-open", reason: true, about: "close the open batch now", run: (*session).closeOpen,
			more: "Batching closes it some seconds later. Exit code 3 where no batch is open."},
		{name: "page", about: "serve the status page on this machine", run: (*session).page,
			more: "It listens on -listen (127.0.0.1:8090) and sends each request of the page\nto the deployment, " +
				"signed with your AWS credentials. End it with Ctrl-C."},
	}
}

func statuses[S ~string](all []S) string {
	var out []string
	for _, s := range all {
		out = append(out, string(s))
	}
	return strings.Join(out, ", ")
}

// help prints the help, or that of one command.
func (s *session) help(args []string) int {
	if len(args) > 0 && args[0] == "help" {
		args = args[1:]
	}
	for _, c := range commands {
		if len(args) > 0 && c.name == args[0] {
			fmt.Fprintf(s.out, "%s: %s\n\n  make ops CHAIN=mychain ARGS='%s'\n\n", c.name, c.about, c.usage())
			if c.more != "" {
				wrap(s.out, "", c.more)
				fmt.Fprintln(s.out)
			}
			fmt.Fprintln(s.out, "`make ops ARGS=help` lists the flags that all commands take, and the exit codes.")
			return OK
		}
	}
	fmt.Fprint(s.out, "Operate a deployment.\n\n  make ops CHAIN=mychain ARGS='COMMAND'\n  make ops ARGS='-url "+
		"http://127.0.0.1:8080 COMMAND'   (make run API=)\n\nCommands:\n")
	for _, c := range commands {
		fmt.Fprintf(s.out, "  %-18s %s\n", strings.TrimSpace(c.name+" "+c.args), c.about)
	}
	fmt.Fprint(s.out, `
'help COMMAND' says more. All commands take:
  -json              print the API's answer as JSON
  -region NAME       AWS region; default: that of your AWS configuration
  -invoke            invoke the api function directly, past API Gateway
  -token FILE        send the bearer token in FILE, for an API with JWT
  -reason "..."      why; commands about a stage or batch need it

Your AWS credentials (AWS_PROFILE, ...) sign the requests. For an AWS emulator
set AWS_ENDPOINT_URL.

Exit codes: 0 done; 1 a person is needed; 2 wrong usage; 3 no such job, batch,
block or stage; 4 refused; 5 not reachable.
`)
	return OK
}

func (s *session) lag() (int, error) {
	var l admin.Lag
	if code, err := s.ask("GET", "/lag", nil, &l); code != OK {
		return code, err
	}
	if !s.json {
		printLag(s.out, l)
	}
	return levelCode(l.Verdict.Level), nil
}

func levelCode(l admin.Level) int {
	if l == admin.Blocked {
		return Attention
	}
	return OK
}

func (s *session) statusOf() (int, error) {
	if s.json {
		return s.lag()
	}
	var l admin.Lag
	if code, err := s.ask("GET", "/lag", nil, &l); code != OK {
		return code, err
	}
	printLag(s.out, l)
	var page admin.BatchPage
	if code, err := s.ask("GET", "/batches?limit=8", nil, &page); code == OK {
		fmt.Fprintln(s.out)
		printBatches(s.out, page.Batches, s.now())
	} else {
		fmt.Fprintf(s.out, "\nbatches can't be read: %v\n", err)
	}
	return levelCode(l.Verdict.Level), nil
}

func (s *session) ready() (int, error) {
	var r admin.Readiness
	if code, err := s.ask("GET", "/ready", nil, &r); code != OK {
		return code, err
	}
	if !s.json {
		printReady(s.out, r)
	}
	if !r.Ready {
		return Attention, nil
	}
	return OK, nil
}

func (s *session) contracts() (int, error) {
	var r contracts.Report
	if code, err := s.ask("GET", "/contracts", nil, &r); code != OK {
		return code, err
	}
	if !s.json {
		printContracts(s.out, r)
	}
	if r.Err() != nil {
		return Attention, nil
	}
	return OK, nil
}

func (s *session) alerts() (int, error) {
	var l admin.AlertList
	if code, err := s.ask("GET", "/alerts", nil, &l); code != OK {
		return code, err
	}
	if !s.json {
		printAlerts(s.out, l)
	}
	if len(l.Alerts) > 0 {
		return Attention, nil
	}
	return OK, nil
}

// base is the path of batches.
func (s *session) base() string {
	if s.snos {
		return "/snos-batches"
	}
	return "/batches"
}

func (s *session) batches() (int, error) {
	q := url.Values{}
	set(q, "status", s.status)
	setNumber(q, "before", s.before)
	setNumber(q, "after", s.after)
	setNumber(q, "limit", s.limit)
	var p admin.BatchPage
	if code, err := s.ask("GET", s.base()+query(q), nil, &p); code != OK {
		return code, err
	}
	if !s.json {
		printBatches(s.out, p.Batches, s.now())
		if p.Before != 0 {
			fmt.Fprintf(s.out, "more: -before %d\n", p.Before)
		}
		if p.After != 0 {
			fmt.Fprintf(s.out, "more: -after %d\n", p.After)
		}
	}
	return OK, nil
}

func (s *session) oneBatch() (int, error) {
	var b admin.BatchDetail
	if code, err := s.ask("GET", s.base()+"/"+url.PathEscape(s.args[0]), nil, &b); code != OK {
		return code, err
	}
	if !s.json {
		printBatch(s.out, b, s.now())
	}
	return OK, nil
}

func (s *session) artifacts() (int, error) {
	var l admin.ArtifactList
	if code, err := s.ask("GET", s.base()+"/"+url.PathEscape(s.args[0])+"/artifacts", nil, &l); code != OK {
		return code, err
	}
	if !s.json {
		printArtifacts(s.out, l)
	}
	return OK, nil
}

func (s *session) block() (int, error) {
	var b admin.BlockStatus
	if code, err := s.ask("GET", "/blocks/"+url.PathEscape(s.args[0]), nil, &b); code != OK {
		return code, err
	}
	if !s.json {
		printBlock(s.out, b, s.now())
	}
	return OK, nil
}

func (s *session) jobs() (int, error) {
	if s.batch != 0 {
		var b admin.BatchDetail
		code, err := s.ask("GET", s.base()+"/"+strconv.FormatUint(s.batch, 10), nil, &b)
		if code == OK && !s.json {
			printJobs(s.out, slices.DeleteFunc(b.Jobs, func(j admin.Job) bool {
				return s.stage != "" && j.Type != s.stage || s.status != "" && j.Status != s.status
			}), s.now())
		}
		return code, err
	}
	q := url.Values{}
	set(q, "type", s.stage)
	set(q, "status", s.status)
	setNumber(q, "limit", s.limit)
	if s.newest {
		q.Set("newest", "true")
	}
	var p admin.JobPage
	if code, err := s.ask("GET", "/jobs"+query(q), nil, &p); code != OK {
		return code, err
	}
	if !s.json {
		printJobs(s.out, p.Jobs, s.now())
		if p.NextCursor != "" {
			fmt.Fprintln(s.out, "there are more: choose with -stage, -status or -batch")
		}
	}
	return OK, nil
}

func (s *session) oneJob() (int, error) {
	var j admin.JobDetail
	if code, err := s.ask("GET", "/jobs/"+url.PathEscape(s.args[0]), nil, &j); code != OK {
		return code, err
	}
	if !s.json {
		printJob(s.out, j, s.now())
	}
	return OK, nil
}

func (s *session) stages() (int, error) {
	var l admin.StageList
	if code, err := s.ask("GET", "/stages", nil, &l); code != OK {
		return code, err
	}
	if !s.json {
		printStages(s.out, l)
	}
	return OK, nil
}

func (s *session) wallet() (int, error) {
	var w admin.Wallet
	if code, err := s.ask("GET", "/wallet", nil, &w); code != OK {
		return code, err
	}
	if !s.json {
		printWallet(s.out, w)
	}
	return OK, nil
}

func (s *session) ledger() (int, error) {
	q := url.Values{}
	setNumber(q, "days", s.days)
	var l admin.Sums
	if code, err := s.ask("GET", "/ledger"+query(q), nil, &l); code != OK {
		return code, err
	}
	if !s.json {
		printLedger(s.out, l)
	}
	return OK, nil
}

func query(q url.Values) string {
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

func set(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

func setNumber(q url.Values, name string, n uint64) {
	if n != 0 {
		q.Set(name, strconv.FormatUint(n, 10))
	}
}
