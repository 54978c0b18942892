package tools

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// OpenTelemetry is a running OpenTelemetry collector.
type OpenTelemetry struct {
	URL     string // where it takes OTLP over HTTP
	traces  string // file
	metrics string // URL, for Prometheus
}

// Span is a span that a collector took.
type Span struct {
	Trace  string `json:"traceId"`
	ID     string `json:"spanId"`
	Parent string `json:"parentSpanId"`
	Name   string `json:"name"`
}

// Collector starts an OpenTelemetry collector for one test: the collector's own receiver, and Prometheus' own names of
// series (collector/main.go).
func Collector(t testing.TB) OpenTelemetry {
	t.Helper()
	o := OpenTelemetry{traces: filepath.Join(t.TempDir(), "traces.json")}
	o.URL = newCollector(t, &o).get(t)
	return o
}

func newCollector(t testing.TB, o *OpenTelemetry) *tool {
	return &tool{
		name: "collector",
		command: func(root string, takes int, _ string) *exec.Cmd {
			port := Port(t) // it ends where this one is taken too
			o.metrics = fmt.Sprintf("http://127.0.0.1:%d/metrics", port)
			return exec.Command(filepath.Join(root, "bin", "collector"), "-traces", o.traces,
				"-http", fmt.Sprintf("127.0.0.1:%d", takes), "-metrics", fmt.Sprintf("127.0.0.1:%d", port))
		},
		url: func(port int) string { return fmt.Sprintf("http://127.0.0.1:%d", port) },
	}
}

// Spans are the spans that have arrived, once there are as many as are wanted.
func (o OpenTelemetry) Spans(t testing.TB, want int) []Span {
	t.Helper()
	return o.SpansUntil(t, func(spans []Span) bool { return len(spans) >= want })
}

// SpansUntil waits until the spans that have arrived are what is waited for, and returns them: what makes them may
// send them some time later.
func (o OpenTelemetry) SpansUntil(t testing.TB, arrived func([]Span) bool) []Span {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(time.Minute); ; {
		spans := o.read(t)
		if arrived(spans) {
			return spans
		}
		select {
		case <-end:
			t.Fatalf("%d spans have arrived, not those that are waited for", len(spans))
		case <-tick.C:
		}
	}
}

func (o OpenTelemetry) read(t testing.TB) []Span {
	t.Helper()
	b, err := os.ReadFile(o.traces)
	if err != nil {
		t.Fatal(err)
	}
	var out []Span
	for line := range bytes.Lines(b[:bytes.LastIndexByte(b, '\n')+1]) { // the rest is a line that is being written
		var l struct {
			ResourceSpans []struct{ ScopeSpans []struct{ Spans []Span } }
		}
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatalf("the collector's file: %v: %s", err, line)
		}
		for _, r := range l.ResourceSpans {
			for _, s := range r.ScopeSpans {
				out = append(out, s.Spans...)
			}
		}
	}
	return out
}

// Metrics are the series that the collector offers to Prometheus, in its text format.
func (o OpenTelemetry) Metrics(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, o.metrics, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b strings.Builder
	if _, err := io.Copy(&b, resp.Body); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
