package httprunner_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

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
			return snos.Task{Kind: snos.Run, Batch: uint64(n), StartBlock: 1, EndBlock: 2, OutputPrefix: artifact.SNOSPrefix(uint64(n))}
		},
	})
}

func TestToken(t *testing.T) {
	t.Parallel()
	h := httprunner.NewHandler(runner.New(nil, runner.Config{}), "hunter2")
	for _, token := range []string{"", "hunter3"} {
		if err := serve(t, h, token).Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "401") || strings.Contains(err.Error(), "hunter") {
			t.Errorf("token %q: %v", token, err)
		}
	}
}

// Nonsense from the server is an error that says what came.
func TestNonsense(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{"": "does not decode", "{}": "no handle", "<html>": "does not decode"} {
		c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }), "")
		if _, err := c.Submit(t.Context(), snos.Task{ID: "x"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", body, err)
		}
		if _, err := c.Status(t.Context(), "x"); err == nil {
			t.Errorf("%q is a status", body)
		}
	}
	c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 2<<20)) }), "")
	if _, err := c.Status(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("2 MB: %v", err)
	}
	for _, u := range []string{"", "ftp://x", "http://user:hunter2@x"} {
		if _, err := httprunner.New(u, "", 0); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", u, err)
		}
	}
}
