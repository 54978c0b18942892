package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/dev/stack"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// awsFault is a rule of microburst.
type awsFault struct {
	Service     string         `json:"service"`
	Probability float64        `json:"probability"`
	Times       int            `json:"times,omitempty"` // it happens so often and no more
	Error       map[string]any `json:"error,omitempty"`
	Timeout     int            `json:"timeout_ms,omitempty"`
	Reset       bool           `json:"reset,omitempty"`
}

// awsFaults are throttling, failures, timeouts and resets of every service that the functions use, as on a bad day. A
// service's first request fails for certain: of some there are few, and chance may spare them all.
func awsFaults() (out []awsFault) {
	for service, throttled := range map[string]map[string]any{
		"s3": {"code": "SlowDown", "status": 503}, "sqs": {"code": "RequestThrottled", "status": 403},
		"sns": {"code": "Throttled", "status": 429}, "secretsmanager": {"code": "ThrottlingException", "status": 400},
		"events": {"code": "ThrottlingException", "status": 400},
	} {
		internal := map[string]any{"code": "InternalFailure", "status": 500}
		if service == "s3" {
			internal["code"] = "InternalError"
		}
		out = append(out,
			awsFault{Service: service, Probability: 1, Times: 1, Error: throttled},
			awsFault{Service: service, Probability: 0.08, Error: throttled},
			awsFault{Service: service, Probability: 0.05, Error: internal},
			awsFault{Service: service, Probability: 0.02, Timeout: 500},
			awsFault{Service: service, Probability: 0.04, Reset: true},
		)
	}
	return out
}

// AWS throttles, fails, is silent and cuts connections, by a proxy that others wrote (microburst) between the functions
// and the emulator: every batch is settled once, and operators are alerted. The proxy loses the Content-Length of HEAD,
// so those go past it.
func TestAWSFails(t *testing.T) {
	t.Parallel()
	var direct, faulty atomic.Pointer[url.URL]
	front := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			to := faulty.Load()
			if p.In.Method == http.MethodHead {
				to = direct.Load()
			}
			p.SetURL(to)
		},
		// A reset stays one.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ErrorLog:     slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	})
	t.Cleanup(front.Close)
	w := newWorld(t, stack.Options{
		Name: "bad-day", Blocks: 8, Visibility: 5 * time.Second, Settings: map[string]string{"AWS_ENDPOINT": front.URL},
	})
	proxy := tools.Microburst(t, w.api)
	for to, address := range map[*atomic.Pointer[url.URL]]string{&direct: w.api, &faulty: proxy} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		to.Store(u)
	}
	rules, err := json.Marshal(awsFaults())
	if err != nil {
		t.Fatal(err)
	}
	control(t, http.MethodPost, proxy+"/_microburst/rules", rules)
	alerts := w.alerts(t)
	poisoned := resource.Physical(w.name, resource.Route(job.SnosRun, job.Process, false))
	if err := w.Queues.Send(t.Context(), poisoned, queue.Outgoing{Body: "POISON {"}); err != nil {
		t.Fatal(err)
	}
	w.during(t, 6*time.Minute, func(ctx context.Context) bool {
		s, err := w.Contract.State(ctx, false)
		return err == nil && s.Settled && s.Block == w.Last && strings.Contains(alerts(), "POISON")
	})
	w.check(t)
	var fired []struct{ Service, Action string }
	raw := control(t, http.MethodGet, proxy+"/_microburst/fired?limit=100000", nil)
	if err := json.Unmarshal(raw, &fired); err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, f := range fired {
		kind, _, _ := strings.Cut(f.Action, ":")
		count[f.Service+" "+kind]++
	}
	for _, service := range []string{"s3", "sqs", "sns", "secretsmanager", "events"} {
		if count[service+" error"] == 0 {
			t.Errorf("no request to %s failed: this shows nothing", service)
		}
	}
	var table []string
	for _, k := range slices.Sorted(maps.Keys(count)) {
		table = append(table, fmt.Sprintf("%s %d", k, count[k]))
	}
	t.Logf("%d faults: %s", len(fired), strings.Join(table, ", "))
}

// control asks the proxy's own API.
func control(t *testing.T, method, url string, body []byte) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	out, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %d, %v: %.300s", method, url, a.StatusCode, err, out)
	}
	return out
}
