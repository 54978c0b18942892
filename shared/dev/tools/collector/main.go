// Collector is an OpenTelemetry collector for tests: it takes OTLP over HTTP with the collector's own receiver, writes
// traces to a file and offers metrics to Prometheus. The names of the series are those of Prometheus' library for OTLP,
// which the exporters of Prometheus and of the collector use too, and its library writes the text. All else of a
// collector is left out: to compile one with its service and exporters takes more than three times as long. It is a
// module of its own, so that nothing of it gets into ours; shared/dev/tools/install compiles it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/config/configgrpc"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

func main() {
	takes := flag.String("http", "", "the address that takes OTLP over HTTP")
	offers := flag.String("metrics", "", "the address that offers /metrics to Prometheus")
	file := flag.String("traces", "", "the file that gets each request with traces as a line of OTLP's JSON")
	flag.Parse()
	if *takes == "" || *offers == "" || *file == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	log.SetFlags(0)
	log.Fatal(run(*takes, *offers, *file))
}

// run does not return without an error. The address for OTLP is the last that answers: who sees that it does may use
// all.
func run(takes, offers, file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", offers)
	if err != nil {
		return err
	}
	ended := make(host, 2)
	kept := &metrics{families: map[string]*family{}}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", kept)
	go func() {
		s := http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
		ended <- s.Serve(l)
	}()
	if err := receive(takes, ended, &traces{file: f}, kept); err != nil {
		return err
	}
	return <-ended
}

// receive starts the collector's receiver.
func receive(address string, h host, t *traces, m *metrics) error {
	ctx := context.Background()
	factory := otlpreceiver.NewFactory()
	config := factory.CreateDefaultConfig().(*otlpreceiver.Config)
	config.Protocols.GRPC = configoptional.None[configgrpc.ServerConfig]()
	config.Protocols.HTTP.GetOrInsertDefault().ServerConfig.NetAddr.Endpoint = address
	logs := zapcore.NewCore(zapcore.NewConsoleEncoder(zap.NewProductionEncoderConfig()), os.Stderr, zap.ErrorLevel)
	set := receiver.Settings{
		ID: component.NewID(factory.Type()),
		TelemetrySettings: component.TelemetrySettings{
			Logger: zap.New(logs), Resource: pcommon.NewResource(),
			TracerProvider: tracenoop.NewTracerProvider(), MeterProvider: metricnoop.NewMeterProvider(),
		},
	}
	tracesTo, err := consumer.NewTraces(t.take)
	if err != nil {
		return err
	}
	metricsTo, err := consumer.NewMetrics(m.take)
	if err != nil {
		return err
	}
	// With one configuration both are one server: Start of either starts it.
	r, err := factory.CreateTraces(ctx, set, config, tracesTo)
	if err != nil {
		return err
	}
	if _, err := factory.CreateMetrics(ctx, set, config, metricsTo); err != nil {
		return err
	}
	return r.Start(ctx, h)
}

// host is what the receiver runs in: it gets the error that ends this program.
type host chan error

// GetExtensions implements component.Host.
func (host) GetExtensions() map[component.ID]component.Component { return nil }

// Report implements componentstatus.Reporter.
func (h host) Report(e *componentstatus.Event) {
	if e.Status() == componentstatus.StatusFatalError {
		h <- e.Err()
	}
}

// traces writes each request as a line, before it is answered.
type traces struct {
	mu   sync.Mutex
	file *os.File
	json ptrace.JSONMarshaler
}

func (t *traces) take(_ context.Context, td ptrace.Traces) error {
	line, err := t.json.MarshalTraces(td)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	_, err = t.file.Write(append(line, '\n'))
	return err
}

// Names as the collector's Prometheus exporter makes them without further configuration.
var (
	metricNames = otlptranslator.MetricNamer{WithMetricSuffixes: true}
	labelNames  = otlptranslator.LabelNamer{PreserveMultipleUnderscores: true}
)

// metrics keeps the newest value of each series for Prometheus, until the end: the collector's exporter forgets one
// that did not come for five minutes.
type metrics struct {
	mu       sync.Mutex
	families map[string]*family
}

// family is a metric with its series by their labels.
type family struct {
	name, help string
	kind       dto.MetricType
	series     map[string]value
}

type value struct {
	at     pcommon.Timestamp
	metric *dto.Metric
}

// take implements consumer.ConsumeMetricsFunc. A message with a part that it does not know is refused as a whole, and
// the log says so: a series that is not what was sent would be worse than none.
func (m *metrics) take(_ context.Context, md pmetric.Metrics) error {
	var got []*family
	for _, r := range md.ResourceMetrics().All() {
		for _, s := range r.ScopeMetrics().All() {
			of := about(r.Resource(), s)
			for _, one := range s.Metrics().All() {
				f, err := familyOf(one, of)
				if err != nil {
					return refused(fmt.Errorf("metric %s: %w", one.Name(), err))
				}
				got = append(got, f)
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range got {
		if has := m.families[f.name]; has != nil && has.kind != f.kind {
			return refused(fmt.Errorf("metric %s is a %s here, and was a %s", f.name, f.kind, has.kind))
		}
	}
	for _, f := range got {
		has := m.families[f.name]
		if has == nil {
			m.families[f.name] = f
			continue
		}
		for labels, v := range f.series {
			if old, ok := has.series[labels]; !ok || v.at >= old.at {
				has.series[labels] = v
			}
		}
	}
	return nil
}

// refused is the error that the receiver answers with HTTP 400: the sender's fault.
func refused(err error) error {
	log.Printf("refused: %v", err)
	return status.Error(codes.InvalidArgument, err.Error())
}

// ServeHTTP answers with all series in Prometheus' text format.
func (m *metrics) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", string(expfmt.NewFormat(expfmt.TypeTextPlain)))
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range m.families {
		out := &dto.MetricFamily{Name: &f.name, Help: &f.help, Type: &f.kind}
		for _, v := range f.series {
			out.Metric = append(out.Metric, v.metric)
		}
		if _, err := expfmt.MetricFamilyToText(w, out); err != nil {
			log.Printf("metrics: %v", err) // the reader is gone, or sees a part
			return
		}
	}
}

// about are the labels that say where a series is from, by the rules of OpenTelemetry ("Prometheus and OpenMetrics
// compatibility"): without them the series of two processes would be one.
func about(r pcommon.Resource, s pmetric.ScopeMetrics) pcommon.Map {
	out := pcommon.NewMap()
	for k, v := range s.Scope().Attributes().All() {
		v.CopyTo(out.PutEmpty("otel_scope_" + k))
	}
	out.PutStr("otel_scope_name", s.Scope().Name())
	out.PutStr("otel_scope_version", s.Scope().Version())
	out.PutStr("otel_scope_schema_url", s.SchemaUrl())
	if job, ok := r.Attributes().Get("service.name"); ok {
		name := job.AsString()
		if space, ok := r.Attributes().Get("service.namespace"); ok {
			name = space.AsString() + "/" + name
		}
		out.PutStr("job", name)
	}
	if id, ok := r.Attributes().Get("service.instance.id"); ok {
		out.PutStr("instance", id.AsString())
	}
	return out
}

// familyOf is a metric as Prometheus sees it.
func familyOf(m pmetric.Metric, of pcommon.Map) (*family, error) {
	f := &family{help: m.Description(), series: map[string]value{}}
	as := otlptranslator.Metric{Name: m.Name(), Unit: m.Unit()}
	var err error
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		f.kind, as.Type = dto.MetricType_GAUGE, otlptranslator.MetricTypeGauge
		err = f.numbers(m.Gauge().DataPoints(), of)
	case pmetric.MetricTypeSum:
		f.kind, as.Type = dto.MetricType_GAUGE, otlptranslator.MetricTypeNonMonotonicCounter
		if m.Sum().IsMonotonic() {
			f.kind, as.Type = dto.MetricType_COUNTER, otlptranslator.MetricTypeMonotonicCounter
		}
		if err = cumulative(m.Sum().AggregationTemporality()); err == nil {
			err = f.numbers(m.Sum().DataPoints(), of)
		}
	case pmetric.MetricTypeHistogram:
		f.kind, as.Type = dto.MetricType_HISTOGRAM, otlptranslator.MetricTypeHistogram
		if err = cumulative(m.Histogram().AggregationTemporality()); err == nil {
			err = f.histograms(m.Histogram().DataPoints(), of)
		}
	default:
		err = fmt.Errorf("its type is %s: want a gauge, a sum or a histogram", m.Type())
	}
	if err != nil {
		return nil, err
	}
	f.name, err = metricNames.Build(as)
	return f, err
}

// cumulative is an error for all that a Prometheus would have to add up.
func cumulative(t pmetric.AggregationTemporality) error {
	if t != pmetric.AggregationTemporalityCumulative {
		return fmt.Errorf("its temporality is %s: want cumulative", t)
	}
	return nil
}

func (f *family) numbers(points pmetric.NumberDataPointSlice, of pcommon.Map) error {
	for _, p := range points.All() {
		var v float64
		switch p.ValueType() {
		case pmetric.NumberDataPointValueTypeInt:
			v = float64(p.IntValue())
		case pmetric.NumberDataPointValueTypeDouble:
			v = p.DoubleValue()
		default:
			return errors.New("a point has no value")
		}
		m := &dto.Metric{Gauge: &dto.Gauge{Value: &v}}
		if f.kind == dto.MetricType_COUNTER {
			m = &dto.Metric{Counter: &dto.Counter{Value: &v}}
		}
		if err := f.add(m, p.Timestamp(), p.Attributes(), of); err != nil {
			return err
		}
	}
	return nil
}

func (f *family) histograms(points pmetric.HistogramDataPointSlice, of pcommon.Map) error {
	for _, p := range points.All() {
		bounds, counts := p.ExplicitBounds().AsRaw(), p.BucketCounts().AsRaw()
		if len(counts) != len(bounds)+1 || !p.HasSum() {
			return fmt.Errorf("%d buckets of %d bounds, sum %v: want one more bucket, and a sum", len(counts), len(bounds),
				p.HasSum())
		}
		h := &dto.Histogram{SampleCount: proto.Uint64(p.Count()), SampleSum: proto.Float64(p.Sum())}
		var below uint64
		for i, b := range bounds { // the last bucket is the count
			below += counts[i]
			h.Bucket = append(h.Bucket, &dto.Bucket{UpperBound: proto.Float64(b), CumulativeCount: proto.Uint64(below)})
		}
		if all := below + counts[len(bounds)]; all != p.Count() {
			return fmt.Errorf("its buckets hold %d values, its count is %d", all, p.Count())
		}
		if err := f.add(&dto.Metric{Histogram: h}, p.Timestamp(), p.Attributes(), of); err != nil {
			return err
		}
	}
	return nil
}

// add adds a series with its labels.
func (f *family) add(m *dto.Metric, at pcommon.Timestamp, attributes ...pcommon.Map) error {
	for _, all := range attributes {
		for k, v := range all.All() {
			name, err := labelNames.Build(k)
			if err != nil {
				return err
			}
			m.Label = append(m.Label, &dto.LabelPair{Name: &name, Value: proto.String(v.AsString())})
		}
	}
	slices.SortFunc(m.Label, func(a, b *dto.LabelPair) int { return strings.Compare(a.GetName(), b.GetName()) })
	var key strings.Builder
	for i, l := range m.Label {
		if i > 0 && m.Label[i-1].GetName() == l.GetName() {
			return fmt.Errorf("two attributes are the label %s", l.GetName())
		}
		fmt.Fprintf(&key, "%s=%q,", l.GetName(), l.GetValue())
	}
	if _, ok := f.series[key.String()]; ok {
		return fmt.Errorf("two points have the labels %s", key.String())
	}
	f.series[key.String()] = value{at, m}
	return nil
}
