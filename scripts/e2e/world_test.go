package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"

	devethereum "github.com/madara-orchestrator/orchestrator/scripts/devchain/ethereum"
	devstarknet "github.com/madara-orchestrator/orchestrator/scripts/devchain/starknet"
	"github.com/madara-orchestrator/orchestrator/scripts/emulator"
	"github.com/madara-orchestrator/orchestrator/scripts/platform"
	"github.com/madara-orchestrator/orchestrator/scripts/testenv"
	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/client/mongodb"
	"github.com/madara-orchestrator/orchestrator/shared/client/s3"
	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/dev"
	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/httprunner"
	"github.com/madara-orchestrator/orchestrator/shared/client/sqs"
	"github.com/madara-orchestrator/orchestrator/shared/client/starknet"
	"github.com/madara-orchestrator/orchestrator/shared/config"
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

// world is a deployment on real components.
type world struct {
	name     string
	chain    *devstarknet.Chain
	contract *ethereum.Core
	db       *mongodb.DB
	binaries map[string]*platform.Binary
	platform *platform.Platform
	logs     *logs
	last     uint64
}

// secret values, which must appear in no log.
var hidden = []string{devethereum.Keys[1], devethereum.Keys[2], "runner-token-hunter2"}

func newWorld(t *testing.T, name string, blocks int, visibility time.Duration) *world {
	t.Helper()
	ctx := t.Context()
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{name: name, logs: &logs{}, last: uint64(blocks - 1), binaries: map[string]*platform.Binary{}}
	if w.chain, err = devstarknet.Start(devstarknet.Options{Seed: 7, Blocks: blocks}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.chain.Close() })
	eth := testenv.Anvil(t, "--block-time", "1", "--hardfork", "osaka")
	d := w.deployContracts(t, eth)

	cfg := emulator.Config(testenv.Moto(t))
	stack, err := emulator.Provision(ctx, cfg, emulator.Options{Chain: name, Layer: schedule.L2, Visibility: visibility, Secrets: map[string]string{
		name + "/wallet": devethereum.Keys[2], name + "/registrar": devethereum.Keys[1], name + "/runner": hidden[2],
	}})
	if err != nil {
		t.Fatal(err)
	}
	uri := testenv.Mongod(t)
	if w.db, err = mongodb.Connect(mongodb.Config{URI: uri, Database: "orchestrator_" + name}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.db.Close(context.Background()) })
	runner := w.runner(t, s3.New(cfg, stack.Bucket, true))
	settings := map[string]string{
		"CHAIN_NAME": name, "CHAIN_LAYER": "l2", "CHAIN_ID": w.chain.ChainID(), "CHAIN_RPC": w.chain.URL(), "CHAIN_FEEDER_GATEWAY": w.chain.GatewayURL(),
		"CHAIN_MAX_BLOCK": fmt.Sprint(w.last), "MONGO_URI": uri, "AWS_ENDPOINT": *cfg.BaseEndpoint, "AWS_BUCKET": stack.Bucket, "AWS_TOPIC_ARN": stack.TopicARN,
		"AWS_BUS": stack.Bus, "SETTLEMENT_RPC": eth, "SETTLEMENT_CHAIN_ID": "31337", "SETTLEMENT_CONTRACT": d.Core.Hex(), "SETTLEMENT_VERIFIER": d.Registry.Hex(),
		"SETTLEMENT_KEY_SECRET": name + "/wallet", "PROVER_KEY_SECRET": name + "/registrar", "SNOS_URL": runner, "SNOS_TOKEN_SECRET": name + "/runner",
		"BATCH_BLOCKS": "5", "BATCH_SNOS_BLOCKS": "2", "PACE": "20", "REDIS_URL": testenv.Redis(t),
	}
	env := []string{"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION=" + emulator.Region, "PATH=" + os.Getenv("PATH")}
	for k, v := range settings {
		env = append(env, config.Prefix+k+"="+v)
	}
	w.platform = w.newPlatform(t, bin, env, sqs.New(cfg))
	return w
}

func (w *world) deployContracts(t *testing.T, url string) devethereum.Deployment {
	t.Helper()
	client, err := ethclient.DialContext(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	s := &devethereum.Sender{Client: client, Key: devethereum.Keys[0]}
	d, err := s.Deploy(t.Context(), devethereum.Setup{
		ProgramHash: dev.OSProgramHash(), AggregatorProgramHash: dev.AggregatorProgramHash(), ConfigHash: dev.DefaultConfigHash,
		Registrar: devethereum.Address(devethereum.Keys[1]), Operators: []common.Address{devethereum.Address(devethereum.Keys[2])},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SendMessages(t.Context(), d.Core, w.chain.MessagesToL2()); err != nil {
		t.Fatal(err)
	}
	node, err := ethereum.Dial(url, "31337")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(node.Close)
	if w.contract, err = ethereum.NewCore(node, d.Core.Hex(), nil); err != nil {
		t.Fatal(err)
	}
	return d
}

// runner serves the development SNOS runner over HTTP, on the same bucket.
func (w *world) runner(t *testing.T, store *s3.Store) string {
	t.Helper()
	src, err := starknet.New(starknet.Config{URL: w.chain.URL(), GatewayURL: w.chain.GatewayURL()}, starknet.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := dev.New(dev.Options{Source: src, Artifacts: store})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(httprunner.NewHandler(r, hidden[2]))
	t.Cleanup(srv.Close)
	return srv.URL
}

func (w *world) newPlatform(t *testing.T, bin string, env []string, queues *sqs.Client) *platform.Platform {
	t.Helper()
	p := &platform.Platform{
		Queues: queues, Functions: map[string]platform.Function{}, Timeouts: map[string]time.Duration{}, Trigger: resource.FnTrigger,
		LongPoll: 2 * time.Second, Log: slog.New(slog.DiscardHandler),
	}
	for _, f := range resource.Functions() {
		if f.Name == resource.FnAPI || !slices.Contains(f.Layers, schedule.L2) {
			continue
		}
		b := &platform.Binary{Path: filepath.Join(bin, f.Name), Name: f.Name, Env: env, Logs: w.logs, Timeout: f.Timeout}
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
		s, err := w.contract.State(ctx, false)
		if err == nil && s.Settled && s.Block == w.last {
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
