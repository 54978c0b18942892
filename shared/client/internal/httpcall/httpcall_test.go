package httpcall

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/redact"
)

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func get(url string) Request { return Request{Op: "ask", Method: http.MethodGet, URL: url} }

// TestStatusError: who answered, what it means for another attempt, and what is shown of it.
func TestStatusError(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status        int
		mediaType     string
		body          string
		passing, api  bool
		code, contain string
	}{
		"Code": {404, "application/json", `{"message":"ATLANTIC_QUERY_NOT_FOUND"}`, false, true,
			"ATLANTIC_QUERY_NOT_FOUND", "ATLANTIC_QUERY_NOT_FOUND"},
		"ErrorText": {404, "application/json", `{"error":"Not found"}`, false, true, "", "Not found"},
		"CodeAndMessage": {400, "application/json", `{"code":"BAD_PIE","message":"no zip"}`, false, true,
			"BAD_PIE", "BAD_PIE: no zip"},
		"Framework": {404, "application/json",
			`{"message":"Route GET:/x not found","error":"Not Found","statusCode":404}`,
			true, false, "", "Route GET:/x"},
		"LoadBalancer": {404, "text/plain", "404 page not found", true, false, "", "404 page not found"},
		"Characters":   {404, "application/json", `{"0":"4","1":"0","2":"4"}`, true, false, "", "Not Found"},
		"HTML":         {403, "text/html", "<html>key-7 denied</html>", true, false, "", "Forbidden"},
		"Gateway":      {502, "", "<html>", true, false, "", "Bad Gateway"},
		"Own500": {500, "application/json", `{"message":"INTERNAL_SERVER_ERROR"}`, true, true,
			"INTERNAL_SERVER_ERROR", "INTERNAL"},
		"TooMany":      {429, "application/json", `{"message":"slow down"}`, true, true, "", "slow down"},
		"Unauthorized": {401, "text/plain", "no", false, false, "", "no"},
		"Payment": {402, "application/json", `{"message":"INSUFFICIENT_CREDITS"}`, false, true,
			"INSUFFICIENT_CREDITS", "INSUFFICIENT"},
		"Redirect": {302, "", "", true, false, "", "Found"},
		"Empty":    {400, "", "", false, false, "", "Bad Request"},
		"Secret": {400, "application/json", `{"message":"key-7 is wrong"}`, false,
			true, "", "[hidden] is wrong"},
		"Long": {400, "text/plain", strings.Repeat("\xff", 5000), false, false, "", "?"},
	} {
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", c.mediaType)
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		})
		_, err := New("Service", redact.New("key-7", ""), Settings{}, Deps{}).Do(t.Context(), get(url))
		var s *StatusError
		if !errors.As(err, &s) || s.Status != c.status || s.Passing() != c.passing ||
			s.API != c.api || s.Code != c.code {
			t.Errorf("%s: %+v (passing %t), want passing %t, API %t, code %q",
				name, s, s.Passing(), c.passing, c.api, c.code)
			continue
		}
		if text := err.Error(); !strings.Contains(text, c.contain) || strings.Contains(text, "key-7") ||
			strings.Contains(text, url) || len(text) > 400 {
			t.Errorf("%s: %q, want %q in it", name, text, c.contain)
		}
	}
}

func TestParseRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for h, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "0": 0, "-1": 0, "soon": 0, "1.5": 0, "99999999": 24 * time.Hour,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute, "Fri, 02 Jan 2026 03:04:00 GMT": 0,
		"Sat, 02 Jan 2027 03:04:05 GMT": 24 * time.Hour,
	} {
		if got := parseRetryAfter(h, now); got != want {
			t.Errorf("parseRetryAfter(%q) = %s, want %s", h, got, want)
		}
	}
}

// TestRetry_Pauses: exponential, with jitter, bounded.
func TestRetry_Pauses(t *testing.T) {
	t.Parallel()
	var pauses []time.Duration
	jitter := 1.0
	c := New("Service", redact.Known{},
		Settings{Attempts: 5, MinBackoff: time.Second, MaxBackoff: 3 * time.Second, MaxWait: 10 * time.Second}, Deps{
			Sleep:  func(ctx context.Context, d time.Duration) error { pauses = append(pauses, d); return ctx.Err() },
			Jitter: func() float64 { return jitter },
		})
	passing := c.transportError("ask", errors.New("connection refused"))
	err := c.Retry(t.Context(), func(context.Context) error { return passing })
	if !errors.Is(err, passing) || len(pauses) != 4 || pauses[0] != time.Second ||
		pauses[1] != 2*time.Second || pauses[3] != 3*time.Second {
		t.Errorf("pauses %v, %v", pauses, err)
	}
	pauses, jitter = nil, 0.5
	limited := &StatusError{Status: 429, RetryAfter: 4 * time.Second}
	err = c.Retry(t.Context(), func(context.Context) error { return limited })
	if len(pauses) != 4 || pauses[0] != 4500*time.Millisecond || job.RetryDelay(err) != 4*time.Second {
		t.Errorf("pauses %v, %v", pauses, err)
	}
	calls := 0
	final := &StatusError{Status: 400, API: true}
	if err := c.Retry(t.Context(), func(context.Context) error { calls++; return final }); !errors.Is(err, final) ||
		calls != 1 {
		t.Errorf("%d calls for a final error, %v", calls, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := c.Retry(ctx, func(context.Context) error { cancel(); return passing }); !errors.Is(err,
		context.Canceled) {
		t.Errorf("in an ended context: %v", err)
	}
}

// TestDo_Bounds: a huge answer, a slow one, and one that breaks off.
func TestDo_Bounds(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/huge":
			_, _ = w.Write(make([]byte, 2000))
		case "/slow":
			select {
			case <-release:
			case <-r.Context().Done():
			}
		case "/cut":
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("{"))
		}
	})
	// Only what never answers is given little time: a busy machine takes long for all else.
	hasty := New("Service", redact.Known{}, Settings{MaxResponse: 1000, RequestTimeout: 50 * time.Millisecond}, Deps{})
	patient := New("Service", redact.Known{}, Settings{MaxResponse: 1000, RequestTimeout: time.Minute}, Deps{})
	for path, want := range map[string]error{"/huge": ErrMalformed, "/slow": context.DeadlineExceeded,
		"/cut": io.ErrUnexpectedEOF} {
		c := patient
		if path == "/slow" {
			c = hasty
		}
		if b, err := c.Do(t.Context(), get(url+path)); !errors.Is(err, want) || !Passing(err) ||
			strings.Contains(err.Error(), url) {
			t.Errorf("%s: %d bytes, %v; want %v", path, len(b), err, want)
		}
	}
	if _, err := hasty.Stream(t.Context(), get(url+"/slow"), 10); err == nil ||
		!Passing(err) || !errors.Is(err, errStalled) {
		t.Errorf("stream without a first byte: %v", err)
	}
	if _, err := patient.Stream(t.Context(), get(url+"/huge"), 10); !errors.Is(err, ErrMalformed) {
		t.Errorf("stream of announced 2000 bytes: %v", err)
	}
}

// TestStream_Bounds: a stream that stalls or grows beyond what it may be.
func TestStream_Bounds(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("hello"))
		_ = http.NewResponseController(w).Flush()
		if r.URL.Path == "/long" {
			_, _ = w.Write(make([]byte, 5000))
			return
		}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	for path, want := range map[string]error{"/stall": errStalled, "/long": ErrMalformed} {
		patience := time.Minute
		if path == "/stall" {
			patience = time.Second // long enough for the first bytes on a busy machine
		}
		c := New("Service", redact.Known{}, Settings{RequestTimeout: patience}, Deps{})
		r, err := c.Stream(t.Context(), get(url+path), 1000)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(r); !errors.Is(err, want) || !bytes.HasPrefix(b, []byte("hello")) && path == "/stall" {
			t.Errorf("%s: %q, %v; want %v", path, b, err, want)
		}
		r.Close()
	}
}

func TestBase64(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 3, 4, 100, 48<<10 - 1, 48 << 10, 48<<10 + 1, 200_000} {
		in := make([]byte, n)
		for i := range in {
			in[i] = byte(i * 7)
		}
		want := base64.StdEncoding.EncodeToString(in)
		for what, r := range map[string]io.Reader{
			"Plain": bytes.NewReader(in), "Half": iotest.HalfReader(bytes.NewReader(in)),
			"DataErr": iotest.DataErrReader(bytes.NewReader(in)),
		} {
			if got, err := io.ReadAll(Base64(r)); err != nil || string(got) != want {
				t.Errorf("%s: %d bytes become %d, want %d, %v", what, n, len(got), len(want), err)
			}
		}
	}
	failure := errors.New("failure")
	if _, err := io.ReadAll(Base64(iotest.ErrReader(failure))); !errors.Is(err, failure) {
		t.Errorf("a failing input: %v", err)
	}
	if _, err := io.ReadAll(Base64(Exactly(strings.NewReader("abc"), 4))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a short input: %v", err)
	}
}

func TestExactly(t *testing.T) {
	t.Parallel()
	for size, ok := range map[int64]bool{2: false, 3: true, 4: false} {
		for _, r := range []io.Reader{strings.NewReader("abc"), iotest.DataErrReader(strings.NewReader("abc")),
			iotest.OneByteReader(strings.NewReader("abc"))} {
			if b, err := io.ReadAll(Exactly(r, size)); (err == nil) != ok || ok && string(b) != "abc" {
				t.Errorf("size %d: %q, %v", size, b, err)
			}
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"https://a.b/c": "", "": "not set", "https://": "not a URL", "https://u:hunter2@a": "credentials",
		"https://a?hunter2": "query", "ftp://a": "scheme", "://hunter2": "not a URL",
	} {
		err := Check("URL", url, "https")
		if (err == nil) != (want == "") ||
			err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%q: %v, want %q", url, err, want)
		}
	}
}

// FuzzStatusError feeds bodies of errors. None shows the secret, and none is long.
func FuzzStatusError(f *testing.F) {
	for _, s := range []string{`{"message":"X","code":"Y"}`, `{"message":7}`, "hunter2", `{"0":"4"}`,
		"<html>", `{"error":"hunter2"}`} {
		f.Add([]byte(s), 404, "7")
	}
	c := New("Service", redact.New("hunter2"), Settings{}, Deps{})
	f.Fuzz(func(t *testing.T, body []byte, status int, after string) {
		err := c.statusError("ask", &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {after}}},
			body)
		if text := err.Error() + err.Code; strings.Contains(text, "hunter2") || len(text) > 800 || err.RetryAfter < 0 ||
			err.RetryAfter > 24*time.Hour {
			t.Errorf("%q, after %s", text, err.RetryAfter)
		}
	})
}
