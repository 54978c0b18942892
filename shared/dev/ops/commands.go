package ops

import (
	"errors"
	"fmt"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// command is one command of the program.
type command struct {
	name, args string // args as the help shows them
	about      string
	more       string // further lines of its help
	min, max   int    // arguments
	reason     bool   // needs -reason
	bus        bool   // asks the event bus with the user's credentials, and not the API
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
	case s.bus && c.name != "events":
		return fmt.Errorf("%s does not read the bus: -bus is for events", c.name)
	case c.reason && s.reason == "":
		return errors.New("this concerns a whole stage or batch: give a reason, it is kept for the audit")
	}
	return nil
}

var commands []command

func init() { commands = append(reads(), orders()...) }

// names lists texts for the help.
func names[S ~string](all []S) string {
	var out []string
	for _, s := range all {
		out = append(out, string(s))
	}
	return strings.Join(out, ", ")
}

// reads are the commands that change nothing.
func reads() []command {
	types := "Stages with jobs: " + names(stage.WithJobs()) + "."
	return []command{
		{name: "status", about: "how far settlement is, what blocks it, and what to do", run: (*session).statusOf,
			more: "Exit code 1 where a person is needed."},
		{name: "lag", about: "head, batched and settled block, in blocks and seconds", run: (*session).lag,
			more: "Exit code 1 where a person is needed."},
		{name: "ready", about: "which external services can be used", run: (*session).ready,
			more: "Exit code 1 where one can't."},
		{name: "contracts", about: "the core contract compared with settings and app chain",
			run: (*session).contracts, more: "Exit code 1 where a line is wrong."},
		{name: "rewinds", about: "rewinds, the newest first", run: (*session).rewinds},
		{name: "alerts", about: "the causes of which operators are alerted now", run: (*session).alerts,
			more: "Exit code 1 where there is one."},
		{name: "batches", about: "batches, the newest first", run: (*session).batches,
			more: "-snos lists SNOS batches, -status one status, -before N and -limit N page.\n" +
				"With -status the oldest come first, and -after N pages.\n" +
				"Statuses: " + names(batch.Statuses) + "."},
		{name: "batch", args: "N", min: 1, max: 1, about: "a batch with its stages, SNOS batches and jobs",
			run:  (*session).oneBatch,
			more: "-snos: the SNOS batch with the index N."},
		{name: "artifacts", args: "N", min: 1, max: 1, about: "the stored files of a batch", run: (*session).artifacts,
			more: "-snos: of the SNOS batch with the index N.\n-links prints for each file a link by which anyone " +
				"may download it for some minutes;\n-into DIR downloads them. Signed transactions have none."},
		{name: "events", about: "what happens, as it happens, until Ctrl-C", run: (*session).events,
			more: "It asks the API every two seconds and prints what has changed: batches and\ntheir stages, " +
				"alerts, paused stages. With -json each change is one line of JSON.\n" +
				"-for 10m ends it after that time.\n" +
				"-bus shows the events of the event bus instead, by a queue and a rule of its own\nthat it removes " +
				"at its end; it needs CHAIN and your AWS credentials."},
		{name: "rules", args: "[enable NAME|disable NAME]", max: 2, bus: true, run: (*session).rules,
			about: "where events go; enable or disable a rule",
			more: "`events` in the file of chains makes them. It asks the event bus itself, with your\nAWS " +
				"credentials."},
		{name: "block", args: "N", min: 1, max: 1, about: "how far a block is settled", run: (*session).block,
			more: "Exit code 3 while it is in no batch."},
		{name: "jobs", about: "jobs, by stage and then by batch", run: (*session).jobs,
			more: "-stage, -status and -batch choose, -newest turns the order, -limit N.\n" + types +
				"\nStatuses: " + names(job.Statuses) + ".\n-batch N: the jobs of a batch; with -snos of a SNOS " +
				"batch."},
		{name: "job", args: "ID", min: 1, max: 1, about: "a job with its recorded failures", run: (*session).oneJob},
		{name: "stages", about: "the stages, and which are paused by whom and why", run: (*session).stages},
		{name: "wallet", about: "what the wallet that settles holds, and how long that lasts", run: (*session).wallet},
		{name: "ledger", about: "what settlement cost, by day", run: (*session).ledger,
			more: "-days N: how many days back, today included (7; at most 31). Days are those of UTC."},
		{name: "history", about: "what was moved out of the database into files", run: (*session).history,
			more: "RETENTION says after how long. `make inspect ARGS='history FILE'` reads a file."},
		{name: "page", about: "serve the status page on this machine", run: (*session).page,
			more: "It listens on -listen (127.0.0.1:8090) and sends each request of the page\nto the deployment, " +
				"signed with your AWS credentials. End it with Ctrl-C."},
	}
}

// orders are the commands that change something.
func orders() []command {
	stages := "Stages: " + names(stage.Names()) + "."
	types := "Stages with jobs: " + names(stage.WithJobs()) + "."
	return []command{
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
		{name: "subscribers", args: "[add ENDPOINT|remove ID|confirm TOKEN|receive]", max: 2,
			about: "who gets the alerts; add, remove, confirm",
			run:   (*session).subscribers,
			more: "ENDPOINT is a mail address, an https URL, or the ARN of a queue whose policy lets\n" +
				"the topic send. " +
				"A mail address confirms by the link in its mail, a webhook by the\ntoken that is posted to it. " +
				"Subscribers of the file of chains are removed there.\n" +
				"receive is a webhook on this machine (-listen), for make run and make cloud: it\n" +
				"adds itself, prints the alerts, and removes itself at Ctrl-C or after -for."},
		{name: "close-open", reason: true, about: "close the open batch now", run: (*session).closeOpen,
			more: "Batching closes it some seconds later. Exit code 3 where no batch is open."},
		{name: "rewind", args: "N", min: 1, max: 1,
			about: "discard the unsettled batches from N on, batch again", run: (*session).rewind,
			more: "It prints what is discarded, what was paid for it, and why it can't be done\nnow (exit code 4). " +
				"Nothing is changed without -apply, which needs -reason.\nN is an aggregator batch, on an L3 a SNOS " +
				"batch. 'rewinds' shows how far it is."},
	}
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
		args := c.args
		if strings.HasPrefix(args, "[") {
			args = "[...]" // help COMMAND has them
		}
		fmt.Fprintf(s.out, "  %-18s %s\n", strings.TrimSpace(c.name+" "+args), c.about)
	}
	fmt.Fprint(s.out, `
'help COMMAND' says more. All commands take:
  -json              print the API's answer as JSON
  -region NAME       AWS region; default: that of your AWS configuration
  -invoke            invoke the api function directly, past API Gateway
  -token FILE        send the bearer token in FILE, for an API with JWT
  -reason "..."      why; commands about a stage or batch need it
  -options FILE      more options, as lines ORCH_OPS_CHAIN=mychain; those names
                     are read from the environment too. Flags go first, then
                     the environment, then the file (or ORCH_OPTIONS)

Your AWS credentials (AWS_PROFILE, ...) sign the requests. For an AWS emulator
set AWS_ENDPOINT_URL.

Exit codes: 0 done; 1 a person is needed; 2 wrong usage; 3 no such job, batch,
block or stage; 4 refused; 5 not reachable.
`)
	return OK
}
