package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/scripts/platform"
	"github.com/madara-orchestrator/orchestrator/scripts/sandbox"
	"github.com/madara-orchestrator/orchestrator/scripts/testenv"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// build compiles all functions once a test binary, with the flags of a deployment but for this machine.
var build = sync.OnceValues(func() (string, error) {
	tools, err := testenv.Tools()
	if err != nil {
		return "", err
	}
	root := filepath.Dir(tools)
	dir := filepath.Join(root, "build", "e2e")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-tags", "lambda.norpc", "-o", dir+"/", "./functions/...")
	cmd.Dir = root
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
	*sandbox.Sandbox
	name     string
	binaries map[string]*platform.Binary
	platform *platform.Platform
	logs     *logs
}

func newWorld(t *testing.T, name string, blocks int, visibility time.Duration) *world {
	t.Helper()
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{name: name, logs: &logs{}, binaries: map[string]*platform.Binary{}}
	w.Sandbox, err = sandbox.Start(t.Context(), sandbox.Options{
		Name: name, Blocks: blocks, Mongo: testenv.Mongod(t), AWS: testenv.Moto(t), Redis: testenv.Redis(t),
		Ethereum: testenv.Anvil(t, "--block-time", "1", "--hardfork", "osaka"), Visibility: visibility,
	})
	t.Cleanup(w.Close)
	if err != nil {
		t.Fatal(err)
	}
	w.platform = w.newPlatform(t, bin)
	return w
}

func (w *world) newPlatform(t *testing.T, bin string) *platform.Platform {
	t.Helper()
	p := &platform.Platform{
		Queues: w.Queues, Functions: map[string]platform.Function{}, Timeouts: map[string]time.Duration{}, Trigger: resource.FnTrigger,
		LongPoll: 2 * time.Second, Log: slog.New(slog.DiscardHandler),
	}
	for _, f := range resource.Functions() {
		if f.Name == resource.FnAPI || !slices.Contains(f.Layers, schedule.L2) {
			continue
		}
		b := &platform.Binary{Path: filepath.Join(bin, f.Name), Name: f.Name, Env: w.Env, Logs: w.logs, Timeout: f.Timeout}
		t.Cleanup(b.Close)
		w.binaries[f.Name], p.Functions[f.Name], p.Timeouts[f.Name] = b, b, f.Timeout
	}
	for _, q := range resource.Queues() {
		if slices.Contains(q.Layers, schedule.L2) {
			p.Mappings = append(p.Mappings, platform.Mapping{
				Queue: resource.Physical(w.name, q.Name), Function: q.Function, BatchSize: q.BatchSize, MaxConcurrency: 1,
			})
		}
	}
	for _, s := range resource.Schedules() {
		if slices.Contains(s.Layers, schedule.L2) {
			p.Ticks = append(p.Ticks, platform.Tick{Worker: s.Worker, Every: max(s.Every/60, 2*time.Second)})
		}
	}
	return p
}

// settle runs the platform until the contract holds the chain's head; it returns how long that took.
func (w *world) settle(t *testing.T, within time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- w.platform.Run(ctx) }()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		s, err := w.Contract.State(ctx, false)
		if err == nil && s.Settled && s.Block == w.Last {
			break
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not settled within %s: contract is at %+v (%v)\n%s", within, s, err, strings.Join(w.logs.lines(`"ERROR"`, "ERROR", "panic"), "\n"))
		case <-tick.C:
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
