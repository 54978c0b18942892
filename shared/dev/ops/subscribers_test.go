package ops_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	neturl "net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/dev/ops"
)

// buffer is safe for a program that writes while a test reads.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func await(t *testing.T, b *buffer, text string) {
	t.Helper()
	for range 500 {
		if strings.Contains(b.String(), text) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("no %q in\n%s", text, b.String())
}

// A receiver on this machine adds itself, confirms by the token that it is posted, prints alerts, and is gone when it
// is interrupted.
func TestReceive(t *testing.T) {
	t.Parallel()
	url, topic := serveWithTopic(t, true)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out, errs buffer
	done := make(chan int, 1)
	go func() {
		done <- ops.Main(ctx, []string{"-url", url, "subscribers", "receive", "-listen", "127.0.0.1:0"}, &out, &errs)
	}()
	await(t, &out, "confirmed")
	if err := topic.Notify(t.Context(), alert.Alert{Severity: alert.Critical, Key: "k", Title: "It stands still",
		Command: "make ops ARGS='status'"}); err != nil {
		t.Fatal(err)
	}
	await(t, &out, "It stands still")
	await(t, &out, "make ops ARGS='status'")
	stop()
	if code := <-done; code != ops.OK {
		t.Errorf("code %d: %s", code, errs.String())
	}
	if left, err := topic.Subscribers(t.Context()); err != nil || len(left) != 0 {
		t.Errorf("left: %+v, %v", left, err)
	}
}

// A receiver that is interrupted before the API has answered is removed too.
func TestReceiveInterruptedEarly(t *testing.T) {
	t.Parallel()
	url, topic := serveWithTopic(t, true)
	to, err := neturl.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.ModifyResponse = func(r *http.Response) error {
		if strings.HasSuffix(r.Request.URL.Path, "/subscribers/add") {
			stop()
		}
		return nil
	}
	srv := httptest.NewServer(proxy)
	defer srv.Close()
	var out, errs buffer
	args := []string{"-url", srv.URL, "subscribers", "receive", "-listen", "127.0.0.1:0"}
	if code := ops.Main(ctx, args, &out, &errs); code != ops.OK {
		t.Errorf("code %d: %s", code, errs.String())
	}
	if left, err := topic.Subscribers(t.Context()); err != nil || len(left) != 0 {
		t.Errorf("left: %+v, %v", left, err)
	}
}

// Subscribers are added and removed, and what makes no sense is a clear error.
func TestSubscribers(t *testing.T) {
	t.Parallel()
	url, topic := serveWithTopic(t, true)
	const mail = "ops@example.com"
	id := alert.SubscriberID(alert.Email, mail)
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"subscribers"}, ops.OK, "nobody gets the alerts"},
		{[]string{"subscribers", "add", mail}, ops.OK, id},
		{[]string{"subscribers"}, ops.OK, "confirmed  " + mail},
		{[]string{"subscribers", "add", "http://example.com/x"}, ops.Usage, "want https"},
		{[]string{"subscribers", "add"}, ops.Usage, "add ENDPOINT"},
		{[]string{"subscribers", "dance"}, ops.Usage, "no \"dance\""},
		{[]string{"subscribers", "confirm", "x"}, ops.Usage, "confirms no subscriber"},
		{[]string{"subscribers", "receive", "-listen", "0.0.0.0:0"}, ops.Usage, "loopback"},
		{[]string{"subscribers", "add", "http://127.0.0.1:1/hook"}, ops.OK, "once it has confirmed"},
		{[]string{"subscribers", "remove", alert.SubscriberID(alert.HTTP, "http://127.0.0.1:1/hook")}, ops.Refused,
			"has not confirmed"},
		{[]string{"subscribers", "remove", "x"}, ops.Unknown, "no such subscriber"},
		{[]string{"subscribers", "remove", id}, ops.OK, "waits"},
	} {
		if code, out, errs := run(t, url, tt.args...); code != tt.code || !strings.Contains(out+errs, tt.says) {
			t.Errorf("%v: code %d, want %d with %q:\n%s%s", tt.args, code, tt.code, tt.says, out, errs)
		}
	}
	if left, err := topic.Subscribers(t.Context()); err != nil || len(left) != 1 {
		t.Errorf("left: %+v, %v", left, err)
	}
}
