package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/contract"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	devappchain "github.com/madara-orchestrator/orchestrator/shared/dev/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/dev/snosrunner"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/starknettest"
)

// programVariables say what the test binary, as an operator's program, does.
const (
	actVariable  = "TEST_ACT"  // how it ends
	fromVariable = "TEST_FROM" // folder of the files that it makes
)

// TestMain makes the test binary an operator's program too.
func TestMain(m *testing.M) {
	if act := os.Getenv(actVariable); act != "" {
		os.Exit(program(act))
	}
	os.Exit(m.Run())
}

func program(act string) int {
	switch act {
	case "done":
		for name, to := range map[string]string{artifact.PIE: os.Getenv("SNOS_OUTPUT"),
			artifact.DASegment: os.Getenv("SNOS_DA_SEGMENT")} {
			b, err := os.ReadFile(filepath.Join(os.Getenv(fromVariable), name))
			if err != nil {
				continue // the test has none
			}
			if err := os.WriteFile(to, b, 0o600); err != nil {
				return 1
			}
		}
		inputs, _ := filepath.Glob(filepath.Join(os.Getenv("SNOS_INPUTS"), "*.json"))
		fmt.Printf("blocks %s of %s, l3 %s, full %s, %d inputs\n", os.Getenv("SNOS_BLOCKS"), os.Getenv("SNOS_RPC_URL"),
			os.Getenv("SNOS_IS_L3"), os.Getenv("SNOS_FULL_OUTPUT"), len(inputs))
		return 0
	case "unreachable":
		fmt.Fprintln(os.Stderr, "Error: error sending request for url (http://node)")
		return 1
	case "rejects":
		return contract.ExitRejected
	case "broken":
		return 3
	case "killed":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "garbage":
		_ = os.WriteFile(os.Getenv("SNOS_OUTPUT"), []byte("no zip"), 0o600)
		return 0
	case "nothing":
		return 0
	case "hangs":
		fmt.Println("hanging")
		time.Sleep(time.Hour) // select {} would end: without cgo Go sees that nothing can wake it
	}
	return 1
}

// made are the files of a run of the development runner, in a folder, and the store that it wrote.
func made(t *testing.T, o snosrunner.Options, task snos.Task) (string, *memory.Artifacts) {
	t.Helper()
	chain, err := devappchain.Start(devappchain.Options{Seed: 5, Blocks: 6,
		Versions: []devappchain.VersionFrom{{Block: 0, Version: task.StarknetVersion}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = chain.Close() })
	if o.Source, err = appchain.New(appchain.Config{URL: chain.URL(), GatewayURL: chain.GatewayURL()},
		appchain.Deps{}); err != nil {
		t.Fatal(err)
	}
	store := memory.NewArtifacts(nil)
	o.Artifacts = store
	r, err := snosrunner.New(o)
	if err != nil {
		t.Fatal(err)
	}
	execute := func(x snos.Task) {
		handle, err := r.Submit(t.Context(), x)
		for p := (snos.Progress{}); err == nil && p.State != snos.Succeeded; p, err = r.Status(t.Context(), handle) {
			if p.State == snos.Failed {
				t.Fatal(p.Detail)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if task.Kind == snos.Aggregate {
		execute(snos.Task{Kind: snos.Run, ID: "input", StartBlock: task.StartBlock, EndBlock: task.EndBlock,
			FullOutput: true, OutputPrefix: "snos/1/", StarknetVersion: task.StarknetVersion})
	}
	execute(task)
	dir := t.TempDir()
	for _, name := range []string{artifact.PIE, artifact.DASegment} {
		if b, err := artifact.ReadAll(t.Context(), store, task.OutputPrefix+name, 64<<20); err == nil {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir, store
}

func environ(t *testing.T, task snos.Task, more ...string) []string {
	t.Helper()
	text, err := contract.Encode(task)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return append([]string{
		contract.TaskVariable + "=" + text, contract.Bucket + "=b", contract.Layer + "=l2",
		contract.RPC + "=http://node", contract.BackupRPC + "=http://backup",
		programVariable + "=" + self, aggregatorVariable + "=" + self,
	}, more...)
}

func opens(store artifact.Store) func(context.Context, string) (artifact.Store, error) {
	return func(context.Context, string) (artifact.Store, error) { return store, nil }
}

var (
	run3 = snos.Task{Kind: snos.Run, ID: "x", Batch: 3, StartBlock: 1, EndBlock: 3,
		FullOutput: true, OutputPrefix: "snos/3/"}
	calldat = snos.Task{Kind: snos.Run, ID: "x", Batch: 3, StartBlock: 1, EndBlock: 3, OutputPrefix: "snos/3/"}
	combine = snos.Task{Kind: snos.Aggregate, ID: "x", Batch: 2, StartBlock: 1, EndBlock: 3,
		Inputs: []string{"snos/1/program_output.json"}, OutputPrefix: "aggregator/2/"}
)

// versioned is a task of blocks of a Starknet version.
func versioned(t snos.Task, version string) snos.Task {
	t.StarknetVersion = version
	return t
}

// What the entry takes out of a program's PIE is what the runner that made the PIE wrote itself.
func TestArtifacts(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		task  snos.Task
		dev   snosrunner.Options
		layer string
		says  string
		cut   bool // the program leaves no DA segment
	}{
		"run of 0.14.2":         {task: versioned(run3, "0.14.2"), layer: "l2", says: "blocks 1,2,3"},
		"aggregation of 0.14.2": {task: versioned(combine, "0.14.2"), layer: "l2", says: "1 inputs"},
		"run": {task: versioned(run3, "0.14.4"), layer: "l2",
			says: "blocks 1,2,3 of http://node, l3 false, full true, 0 inputs"},
		"l3": {task: versioned(calldat, "0.14.4"), dev: snosrunner.Options{Calldata: true},
			layer: "l3", says: "l3 true, full false"},
		"l3 without its segment": {task: versioned(calldat, "0.14.4"), dev: snosrunner.Options{Calldata: true},
			layer: "l3", says: "l3 true", cut: true},
		"aggregation": {task: versioned(combine, "0.14.4"), layer: "l2", says: "1 inputs"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, want := made(t, tt.dev, tt.task)
			if tt.cut {
				if err := os.Remove(filepath.Join(dir, artifact.DASegment)); err != nil {
					t.Fatal(err)
				}
			}
			store := memory.NewArtifacts(nil)
			for _, key := range tt.task.Inputs {
				b, err := artifact.ReadAll(t.Context(), want, key, 1<<20)
				if err == nil {
					err = store.Put(t.Context(), key, bytes.NewReader(b))
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			var log bytes.Buffer
			env := environ(t, tt.task, actVariable+"=done", fromVariable+"="+dir, contract.Layer+"="+tt.layer)
			if code := run(t.Context(), env, opens(store), &log); code != contract.ExitDone {
				t.Fatalf("exit code %d: %s", code, &log)
			}
			if !strings.Contains(log.String(), tt.says) {
				t.Errorf("the program said %q, want %q", &log, tt.says)
			}
			for _, key := range contract.Outputs(tt.task, tt.layer) {
				got, err1 := artifact.ReadAll(t.Context(), store, key, 64<<20)
				wanted, err2 := artifact.ReadAll(t.Context(), want, key, 64<<20)
				if err1 != nil || err2 != nil {
					t.Fatalf("%s: %v, %v", key, err1, err2)
				}
				if strings.HasSuffix(key, artifact.RunResult) {
					var a, b snos.Result
					if json.Unmarshal(got, &a) != nil || json.Unmarshal(wanted, &b) != nil || a != b {
						t.Errorf("result %+v, want %+v", a, b)
					}
				} else if !bytes.Equal(got, wanted) {
					t.Errorf("%s has %d bytes, want %d others", key, len(got), len(wanted))
				}
			}
		})
	}
}

// The fact of an aggregation is what a verifier registers and the core contract asks for: under the program hash with
// the AGGREGATOR prefix. The value is cairo-lang's for this PIE (get_cairo_pie_fact_info with aggregator=True, 0.14.0.1
// and 0.14.3a3).
func TestAggregatorFact(t *testing.T) {
	t.Parallel()
	dir := starknettest.Data(t, "aggregator_1")
	from := t.TempDir()
	for name, to := range map[string]string{"aggregator_pie.zip": artifact.PIE, "da_segment.json": artifact.DASegment} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(from, to), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	store := memory.NewArtifacts(nil)
	if err := artifact.WriteFelts(t.Context(), store, combine.Inputs[0], []felt.Felt{felt.FromUint64(1)}); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	if code := run(t.Context(), environ(t, combine, actVariable+"=done", fromVariable+"="+from), opens(store),
		&log); code != contract.ExitDone {
		t.Fatalf("exit code %d: %s", code, &log)
	}
	b, err := artifact.ReadAll(t.Context(), store, combine.OutputPrefix+artifact.RunResult, 1<<20)
	var res snos.Result
	if err != nil || json.Unmarshal(b, &res) != nil {
		t.Fatalf("%s, %v", b, err)
	}
	if want := "0xb6be6ad95464b997583ebf8440ee57deb7bd8e1b57c4e4d5d411f81cf411e9be"; res.Fact != want {
		t.Errorf("fact %s, want %s", res.Fact, want)
	}
}

// Every way in which a program can end has its exit code, and writes no result.
func TestEnds(t *testing.T) {
	t.Parallel()
	for act, tt := range map[string]struct {
		code int
		says string
		env  []string
	}{
		"unreachable": {contract.ExitChainUnavailable, "error sending request", nil},
		"rejects":     {contract.ExitRejected, "exit status 65", nil},
		"broken":      {1, "exit status 3", nil},
		"killed":      {contract.ExitKilled, "killed", nil},
		"garbage":     {contract.ExitRejected, "the PIE that", nil},
		"nothing":     {contract.ExitRejected, "left no PIE", nil},
		"hangs":       {contract.ExitTimedOut, "did not end within 300ms", []string{limitVariable + "=300ms"}},
		"absent": {contract.ExitMisconfigured, "can't be started",
			[]string{programVariable + "=/nowhere/generate-pie"}},
	} {
		t.Run(act, func(t *testing.T) {
			t.Parallel()
			store := memory.NewArtifacts(nil)
			var log bytes.Buffer
			if code := run(t.Context(), environ(t, run3, append(tt.env, actVariable+"="+act)...), opens(store),
				&log); code != tt.code || !strings.Contains(log.String(), tt.says) {
				t.Errorf("exit code %d, want %d with %q: %s", code, tt.code, tt.says, &log)
			}
			if left, err := store.List(t.Context(), "", "", 10); err != nil || len(left) > 0 {
				t.Errorf("it wrote %+v, %v", left, err)
			}
		})
	}
}

// A container that is asked to end passes that on and says that it was interrupted.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	go func() { // once the program runs
		_, _ = r.Read(make([]byte, 1))
		cancel()
		_, _ = io.Copy(io.Discard, r)
	}()
	began := time.Now()
	if code := run(ctx, environ(t, run3, actVariable+"=hangs"), opens(memory.NewArtifacts(nil)),
		w); code != contract.ExitInterrupted || time.Since(began) > grace {
		t.Errorf("exit code %d after %s", code, time.Since(began))
	}
}

// What the task says of the chain reaches the program under generate-pie's names, and wins over the image's
// environment; what it does not say stays as the image has it.
func TestChainSettings(t *testing.T) {
	t.Parallel()
	x := run3
	x.StarknetVersion, x.RPC = "0.14.4", "http://snos-node"
	x.Chain = snos.Chain{ID: "MADARA", FeeToken: "0x47", EthFeeToken: "0x49", PublicKeys: []string{"0x1", "0x2"}}
	image := []string{"SNOS_NETWORK=sepolia", "SNOS_PUBLIC_KEYS=0x9", "SNOS_LAYOUT=all_cairo"}
	last := func(x snos.Task) map[string]string {
		s, err := parse(environ(t, x, image...))
		if err != nil {
			t.Fatal(err)
		}
		env := map[string]string{}
		for _, line := range s.environment(folders{}) {
			k, v, _ := strings.Cut(line, "=")
			env[k] = v
		}
		return env
	}
	for k, want := range map[string]string{
		"SNOS_NETWORK": "MADARA", "SNOS_STRK_FEE_TOKEN_ADDRESS": "0x47", "SNOS_ETH_FEE_TOKEN_ADDRESS": "0x49",
		"SNOS_PUBLIC_KEYS": "0x1,0x2",
		"SNOS_LAYOUT":      "all_cairo", "SNOS_RPC_URL": "http://snos-node", "SNOS_BLOCKS": "1,2,3",
	} {
		if got := last(x)[k]; got != want {
			t.Errorf("%s is %q, want %q", k, got, want)
		}
	}
	x.Chain, x.UseBackup = snos.Chain{}, true
	if env := last(x); env["SNOS_NETWORK"] != "sepolia" || env["SNOS_PUBLIC_KEYS"] != "0x9" ||
		env["SNOS_RPC_URL"] != "http://backup" {
		t.Errorf("without the task's settings and with the backup node: %v", env)
	}
	x.StarknetVersion = "0.15.0"
	if _, err := parse(environ(t, x)); err == nil ||
		!strings.Contains(err.Error(), "deploy a release that implements it") {
		t.Errorf("an unknown version: %v", err)
	}
}

// The backup node is used when the task asks for it, and what is wrong with the environment is said all at once.
func TestParse(t *testing.T) {
	t.Parallel()
	x := run3
	for backup, want := range map[bool]string{false: "http://node", true: "http://backup"} {
		x.UseBackup = backup
		if s, err := parse(environ(t, x)); err != nil || s.node != want {
			t.Errorf("backup %t: %q, %v", backup, s.node, err)
		}
	}
	_, err := parse([]string{contract.Layer + "=l9", limitVariable + "=never"})
	for _, want := range []string{contract.TaskVariable, contract.Bucket, "l9", contract.RPC, limitVariable} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %s", err, want)
		}
	}
	if _, err := parse(environ(t, combine, aggregatorVariable+"=")); err == nil ||
		!strings.Contains(err.Error(), "no aggregator program") {
		t.Errorf("an aggregation without a program: %v", err)
	}
	var log bytes.Buffer
	if code := run(t.Context(), environ(t, combine, actVariable+"=done"), opens(memory.NewArtifacts(nil)),
		&log); code != contract.ExitRejected || !strings.Contains(log.String(), "input snos/1/") {
		t.Errorf("an input that is not there: exit code %d: %s", code, &log)
	}
}
