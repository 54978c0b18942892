package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
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
	root := filepath.Dir(tools)
	dir := filepath.Join(root, "build", "e2e")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	// With the flags of infra: one compilation serves both.
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags", "-s -w",
		"-o", dir+"/", "./functions/...")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the functions: %w: %s", err, out)
	}
	return dir, nil
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
	invoked                   atomic.Int32
}

// newWorld starts a deployment.
func newWorld(t *testing.T, o stack.Options) *world {
	t.Helper()
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{name: o.Name, logs: &logs{}, binaries: map[string]*devlambda.Binary{}, bin: bin}
	if o.AWS == "" {
		o.AWS = tools.Moto(t)
	}
	o.Redis = tools.Redis(t)
	if o.Mongo == "" {
		o.Mongo = tools.Mongod(t)
	}
	if o.Layer == "" {
		o.Layer = stage.L2
	}
	if o.Layer == stage.L2 {
		o.Ethereum = tools.Anvil(t, "--block-time", "1", "--hardfork", "osaka")
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

// lambdaAPI adds Lambda's Invoke, which the emulator can't do without Docker, to the emulator's services.
func (w *world) lambdaAPI(t *testing.T, emulator string) string {
	t.Helper()
	target, err := url.Parse(emulator)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of callers that were killed
	mux.Handle("/", proxy)
	mux.HandleFunc("POST /2015-03-31/functions/{name}/invocations", func(rw http.ResponseWriter, r *http.Request) {
		b := w.binaries[strings.TrimPrefix(r.PathValue("name"), resource.Physical(w.name, ""))]
		if b == nil {
			http.Error(rw, `{"Type":"User","Message":"Function not found"}`, http.StatusNotFound)
			return
		}
		event, err := io.ReadAll(r.Body)
		if err == nil {
			w.invoked.Add(1)
			event, err = b.Invoke(r.Context(), event)
		}
		if err != nil {
			rw.Header().Set("X-Amz-Function-Error", "Unhandled")
			event, _ = json.Marshal(map[string]string{"errorMessage": err.Error()})
		}
		_, _ = rw.Write(event)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL
}

// newPlatform runs what shared/resource describes, with the sandbox's environment.
func (w *world) newPlatform(t *testing.T) *devlambda.Platform {
	t.Helper()
	p := w.emptyPlatform()
	for _, f := range resource.Functions() {
		if f.Name != resource.FnAPI && f.Name != resource.FnHooks && slices.Contains(f.Layers, w.layer) {
			w.run(t, p, f.Name, f.Timeout, w.Env)
		}
	}
	for _, q := range resource.Queues() {
		if slices.Contains(q.Layers, w.layer) {
			p.Mappings = append(p.Mappings, devlambda.Mapping{
				Queue: resource.Physical(w.name, q.Name), Function: q.Function,
				BatchSize: q.BatchSize, MaxConcurrency: 1,
			})
		}
	}
	for _, s := range resource.Schedules() {
		if slices.Contains(s.Layers, w.layer) {
			p.Ticks = append(p.Ticks, devlambda.Tick{Stage: s.Stage, Every: max(s.Every/60, 2*time.Second)})
		}
	}
	return p
}

func (w *world) emptyPlatform() *devlambda.Platform {
	return &devlambda.Platform{
		Queues: w.Queues, Functions: map[string]devlambda.Function{}, Timeouts: map[string]time.Duration{},
		Trigger:  resource.FnTrigger,
		LongPoll: 2 * time.Second, Log: slog.New(slog.DiscardHandler),
	}
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
