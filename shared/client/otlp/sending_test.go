package otlp_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/otlp"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
)

// recorder is a collector that keeps what it is sent, and answers as a test wants.
type recorder struct {
	mu     sync.Mutex
	status int    // 0: 200
	answer string // of traces
	bodies map[string][]string
}

// bodyOf is the body of a request: large ones come compressed.
func bodyOf(r *http.Request) ([]byte, error) {
	from := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, err
		}
		from = z
	}
	return io.ReadAll(from)
}

// ServeHTTP implements http.Handler.
func (c *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	body, err := bodyOf(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusTeapot)
		return
	}
	c.bodies[r.URL.Path] = append(c.bodies[r.URL.Path], string(body))
	if c.status != 0 {
		w.WriteHeader(c.status)
	}
	if r.URL.Path == "/v1/traces" {
		_, _ = io.WriteString(w, c.answer)
	}
}

// last is the newest message of a path.
func (c *recorder) last(path string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b := c.bodies["/v1/"+path]; len(b) > 0 {
		return b[len(b)-1]
	}
	return ""
}

func (c *recorder) answers(status int, answer string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status, c.answer = status, answer
}

// recorded is an exporter with the collector that it sends to.
func recorded(t *testing.T) (*otlp.Exporter, *recorder) {
	t.Helper()
	c := &recorder{bodies: map[string][]string{}}
	srv := httptest.NewServer(c)
	t.Cleanup(srv.Close)
	e, err := otlp.New(otlp.Config{URL: srv.URL, Chain: "c"})
	if err != nil {
		t.Fatal(err)
	}
	return e, c
}

func spanNamed(name string) metric.Span {
	return metric.Span{Trace: trace, ID: metric.NewSpanID(), Name: name, Start: start, End: start}
}

// A gauge is sent once, under the time at which it was measured: a process that measures no more must not look as if it
// did. Counters are sent each time, also those that stand still. A gauge that did not arrive is sent again.
func TestOldGaugesAreNotSentAgain(t *testing.T) {
	t.Parallel()
	e, c := recorded(t)
	e.Record(t.Context(), start, metric.Value{Name: metric.LagBlocks, Value: 7},
		metric.Value{Name: metric.ColdStarts, Value: 1})
	for i, want := range []bool{true, false} {
		e.Record(t.Context(), start, metric.Value{Name: metric.StoredBytes, Value: 1})
		if err := e.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := c.last("metrics")
		if has := strings.Contains(got, "orchestrator.lag_blocks"); has != want {
			t.Errorf("flush %d: the gauge is sent: %t, want %t", i+1, has, want)
		}
		if !strings.Contains(got, "orchestrator.cold_starts") {
			t.Errorf("flush %d: the counter that stands still is missing", i+1)
		}
		if sum := fmt.Sprintf(`"asDouble":%d`, i+1); !strings.Contains(got, sum) {
			t.Errorf("flush %d: the counter that grows is not sent with its sum: %s", i+1, got)
		}
		if at := fmt.Sprintf(`"timeUnixNano":"%d"`, start.UnixNano()); want && !strings.Contains(got, at) {
			t.Errorf("the gauge has another time than %s: %s", at, got)
		}
	}
	c.answers(http.StatusServiceUnavailable, "")
	e.Record(t.Context(), start, metric.Value{Name: metric.LagBlocks, Value: 8})
	if err := e.Flush(t.Context()); err == nil {
		t.Fatal("a collector that is away does not fail the flush")
	}
	if !strings.Contains(c.last("metrics"), `"asDouble":8`) {
		t.Error("a new value is not sent")
	}
}

// spansOf are the names of a message's spans.
func spansOf(t *testing.T, message string) (names []string) {
	t.Helper()
	var m struct {
		ResourceSpans []struct {
			ScopeSpans []struct{ Spans []struct{ Name string } }
		}
	}
	if err := json.Unmarshal([]byte(message), &m); err != nil {
		t.Fatal(err)
	}
	for _, s := range m.ResourceSpans[0].ScopeSpans[0].Spans {
		names = append(names, s.Name)
	}
	return names
}

// away is a transport that fails, or hands on what is sent in memory.
type away struct {
	status int
	answer string
	sent   []string
	gauges int
}

// RoundTrip implements http.RoundTripper.
func (a *away) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := bodyOf(r)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(r.URL.Path, "/traces") {
		a.sent = append(a.sent, string(body))
	} else {
		a.gauges += strings.Count(string(body), "orchestrator.lag_blocks")
	}
	return &http.Response{StatusCode: a.status, Body: io.NopCloser(strings.NewReader(a.answer)), Request: r}, nil
}

// What a collector refuses is dropped and counted: the same spans again would be refused for ever, and would keep those
// that come later away. What a collector that is away did not take is sent later.
func TestRefusedSpansAreDropped(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status int
		answer string
		kept   bool
		says   string
	}{
		"malformed": {http.StatusBadRequest, "", false, "; 2 spans are lost so far"},
		"too large": {http.StatusRequestEntityTooLarge, "", false, "; 2 spans are lost so far"},
		"broken":    {http.StatusInternalServerError, "", false, "; 2 spans are lost so far"},
		"a part": {http.StatusOK, `{"partialSuccess":{"rejectedSpans":"1","errorMessage":"bad id"}}`, false,
			"it took a part only: bad id; 1 spans are lost so far"},
		"a warning":   {http.StatusOK, `{"partialSuccess":{"errorMessage":"mind this"}}`, false, "mind this"},
		"all":         {http.StatusOK, `{"partialSuccess":{"rejectedSpans":0}}`, false, ""},
		"busy":        {http.StatusTooManyRequests, "", true, "HTTP 429"},
		"unavailable": {http.StatusServiceUnavailable, "", true, "HTTP 503"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := &away{status: tt.status, answer: tt.answer}
				e := otlp.Through(t, a)
				e.Trace(t.Context(), spanNamed("one"))
				e.Trace(t.Context(), spanNamed("two"))
				e.Record(t.Context(), start, metric.Value{Name: metric.LagBlocks, Value: 1})
				err := e.Flush(t.Context())
				said := fmt.Sprint(err)
				if (tt.says == "") != (err == nil) || err != nil && !strings.Contains(said, tt.says) {
					t.Errorf("%s, want %q", said, tt.says)
				}
				time.Sleep(time.Hour)
				a.status, a.answer = http.StatusOK, ""
				e.Trace(t.Context(), spanNamed("three"))
				if err := e.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				want := []string{"three"}
				if tt.kept {
					want = []string{"one", "two", "three"}
				}
				if got := spansOf(t, a.sent[len(a.sent)-1]); !slices.Equal(got, want) {
					t.Errorf("sent later: %v, want %v", got, want)
				}
				if again := a.gauges == 2; again != tt.kept {
					t.Errorf("the gauge was sent %d times", a.gauges)
				}
			})
		})
	}
}

// Where more spans wait than are kept, the newest are: they say what happens now.
func TestNewestSpansAreKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &away{status: http.StatusServiceUnavailable}
		e := otlp.Through(t, a)
		const most = 2048
		for i := range most + 5 {
			e.Trace(t.Context(), spanNamed(fmt.Sprint(i)))
		}
		if err := e.Flush(t.Context()); err == nil || !strings.Contains(err.Error(), "; 5 spans are lost so far") {
			t.Errorf("the first flush: %v", err)
		}
		for i := range 3 {
			e.Trace(t.Context(), spanNamed(fmt.Sprint(most+5+i)))
		}
		time.Sleep(time.Hour)
		a.status = http.StatusOK
		if err := e.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := spansOf(t, a.sent[len(a.sent)-1])
		if len(got) != most || got[0] != "8" || got[most-1] != fmt.Sprint(most+7) {
			t.Errorf("%d spans from %s to %s, want %d from 8 on", len(got), got[0], got[len(got)-1], most)
		}
	})
}
