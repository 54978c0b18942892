package httprunner_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/httprunner"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos/snostest"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/runner"
)

func serve(t *testing.T, h http.Handler, token string) *httprunner.Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	c, err := httprunner.New(srv.URL, token, 0)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConformance(t *testing.T) {
	t.Parallel()
	runs := runner.New(nil, runner.Config{Execute: func(context.Context, snos.Task) error { return nil }})
	snostest.TestRunner(t, snostest.Harness{
		Runner: serve(t, httprunner.NewHandler(runs, "hunter2"), "hunter2"), Cancelable: true,
		Task: func(n int) snos.Task {
			return snos.Task{Kind: snos.Run, Batch: uint64(n), StartBlock: 1, EndBlock: 2,
				OutputPrefix: artifact.SNOSPrefix(uint64(n), 0)}
		},
	})
}

func TestToken(t *testing.T) {
	t.Parallel()
	h := httprunner.NewHandler(runner.New(nil, runner.Config{}), "hunter2")
	for _, token := range []string{"", "hunter3"} {
		if err := serve(t, h, token).Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "401") ||
			strings.Contains(err.Error(), "hunter") {
			t.Errorf("token %q: %v", token, err)
		}
	}
}

// Nonsense from the server is an error that says what came.
func TestNonsense(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{"": "does not decode", "{}": "no handle", "<html>": "HTML"} {
		c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }), "")
		if _, err := c.Submit(t.Context(), snos.Task{ID: "x"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", body, err)
		}
		if _, err := c.Status(t.Context(), "x"); err == nil {
			t.Errorf("%q is a status", body)
		}
	}
	c := serve(t,
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 2<<20)) }), "")
	if _, err := c.Status(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("2 MB: %v", err)
	}
	for _, u := range []string{"", "ftp://x", "http://user:hunter2@x"} {
		if _, err := httprunner.New(u, "", 0); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", u, err)
		}
	}
}

// A load balancer's answer is not the runner's: its 404 does not mean that a run is lost, its 503 not that the runner
// is busy.
func TestLoadBalancer(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status     int
		kind, body string
	}{
		"404 page":       {404, "text/html", "<html>default backend</html>"},
		"404 text":       {404, "text/plain", "404 page not found"},
		"404 empty":      {404, "", ""},
		"404 other JSON": {404, "application/json", `{"path":"/v1/tasks"}`},
		"200 page":       {200, "text/html", "<html>log in</html>"},
		"503 page":       {503, "text/html", "<html>no healthy upstream</html>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tt.kind)
				w.WriteHeader(tt.status)
				fmt.Fprint(w, tt.body)
			}), "hunter2")
			if p, err := c.Status(t.Context(), "x"); err == nil {
				t.Errorf("it is a status: %+v", p)
			}
			if err := c.Cancel(t.Context(), "x"); err == nil {
				t.Error("the run counts as ended")
			}
			if _, err := c.Submit(t.Context(), snos.Task{ID: "x"}); err == nil || errors.Is(err, snos.ErrBusy) {
				t.Errorf("submitted: %v", err)
			}
		})
	}
}

// A redirect is not followed: the token goes to the runner's host alone, and a POST stays one.
func TestRedirect(t *testing.T) {
	t.Parallel()
	var reached atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	t.Cleanup(other.Close)
	c := serve(t, http.RedirectHandler(other.URL, http.StatusFound), "hunter2")
	_, submitted := c.Submit(t.Context(), snos.Task{ID: "x"})
	_, asked := c.Status(t.Context(), "x")
	for what, err := range map[string]error{"Submit": submitted, "Status": asked, "Cancel": c.Cancel(t.Context(), "x"),
		"Ping": c.Ping(t.Context())} {
		if err == nil || !strings.Contains(err.Error(), "302") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if n := reached.Load(); n > 0 {
		t.Errorf("the other host was asked %d times", n)
	}
}

// Passing failures are tried again; a runner that says that it is busy is not.
func TestRetries(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) < 3 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		fmt.Fprint(w, `{"state":"running"}`)
	}), "")
	if p, err := c.Status(t.Context(), "x"); err != nil || p.State != snos.Running {
		t.Errorf("%+v, %v after %d requests", p, err, asked.Load())
	}
	var busy atomic.Int32
	c = serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		busy.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, `{"error":"full"}`)
	}), "")
	if _, err := c.Submit(t.Context(), snos.Task{ID: "x"}); !errors.Is(err, snos.ErrBusy) || busy.Load() != 1 {
		t.Errorf("%v after %d requests", err, busy.Load())
	}
}

// A task reaches the runner with all that it says.
func TestWholeTask(t *testing.T) {
	t.Parallel()
	r := &keeps{}
	want := snos.Task{
		Kind: snos.Aggregate, ID: "x", Batch: 3, StartBlock: 4, EndBlock: 9, FullOutput: true,
		Inputs: []string{"a", "b"}, OutputPrefix: "aggregator/3/",
		UseBackup: true, StarknetVersion: "0.14.4", RPC: "https://node",
		Chain: snos.Chain{ID: "MADARA", FeeToken: "0x1", EthFeeToken: "0x2", PublicKeys: []string{"0x3", "0x4"}},
	}
	if _, err := serve(t, httprunner.NewHandler(r, ""), "").Submit(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, r.got); d != "" {
		t.Errorf("sent (-), received (+):\n%s", d)
	}
}

// keeps is a runner that keeps what it was given.
type keeps struct {
	snos.Runner
	got snos.Task
}

func (k *keeps) Submit(_ context.Context, t snos.Task) (string, error) {
	k.got = t
	return "handle", nil
}
