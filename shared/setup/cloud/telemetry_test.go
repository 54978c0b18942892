package cloud

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric/metrictest"
)

// What an invocation measures is sent before its answer is given: afterwards the process may be frozen. A collector
// that is away, or a secret of its headers that is missing, fails no invocation.
func TestTelemetryIsSentBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	var sent atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		sent.Add(1)
	}))
	t.Cleanup(srv.Close)
	wire := func(context.Context, *Process) (any, error) { return func() error { return nil }, nil }
	for name, tt := range map[string]struct {
		settings []string
		sends    bool
	}{
		"on":   {[]string{"ORCHESTRATOR_OTLP_ENDPOINT=" + srv.URL}, true},
		"off":  {nil, false},
		"away": {[]string{"ORCHESTRATOR_OTLP_ENDPOINT=http://127.0.0.1:1"}, false},
		"headers not there": {[]string{"ORCHESTRATOR_OTLP_ENDPOINT=" + srv.URL,
			"ORCHESTRATOR_OTLP_HEADERS_SECRET=file:/none"}, false},
	} {
		before := sent.Load()
		h := NewHandler(append(append([]string{}, environ...), tt.settings...), wire)
		if _, err := h.Invoke(t.Context(), []byte("{}")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := sent.Load() > before; got != tt.sends {
			t.Errorf("%s: telemetry was sent: %t", name, got)
		}
	}
}

// What a function measured that fails to initialise, such as a database that can't be reached, is sent too.
func TestFailedInitialisationIsMeasured(t *testing.T) {
	t.Parallel()
	var sent atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		sent.Add(1)
	}))
	t.Cleanup(srv.Close)
	h := NewHandler(append(append([]string{}, environ...), "ORCHESTRATOR_OTLP_ENDPOINT="+srv.URL),
		func(ctx context.Context, _ *Process) (any, error) {
			err := errors.New("no reachable servers")
			metric.Call(ctx, metric.Database, "ping")(err)
			return nil, err
		})
	for n := range int64(2) {
		if _, err := h.Invoke(t.Context(), []byte("{}")); err == nil || sent.Load() != n+1 {
			t.Errorf("%v, telemetry was sent %d times, want %d", err, sent.Load(), n+1)
		}
	}
}

// A cold start takes from the start of the process until the function is ready: neither the time before its first
// invocation counts, nor initialisations that failed.
func TestInitSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r metrictest.Recorder
		fails := true
		h := NewHandler(environ, func(_ context.Context, p *Process) (any, error) {
			if fails {
				return nil, errors.New("a secret has no value yet")
			}
			time.Sleep(2 * time.Second)
			p.Telemetry = &r
			return func() error { return nil }, nil
		})
		h.boot = 300 * time.Millisecond
		time.Sleep(time.Hour) // started ahead of the first invocation
		if _, err := h.Invoke(t.Context(), []byte("{}")); err == nil {
			t.Fatal("it initialised")
		}
		time.Sleep(time.Hour)
		fails = false
		for range 2 {
			if _, err := h.Invoke(t.Context(), []byte("{}")); err != nil {
				t.Fatal(err)
			}
		}
		if vs := r.Of(metric.InitSeconds); len(vs) != 1 || vs[0].Value != 2.3 {
			t.Errorf("measured %+v, want once 2.3 s", vs)
		}
	})
}

// How old a process is comes from the system; where that says nothing of use, it is 0.
func TestSinceProcessStart(t *testing.T) {
	t.Parallel()
	const stat = "7 (a ) b) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 1 1"
	for name, tt := range map[string]struct {
		stat, uptime string
		want         time.Duration
	}{
		"whole":   {stat, "124.45 99.00", time.Second},
		"behind":  {stat, "1.00 1.00", 0},
		"cut":     {"7 (a) S 1", "124.45 1", 0},
		"nothing": {"", "", 0},
		"strange": {strings.Replace(stat, "12345", "x", 1), "124.45 1", 0},
	} {
		if got := age(tt.stat, tt.uptime).Round(time.Millisecond); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("no /proc here")
	}
	if d := sinceProcessStart(); d <= 0 || d > 24*time.Hour {
		t.Errorf("this process began %s ago", d)
	}
}

// A function says of the services that it alone can ask whether they can be used, each within a limit, and runs
// nothing else.
func TestCheck(t *testing.T) {
	t.Parallel()
	h := NewHandler(environ, func(_ context.Context, p *Process) (any, error) {
		p.Check("good", func(context.Context) error { return nil })
		p.Check("bad", func(context.Context) error {
			return errors.New("refused https://x.example/v2/secretkey0secretkey")
		})
		return func() error { t.Error("the function ran"); return nil }, nil
	})
	slow := NewHandler(environ, func(_ context.Context, p *Process) (any, error) {
		p.Check("slow", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		return func() error { t.Error("the function ran"); return nil }, nil
	})
	ask := func(h *Handler, service string, limit time.Duration) string {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		err := Ask(func(_ context.Context, _ string, event []byte) ([]byte, error) { return h.Invoke(ctx, event) }, "f",
			service)(ctx)
		if err == nil {
			return ""
		}
		return err.Error()
	}
	got := map[string]string{}
	for _, s := range []string{"good", "bad", "unknown"} {
		got[s] = ask(h, s, time.Minute) // a busy machine may be slow
	}
	if isCheck([]byte(`{"check":true,"Records":"` + strings.Repeat("x", 100) + `"}`)) {
		t.Error("an event with work is taken for a check")
	}
	if d := cmp.Diff(map[string]string{
		"good": "", "bad": "refused https://x.example/...", "unknown": "f does not check it",
	}, got); d != "" {
		t.Errorf("wanted (-) and said (+):\n%s", d)
	}
	if ask(slow, "slow", 50*time.Millisecond) == "" {
		t.Error("a service that does not answer can be used")
	}
}
