package metric_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric/metrictest"
)

var at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// Whatever a program says, a value has the labels of its metric and no other, each with a value of its closed set.
func TestNoOtherLabelPasses(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.SampledFrom(metric.All()).Draw(t, "metric")
		said := metric.Labels{"job_id": rapid.String().Draw(t, "foreign")}
		for _, l := range m.Labels {
			if rapid.Bool().Draw(t, "given") {
				said[l] = rapid.OneOf(rapid.String(), rapid.SampledFrom(metric.Allowed(l))).Draw(t, "said")
			}
		}
		var r metrictest.Recorder
		metric.Record(metric.With(context.Background(), &r), at, metric.Value{Name: m.Name, Value: 1, Labels: said})
		got := r.Values()[0].Labels
		if len(got) != len(m.Labels) {
			t.Fatalf("%s has labels %v, want %v", m.Name, got, m.Labels)
		}
		for _, l := range m.Labels {
			v, want := got[l], said[l]
			if !slices.Contains(metric.Allowed(l), want) {
				want = metric.Other
			}
			if v != want {
				t.Errorf("%s: %s is %q, want %q", m.Name, l, v, want)
			}
		}
	})
}

// A metric that is not in the table goes nowhere, and without telemetry nothing happens.
func TestOnlyTheTablePasses(t *testing.T) {
	t.Parallel()
	var r metrictest.Recorder
	metric.Record(metric.With(t.Context(), &r), at, metric.Value{Name: "Foreign", Value: 1})
	metric.Record(t.Context(), at, metric.Value{Name: metric.LagBlocks, Value: 1})
	if vs := r.Values(); len(vs) > 0 {
		t.Errorf("passed: %v", vs)
	}
}

// The table is whole: each name once, in both worlds; each label with a set; each dimension a label.
func TestTable(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, m := range metric.All() {
		for _, n := range []string{string(m.Name), m.OpenTelemetry()} {
			if seen[n] {
				t.Errorf("%s is there twice", n)
			}
			seen[n] = true
		}
		if m.Help == "" || m.Unit == "" || m.Kind == "" {
			t.Errorf("%s lacks help, unit or kind", m.Name)
		}
		for _, l := range m.Labels {
			if len(metric.Allowed(l)) < 2 {
				t.Errorf("%s: label %s has no set", m.Name, l)
			}
		}
		if m.Dimension != "" && (!m.CloudWatch || !slices.Contains(m.Labels, m.Dimension)) {
			t.Errorf("%s: %s is not one of its dimensions of it", m.Name, m.Dimension)
		}
	}
	for n, want := range map[metric.Name]string{
		metric.LagSeconds: "orchestrator.lag", metric.StageSeconds: "orchestrator.stage",
		metric.HeadBlock: "orchestrator.head_block", metric.StoredBytes: "orchestrator.stored",
	} {
		if m, ok := metric.Find(n); !ok || m.OpenTelemetry() != want {
			t.Errorf("%s is %s to OpenTelemetry, want %s", n, m.OpenTelemetry(), want)
		}
	}
}

const trace = "0af7651916cd43dd8448eb211c80319c"

// A call within an attempt is a span below it, and a metric whatever it belongs to.
func TestCall(t *testing.T) {
	t.Parallel()
	var r metrictest.Recorder
	ctx, end := metric.Begin(metric.With(t.Context(), &r), metric.Span{Trace: trace, ID: metric.JobSpan("1"),
		Parent: metric.BatchSpan(trace), Name: "process"})
	metric.Call(ctx, metric.Prover, "submit")(nil)
	metric.Call(ctx, metric.Database, "find")(context.DeadlineExceeded)
	end(errors.New("secret text"), metric.Attr{Key: "outcome", Text: "transient"})
	metric.Call(metric.With(t.Context(), &r), "a service of nobody", "x")(errors.New("refused"))
	spans := r.Spans()
	if len(spans) != 3 {
		t.Fatalf("%d spans, want 3: a call outside of an attempt has none", len(spans))
	}
	for i, want := range []struct{ name, parent, err string }{
		{"prover: submit", metric.JobSpan("1"), ""}, {"database: find", metric.JobSpan("1"), metric.Timeout},
		{"process", metric.BatchSpan(trace), metric.Failed},
	} {
		if s := spans[i]; s.Name != want.name || s.Parent != want.parent || s.Err != want.err || s.Trace != trace ||
			s.End.Before(s.Start) {
			t.Errorf("span %d is %+v, want %+v", i, s, want)
		}
	}
	var errs []metric.Labels
	for _, v := range r.Of(metric.CallErrors) {
		errs = append(errs, v.Labels)
	}
	if d := cmp.Diff([]metric.Labels{
		{metric.Service: metric.Database, metric.Result: metric.Timeout},
		{metric.Service: metric.Other, metric.Result: metric.Failed},
	}, errs); d != "" {
		t.Errorf("failed calls, wanted (-) and measured (+):\n%s", d)
	}
	if n := len(r.Of(metric.CallSeconds)); n != 3 {
		t.Errorf("%d calls were measured, want 3", n)
	}
}

// A span that no other names gets an id of its own.
func TestBeginWithoutID(t *testing.T) {
	t.Parallel()
	var r metrictest.Recorder
	ctx, end := metric.Begin(metric.With(t.Context(), &r), metric.Span{Trace: trace, Name: "process"})
	metric.Call(ctx, metric.Prover, "submit")(nil)
	end(nil)
	if s := r.Spans(); len(s) != 2 || len(s[1].ID) != 16 || s[0].Parent != s[1].ID {
		t.Errorf("spans %+v, want a call below its attempt", s)
	}
}

// Ids that other processes compute are the same everywhere and for good; one that is none makes no span.
func TestSpanIDs(t *testing.T) {
	t.Parallel()
	if got := metric.BatchSpan(trace) + " " + metric.JobSpan("a") + " " + metric.OpenSpan(trace, "snos", 7); got !=
		golden {
		t.Errorf("ids are %s, want %s: spans of older releases would hang in the air", got, golden)
	}
	var r metrictest.Recorder
	ctx := metric.With(t.Context(), &r)
	for _, id := range []string{"", "trace", strings.Repeat("0", 32), strings.Repeat("g", 32), trace + "00"} {
		metric.Trace(ctx, metric.Span{Trace: id, ID: metric.NewSpanID(), Name: "x"})
	}
	if n := len(r.Spans()); n > 0 {
		t.Errorf("%d spans without a trace", n)
	}
	for range 1000 {
		if id := metric.NewSpanID(); len(id) != 16 || strings.Trim(id, "0") == "" {
			t.Fatalf("span id %q", id)
		}
	}
}

const golden = "3170b2217634f5f6 7187089c318ab859 eb5e42662a32064e"
