package otlp_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/otlp"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

const trace = "0af7651916cd43dd8448eb211c80319c"

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// everything records a value of each metric and a trace of a batch, in two processes.
func everything(t *testing.T, url string) {
	t.Helper()
	for _, function := range []string{"trigger", "snosrun"} {
		e, err := otlp.New(otlp.Config{URL: url, Chain: "mychain", Function: function})
		if err != nil {
			t.Fatal(err)
		}
		ctx := metric.With(t.Context(), e)
		if function == "trigger" {
			metric.Trace(ctx, metric.Span{Trace: trace, ID: metric.BatchSpan(trace), Name: "aggregator batch 1",
				Start: start, End: start.Add(time.Hour), Attrs: []metric.Attr{{Key: "batch", Number: 1}}})
		} else {
			metric.Trace(ctx, metric.Span{Trace: trace, ID: metric.JobSpan("j"), Parent: metric.BatchSpan(trace),
				Name: "SnosRun of SNOS batch 1", Start: start, End: start.Add(time.Minute)})
			ctx, end := metric.Begin(ctx, metric.Span{Trace: trace, Parent: metric.JobSpan("j"), Name: "process"})
			metric.Call(ctx, metric.SnosRunner, "submit")(errors.New("refused"))
			end(nil)
		}
		for _, m := range metric.All() {
			labels := metric.Labels{}
			for _, l := range m.Labels {
				labels[l] = metric.Allowed(l)[0]
			}
			metric.Record(ctx, start, metric.Value{Name: m.Name, Value: 0.5, Labels: labels})
		}
		if err := e.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// What we send is what a collector's own receiver understands: one trace of a batch with its parts in their places, and
// every metric under the name that the dashboard asks Prometheus for.
func TestCollector(t *testing.T) {
	t.Parallel()
	c := tools.Collector(t)
	everything(t, c.URL)
	spans := c.Spans(t, 4)
	if len(spans) != 4 {
		t.Fatalf("%d spans arrived, want 4: %+v", len(spans), spans)
	}
	for name, parent := range map[string]string{
		"aggregator batch 1": "", "SnosRun of SNOS batch 1": "aggregator batch 1",
		"process": "SnosRun of SNOS batch 1", "SNOS runner: submit": "process",
	} {
		i := slices.IndexFunc(spans, func(s tools.Span) bool { return s.Name == name })
		if i < 0 {
			t.Errorf("no span %q arrived", name)
			continue
		}
		want := ""
		if p := slices.IndexFunc(spans, func(s tools.Span) bool { return s.Name == parent }); p >= 0 {
			want = spans[p].ID
		}
		if s := spans[i]; s.Trace != trace || s.Parent != want {
			t.Errorf("span %+v, want trace %s below %q (%s)", s, trace, parent, want)
		}
	}
	series := c.Metrics(t)
	for _, name := range dashboard(t) {
		if !strings.Contains(series, "\n"+name+"{") {
			t.Errorf("the dashboard asks for %s, which the collector does not offer to Prometheus", name)
		}
	}
	for _, want := range []string{`chain="mychain"`, `service="app chain"`, `stage="AggregatorBatching"`} {
		if !strings.Contains(series, want) {
			t.Errorf("no series has %s", want)
		}
	}
}

var (
	seriesName = regexp.MustCompile(`orchestrator_[a-z_]+`)
	selector   = regexp.MustCompile(`(orchestrator_[a-z_]+)\{([^}]*)\}`)
	grouping   = regexp.MustCompile(`by \(([^)]*)\)`)
)

// dashboard are the series that infra/grafana.json asks for.
func dashboard(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, e := range expressions(t) {
		out = append(out, seriesName.FindAllString(e, -1)...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// panel is one of infra/grafana.json.
type panel struct {
	Title, Description string
	Targets            []struct{ Expr string }
}

func panels(t *testing.T) []panel {
	t.Helper()
	raw, err := os.ReadFile("../../../infra/grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct{ Panels []panel }
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	return d.Panels
}

// increase() of Prometheus needs two values of a counter, so it never counts a process's first one. A panel that sums
// by it says so.
func TestSumsAreSaidToBeTooLow(t *testing.T) {
	t.Parallel()
	for _, p := range panels(t) {
		for _, x := range p.Targets {
			if strings.Contains(x.Expr, "increase(") && !strings.Contains(p.Description, "At least") {
				t.Errorf("panel %q shows less than there was, its description says %q", p.Title, p.Description)
			}
		}
	}
}

func expressions(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, p := range panels(t) {
		for _, x := range p.Targets {
			out = append(out, x.Expr)
		}
	}
	if len(out) < 20 {
		t.Fatalf("only %d queries", len(out))
	}
	return out
}

// prometheus are the series that a metric becomes (OpenTelemetry, "Prometheus and OpenMetrics compatibility"), without
// those of the buckets' bounds. TestCollector holds the names with Prometheus' own library; which kind of metric has
// which series is the tests' collector's word.
func prometheus(m metric.Metric) []string {
	name := strings.ReplaceAll(m.OpenTelemetry(), ".", "_")
	switch m.Unit {
	case "s":
		name += "_seconds"
	case "By":
		name += "_bytes"
	}
	switch m.Kind {
	case metric.Counter:
		return []string{name + "_total"}
	case metric.Histogram:
		return []string{name + "_bucket", name + "_count", name + "_sum"}
	}
	return []string{name}
}

// Every query of the Grafana dashboard asks for series and labels that there are, and every metric is on it.
func TestGrafana(t *testing.T) {
	t.Parallel()
	labels, shown := map[string][]string{}, map[metric.Name]bool{}
	of := map[string]metric.Name{}
	for _, m := range metric.All() {
		for _, s := range prometheus(m) {
			of[s] = m.Name
			labels[s] = []string{metric.Chain, "le"}
			for _, l := range m.Labels {
				labels[s] = append(labels[s], string(l))
			}
		}
	}
	for _, e := range expressions(t) {
		found := selector.FindAllStringSubmatch(e, -1)
		if len(found) == 0 {
			t.Errorf("query %s asks for none of our series of a chain", e)
		}
		for _, f := range found {
			name, ok := of[f[1]]
			if !ok {
				t.Errorf("query %s: there is no series %s", e, f[1])
				continue
			}
			shown[name] = true
			if !strings.Contains(f[2], `chain="$chain"`) {
				t.Errorf("query %s is not of the chosen chain", e)
			}
			for _, g := range grouping.FindAllStringSubmatch(e, -1) {
				for l := range strings.SplitSeq(g[1], ",") {
					if l = strings.TrimSpace(l); !slices.Contains(labels[f[1]], l) {
						t.Errorf("query %s: %s has no label %s", e, f[1], l)
					}
				}
			}
		}
	}
	for _, m := range metric.All() {
		if !shown[m.Name] {
			t.Errorf("%s is not on the dashboard", m.Name)
		}
	}
}

// A collector that does not answer costs an invocation its bound once, then nothing for a while; no header shows.
func TestCollectorAway(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 10)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		asked <- r.Header.Get("Api-Key")
		http.Error(w, "no: "+r.Header.Get("Api-Key"), http.StatusForbidden)
	}))
	t.Cleanup(srv.Close)
	e, err := otlp.New(otlp.Config{URL: srv.URL, Chain: "c", Headers: "Api-Key: hunter2-hunter2\n"})
	if err != nil {
		t.Fatal(err)
	}
	ctx := metric.With(t.Context(), e)
	metric.Record(ctx, start, metric.Value{Name: metric.ColdStarts, Value: 1})
	if err := e.Flush(ctx); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the first flush: %v", err)
	}
	if got := <-asked; got != "hunter2-hunter2" {
		t.Errorf("the header arrived as %q", got)
	}
	if err := e.Flush(ctx); err != nil || len(asked) > 0 {
		t.Errorf("the second flush, right after: %v, %d requests", err, len(asked))
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                  "map[]",
		"a: b\n\n c=d=e \n":                 "map[a:b c:d=e]",
		"Authorization: Basic dXNlcjpwYQ==": "map[Authorization:Basic dXNlcjpwYQ==]",
	} {
		got, err := otlp.ParseHeaders(text)
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("%q: %v, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"hunter2", ": hunter2", "a b: hunter2"} {
		if _, err := otlp.ParseHeaders(text); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, url := range []string{"", "ftp://h", "http://", "://hunter2"} {
		if _, err := otlp.New(otlp.Config{URL: url}); err == nil ||
			strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", url, err)
		}
	}
}
