package appchain_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	devappchain "github.com/madara-orchestrator/orchestrator/shared/dev/appchain"
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

// TestTransientFailuresAreRetried: whatever a node answers for a while, the read succeeds afterwards.
func TestTransientFailuresAreRetried(t *testing.T) {
	t.Parallel()
	chain := devChain(t, devappchain.Options{Blocks: 5})
	for name, fail := range failures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			p := newProxy(t, chain.URL(), func(n int64, w http.ResponseWriter, _ []byte) bool {
				if n == 2 || n == 3 { // the first answers the chain id
					fail(w)
					return true
				}
				return false
			}, nil)
			got, err := open(t, appchain.Config{URL: p.URL}, c.deps()).Headers(t.Context(), 3, 3)
			if err != nil || got[0].Number != 3 {
				t.Fatalf("Headers = %v, %v", got, err)
			}
			if len(c.pauses) != 2 || c.pauses[0] != 100*time.Millisecond || c.pauses[1] != 200*time.Millisecond {
				t.Errorf("pauses %v, want half of 200 ms and of 400 ms", c.pauses)
			}
		})
	}
}

// TestLastingFailuresEnd: attempts are bounded, and the error says what it is.
func TestLastingFailuresEnd(t *testing.T) {
	t.Parallel()
	malformed := map[string]bool{"200HTML": true, "HTMLAsJSON": true, "Truncated": true, "Empty": true,
		"WrongID": true, "NoResult": true}
	for name, fail := range failures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProxy(t, "http://127.0.0.1:1",
				func(_ int64, w http.ResponseWriter, _ []byte) bool { fail(w); return true }, nil)
			_, err := open(t, appchain.Config{URL: p.URL, Attempts: 4}, newClock().deps()).Head(t.Context())
			if err == nil || errors.Is(err, block.ErrMalformed) != malformed[name] ||
				errors.Is(err, block.ErrNotFound) {
				t.Errorf("Head = %v; malformed: want %v", err, malformed[name])
			}
			if n := p.requests.Load(); n != 4 {
				t.Errorf("%d requests, want 4", n)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	chain := devChain(t, devappchain.Options{Blocks: 3})
	for header, want := range map[string]time.Duration{
		"7": 7 * time.Second, "9999": 20 * time.Second, "Wed, 01 Jan 2025 00:00:05 GMT": 5 * time.Second,
		"soon": 100 * time.Millisecond} {
		c := newClock()
		p := newProxy(t, chain.URL(), func(n int64, w http.ResponseWriter, _ []byte) bool {
			if n == 1 {
				respond(429, "text/plain", "", "Retry-After", header)(w)
			}
			return n == 1
		}, nil)
		if _, err := open(t, appchain.Config{URL: p.URL}, c.deps()).Head(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(c.pauses) != 1 || c.pauses[0] != want {
			t.Errorf("Retry-After %q: pauses %v, want %v", header, c.pauses, want)
		}
	}
}

// TestNoWaitPastTheDeadline: a pause that the deadline would cut off isn't begun.
func TestNoWaitPastTheDeadline(t *testing.T) {
	t.Parallel()
	p := newProxy(t, "http://127.0.0.1:1", func(_ int64, w http.ResponseWriter, _ []byte) bool {
		respond(503, "text/plain", "", "Retry-After", "20")(w)
		return true
	}, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	slept := false
	deps := appchain.Deps{Sleep: func(context.Context, time.Duration) error { slept = true; return nil }}
	_, err := open(t, appchain.Config{URL: p.URL}, deps).Head(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || slept || p.requests.Load() != 1 {
		t.Errorf("Head = %v, slept %v, %d requests", err, slept, p.requests.Load())
	}
}

func TestWrongChain(t *testing.T) {
	t.Parallel()
	chain := devChain(t, devappchain.Options{Blocks: 3})
	s := open(t, appchain.Config{URL: chain.URL(), ChainID: "SN_MAIN"}, newClock().deps())
	if _, err := s.Head(t.Context()); !errors.Is(err, block.ErrWrongChain) {
		t.Errorf("Head = %v, want ErrWrongChain", err)
	}
	if _, err := s.ChainID(t.Context()); !errors.Is(err, block.ErrWrongChain) {
		t.Errorf("ChainID = %v, want ErrWrongChain", err)
	}
}

// swap replaces a JSON field's value in every answer that has it, from the given request on.
func swap(from int64, old, new string) func(int64, []byte) []byte {
	return func(n int64, b []byte) []byte {
		if n < from {
			return b
		}
		return bytes.ReplaceAll(b, []byte(old), []byte(new))
	}
}

// Case B3: a block that is older than its parent is read like any other. Blocks are in the order of their numbers.
func TestTimeMayRunBack(t *testing.T) {
	t.Parallel()
	chain := devChain(t, devappchain.Options{Seed: 5, Blocks: 8})
	h, err := open(t, appchain.Config{URL: chain.URL()}, appchain.Deps{}).Headers(t.Context(), 0, 7)
	if err != nil {
		t.Fatal(err)
	}
	p := newProxy(t, chain.URL(), nil, swap(2, fmt.Sprintf(`"timestamp":%d`, h[4].Timestamp.Unix()), `"timestamp":5`))
	got, err := open(t, appchain.Config{URL: p.URL}, newClock().deps()).Headers(t.Context(), 2, 5)
	if err != nil || len(got) != 4 || got[2].Timestamp.Unix() != 5 {
		t.Errorf("%d headers, %v", len(got), err)
	}
}

// TestLiesAreCaught: an answer that cannot be right is ErrMalformed, never taken.
func TestLiesAreCaught(t *testing.T) {
	t.Parallel()
	chain := devChain(t, devappchain.Options{Seed: 5, Blocks: 8})
	truth := open(t, appchain.Config{URL: chain.URL()}, appchain.Deps{})
	h, err := truth.Headers(t.Context(), 0, 7)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	headers := func(s *appchain.Source) error { _, err := s.Headers(ctx, 2, 5); return err }
	updates := func(s *appchain.Source) error { _, err := s.StateUpdates(ctx, 2, 5); return err }
	one := func(s *appchain.Source) error { _, err := s.StateUpdates(ctx, 3, 3); return err }
	messages := func(s *appchain.Source) error { _, err := s.Messages(ctx, 2, 5); return err }
	for name, c := range map[string]struct {
		old, new string
		read     func(*appchain.Source) error
	}{
		"WrongNumber": {`"block_number":3`, `"block_number":4`, headers},
		"WrongParent": {`"parent_hash":"` + h[3].ParentHash.String(), `"parent_hash":"0x5`, headers},
		"HashNotInField": {`"block_hash":"` + h[3].Hash.String(),
			`"block_hash":"0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff`, headers},
		"NoRoot":         {`"new_root"`, `"newroot"`, headers},
		"Rejected":       {`"ACCEPTED_ON_L2"`, `"REJECTED"`, headers},
		"NoTransactions": {`"transactions"`, `"txs"`, headers},
		"GapInRoots":     {`"old_root":"` + h[3].NewRoot.String(), `"old_root":"0x1`, updates},
		"UpdateOfOtherBlock": {`"old_root":"` + h[2].NewRoot.String() + `"`,
			`"old_root":"` + h[2].NewRoot.String() + `","block_hash":"0x7"`, one},
		"NoDiff":     {`"state_diff"`, `"diff"`, one},
		"NullInDiff": {`"class_hash":"`, `"class_hash":null,"x":"`, updates},
		"NoReceipts": {`"receipt"`, `"receipts"`, messages},
		"NoSender": {`"from_address"`, `"from"`,
			func(s *appchain.Source) error { _, err := s.Messages(ctx, 0, 7); return err }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProxy(t, chain.URL(), nil, swap(2, c.old, c.new))
			if err := c.read(open(t, appchain.Config{URL: p.URL}, newClock().deps())); !errors.Is(err,
				block.ErrMalformed) {
				t.Errorf("read = %v, want ErrMalformed", err)
			}
		})
	}
}

// TestReorganisation: blocks that do not fit together are read again, around the cache.
func TestReorganisation(t *testing.T) {
	t.Parallel()
	a := devChain(t, devappchain.Options{Seed: 1, Blocks: 10})
	b := devChain(t, devappchain.Options{Seed: 2, Blocks: 10})
	cache := newMemoryCache()
	deps := newClock().deps()
	deps.Cache = cache
	if _, err := open(t, appchain.Config{URL: a.URL(), ChainID: "DEV_APPCHAIN"},
		deps).Headers(t.Context(), 2, 4); err != nil {
		t.Fatal(err)
	}
	s := open(t, appchain.Config{URL: b.URL(), ChainID: "DEV_APPCHAIN"}, deps)
	got, err := s.Headers(t.Context(), 2, 8)
	if err != nil {
		t.Fatal(err)
	}
	if cache.hits == 0 {
		t.Error("the cache was not asked: nothing is tested")
	}
	if head, _ := b.Head(); got[6].Number != 8 || got[6].Hash == head.Hash {
		t.Errorf("unexpected header %+v", got[6])
	}
	want, err := open(t, appchain.Config{URL: b.URL()}, appchain.Deps{}).Headers(t.Context(), 2, 8)
	if err != nil || got[0] != want[0] {
		t.Errorf("block 2 is that of the cache: %+v", got[0])
	}
}

// TestPendingIsNotCached: a block that is not closed does not exist.
func TestPendingIsNotCached(t *testing.T) {
	t.Parallel()
	chain := devChain(t, devappchain.Options{Blocks: 4})
	cache := newMemoryCache()
	deps := newClock().deps()
	deps.Cache = cache
	p := newProxy(t, chain.URL(), nil, swap(2, "ACCEPTED_ON_L2", "PRE_CONFIRMED"))
	s := open(t, appchain.Config{URL: p.URL}, deps)
	if _, err := s.Headers(t.Context(), 3, 3); !errors.Is(err, block.ErrNotFound) {
		t.Errorf("Headers = %v, want ErrNotFound", err)
	}
	if _, err := s.Messages(t.Context(), 3, 3); !errors.Is(err, block.ErrNotFound) {
		t.Errorf("Messages = %v, want ErrNotFound", err)
	}
	if len(cache.m) != 0 {
		t.Errorf("%d answers are cached", len(cache.m))
	}
}

func TestBackup(t *testing.T) {
	t.Parallel()
	ahead := devChain(t, devappchain.Options{Blocks: 8})
	behind := devChain(t, devappchain.Options{Blocks: 5})
	down := func(t *testing.T) *proxy {
		return newProxy(t, ahead.URL(), func(_ int64, w http.ResponseWriter, _ []byte) bool {
			respond(500, "text/plain", "down")(w)
			return true
		}, nil)
	}

	t.Run("PrimaryDown", func(t *testing.T) {
		t.Parallel()
		dead := down(t)
		c := newClock()
		s := open(t, appchain.Config{URL: dead.URL, BackupURL: ahead.URL()}, c.deps())
		for range 3 {
			if n, err := s.Head(t.Context()); err != nil || n != 7 {
				t.Errorf("Head = %d, %v; want the backup's", n, err)
			}
		}
		if len(c.pauses) != 0 || dead.requests.Load() != 1 {
			t.Errorf("%d pauses and %d requests to a node that is down, want 0 and 1",
				len(c.pauses), dead.requests.Load())
		}
	})
	t.Run("PrimaryLacksBlock", func(t *testing.T) {
		t.Parallel()
		c := newClock()
		s := open(t, appchain.Config{URL: behind.URL(), BackupURL: ahead.URL()}, c.deps())
		if _, err := s.Headers(t.Context(), 3, 7); err != nil || len(c.pauses) != 0 {
			t.Errorf("Headers = %v after %d pauses", err, len(c.pauses))
		}
		if _, err := s.Headers(t.Context(), 8, 8); !errors.Is(err, block.ErrNotFound) {
			t.Errorf("Headers = %v, want ErrNotFound", err)
		}
	})
	t.Run("StalledHead", func(t *testing.T) {
		t.Parallel()
		c := newClock()
		s := open(t, appchain.Config{URL: behind.URL(), BackupURL: ahead.URL()}, c.deps())
		if n, err := s.Head(t.Context()); err != nil || n != 4 {
			t.Errorf("Head = %d, %v; want the primary's 4", n, err)
		}
		_ = c.Sleep(t.Context(), time.Minute)
		if n, err := s.Head(t.Context()); err != nil || n != 7 {
			t.Errorf("Head = %d, %v; want the backup's 7 after a minute without a block", n, err)
		}
	})
	t.Run("BackupServesOtherChain", func(t *testing.T) {
		t.Parallel()
		other := devChain(t, devappchain.Options{Blocks: 9, ChainID: "OTHER"})
		s := open(t, appchain.Config{URL: down(t).URL, BackupURL: other.URL(), ChainID: ahead.ChainID()},
			newClock().deps())
		if _, err := s.Head(t.Context()); !errors.Is(err, block.ErrWrongChain) {
			t.Errorf("Head = %v, want ErrWrongChain", err)
		}
	})
	t.Run("BothDown", func(t *testing.T) {
		t.Parallel()
		s := open(t, appchain.Config{URL: down(t).URL, BackupURL: down(t).URL}, newClock().deps())
		if _, err := s.Head(t.Context()); err == nil || errors.Is(err, block.ErrNotFound) {
			t.Errorf("Head = %v", err)
		}
	})
}

// TestBatchesAreHalved: a node that takes small batches only is served with small ones.
func TestBatchesAreHalved(t *testing.T) {
	t.Parallel()
	chain := devChain(t, devappchain.Options{Blocks: 30})
	for name, refuse := range map[string]func(http.ResponseWriter){
		"413": respond(413, "text/plain", "too large"),
		"ErrorObject": respond(200, "application/json",
			`{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"batch too large"}}`),
		"Unsupported": respond(200, "application/json",
			`{"jsonrpc":"2.0","id":null,"error":{"code":-32005,"message":"Batched requests are not supported"}}`),
		"LargeAnswers": respond(200, "application/json", strings.Repeat(" ", 200_000)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProxy(t, chain.URL(), func(_ int64, w http.ResponseWriter, body []byte) bool {
				var list []json.RawMessage
				if json.Unmarshal(body, &list) == nil && len(list) > 4 {
					refuse(w)
					return true
				}
				return false
			}, nil)
			c := newClock()
			s := open(t, appchain.Config{URL: p.URL, MaxResponse: 150_000}, c.deps())
			if got, err := s.Headers(t.Context(), 0, 29); err != nil || len(got) != 30 || len(c.pauses) != 0 {
				t.Errorf("%d headers after %d pauses, %v", len(got), len(c.pauses), err)
			}
		})
	}
}

func TestResponsesAreBounded(t *testing.T) {
	t.Parallel()
	p := newProxy(t, "http://127.0.0.1:1", func(_ int64, w http.ResponseWriter, _ []byte) bool {
		chunk := bytes.Repeat([]byte(" "), 1<<16)
		for range 1 << 12 { // 256 MiB, of which a reader that counts takes little
			if _, err := w.Write(chunk); err != nil {
				return true
			}
		}
		return true
	}, nil)
	if _, err := open(t, appchain.Config{URL: p.URL, MaxResponse: 1 << 20},
		newClock().deps()).Head(t.Context()); err == nil {
		t.Error("an endless answer is taken")
	}
}

func TestGatewayFaults(t *testing.T) {
	t.Parallel()
	chain := devChain(t, devappchain.Options{Blocks: 10})
	for name, fail := range failures {
		if strings.Contains("WrongID NoResult InternalError", name) {
			continue // of JSON-RPC only
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProxy(t, chain.GatewayURL(), func(n int64, w http.ResponseWriter, _ []byte) bool {
				if n == 1 {
					fail(w)
				}
				return n == 1
			}, nil)
			got, err := open(t, appchain.Config{URL: chain.URL(), GatewayURL: p.URL},
				newClock().deps()).Weights(t.Context(), 8, 9)
			if err != nil || got[0].ProvingGas != 1_500_000 || got[1].NTxs == 0 {
				t.Errorf("Weights = %+v, %v; block 8 is empty", got, err)
			}
		})
	}
}

// TestSecretsStayHidden: nothing of a URL but scheme and host is in an error or a log line.
func TestSecretsStayHidden(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	deps := newClock().deps()
	deps.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprintf(w, "no access to %s with %s", r.URL, r.Header)
	}))
	t.Cleanup(echo.Close)
	host := strings.TrimPrefix(echo.URL, "http://")
	secrets := []string{"secretuser99", "secretpass99", "secretpath123", "secretkey456"}
	for _, base := range []string{host, "127.0.0.1:1", "no-such-host.invalid"} {
		cfg := appchain.Config{URL: "http://secretuser99:secretpass99@" + base + "/secretpath123?apikey=secretkey456"}
		cfg.GatewayURL, cfg.BackupURL, cfg.WebsocketURL = cfg.URL, cfg.URL, "ws"+strings.TrimPrefix(cfg.URL, "http")
		cfg.Attempts = 2
		s := open(t, cfg, deps)
		_, e1 := s.Head(t.Context())
		_, e2 := s.Weights(t.Context(), 1, 1)
		ctx, cancel := context.WithCancel(t.Context())
		tries := 0
		d2 := deps
		d2.Sleep = func(context.Context, time.Duration) error {
			if tries++; tries == 2 {
				cancel()
			}
			return ctx.Err()
		}
		e3 := open(t, cfg, d2).Heads(ctx, func(block.Header) {})
		for _, text := range []string{fmt.Sprint(e1), fmt.Sprintf("%+v", e2), fmt.Sprint(e3), log.String()} {
			for _, secret := range secrets {
				if strings.Contains(text, secret) {
					t.Errorf("%q shows %s", text, secret)
				}
			}
		}
		if e1 == nil || !strings.Contains(e1.Error(), base) {
			t.Errorf("error does not name the host %s: %v", base, e1)
		}
	}
	if _, err := appchain.New(appchain.Config{URL: "ftp://u:secretpass99@h/secretpath123"},
		appchain.Deps{}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("New = %v", err)
	}
	if _, err := appchain.New(appchain.Config{URL: "http://u:secretpass99@h:port/x"}, appchain.Deps{}); err == nil ||
		strings.Contains(err.Error(), "secret") {
		t.Errorf("New = %v", err)
	}
}

func TestCacheSparesRequests(t *testing.T) {
	t.Parallel()
	chain := devChain(t, devappchain.Options{Blocks: 20})
	p := newProxy(t, chain.URL(), nil, nil)
	deps := newClock().deps()
	deps.Cache = newMemoryCache()
	s := open(t, appchain.Config{URL: p.URL, GatewayURL: p.URL}, deps)
	var counts []int64
	for range 3 {
		if _, err := s.StateUpdates(t.Context(), 0, 19); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Messages(t.Context(), 0, 19); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Weights(t.Context(), 0, 19); err != nil {
			t.Fatal(err)
		}
		counts = append(counts, p.requests.Load())
	}
	if counts[1] != counts[0] || counts[2] != counts[0] {
		t.Errorf("requests %v: a repeated read asks the node again", counts)
	}
	if v, err := s.Nonces(t.Context(), 19, []felt.Felt{felt.FromUint64(1)}); err != nil || !v[0].IsZero() {
		t.Errorf("Nonces = %v, %v", v, err)
	}
}
