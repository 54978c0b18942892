package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

// What a run prints of the URLs that it was given holds no key.
func TestURLsAreNotShownWhole(t *testing.T) {
	t.Parallel()
	const collector, node = "http://me:hunter2@127.0.0.1:1/hunter2?k=hunter2", "https://node.example/v2/hunter2"
	var out bytes.Buffer
	_, end, err := measured(t.Context(), options{otlp: collector}, slog.New(slog.DiscardHandler), &out)
	if err != nil {
		t.Fatal(err)
	}
	if err := end(); err != nil && strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
	fmt.Fprintln(&out, shownURL(options{starknet: node}, node))
	if s := out.String(); strings.Contains(s, "hunter2") || !strings.Contains(s, "127.0.0.1:1") ||
		!strings.Contains(s, "https://node.example/...") {
		t.Errorf("printed %s", s)
	}
	if got := shownURL(options{}, "http://127.0.0.1:5050/rpc"); got != "http://127.0.0.1:5050/rpc" {
		t.Errorf("our own node is shown as %s", got)
	}
}

// A run's batches are one trace each at a collector's own receiver, from the first block to the settlement, and each
// span hangs from one that has arrived.
func TestTelemetry(t *testing.T) {
	t.Parallel()
	c := tools.Collector(t)
	try(t, settledLine, "-blocks", "12", "-batch", "6", "-snos-batch", "3", "-otlp", c.URL)
	traces, names := map[string]map[string]bool{}, map[string]int{}
	// what ends a batch is sent last
	last := []string{"aggregator batch 1", "aggregator batch 2", "StateTransition of aggregator batch 2"}
	spans := c.SpansUntil(t, func(spans []tools.Span) bool {
		return !slices.ContainsFunc(last, func(name string) bool {
			return !slices.ContainsFunc(spans, func(s tools.Span) bool { return s.Name == name })
		})
	})
	for _, s := range spans {
		if traces[s.Trace] == nil {
			traces[s.Trace] = map[string]bool{}
		}
		traces[s.Trace][s.ID] = true
		names[s.Name]++
	}
	if len(traces) != 2 {
		t.Errorf("%d traces of 2 batches", len(traces))
	}
	for _, s := range spans {
		if s.Parent != "" && !traces[s.Trace][s.Parent] {
			t.Errorf("span %s hangs from %s, which is not there", s.Name, s.Parent)
		}
	}
	for name, want := range map[string]int{"aggregator batch 1": 1, "aggregator batch 2": 1,
		"SnosRun of SNOS batch 4": 1, "StateTransition of aggregator batch 2": 1, "SNOS runner: submit": 6} {
		if names[name] != want {
			t.Errorf("%d spans %q, want %d", names[name], name, want)
		}
	}
	if m := c.Metrics(t); !strings.Contains(m, "orchestrator_settle_seconds_count{") {
		t.Error("no metric of settled batches has arrived")
	}
}
