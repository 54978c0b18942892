// Invoke builds a function and runs it once behind the Lambda Runtime API on loopback: `make invoke FN=.. EVENT=..`.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/release"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	devlambda "github.com/madara-orchestrator/orchestrator/shared/dev/lambda"
	devoptions "github.com/madara-orchestrator/orchestrator/shared/dev/options"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// options are the program's arguments.
type options struct {
	fn, event, env string
	timeout        time.Duration
	json           bool
}

// run is the program: 0 where all went well, 1 where something failed (the function, its time, a message, the job, an
// HTTP answer of 400 and above), 2 for wrong usage.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if release.Asked(args, stdout) {
		return 0
	}
	var o options
	fs := flag.NewFlagSet("invoke", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.fn, "fn", "", "the function: a folder below functions/")
	fs.StringVar(&o.event, "event", "", "a file with the event's JSON; - reads standard input")
	fs.StringVar(&o.env, "env", "",
		"a file of lines KEY=value that configures the function; without it a sandbox of real components is started")
	fs.DurationVar(&o.timeout, "timeout", 0, "instead of the function's own timeout")
	fs.BoolVar(&o.json, "json", false, "print answer, duration, memory and what failed as one JSON object")
	if err := devoptions.Parse(fs, "invoke", args, os.Environ()); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if err := o.validate(fs.Args()); err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	if err := invoke(ctx, o, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "failed: %v\n", err)
		return 1
	}
	return 0
}

func (o *options) validate(rest []string) error {
	var names []string
	var timeout time.Duration
	for _, f := range resource.Functions() {
		names = append(names, f.Name)
		if f.Name == o.fn {
			timeout = f.Timeout
		}
	}
	if o.timeout == 0 {
		o.timeout = timeout
	}
	var errs []error
	if !slices.Contains(names, o.fn) {
		errs = append(errs, fmt.Errorf("FN %q: want one of %s", o.fn, strings.Join(names, ", ")))
	}
	if o.event == "" {
		errs = append(errs, errors.New("EVENT is missing: a file such as events/sqs/snosrun_process.json"))
	}
	if len(rest) > 0 {
		errs = append(errs, fmt.Errorf("unexpected arguments %q", rest))
	}
	return errors.Join(errs...)
}

// maxEvent is Lambda's limit of an event, in bytes.
const maxEvent = 6 << 20

// invoke builds, starts and calls the function.
func invoke(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	var got outcome
	if o.json { // one object, whatever fails
		defer func() { got.print(stdout, err) }()
	}
	event, err := readEvent(o.event)
	if err != nil {
		return err
	}
	ws, err := wants(event)
	if err != nil {
		return err
	}
	t, err := open(ctx, o, event, ws, stderr)
	defer t.close()
	if err != nil {
		return err
	}
	before, err := t.jobs(ctx)
	if err != nil {
		return err
	}
	b := &devlambda.Binary{Path: t.path, Name: o.fn, Env: t.env, Logs: &locked{w: stderr}, Timeout: o.timeout}
	began := time.Now()
	out, err := b.Invoke(ctx, t.event)
	took := time.Since(began)
	b.Close()
	got = outcome{answer: out, took: took, memory: b.PeakMemory()}
	if !o.json && err == nil {
		var pretty bytes.Buffer
		if json.Indent(&pretty, out, "", "  ") != nil {
			pretty.Reset()
			pretty.Write(out)
		}
		fmt.Fprintf(stdout, "%s\n", pretty.Bytes())
	}
	fmt.Fprintf(stderr, "duration %d ms (its start included), peak memory %d MB\n",
		took.Milliseconds(), b.PeakMemory()>>20)
	if err != nil {
		return err
	}
	after, err := t.jobs(ctx)
	if err != nil {
		return err
	}
	return judge(out, t.layer, before, after, stderr)
}

// judge prints the jobs before and after, and returns what failed.
func judge(answer []byte, l stage.Layer, before, after map[string]job.Job, stderr io.Writer) error {
	var failed []string
	if why := refused(answer); why != "" {
		failed = append(failed, why)
	}
	for _, id := range slices.Sorted(maps.Keys(after)) {
		p := pair{before[id], after[id]}
		p.show(stderr, l.BatchName(p.after.Type, p.after.Batch), time.Now())
		if p.failure() != "" {
			failed = append(failed, fmt.Sprintf("the %s job failed", p.after.Type))
		}
	}
	if len(failed) > 0 {
		return errors.New(strings.Join(failed, "; "))
	}
	return nil
}

func readEvent(name string) ([]byte, error) {
	in := io.Reader(os.Stdin)
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("read the event: %w", err)
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxEvent+1))
	if err != nil {
		return nil, fmt.Errorf("read the event: %w", err)
	}
	if len(b) > maxEvent || !json.Valid(b) {
		return nil, fmt.Errorf("event %s: want JSON of at most %d bytes", name, maxEvent)
	}
	return b, nil
}

// locked makes a writer safe for concurrent use.
type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(p []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.w.Write(p) }

// outcome is what a call gave.
type outcome struct {
	answer []byte
	took   time.Duration
	memory int64 // bytes
}

// print prints it as one JSON object, with what has failed: before the call, in it, or as its answer and the jobs say.
func (x outcome) print(w io.Writer, err error) {
	out := struct {
		Answer     json.RawMessage `json:"answer,omitempty"`
		Text       string          `json:"text,omitempty"` // an answer that is not JSON
		DurationMs int64           `json:"duration_ms"`
		PeakMemory int64           `json:"peak_memory"` // bytes
		Error      string          `json:"error,omitempty"`
	}{DurationMs: x.took.Milliseconds(), PeakMemory: x.memory}
	if json.Valid(x.answer) {
		out.Answer = x.answer
	} else {
		out.Text = string(x.answer)
	}
	if err != nil {
		out.Error = err.Error()
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(out) // the reader has gone if this fails
}
