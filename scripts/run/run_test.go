package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	clients3 "github.com/madara-orchestrator/orchestrator/shared/client/s3"
	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/starknettest"
)

func init() { outageTime = 3 * time.Second }

// try runs the program and wants it to settle.
func try(t *testing.T, want string, args ...string) {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(t.Context(), args, &out, &errs); code != 0 || !strings.Contains(out.String(), want) {
		t.Errorf("%v: exit %d\n%s%s", args, code, out.String(), errs.String())
	}
}

const settledLine = "settled    block number, state root and block hash are equal"

func TestSettles(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"l2":             {"-blocks", "12", "-seed", "3"},
		"l3":             {"-blocks", "6", "-layer", "l3", "-snos-batch", "3"},
		"l3 snos":        {"-blocks", "4", "-layer", "l3", "-snos-batch", "2", "-contract", "snos"},
		"l3 input":       {"-blocks", "4", "-layer", "l3", "-snos-batch", "2", "-contract", "input"},
		"l3 on ethereum": {"-blocks", "6", "-layer", "l3", "-snos-batch", "3", "-settle", "ethereum"},
		"grpc":           {"-blocks", "6", "-snos", "grpc"},
		"aws batch":      {"-blocks", "6", "-snos", "batch"},
		"live":           {"-blocks", "8", "-speed", "20", "-snos", "http"},
		"recording":      {"-blocks", "RECORDING"},
		"0.14.1":         {"-blocks", "6", "-starknet-version", "0.14.1"},
		"0.14.2":         {"-blocks", "6", "-starknet-version", "0.14.2"},
		"0.14.3 sharp":   {"-blocks", "6", "-starknet-version", "0.14.3", "-prover", "sharp"},
		"0.14.4":         {"-blocks", "6", "-starknet-version", "0.14.4", "-prover", "atlantic"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i := range args {
				if args[i] == "RECORDING" {
					args[i] = starknettest.Data(t, "batch_8373665")
				}
			}
			try(t, settledLine, append(args, "-timeout", "3m")...)
		})
	}
}

// The same on real parts, in this process.
func TestRealParts(t *testing.T) {
	t.Parallel()
	emulator := tools.MotoAlone(t)
	try(t, settledLine, "-blocks", "6", "-mongo", tools.Mongod(t), "-redis", tools.Redis(t), "-aws", emulator,
		"-ethereum", tools.Anvil(t, "--block-time", "1"), "-timeout", "3m")
	if left := buckets(t, emulator); len(left) > 0 {
		t.Errorf("the run leaves the buckets %q", left)
	}
}

// buckets are the names of an emulator's buckets.
func buckets(t *testing.T, endpoint string) (out []string) {
	t.Helper()
	all, err := s3.NewFromConfig(devcloud.Config(endpoint)).ListBuckets(t.Context(), &s3.ListBucketsInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range all.Buckets {
		out = append(out, *b.Name)
	}
	return out
}

// With -keep the bucket stays with its rules and all artifacts.
func TestKeepsTheBucket(t *testing.T) {
	t.Parallel()
	emulator := tools.MinistackAlone(t)
	try(t, settledLine, "-blocks", "3", "-aws", emulator, "-keep", "-timeout", "3m")
	left := buckets(t, emulator)
	if len(left) != 1 {
		t.Fatalf("buckets %q, want one", left)
	}
	store := clients3.New(devcloud.Config(emulator), left[0], true)
	rules, err := store.Bucket().Lifecycle(t.Context())
	found, lerr := store.List(t.Context(), resource.SnosArtifacts, "", 10)
	if err != nil || lerr != nil || !slices.Equal(rules, resource.Lifecycle()) || len(found) == 0 {
		t.Errorf("rules %+v, %v; artifacts %+v, %v", rules, err, found, lerr)
	}
}

func TestDryRunSendsNothing(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"-blocks", "6", "-dry-run", "-timeout", "2m"}, &out, &errs)
	for _, want := range []string{"dry run    everything is ready to be sent; nothing was", "\ngas        ",
		"; the cap is ", "\nblob 1     0x01", "\ncalldata   "} {
		if code != 0 || !strings.Contains(out.String(), want) {
			t.Errorf("exit %d, %q is missing:\n%s%s", code, want, out.String(), errs.String())
		}
	}
}

func TestWrongUsage(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.Mkdir(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		args []string
		code int
		want string
	}{
		"several faults": {[]string{"-layer", "l9", "-speed", "-1", "-snos", "x"}, 2, "-layer"},
		"no version": {[]string{"-starknet-version", "0.14"}, 2,
			"-starknet-version: \"0.14\" is not a Starknet version"},
		"a new version":  {[]string{"-starknet-version", "0.15.0"}, 2, "deploy a release that implements it"},
		"l2 on starknet": {[]string{"-settle", "starknet"}, 2, "an l2 settles on Ethereum"},
		"no layer":       {[]string{"-settle", "moon"}, 2, "want ethereum or starknet"},
		"no number":      {[]string{"-blocks", "/nonexistent"}, 2, "neither a number nor a path"},
		"no recording":   {[]string{"-blocks", empty}, 1, "no state updates"},
		"no mongod":      {[]string{"-mongo", "nonsense://user:hunter2@x"}, 1, "URI is not valid"},
		"no node":        {[]string{"-ethereum", "http://127.0.0.1:1", "-timeout", "20s"}, 1, "connect to Ethereum"},
		"no kafka":       {[]string{"-queue", "amqp://user:hunter2@x"}, 2, "-queue: want kafka://host:port"},
		"no broker":      {[]string{"-queue", "kafka://127.0.0.1:1", "-timeout", "3s"}, 1, "no broker at 127.0.0.1:1"},
		"no verifier":    {[]string{"-core", "0x1"}, 2, "-verifier \"\": want the addresses"},
		"no websocket":   {[]string{"-websocket", "https://u:hunter2@x"}, 2, "-websocket: want a ws or wss URL"},
		"not in time":    {[]string{"-blocks", "6", "-timeout", "100ms"}, 1, "not settled within"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			code := run(t.Context(), tt.args, &out, &errs)
			if all := out.String() + errs.String(); code != tt.code || !strings.Contains(all, tt.want) ||
				strings.Contains(all, "hunter2") {
				t.Errorf("exit %d, want %d and %q:\n%s", code, tt.code, tt.want, all)
			}
		})
	}
}

// What FAIL breaks is reported; what comes back by itself settles, what needs an
// operator ends the run.
func TestFailures(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		code int
		want string
	}{
		"prover@2": {1, "ProofCreation job is Failed"}, "runner": {0, settledLine}, "l1": {0, settledLine},
		"mongo":    {0, settledLine},
		"prover@0": {2, "number of a proof"}, "moon": {2, "want prover@3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			code := run(t.Context(), []string{"-blocks", "12", "-fail", name, "-timeout", "3m"}, &out, &errs)
			if code != tt.code || !strings.Contains(out.String()+errs.String(), tt.want) {
				t.Errorf("exit %d, want %d and %q:\n%s%s", code, tt.code, tt.want, out.String(), errs.String())
			}
			if strings.Contains(out.String(), "make ops") { // without -api there is nothing to send it to
				t.Errorf("an alert names a command that can't work:\n%s", out.String())
			}
		})
	}
}

// With -json stdout is one JSON object. Other lines fit 80 columns, except what is to be copied.
func TestJSON(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"-blocks", "6", "-json"}, &out, &errs); code != 0 {
		t.Fatalf("exit %d\n%s", code, errs.String())
	}
	var got struct {
		OK      bool
		Unit    string
		Batches []struct{ Tx, Fee string }
	}
	err := json.Unmarshal(out.Bytes(), &got)
	if err != nil || !got.OK || got.Unit != "wei" || len(got.Batches) == 0 || got.Batches[0].Tx == "" {
		t.Errorf("%v: %+v\n%s", err, got, out.String())
	}
	for line := range strings.Lines(errs.String()) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// An interruption is not a failure.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	code := run(ctx, []string{"-blocks", "6"}, &out, &errs)
	if e := errs.String(); code != 130 || strings.Contains(e, "failed") || !strings.Contains(e, "stopped") {
		t.Errorf("exit %d: %s%s", code, out.String(), e)
	}
}
