// Package ops is the operator's program behind `make ops`: it asks a deployment's HTTP API, prints the answers for
// people (at most 80 columns) or as JSON, and gives commands. Exit codes are for scripts.
package ops

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"github.com/madara-orchestrator/orchestrator/shared/client/deployment"
	"github.com/madara-orchestrator/orchestrator/shared/core/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/operator"
	"github.com/madara-orchestrator/orchestrator/shared/core/release"
	devoptions "github.com/madara-orchestrator/orchestrator/shared/dev/options"
)

// Exit codes.
const (
	OK          = 0 // done; all is well
	Attention   = 1 // the answer says that a person is needed: not ready, blocked, refused jobs
	Usage       = 2 // the command line is wrong
	Unknown     = 3 // there is no such job, batch, block or stage
	Refused     = 4 // not possible in the present state, or you may not, or commands are off
	Unreachable = 5 // the deployment is not found, does not answer, or fails inside
)

// session is one run of the program.
type session struct {
	ctx  context.Context
	api  deployment.API
	out  io.Writer
	errs io.Writer
	json bool
	args []string // of the command

	reason, by, status, stage, listen string
	limit, batch, before, after, days uint64
	newest, snos, links, bus          bool
	into                              string
	apply                             bool          // carry a planned command out
	length                            time.Duration // of events; 0: until it is interrupted

	router event.Router // of the deployment's bus; nil where the user named none
	cfg    aws.Config   // the user's, with router
	chain  string       // likewise
}

// where says which deployment is meant.
type where struct {
	chain, url, region, tokenFile string
	invoke                        bool
}

// seat is where the user's commands go, for texts that show one.
func (w where) seat() operator.Seat {
	return operator.Seat{Chain: cmp.Or(w.chain, "mychain"), URL: w.url}
}

// Main runs the program and returns its exit code.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if release.Asked(args, stdout) {
		return 0
	}
	s := &session{ctx: ctx, out: stdout, errs: stderr}
	var w where
	rest, err := s.parse(args, &w)
	if errors.Is(err, flag.ErrHelp) {
		return OK
	}
	if err != nil {
		fmt.Fprintf(stderr, "%v\n", err)
		return Usage
	}
	if len(rest) == 0 || rest[0] == "help" {
		return s.help(rest)
	}
	i := slices.IndexFunc(commands, func(c command) bool { return c.name == rest[0] })
	if i < 0 {
		fmt.Fprintf(stderr, "no command %q; `make ops ARGS=help` lists them\n", rest[0])
		return Usage
	}
	c := commands[i]
	s.args = rest[1:]
	if err := c.check(s); err != nil {
		fmt.Fprintf(stderr, "%v\n\n  %s\n", err, w.seat().Command(c.usage()))
		return Usage
	}
	if c.bus || s.bus {
		if code, err := s.connectBus(ctx, w); err != nil {
			fmt.Fprintf(stderr, "%v\n", err)
			return code
		}
	} else if s.api, err = w.open(ctx); err != nil {
		fmt.Fprintf(stderr, "%v\n", err)
		if errors.Is(err, errUsage) {
			return Usage
		}
		return Unreachable
	}
	code, err := c.run(s)
	if err != nil && ctx.Err() == nil {
		fmt.Fprintf(stderr, "%v\n", err)
	}
	return code
}

// parse reads flags wherever they stand, and returns what is left.
func (s *session) parse(args []string, w *where) ([]string, error) {
	f := flag.NewFlagSet("ops", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&w.chain, "chain", "", "the deployment's name, as in infra/chains.yaml")
	f.StringVar(&w.url, "url", "", "instead: the API's URL, such as http://127.0.0.1:8080 of make run API=")
	f.StringVar(&w.region, "region", "", "AWS region; default: that of your AWS configuration")
	f.StringVar(&w.tokenFile, "token", "", "file with a bearer token, for an API with JWT")
	f.BoolVar(&w.invoke, "invoke", false, "invoke the api function directly, past API Gateway")
	f.BoolVar(&s.json, "json", false, "print the API's answer as JSON")
	f.StringVar(&s.reason, "reason", "", "why; it is kept for the audit")
	f.StringVar(&s.by, "by", "", "who; default: your login name; AWS replaces it by your identity")
	f.StringVar(&s.status, "status", "", "only in this status")
	f.StringVar(&s.stage, "stage", "", "only of this stage")
	f.Uint64Var(&s.batch, "batch", 0, "only of the batch with this index")
	f.Uint64Var(&s.before, "before", 0, "batches below this index")
	f.Uint64Var(&s.after, "after", 0, "with -status: batches above this index")
	f.Uint64Var(&s.limit, "limit", 0, "how many")
	f.DurationVar(&s.length, "for", 0, "how long events are shown")
	f.Uint64Var(&s.days, "days", 0, "how many days")
	f.BoolVar(&s.newest, "newest", false, "highest batch first")
	f.BoolVar(&s.snos, "snos", false, "SNOS batches")
	f.BoolVar(&s.links, "links", false, "print links of files")
	f.BoolVar(&s.bus, "bus", false, "the events of the event bus")
	f.StringVar(&s.into, "into", "", "download files into this folder")
	f.BoolVar(&s.apply, "apply", false, "carry it out; otherwise it is only planned")
	f.StringVar(&s.listen, "listen", "127.0.0.1:8090", "loopback address of the page")
	devoptions.Add(f)
	var rest []string
	for {
		if err := f.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				s.help(rest)
			}
			return nil, err
		}
		if f.NArg() == 0 {
			return rest, devoptions.Fill(f, "ops", os.Environ())
		}
		rest, args = append(rest, f.Arg(0)), f.Args()[1:]
	}
}

// errUsage says that the command line does not name a deployment.
var errUsage = errors.New("say which deployment: CHAIN=mychain, or ARGS='-url http://127.0.0.1:8080 ...' for make " +
	"run API=")

// open finds the deployment.
func (w *where) open(ctx context.Context) (deployment.API, error) {
	token := ""
	if w.tokenFile != "" {
		b, err := os.ReadFile(w.tokenFile)
		if err != nil {
			return nil, fmt.Errorf("%w: -token: %w", errUsage, err)
		}
		token = strings.TrimSpace(string(b))
	}
	if w.url != "" {
		a, err := deployment.New(w.url, token)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errUsage, err)
		}
		return a, nil
	}
	if w.chain == "" {
		return nil, errUsage
	}
	cfg, err := w.config(ctx)
	if err != nil {
		return nil, err
	}
	if w.invoke {
		return deployment.FindFunction(ctx, cfg, w.chain)
	}
	found, err := deployment.Find(ctx, cfg, w.chain)
	if err != nil || token == "" {
		return found, err
	}
	return found.WithToken(token), nil
}

// config is the user's AWS configuration.
func (w *where) config(ctx context.Context) (aws.Config, error) {
	var options []func(*awsconfig.LoadOptions) error
	if w.region != "" {
		options = append(options, awsconfig.WithRegion(w.region))
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return cfg, fmt.Errorf("read your AWS configuration: %w", err)
	}
	if cfg.Region == "" {
		return cfg, fmt.Errorf("%w, and in which region: -region eu-west-1, or AWS_REGION", errUsage)
	}
	return cfg, nil
}

// connectBus opens the bus of the deployment that is meant, for commands that ask it and not the API.
func (s *session) connectBus(ctx context.Context, w where) (int, error) {
	if w.chain == "" {
		return Usage, errNoBus
	}
	cfg, err := w.config(ctx)
	if err != nil {
		return Usage, err
	}
	s.openBus(cfg, w.chain)
	return OK, nil
}

// ask sends a request and decodes the answer into v; with -json it prints the answer as it is. A code other than OK
// comes with the error that says why, or with none where the answer itself was printed.
func (s *session) ask(method, path string, body, v any) (int, error) {
	var sent []byte
	if body != nil {
		var err error
		if sent, err = json.Marshal(body); err != nil {
			return Usage, err
		}
	}
	a, err := s.api.Do(s.ctx, deployment.Request{Method: method, Path: path, Body: sent})
	if err != nil {
		return Unreachable, fmt.Errorf("%s: %w", s.api.About(), err)
	}
	if s.json && json.Valid(a.Body) {
		var x any
		_ = json.Unmarshal(a.Body, &x) // it is valid
		e := json.NewEncoder(s.out)
		e.SetIndent("", "  ")
		_ = e.Encode(x) // the reader has gone if this fails
	}
	if a.Status == http.StatusOK || a.Status == http.StatusServiceUnavailable && path == "/ready" {
		if err := json.Unmarshal(a.Body, v); err != nil {
			return Unreachable, fmt.Errorf("%s answers what this program can't read: %w", s.api.About(), err)
		}
		return OK, nil
	}
	return s.failed(a)
}

// failed turns an answer that is not a success into a code and an error.
func (s *session) failed(a deployment.Answer) (int, error) {
	var p struct{ Detail, Message string }
	_ = json.Unmarshal(a.Body, &p) // may be anything
	text := p.Detail
	if text == "" {
		text = p.Message
	}
	if text == "" {
		text = http.StatusText(a.Status)
	}
	text = fmt.Sprintf("%d: %s", a.Status, text)
	switch {
	case a.Status == http.StatusNotFound && strings.Contains(p.Detail, "no such route"):
		return Refused, errors.New("this deployment takes no commands: set api.admin in infra/chains.yaml and " +
			"deploy, or ORCHESTRATOR_API_ADMIN=true")
	case a.Status == http.StatusNotFound:
		return Unknown, errors.New(text)
	case a.Status == http.StatusUnauthorized, a.Status == http.StatusForbidden:
		return Refused, fmt.Errorf("%s. You need IAM permission for execute-api:Invoke; with a JWT API use -token "+
			"FILE or -invoke", text)
	case a.Status < http.StatusInternalServerError && a.Status != http.StatusBadRequest:
		return Refused, errors.New(text)
	case a.Status == http.StatusBadRequest:
		return Usage, errors.New(text)
	}
	return Unreachable, errors.New(text)
}

// order is a command's body.
func (s *session) order() map[string]any {
	by := s.by
	if by == "" {
		if u, err := user.Current(); err == nil {
			by = u.Username
		}
	}
	return map[string]any{"by": by, "reason": s.reason}
}
