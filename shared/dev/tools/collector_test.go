package tools_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

// A collector offers what Prometheus can show as it is, and refuses all else, the whole message and with a reason: of
// values since the last message, say, it would show the last one as the sum.
func TestCollectorRefuses(t *testing.T) {
	t.Parallel()
	c := tools.Collector(t)
	const known = `{"name":"known","unit":"s","sum":{"aggregationTemporality":2,"isMonotonic":true,
		"dataPoints":[{"asInt":"%d","timeUnixNano":"%d","attributes":[{"key":"a.b","value":{"stringValue":"c\"d"}}]}]}}`
	for _, x := range []struct{ metric, why string }{
		{fmt.Sprintf(known, 7, 2), ""},
		{fmt.Sprintf(known, 3, 1), ""}, // older, so not shown
		{`{"name":"x","sum":{"aggregationTemporality":1,"isMonotonic":true,"dataPoints":[{"asInt":"1"}]}}`,
			"cumulative"},
		{`{"name":"x","histogram":{"aggregationTemporality":1,` +
			`"dataPoints":[{"count":"1","sum":1,"bucketCounts":["1"]}]}}`,
			"cumulative"},
		{`{"name":"x","histogram":{"aggregationTemporality":2,` +
			`"dataPoints":[{"count":"2","sum":1,"bucketCounts":["1"]}]}}`,
			"its count is 2"},
		{`{"name":"x","exponentialHistogram":{"aggregationTemporality":2,"dataPoints":[{"count":"1"}]}}`, "its type"},
		{`{"name":"x","gauge":{"dataPoints":[{"asInt":"1"},{"asInt":"2"}]}}`, "two points"},
		{`{"name":"known","unit":"s","gauge":{"dataPoints":[{"asInt":"1"}]}}`, ""}, // without _total: another series
		{`{"name":"known_seconds","histogram":{"aggregationTemporality":2,` +
			`"dataPoints":[{"sum":0,"bucketCounts":["0"]}]}}`,
			"was a GAUGE"},
	} {
		message, want := x.metric, http.StatusOK
		if x.why != "" {
			message = `{"name":"x_beside","gauge":{"dataPoints":[{"asInt":"1"}]}},` + x.metric
			want = http.StatusBadRequest
		}
		if status, said := send(t, c, message); status != want || !strings.Contains(said, x.why) {
			t.Errorf("%s: answered with %d, %s: want %d, %q", x.metric, status, said, want, x.why)
		}
	}
	series := c.Metrics(t)
	for _, want := range []string{"# TYPE known_seconds_total counter\nknown_seconds_total{", `{a_b="c\"d",job="n",`,
		`otel_scope_version=""} 7`, "known_seconds{"} {
		if !strings.Contains(series, want) {
			t.Errorf("it does not offer %s: %s", want, series)
		}
	}
	if strings.Contains(series, "\nx") {
		t.Errorf("it offers what it refused: %s", series)
	}
}

// send sends metrics to a collector.
func send(t *testing.T, c tools.OpenTelemetry, metrics string) (status int, answer string) {
	t.Helper()
	message := `{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"n"}}]},
		"scopeMetrics":[{"metrics":[` + metrics + `]}]}]}`
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.URL+"/v1/metrics", strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}
