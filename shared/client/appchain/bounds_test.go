package appchain_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	devappchain "github.com/madara-orchestrator/orchestrator/shared/dev/appchain"
)

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
		e3 := open(t, cfg, d2).Heads(ctx, func(block.Notice) {})
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
