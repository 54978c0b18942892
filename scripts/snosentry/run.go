package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/contract"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/pie"
)

// grace is how long a program that is asked to end may take before it is killed; Batch gives the container 30 s.
const grace = 20 * time.Second

// folders are where the program finds and leaves its files.
type folders struct{ inputs, pie, segment string }

// failure is an end other than success, with the container's exit code.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func fail(code int, format string, args ...any) error {
	return &failure{code, fmt.Errorf(format, args...)}
}

// run does a task and returns the container's exit code; it says why on log. ctx ends when the container is to end.
func run(ctx context.Context, environ []string, open func(context.Context, string) (artifact.Store, error),
	log io.Writer) int {
	s, err := parse(environ)
	if err != nil {
		fmt.Fprintf(log, "snosentry: the environment is wrong:\n%v\n", err)
		return contract.ExitMisconfigured
	}
	err = s.do(ctx, open, log)
	var f *failure
	switch {
	case err == nil:
		fmt.Fprintf(log, "snosentry: %s of blocks %d to %d is done\n", s.task.Kind, s.task.StartBlock, s.task.EndBlock)
		return contract.ExitDone
	case ctx.Err() != nil:
		fmt.Fprintf(log, "snosentry: asked to end: %v\n", err)
		return contract.ExitInterrupted
	case errors.As(err, &f):
		fmt.Fprintf(log, "snosentry: %v\n", err)
		return f.code
	}
	fmt.Fprintf(log, "snosentry: %v\n", err)
	return 1
}

func (s settings) do(ctx context.Context, open func(context.Context, string) (artifact.Store, error),
	log io.Writer) error {
	store, err := open(ctx, s.bucket)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "snos-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	d := folders{inputs: filepath.Join(dir, "inputs"), pie: filepath.Join(dir, artifact.PIE),
		segment: filepath.Join(dir, artifact.DASegment)}
	if err := os.Mkdir(d.inputs, 0o755); err != nil {
		return err
	}
	for i, key := range s.task.Inputs {
		if err := download(ctx, store, key, filepath.Join(d.inputs, fmt.Sprintf("%04d.json", i+1))); err != nil {
			return err
		}
	}
	if err := s.execute(ctx, d, log); err != nil {
		return err
	}
	return s.upload(ctx, store, d)
}

func download(ctx context.Context, store artifact.Store, key, path string) error {
	r, err := store.Get(ctx, key)
	if errors.Is(err, artifact.ErrNotFound) {
		return fail(contract.ExitRejected, "input %s: %w", key, err)
	}
	if err != nil {
		return fmt.Errorf("input %s: %w", key, err)
	}
	defer r.Close()
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}

// execute runs the operator's program within its time.
func (s settings) execute(ctx context.Context, d folders, log io.Writer) error {
	limited, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	last := &tail{}
	cmd := exec.CommandContext(limited, s.program)
	cmd.Env, cmd.Dir = s.environment(d), filepath.Dir(d.pie)
	cmd.Stdout, cmd.Stderr = io.MultiWriter(log, last), io.MultiWriter(log, last)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = grace
	err := cmd.Run()
	if err == nil {
		return nil
	}
	if limited.Err() != nil && ctx.Err() == nil {
		return fail(contract.ExitTimedOut, "%s did not end within %s", s.program, s.limit)
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return fail(contract.ExitMisconfigured, "%s can't be started: %w", s.program, err)
	}
	return &failure{codeOf(exit, last.String()), fmt.Errorf("%s failed: %w", s.program, err)}
}

// unreachable are texts by which programs say that they could not read their node.
var unreachable = []string{
	"connection refused", "connection reset", "error sending request", "error trying to connect",
	"dns error", "operation timed out",
	"502 bad gateway", "503 service unavailable", "504 gateway time", "429 too many requests",
}

// codeOf is the container's exit code for a program's end: the contract's own codes pass, a kill is a lack of memory,
// and a node that could not be read is known by what the program said last.
func codeOf(exit *exec.ExitError, said string) int {
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		if status.Signal() == syscall.SIGKILL {
			return contract.ExitKilled
		}
		return 1
	}
	if contract.Failure(exit.ExitCode()) != "" {
		return exit.ExitCode()
	}
	said = strings.ToLower(said)
	for _, text := range unreachable {
		if strings.Contains(said, text) {
			return contract.ExitChainUnavailable
		}
	}
	return 1
}

// tail keeps the last bytes of what a program says.
type tail struct{ b []byte }

const maxTail = 8 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if over := len(t.b) - maxTail; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return string(t.b) }

// upload takes the outputs out of the program's files and writes all artifacts, the result last.
func (s settings) upload(ctx context.Context, store artifact.Store, d folders) error {
	f, err := os.Open(d.pie)
	if err != nil {
		return fail(contract.ExitRejected, "%s ended well and left no PIE in SNOS_OUTPUT: %w", s.program, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	p, err := pie.Read(f, info.Size(), pie.Limits{})
	if err != nil {
		return fail(contract.ExitRejected, "the PIE that %s left: %w", s.program, err)
	}
	files, err := s.files(p, d)
	if err != nil {
		return err
	}
	result, err := s.result(p)
	if err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := store.Put(ctx, s.task.OutputPrefix+artifact.PIE, f); err != nil {
		return fmt.Errorf("write PIE: %w", err)
	}
	for name, words := range files {
		if err := artifact.WriteFelts(ctx, store, s.task.OutputPrefix+name, words); err != nil {
			return err
		}
	}
	b, err := json.Marshal(result)
	if err != nil {
		return err
	}
	if err := store.Put(ctx, s.task.OutputPrefix+artifact.RunResult, bytes.NewReader(b)); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}

// files are the outputs as lists of felts, by name.
func (s settings) files(p *pie.PIE, d folders) (map[string][]felt.Felt, error) {
	files := map[string][]felt.Felt{artifact.ProgramOutput: p.Output}
	if s.task.Kind == snos.Run {
		words, err := output.UpdateWords(p.Output)
		if err != nil {
			return nil, fail(contract.ExitRejected, "the PIE's output is not a Starknet OS output: %w", err)
		}
		files[artifact.OSOutput] = words
		if s.layer != "l3" {
			return files, nil
		}
	}
	segment, err := s.segment(p, d)
	if err != nil {
		return nil, err
	}
	files[artifact.DASegment] = segment
	return files, nil
}

// segment is the DA segment: the program's file, or where it left none the state diff in the output.
func (s settings) segment(p *pie.PIE, d folders) (segment []felt.Felt, err error) {
	b, err := os.ReadFile(d.segment)
	if errors.Is(err, os.ErrNotExist) {
		words, err := output.UpdateWords(p.Output)
		if err != nil {
			return nil, fail(contract.ExitRejected, "the PIE's output: %w", err)
		}
		o, _, err := output.Parse(words)
		if err != nil || o.Kzg != nil || len(o.Data) == 0 {
			return nil, fail(contract.ExitRejected,
				"%s left no DA segment in SNOS_DA_SEGMENT, and its output holds no state diff", s.program)
		}
		return o.Data, nil
	}
	if err != nil {
		return nil, err
	}
	if json.Unmarshal(b, &segment) != nil || len(segment) == 0 {
		return nil, fail(contract.ExitRejected, "the DA segment is not a JSON list of hex felts")
	}
	return segment, nil
}

func (s settings) result(p *pie.PIE) (snos.Result, error) {
	r := snos.Result{Kind: s.task.Kind, StartBlock: s.task.StartBlock, EndBlock: s.task.EndBlock, Steps: p.Steps}
	hash, err := p.Program.Hash(s.hash)
	if err != nil {
		return r, fail(contract.ExitRejected, "the PIE's program has no hash: %w", err)
	}
	r.ProgramHash = hash
	var fact pie.Fact
	if s.task.Kind == snos.Aggregate { // a verifier registers an aggregator's fact under the hash with the prefix
		fact, err = p.AggregatorFactOf(pie.AggregatorHash(hash, s.hash))
	} else {
		fact, err = p.SharpFactOf(hash)
	}
	if err != nil {
		return r, fail(contract.ExitRejected, "the PIE has no fact: %w", err)
	}
	r.Fact = fact.String()
	return r, nil
}
