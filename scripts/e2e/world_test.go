package e2e_test

import (
	"bytes"
	"context"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/dev/functions"
	devlambda "github.com/madara-orchestrator/orchestrator/shared/dev/lambda"
	"github.com/madara-orchestrator/orchestrator/shared/dev/stack"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// build compiles all functions once a test binary, with the flags of a deployment but for this machine.
var build = sync.OnceValues(func() (string, error) {
	tools, err := tools.Tools()
	if err != nil {
		return "", err
	}
	return functions.Compile(context.Background(), filepath.Dir(tools), functions.Here(false))
})

// logs collects what functions print, safely.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(p) }

// lines returns the lines with one of the words.
func (l *logs) lines(words ...string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for line := range strings.Lines(l.b.String()) {
		if slices.ContainsFunc(words, func(w string) bool { return strings.Contains(line, w) }) {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}

// world is a deployment of compiled functions on real components.
type world struct {
	*stack.Sandbox
	name     string
	layer    stage.Layer
	binaries map[string]*devlambda.Binary
	platform *devlambda.Platform
	logs     *logs

	bin                       string // folder of the compiled functions
	mongo, ethereum, aws, api string // URLs; api is aws with Lambda's Invoke
	endpoint                  *devlambda.Endpoint
}

// anvil are the arguments of a deployment's Ethereum node.
var anvil = []string{"--block-time", "1", "--hardfork", "osaka"}

// newWorld starts a deployment.
func newWorld(t *testing.T, o stack.Options) *world {
	t.Helper()
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{name: o.Name, logs: &logs{}, binaries: map[string]*devlambda.Binary{}, bin: bin}
	if o.AWS == "" {
		o.AWS = tools.Ministack(t)
	}
	o.Redis = tools.Redis(t)
	if o.Mongo == "" {
		o.Mongo = tools.Mongod(t)
	}
	if o.Layer == "" {
		o.Layer = stage.L2
	}
	if o.Layer == stage.L2 && o.Ethereum == "" {
		o.Ethereum = tools.Anvil(t, anvil...)
	}
	w.layer = o.Layer
	w.mongo, w.ethereum, w.aws = o.Mongo, o.Ethereum, o.AWS
	if o.Settings == nil {
		o.Settings = map[string]string{}
	}
	w.api = w.lambdaAPI(t, o.AWS)
	if o.Settings["AWS_ENDPOINT"] == "" {
		o.Settings["AWS_ENDPOINT"] = w.api
	}
	w.Sandbox, err = stack.Start(t.Context(), o)
	t.Cleanup(w.Close)
	if err != nil {
		t.Fatal(err)
	}
	w.platform = w.newPlatform(t)
	return w
}

// lambdaAPI adds Lambda's Invoke of the functions' processes, which are the test's own and may be killed, to the
// emulator's services.
func (w *world) lambdaAPI(t *testing.T, emulator string) string {
	t.Helper()
	e, err := devlambda.NewEndpoint(emulator, func(name string) devlambda.Function {
		if b := w.binaries[strings.TrimPrefix(name, resource.Physical(w.name, ""))]; b != nil {
			return b
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.endpoint = e
	s := httptest.NewServer(e)
	t.Cleanup(s.Close)
	return s.URL
}

// newPlatform runs what shared/resource describes, with the sandbox's environment.
func (w *world) newPlatform(t *testing.T) *devlambda.Platform {
	t.Helper()
	p := stack.NewPlatform(w.name, w.layer, w.Queues)
	for _, f := range stack.Consumers(w.layer) {
		w.run(t, p, f.Name, f.Timeout, w.Env)
	}
	return p
}

// run adds a compiled function to a platform.
func (w *world) run(t *testing.T, p *devlambda.Platform, name string, timeout time.Duration, env []string) {
	t.Helper()
	b := &devlambda.Binary{Path: filepath.Join(w.bin, name), Name: name, Env: env, Logs: w.logs, Timeout: timeout}
	t.Cleanup(b.Close)
	w.binaries[name], p.Functions[name], p.Timeouts[name] = b, b, timeout
}

// settle runs the platform until the contract holds the chain's head. beside, if any, is called again and again
// meanwhile.
func (w *world) settle(t *testing.T, within time.Duration, beside func()) {
	t.Helper()
	w.during(t, within, func(ctx context.Context) bool {
		s, err := w.Contract.State(ctx, false)
		if err == nil && s.Settled && s.Block == w.Last {
			return true
		}
		if beside != nil {
			beside()
		}
		return false
	})
}

// during runs the platform until done.
func (w *world) during(t *testing.T, within time.Duration, done func(context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- w.platform.Run(ctx) }()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for !done(ctx) {
		select {
		case <-ctx.Done():
			s, err := w.Contract.State(context.WithoutCancel(ctx), false)
			t.Fatalf("not done within %s: contract is at %+v (%v)\n%s",
				within, s, err, strings.Join(w.logs.lines(`"ERROR"`, "ERROR", "panic"), "\n"))
		case <-tick.C:
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
