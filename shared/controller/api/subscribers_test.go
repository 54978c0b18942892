package api_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
)

// A webhook is added, confirmed by the token that it got, listed without what may be secret in its URL, and removed:
// alerts come to it in between only.
func TestSubscribers(t *testing.T) {
	t.Parallel()
	s := readSpec(t)
	var token atomic.Pointer[string]
	var alerts atomic.Int64
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		var m struct{ Type, Token string }
		if json.Unmarshal(b, &m) == nil && m.Token != "" {
			token.Store(&m.Token)
		} else if m.Type == "Notification" {
			alerts.Add(1)
		}
	}))
	t.Cleanup(hook.Close)
	w := newWorld(t, stage.L2, slog.New(slog.DiscardHandler))
	ask := func(method, path, body string) (l admin.SubscriberList) {
		t.Helper()
		out := call(t, w.Handler, get(method, path, "", body))
		s.check(t, method+" "+strings.Replace(path, alert.SubscriberID(alert.HTTP, hook.URL+"/secret"), "{id}", 1), out)
		if err := json.Unmarshal([]byte(out.Body), &l); out.StatusCode != http.StatusOK || err != nil ||
			strings.Contains(out.Body, "secret") {
			t.Fatalf("%s %s: %d %s", method, path, out.StatusCode, out.Body)
		}
		return l
	}
	send := func() {
		t.Helper()
		if err := w.Service.Topic.Notify(t.Context(), alert.Alert{Key: "k", Title: "t"}); err != nil {
			t.Fatal(err)
		}
	}
	ask("POST", "/subscribers/add", `{"endpoint":"`+hook.URL+`/secret"}`)
	send()
	if n := len(ask("GET", "/subscribers", "").Subscribers); n != 3 || alerts.Load() != 0 {
		t.Errorf("%d subscribers, %d alerts before the confirmation", n, alerts.Load())
	}
	ask("POST", "/subscribers/confirm", `{"token":"`+*token.Load()+`"}`)
	send()
	id := alert.SubscriberID(alert.HTTP, hook.URL+"/secret")
	if n := len(ask("POST", "/subscribers/"+id+"/remove", "").Subscribers); n != 2 || alerts.Load() != 1 {
		t.Errorf("%d subscribers are left, %d alerts came", n, alerts.Load())
	}
	send()
	if alerts.Load() != 1 {
		t.Error("an alert came after the removal")
	}
}
