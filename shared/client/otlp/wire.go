package otlp

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
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
	textValue struct {
		Text string `json:"stringValue"`
	}
	numberValue struct {
		Number string `json:"intValue"`
	}
)

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
	value   float64   // of a gauge the newest, else the sum
	at      time.Time // of a gauge: when that was measured
	fresh   bool      // of a gauge: it is not sent yet
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

func (s *series) add(v float64, at time.Time) {
	switch s.metric.Kind {
	case metric.Gauge:
		s.value, s.at, s.fresh = v, at, true
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
		p.Value, p.At = &value, nanos(s.at)
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

// metrics is the message with every counter and histogram, and with the gauges that were measured since the last one:
// an old value under a new time would hide that nobody measures any more. A counter that stands still is sent too: a
// collector forgets a series that it does not get (the Prometheus exporter after 5 minutes), and the next growth would
// look like a first value, which PromQL's increase misses. The message is nil where there is nothing to say. gauges are
// those in it. The caller holds the lock.
func (e *Exporter) metrics(now time.Time) (message any, gauges []*series) {
	by := map[metric.Name]*measured{}
	for _, s := range e.series {
		if s.metric.Kind == metric.Gauge {
			if !s.fresh {
				continue
			}
			s.fresh = false
			gauges = append(gauges, s)
		}
		m := by[s.metric.Name]
		if m == nil {
			m = &measured{Name: s.metric.OpenTelemetry(), Unit: s.metric.Unit, Help: s.metric.Help}
			by[s.metric.Name] = m
		}
		p := m.points(s.metric.Kind)
		p.Points = append(p.Points, s.point(e.started, now))
	}
	if len(by) == 0 {
		return nil, nil
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
	}}}, gauges
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

// post sends one message. What the collector refuses is an errRefused, with how many spans of it are gone (all where it
// does not say).
func (e *Exporter) post(ctx context.Context, path string, message any) (dropped int, err error) {
	what := map[bool]string{true: "traces", false: "metrics"}[path == "v1/traces"]
	r, err := e.request(ctx, path, message)
	if err != nil {
		return 0, e.failed(what, err.Error())
	}
	resp, err := e.http.Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) { // its text has the whole URL
			err = u.Err
		}
		return 0, e.failed(what, err.Error())
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return 0, e.failed(what, err.Error())
	}
	if resp.StatusCode/100 != 2 {
		text := fmt.Sprintf("HTTP %d: %s", resp.StatusCode, answer)
		if away(resp.StatusCode) {
			return 0, e.failed(what, text)
		}
		return math.MaxInt, e.refused(what, text)
	}
	return e.partial(what, answer)
}

// partial says what an answer says of a part that was not taken. A text without a number is a warning: nothing
// is lost.
func (e *Exporter) partial(what string, answer []byte) (dropped int, err error) {
	var said struct {
		Partial struct {
			Message string      `json:"errorMessage"`
			Spans   json.Number `json:"rejectedSpans"` // as a text by the protocol, as a number by some
			Points  json.Number `json:"rejectedDataPoints"`
		} `json:"partialSuccess"`
	}
	if json.Unmarshal(answer, &said) != nil {
		return 0, nil
	}
	spans, _ := said.Partial.Spans.Int64() // 0 where there is none
	points, _ := said.Partial.Points.Int64()
	if said.Partial.Message == "" && spans+points == 0 {
		return 0, nil
	}
	return int(spans), e.refused(what, "it took a part only: "+said.Partial.Message)
}

// away says whether a status is that of a collector that may take the same message later (OTLP specification,
// "Retryable Response Codes"); by all others it would refuse it again.
func away(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// plainMost is the largest message that is sent as it is, in bytes: to compress what one invocation measures takes
// longer than to send it.
const plainMost = 32 << 10

// request makes the request with a message. Its error shows no address.
func (e *Exporter) request(ctx context.Context, path string, message any) (*http.Request, error) {
	body, err := json.Marshal(message)
	if err != nil {
		return nil, err
	}
	zipped := len(body) > plainMost
	if zipped {
		var b bytes.Buffer
		z := e.zip.Get().(*gzip.Writer)
		z.Reset(&b)
		_, err := z.Write(body)
		err = errors.Join(err, z.Close())
		e.zip.Put(z)
		if err != nil {
			return nil, err
		}
		body = b.Bytes()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.base.JoinPath(path).String(), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("its address is malformed")
	}
	for k, v := range e.headers {
		r.Header.Set(k, v)
	}
	r.Header.Set("Content-Type", "application/json")
	if zipped {
		r.Header.Set("Content-Encoding", "gzip")
	}
	return r, nil
}
