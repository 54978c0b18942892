// Package otlp sends metrics and traces to an OpenTelemetry collector: OTLP over HTTP, in JSON. Values and spans are
// gathered while a function works and sent by Flush, at the end of each invocation: a frozen function sends nothing.
//
// It writes the protocol's JSON itself. The official exporters link gRPC and protobuf even to speak HTTP: with them the
// smallest function's program grew from 28.3 to 34.7 MB and its zip from 8.9 to 11.0 MB (amd64, the same flags), and
// all that its packages do at its start took a third longer. A test sends all of it to a collector's own receiver.
package otlp

import (
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/internal/outbound"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/core/redact"
	"github.com/madara-orchestrator/orchestrator/shared/core/release"
)

// Config says where to send, and what sends.
type Config struct {
	// URL is the collector's, such as http://127.0.0.1:4318; /v1/traces and /v1/metrics are appended to its path.
	URL string
	// Headers are HTTP headers with a key, as lines NAME=VALUE or NAME: VALUE; a secret.
	Headers  string
	Chain    string // the deployment's name
	Function string // that sends, such as trigger; "" where one process is all of them
}

const (
	// timeout bounds one request; Flush's context bounds both of them.
	timeout = 2 * time.Second
	// pause is for how long nothing is sent to a collector that did not take what it was sent: no invocation waits for
	// one that is away.
	pause = time.Minute
	// maxSpans is how many spans wait at the most. The newest stay.
	maxSpans = 2048
)

// Exporter is a metric.Telemetry.
type Exporter struct {
	http    *http.Client
	base    *url.URL
	headers map[string]string
	about   []attribute
	chain   string
	secrets redact.Known
	started time.Time // since when counters and histograms count
	zip     sync.Pool // of gzip.Writer: a new one takes longer than all the rest

	mu     sync.Mutex
	spans  []span
	series map[string]*series
	quiet  time.Time // until then nothing is sent
	lost   int       // spans that no collector took and that are not kept
}

var _ metric.Telemetry = (*Exporter)(nil)

// New returns an exporter. It makes no request. Errors show no header.
func New(c Config) (*Exporter, error) {
	base, err := url.Parse(c.URL)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, errors.New("OTLP: want the http or https URL of a collector")
	}
	headers, err := ParseHeaders(c.Headers)
	if err != nil {
		return nil, err
	}
	return &Exporter{
		http: outbound.Client(nil, timeout), // follows no redirect, so that the headers go nowhere else
		base: base, headers: headers, about: describe(c), chain: c.Chain, started: time.Now(),
		secrets: redact.New(slices.Collect(maps.Values(headers))...).WithURL(c.URL), series: map[string]*series{},
		zip: sync.Pool{New: func() any {
			z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is valid
			return z
		}},
	}, nil
}

// describe are the attributes of all that a process sends, by the names of OpenTelemetry's semantic conventions.
func describe(c Config) []attribute {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	out := []attribute{text("service.name", "orchestrator"), text("service.namespace", c.Chain),
		text("service.version", release.Version), text("service.instance.id", hex.EncodeToString(id[:]))}
	if c.Function != "" {
		out = append(out, text("faas.name", c.Function))
	}
	return out
}

// ParseHeaders reads lines NAME=VALUE or NAME: VALUE. The error shows no value.
func ParseHeaders(lines string) (map[string]string, error) {
	out := map[string]string{}
	for line := range strings.Lines(lines) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		at := strings.IndexAny(line, "=:")
		if at < 1 || strings.ContainsAny(line[:at], " \t") {
			return nil, errors.New("headers for the OpenTelemetry collector: want lines NAME: VALUE (not shown)")
		}
		out[line[:at]] = strings.TrimSpace(line[at+1:])
	}
	return out, nil
}

// Record implements metric.Telemetry.
func (e *Exporter) Record(_ context.Context, at time.Time, vs ...metric.Value) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, v := range vs {
		m, ok := metric.Find(v.Name)
		if !ok {
			continue
		}
		key := string(v.Name)
		for _, l := range m.Labels {
			key += "\x00" + v.Labels[l]
		}
		s := e.series[key]
		if s == nil {
			s = newSeries(m, v.Labels, e.chain)
			e.series[key] = s
		}
		s.add(v.Value, at)
	}
}

// Trace implements metric.Telemetry.
func (e *Exporter) Trace(_ context.Context, s metric.Span) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.spans = append(e.spans, spanOf(s, e.chain))
	e.trim()
}

// trim keeps the newest spans where there are too many. The caller holds the lock.
func (e *Exporter) trim() {
	if over := len(e.spans) - maxSpans; over > 0 {
		e.spans = e.spans[over:]
		e.lost += over
	}
}

// Flush implements metric.Telemetry. What a collector that is away did not take is sent later; what it refused is
// dropped, as it would refuse it again, and the error counts it. The error shows neither the URL's secrets nor the
// headers.
func (e *Exporter) Flush(ctx context.Context) error {
	e.mu.Lock()
	if time.Now().Before(e.quiet) {
		e.mu.Unlock()
		return nil
	}
	spans := e.spans
	e.spans = nil
	values, gauges := e.metrics(time.Now())
	e.mu.Unlock()
	var wg sync.WaitGroup
	var traced, measured error
	var dropped int
	if len(spans) > 0 {
		wg.Go(func() { dropped, traced = e.post(ctx, "v1/traces", e.traces(spans)) })
	}
	if values != nil {
		_, measured = e.post(ctx, "v1/metrics", values)
	}
	wg.Wait()
	if traced == nil && measured == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.quiet = time.Now().Add(pause)
	e.keep(spans, traced, dropped)
	if measured != nil && !errors.Is(measured, errRefused) {
		for _, s := range gauges {
			s.fresh = true // a later value counts too
		}
	}
	if e.lost > 0 {
		return fmt.Errorf("%w; %d spans are lost so far", errors.Join(traced, measured), e.lost)
	}
	return errors.Join(traced, measured)
}

// keep keeps spans that were not taken for a later time, unless the collector refused them. The caller holds the lock.
func (e *Exporter) keep(spans []span, err error, dropped int) {
	switch {
	case errors.Is(err, errRefused):
		e.lost += min(dropped, len(spans))
	case err != nil:
		e.spans = append(spans, e.spans...)
		e.trim()
	}
}

// errRefused says that a collector looked at a message and did not take it, or not all of it.
var errRefused = errors.New("refused")

// maxSaid bounds what is kept of an error, in bytes.
const maxSaid = 300

func (e *Exporter) failed(what, why string) error {
	return fmt.Errorf("send %s to the OpenTelemetry collector: %s", what, e.secrets.Text(why, maxSaid))
}

func (e *Exporter) refused(what, why string) error { return refusal{e.failed(what, why)} }

// refusal is an errRefused with a text of its own.
type refusal struct{ error }

// Is says that it is errRefused.
func (refusal) Is(target error) bool { return target == errRefused }
