package batchrunner_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/batchrunner"
	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/contract"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos/snostest"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/awsbatch"
)

func start(t *testing.T, c awsbatch.Config) (*batchrunner.Client, *awsbatch.Server) {
	t.Helper()
	c.Queue, c.Definition = "chain-snos", "chain-snos"
	s, err := awsbatch.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return client(s.URL()), s
}

func client(url string) *batchrunner.Client {
	cfg := aws.Config{
		Region: "eu-west-1", BaseEndpoint: &url,
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""), RetryMaxAttempts: 1,
	}
	return batchrunner.New(cfg, batchrunner.Config{Queue: "chain-snos", Definition: "chain-snos", Chain: "chain"})
}

func task(n int) snos.Task {
	return snos.Task{Kind: snos.Run, Batch: uint64(n), StartBlock: 1, EndBlock: 2,
		OutputPrefix: artifact.SNOSPrefix(uint64(n), 0)}
}

// end is the outcome of a container that refuses batch numbers from 1000 on.
func end(_ context.Context, x snos.Task) awsbatch.End {
	if x.Batch >= 1000 {
		return awsbatch.End{Code: contract.ExitRejected}
	}
	return awsbatch.End{}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	c, s := start(t, awsbatch.Config{Run: end})
	snostest.TestRunner(t, snostest.Harness{
		Runner: c, Cancelable: true, Task: task, Bad: func(n int) snos.Task { return task(n + 1000) },
		BadKind: snos.Rejected,
	})
	t.Cleanup(func() {
		if vs := s.Violations(); len(vs) > 0 {
			t.Errorf("requests that Batch would refuse: %q", vs)
		}
	})
}

// An answer that is lost after the job was made does not make a second one.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	var lost atomic.Bool
	c, s := start(t, awsbatch.Config{Run: end, After: func(op string) int {
		if op == "submitjob" && !lost.Swap(true) {
			return http.StatusInternalServerError
		}
		return 0
	}})
	x := task(7)
	x.ID = "lost"
	if _, err := c.Submit(t.Context(), x); err == nil {
		t.Fatal("the lost answer is not an error")
	}
	handle, err := c.Submit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	if n := s.Count("snos-7-"); n != 1 {
		t.Errorf("%d jobs of one task", n)
	}
	if p, err := c.Status(t.Context(), handle); err != nil || p.State == snos.Lost {
		t.Errorf("status %+v, %v", p, err)
	}
}

// Every way in which a container can end has its outcome, with what Batch says of it.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		end    awsbatch.End
		kind   snos.FailureKind
		detail string
	}{
		"rejected":       {awsbatch.End{Code: contract.ExitRejected}, snos.Rejected, "exit code 65"},
		"node away":      {awsbatch.End{Code: contract.ExitChainUnavailable}, snos.ChainUnavailable, "exit code 69"},
		"asked to end":   {awsbatch.End{Code: contract.ExitInterrupted}, snos.Interrupted, "exit code 75"},
		"misconfigured":  {awsbatch.End{Code: contract.ExitMisconfigured}, snos.Rejected, "exit code 78"},
		"own time limit": {awsbatch.End{Code: contract.ExitTimedOut}, snos.TimedOut, "exit code 124"},
		"killed":         {awsbatch.End{Code: contract.ExitKilled}, snos.OutOfMemory, "exit code 137"},
		"memory": {awsbatch.End{Code: 1, Reason: "OutOfMemoryError: Container killed due to memory usage"},
			snos.OutOfMemory, "memory usage"},
		"time": {awsbatch.End{Code: 137, StatusReason: "Job attempt duration exceeded timeout"},
			snos.TimedOut, "exceeded timeout"},
		"spot": {awsbatch.End{NoCode: true, StatusReason: "Your Spot Task was interrupted."},
			snos.Interrupted, "Spot"},
		"host": {awsbatch.End{NoCode: true, StatusReason: "Host EC2 (instance i-0abc) terminated."},
			snos.Interrupted, "Host EC2"},
		"image": {
			awsbatch.End{NoCode: true,
				Reason: "CannotPullContainerError: pull image manifest has been retried 1 time(s)"}, snos.Rejected,
			"CannotPull"},
		"something else": {awsbatch.End{Code: 3, Reason: "no idea"}, "", "no idea; exit code 3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			done := make(chan struct{})
			c, _ := start(t, awsbatch.Config{
				Run: func(context.Context, snos.Task) awsbatch.End { defer close(done); return tt.end }})
			x := task(1)
			x.ID = name
			handle, err := c.Submit(t.Context(), x)
			if err != nil {
				t.Fatal(err)
			}
			<-done
			p := ended(t, c, handle)
			if p.State != snos.Failed || p.Failure != tt.kind || !strings.Contains(p.Detail, tt.detail) {
				t.Errorf("%+v, want %q with %q", p, tt.kind, tt.detail)
			}
		})
	}
}

// ended asks until the run is over.
func ended(t *testing.T, c *batchrunner.Client, handle string) snos.Progress {
	t.Helper()
	for {
		p, err := c.Status(t.Context(), handle)
		if err != nil {
			t.Fatal(err)
		}
		if p.State != snos.Running && p.State != snos.Queued {
			return p
		}
	}
}

// A canceled run ends, and its container gets a signal.
func TestCancel(t *testing.T) {
	t.Parallel()
	signalled := make(chan struct{})
	c, _ := start(t, awsbatch.Config{Run: func(ctx context.Context, _ snos.Task) awsbatch.End {
		<-ctx.Done()
		close(signalled)
		return awsbatch.End{Code: 143}
	}})
	x := task(1)
	x.ID = "long"
	handle, err := c.Submit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Cancel(t.Context(), handle); err != nil {
		t.Fatal(err)
	}
	<-signalled
	if p := ended(t, c, handle); p.State != snos.Failed || !strings.Contains(p.Detail, "canceled by the orchestrator") {
		t.Errorf("%+v", p)
	}
}

// A task that can't be handed to a container is refused before anything is asked.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	x := snos.Task{Kind: snos.Aggregate, ID: "large", OutputPrefix: "aggregator/1/"}
	for i := range 300 {
		x.Inputs = append(x.Inputs, fmt.Sprintf("snos/%d/program_output.json", i))
	}
	if _, err := client("http://127.0.0.1:1").Submit(t.Context(), x); err == nil ||
		!strings.Contains(err.Error(), "lower BATCH_SNOS_BATCHES") {
		t.Error(err)
	}
}

// Nonsense from Batch is an error that says what came.
func TestNonsense(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"jobs":[{"jobId":"x","status":"DANCING"}]}`: "unknown state", `<html>`: "status of x",
		`{"jobs":[{"jobId":"y","status":"SUCCEEDED"}]}`: "",
	} {
		srv := httptest.NewServer(
			http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }))
		p, err := client(srv.URL).Status(t.Context(), "x")
		if want == "" && (err != nil || p.State != snos.Lost) ||
			want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %+v, %v", body, p, err)
		}
		srv.Close()
	}
}

// Ping names what is missing.
func TestPing(t *testing.T) {
	t.Parallel()
	_, s := start(t, awsbatch.Config{Run: end})
	cfg := aws.Config{Region: "eu-west-1", BaseEndpoint: aws.String(s.URL()),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
	for want, c := range map[string]batchrunner.Config{
		"no job queue other":   {Queue: "other", Definition: "chain-snos"},
		"job definition other": {Queue: "chain-snos", Definition: "other"},
	} {
		if err := batchrunner.New(cfg, c).Ping(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := client(s.URL()).Ping(ended); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A run that waits says why it can't start, where Batch says so.
func TestQueued(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 10_000)
	for body, want := range map[string]string{
		`"status":"RUNNABLE"`:  "",
		`"status":"SUBMITTED"`: "",
		`"status":"RUNNABLE","statusReason":"MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - too small"`: "" +
			"MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - too small",
		`"status":"PENDING","statusReason":"` + long + `"`: long[:500],
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"jobs":[{"jobId":"x",`+body+`}]}`)
		}))
		p, err := client(srv.URL).Status(t.Context(), "x")
		if err != nil || p.State != snos.Queued || p.Detail != want {
			t.Errorf("%.100s: %+v, %v; want %.100q", body, p, err, want)
		}
		srv.Close()
	}
}
