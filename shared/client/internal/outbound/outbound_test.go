package outbound_test

import (
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/madara-orchestrator/orchestrator/shared/client/internal/outbound"
	"github.com/madara-orchestrator/orchestrator/shared/core/jsonlimit"
)

// A redirect is an answer: nothing goes to the other host, whatever the status.
func TestNoRedirects(t *testing.T) {
	t.Parallel()
	reached := make(chan string, 10)
	other := httptest.NewServer(
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { reached <- r.Header.Get("Authorization") }))
	t.Cleanup(other.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		srv := httptest.NewServer(http.RedirectHandler(other.URL, status))
		t.Cleanup(srv.Close)
		followed := func(*http.Request, []*http.Request) error { return nil }
		for _, base := range []*http.Client{nil, {}, {CheckRedirect: followed}} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer key")
			resp, err := outbound.Client(base, time.Minute).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != status {
				t.Errorf("status %d, want %d", resp.StatusCode, status)
			}
		}
	}
	if len(reached) > 0 {
		t.Errorf("the other host was asked with %q", <-reached)
	}
}

// Eight requests at once, again and again, take eight connections: an idle one is kept for each.
func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	const atOnce, rounds = 8, 5
	var made atomic.Int64
	var together sync.WaitGroup // none is answered before all have come
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		together.Done()
		together.Wait()
	}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			made.Add(1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	c := outbound.Client(nil, time.Minute)
	for range rounds {
		together.Add(atOnce)
		g, ctx := errgroup.WithContext(t.Context())
		for range atOnce {
			g.Go(func() error {
				r, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL, nil)
				if err != nil {
					return err
				}
				resp, err := c.Do(r)
				if err != nil {
					return err
				}
				_, err = io.Copy(io.Discard, resp.Body)
				return errors.Join(err, resp.Body.Close())
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	if n := made.Load(); n < atOnce || n > 2*atOnce { // a connection is idle a moment after its answer was read
		t.Errorf("%d connections for %d requests at once, %d times", n, atOnce, rounds)
	}
}

func TestClientKeepsItsLimit(t *testing.T) {
	t.Parallel()
	if c := outbound.Client(nil, time.Minute); c.Timeout != time.Minute {
		t.Errorf("timeout %s", c.Timeout)
	}
	base := &http.Client{Timeout: time.Second}
	if c := outbound.Client(base, time.Minute); c.Timeout != time.Second || base.CheckRedirect != nil {
		t.Errorf("timeout %s, or the caller's client was changed", c.Timeout)
	}
}

// Answers are bounded as they are after decompression.
func TestLimited(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := io.Writer(w)
		if r.URL.Path == "/gzip" {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			defer z.Close()
			out = z
		}
		_, _ = io.WriteString(out, "["+strings.Repeat("{},", 100_000)+"{}]") // the client has gone after the limit
	}))
	t.Cleanup(srv.Close)
	for _, path := range []string{"/", "/gzip"} {
		for name, l := range map[string]jsonlimit.Limits{"bytes": {Bytes: 100_000}, "elements": {Elements: 100_000},
			"": {Bytes: 1 << 20, Elements: 1 << 20}} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := outbound.Limited(outbound.Client(nil, time.Minute), l).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.ReadAll(resp.Body)
			resp.Body.Close()
			if errors.Is(err, jsonlimit.ErrTooLarge) != (name != "") || name == "" && err != nil {
				t.Errorf("%s, limit of %q: %v", path, name, err)
			}
		}
	}
}

func TestIsHTML(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		kind, body string
		want       bool
	}{
		"JSON": {"application/json", `{}`, false}, "a page": {"text/html; charset=utf-8", `x`, true},
		"XHTML":                       {"application/xhtml+xml", "", true},
		"a page that does not say so": {"application/json", " \n<html>", true}, "nothing": {"", "", false},
	} {
		if got := outbound.IsHTML(http.Header{"Content-Type": {tt.kind}}, []byte(tt.body)); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// own are ways to ask by HTTP with a client of one's own.
var own = regexp.MustCompile(`http\.(Client\{|DefaultClient|Get\(|Post\(|PostForm\(|Head\()`)

// No package below shared/client makes an HTTP client of its own.
func TestNobodyElseMakesClients(t *testing.T) {
	t.Parallel()
	files := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
			filepath.Base(filepath.Dir(path)) == "outbound" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		if found := own.Find(b); found != nil {
			t.Errorf("%s has %s: use outbound.Client", path, found)
		}
		return nil
	})
	if err != nil || files < 100 {
		t.Errorf("%d files were looked at, %v", files, err)
	}
}
