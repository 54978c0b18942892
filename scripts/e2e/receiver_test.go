package e2e_test

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	clientdeployment "github.com/madara-orchestrator/orchestrator/shared/client/deployment"
)

// receiver is an HTTPS server that operators subscribe to the alerts.
type receiver struct {
	*httptest.Server
	authority string // file with the certificate that it is to be trusted by

	mu  sync.Mutex
	got map[string][]string // type and body of what came, by path
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{got: map[string][]string{}, authority: filepath.Join(t.TempDir(), "ca.pem")}
	r.Server = httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(io.LimitReader(q.Body, 1<<20))
		if err != nil {
			return
		}
		path := strings.TrimPrefix(q.URL.Path, "/")
		var confirmation struct{ Type, SubscribeURL string }
		if json.Unmarshal(body, &confirmation) == nil && confirmation.Type == "SubscriptionConfirmation" {
			if a, err := http.Get(confirmation.SubscribeURL); err == nil { // as an operator's receiver does
				_ = a.Body.Close()
			}
		}
		r.mu.Lock()
		r.got[path] = append(r.got[path], q.Header.Get("X-Amz-Sns-Message-Type")+" "+string(body))
		r.mu.Unlock()
	}))
	t.Cleanup(r.Close)
	file := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate().Raw})
	if err := os.WriteFile(r.authority, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return r
}

// with are what came to a path and holds all words.
func (r *receiver) with(path string, words ...string) (out []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
messages:
	for _, m := range r.got[path] {
		for _, w := range words {
			if !strings.Contains(m, w) {
				continue messages
			}
		}
		out = append(out, m)
	}
	return out
}

// forwarder hands a prover's webhooks to a chain's API, unsigned: the API's host has no name in the DNS.
type forwarder struct {
	*httptest.Server

	mu       sync.Mutex
	statuses map[int]int // how often the API answered with a status
}

func newForwarder(d *deployment) *forwarder {
	f := &forwarder{statuses: map[int]int{}}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(io.LimitReader(q.Body, 1<<20))
		var a clientdeployment.Answer
		if err == nil {
			a, err = d.calls.WithToken("").Do(q.Context(),
				clientdeployment.Request{Method: q.Method, Path: q.URL.RequestURI(), Body: body})
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		f.mu.Lock()
		f.statuses[a.Status]++
		f.mu.Unlock()
		w.WriteHeader(a.Status)
		_, _ = w.Write(a.Body)
	}))
	d.t.Cleanup(f.Close)
	return f
}

// answers are how often the API answered webhooks with a status.
func (f *forwarder) answers(status int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.statuses[status]
}
