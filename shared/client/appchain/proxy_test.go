package appchain_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/appchain"
)

// proxy stands before a node. spoil may answer a request itself, and then returns true; edit may change an answer.
type proxy struct {
	*httptest.Server
	requests atomic.Int64
	spoil    func(n int64, w http.ResponseWriter, body []byte) bool
	edit     func(n int64, answer []byte) []byte
}

func newProxy(t *testing.T, node string, spoil func(int64, http.ResponseWriter, []byte) bool,
	edit func(int64, []byte) []byte) *proxy {
	t.Helper()
	target, err := url.Parse(node)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{spoil: spoil, edit: edit}
	back := httputil.NewSingleHostReverseProxy(target)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		n := p.requests.Add(1)
		if p.spoil != nil && p.spoil(n, w, body) {
			return
		}
		r.Body, r.ContentLength, r.URL.Path = io.NopCloser(bytes.NewReader(body)), int64(
			len(body)), strings.TrimPrefix(r.URL.Path, "/secretpath123")
		rec := httptest.NewRecorder()
		r.Header.Del("Accept-Encoding")
		back.ServeHTTP(rec, r)
		out := rec.Body.Bytes()
		if p.edit != nil {
			out = p.edit(n, out)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(rec.Code)
		_, _ = w.Write(out)
	}))
	t.Cleanup(p.Close)
	return p
}

// clock counts the pauses and lets none pass in real time.
type clock struct {
	mu     sync.Mutex
	now    time.Time
	pauses []time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.pauses = append(c.pauses, d)
	return ctx.Err()
}

func (c *clock) deps() appchain.Deps {
	return appchain.Deps{Now: c.Now, Sleep: c.Sleep, Jitter: func() float64 { return 0.5 }}
}

func newClock() *clock { return &clock{now: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)} }

func respond(status int, contentType, body string, header ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", contentType)
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

var failures = map[string]func(http.ResponseWriter){
	"429":        respond(429, "application/json", `{"error":"slow down"}`),
	"500":        respond(500, "text/plain", "boom"),
	"502HTML":    respond(502, "text/html", "<html>bad gateway</html>"),
	"404":        respond(404, "text/plain", "404 page not found"),
	"200HTML":    respond(200, "text/html", "<html>maintenance</html>"),
	"HTMLAsJSON": respond(200, "application/json", "\n <!doctype html>"),
	"Truncated":  respond(200, "application/json", `{"jsonrpc":"2.0","id":1,"result":{"block_ha`),
	"Empty":      respond(200, "application/json", ``),
	"WrongID":    respond(200, "application/json", `{"jsonrpc":"2.0","id":77,"result":1}`),
	"NoResult":   respond(200, "application/json", `{"jsonrpc":"2.0","id":1}`),
	"InternalError": respond(200, "application/json",
		`{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"Internal error"}}`),
	"Redirect": respond(302, "text/plain", "", "Location", "http://127.0.0.1:1/"),
	"CutConnection": func(w http.ResponseWriter) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"json")
			_ = conn.Close()
		}
	},
}
