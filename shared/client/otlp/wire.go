package otlp

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/core/release"
)

// The protocol's JSON (opentelemetry-proto, docs/specification.md, "JSON Protobuf Encoding"): 64-bit numbers are texts,
// enums numbers, ids hex.

type attribute struct {
	Key   string `json:"key"`
	Value any    `json:"value"`
}

type (
	textValue   struct{ StringValue string }
	numberValue struct{ IntValue string }
)

func (v textValue) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"stringValue": v.StringValue})
}

func (v numberValue) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"intValue": v.IntValue})
}

func text(key, value string) attribute { return attribute{key, textValue{value}} }

func nanos(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }

// Enums of the protocol.
const (
	kindInternal = 1
	kindClient   = 3
	statusError  = 2
	cumulative   = 2
)

type span struct {
	Trace  string      `json:"traceId"`
	ID     string      `json:"spanId"`
	Parent string      `json:"parentSpanId,omitempty"`
	Name   string      `json:"name"`
	Kind   int         `json:"kind"`
	Start  string      `json:"startTimeUnixNano"`
	End    string      `json:"endTimeUnixNano"`
	Attrs  []attribute `json:"attributes"`
	Status *status     `json:"status,omitempty"`
}

type status struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func spanOf(s metric.Span, chain string) span {
	out := span{Trace: s.Trace, ID: s.ID, Parent: s.Parent, Name: s.Name, Kind: kindInternal, Start: nanos(s.Start),
		End: nanos(s.End), Attrs: []attribute{text(metric.Chain, chain)}}
	if s.Call {
		out.Kind = kindClient
	}
	for _, a := range s.Attrs {
		if a.Text != "" {
			out.Attrs = append(out.Attrs, text(a.Key, a.Text))
		} else {
			out.Attrs = append(out.Attrs, attribute{a.Key, numberValue{strconv.FormatInt(a.Number, 10)}})
		}
	}
	if s.Err != "" {
		out.Status = &status{statusError, s.Err}
	}
	return out
}

// series is one time series: what was measured of a metric with one set of labels.
type series struct {
	metric  metric.Metric
	labels  []attribute
	value   float64 // of a gauge the newest, else the sum
	count   uint64
	buckets []uint64
}

func newSeries(m metric.Metric, labels metric.Labels, chain string) *series {
	s := &series{metric: m, labels: []attribute{text(metric.Chain, chain)}}
	for _, l := range m.Labels {
		s.labels = append(s.labels, text(string(l), labels[l]))
	}
	if m.Kind == metric.Histogram {
		s.buckets = make([]uint64, len(boundsOf(m.Unit))+1)
	}
	return s
}

func (s *series) add(v float64) {
	switch s.metric.Kind {
	case metric.Gauge:
		s.value = v
		return
	case metric.Histogram:
		s.buckets[sort.SearchFloat64s(boundsOf(s.metric.Unit), v)]++
	}
	s.value += v
	s.count++
}

// Upper bounds of histograms' buckets, by unit.
var (
	secondBounds = []float64{.005, .025, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200,
		14400, 43200}
	countBounds = []float64{1, 2, 5, 10, 20, 50, 100, 200, 500}
	partBounds  = []float64{.1, .2, .3, .4, .5, .6, .7, .8, .9, 1}
)

func boundsOf(unit string) []float64 {
	switch unit {
	case "s":
		return secondBounds
	case "1":
		return partBounds
	}
	return countBounds
}

type point struct {
	Attrs   []attribute `json:"attributes"`
	Start   string      `json:"startTimeUnixNano,omitempty"`
	At      string      `json:"timeUnixNano"`
	Value   *float64    `json:"asDouble,omitempty"`
	Count   string      `json:"count,omitempty"`
	Sum     *float64    `json:"sum,omitempty"`
	Buckets []string    `json:"bucketCounts,omitempty"`
	Bounds  []float64   `json:"explicitBounds,omitempty"`
}

type points struct {
	Points      []point `json:"dataPoints"`
	Temporality int     `json:"aggregationTemporality,omitempty"`
	Monotonic   bool    `json:"isMonotonic,omitempty"`
}

type measured struct {
	Name      string  `json:"name"`
	Unit      string  `json:"unit"`
	Help      string  `json:"description"`
	Gauge     *points `json:"gauge,omitempty"`
	Sum       *points `json:"sum,omitempty"`
	Histogram *points `json:"histogram,omitempty"`
}

// points are those of the metric's kind, made where there are none yet.
func (m *measured) points(k metric.Kind) *points {
	of := map[metric.Kind]**points{metric.Gauge: &m.Gauge, metric.Counter: &m.Sum, metric.Histogram: &m.Histogram}[k]
	if *of == nil {
		*of = &points{}
		if k != metric.Gauge {
			(*of).Temporality = cumulative
		}
		(*of).Monotonic = k == metric.Counter
	}
	return *of
}

func (s *series) point(started, now time.Time) point {
	p := point{Attrs: s.labels, At: nanos(now)}
	value := s.value
	switch s.metric.Kind {
	case metric.Gauge:
		p.Value = &value
	case metric.Counter:
		p.Value, p.Start = &value, nanos(started)
	case metric.Histogram:
		p.Sum, p.Start, p.Count = &value, nanos(started), strconv.FormatUint(s.count, 10)
		p.Bounds = boundsOf(s.metric.Unit)
		for _, n := range s.buckets {
			p.Buckets = append(p.Buckets, strconv.FormatUint(n, 10))
		}
	}
	return p
}

// metrics is the message with every series, in the table's order; nil where there is none. The caller holds the lock.
func (e *Exporter) metrics(now time.Time) any {
	if len(e.series) == 0 {
		return nil
	}
	by := map[metric.Name]*measured{}
	for _, s := range e.series {
		m := by[s.metric.Name]
		if m == nil {
			m = &measured{Name: s.metric.OpenTelemetry(), Unit: s.metric.Unit, Help: s.metric.Help}
			by[s.metric.Name] = m
		}
		p := m.points(s.metric.Kind)
		p.Points = append(p.Points, s.point(e.started, now))
	}
	var all []*measured
	for _, row := range metric.All() {
		if m := by[row.Name]; m != nil {
			all = append(all, m)
		}
	}
	return map[string]any{"resourceMetrics": []any{map[string]any{
		"resource":     map[string]any{"attributes": e.about},
		"scopeMetrics": []any{map[string]any{"scope": scope, "metrics": all}},
	}}}
}

// traces is the message with spans.
func (e *Exporter) traces(spans []span) any {
	return map[string]any{"resourceSpans": []any{map[string]any{
		"resource":   map[string]any{"attributes": e.about},
		"scopeSpans": []any{map[string]any{"scope": scope, "spans": spans}},
	}}}
}

// scope names what made the telemetry.
var scope = map[string]string{"name": "orchestrator", "version": release.Version}

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 16 << 10

// post sends one message.
func (e *Exporter) post(ctx context.Context, path string, message any) error {
	what := map[bool]string{true: "traces", false: "metrics"}[path == "v1/traces"]
	var body bytes.Buffer
	z := e.zip.Get().(*gzip.Writer)
	z.Reset(&body)
	err := errors.Join(json.NewEncoder(z).Encode(message), z.Close())
	e.zip.Put(z)
	if err != nil {
		return e.failed(what, err.Error())
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.base.JoinPath(path).String(), &body)
	if err != nil {
		return e.failed(what, "its address is malformed")
	}
	for k, v := range e.headers {
		r.Header.Set(k, v)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Content-Encoding", "gzip")
	resp, err := e.http.Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) { // its text has the whole URL
			err = u.Err
		}
		return e.failed(what, err.Error())
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return e.failed(what, err.Error())
	}
	if resp.StatusCode/100 != 2 {
		return e.failed(what, fmt.Sprintf("HTTP %d: %s", resp.StatusCode, answer))
	}
	var said struct {
		Partial struct {
			Message string `json:"errorMessage"`
		} `json:"partialSuccess"`
	}
	if json.Unmarshal(answer, &said) == nil && said.Partial.Message != "" {
		return e.failed(what, "it took a part only: "+said.Partial.Message)
	}
	return nil
}
