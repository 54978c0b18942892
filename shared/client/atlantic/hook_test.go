package atlantic_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/atlantic"
	fakeatlantic "github.com/madara-orchestrator/orchestrator/shared/dev/fake/atlantic"
)

func TestParseHook(t *testing.T) {
	t.Parallel()
	const done = `{"type":"ATLANTIC_QUERY_COMPLETED","atlanticQueryId":"01A","status":"completed","context":null,` +
		`"jobName":"x"}`
	for name, c := range map[string]struct {
		secret, token, body string
		want                atlantic.Hint
		fault               error
	}{
		"Query": {"s", "s", done, atlantic.Hint{Task: "01A", Ended: true}, nil},
		"Step": {"s", "s", strings.Replace(done, "QUERY_COMPLETED", "STEP_COMPLETED", 1),
			atlantic.Hint{Task: "01A"}, nil},
		"Failed": {"s", "s", strings.Replace(done, `"completed"`, `"failed"`, 1),
			atlantic.Hint{Task: "01A", Ended: true}, nil},
		"WrongToken": {"s", "t", done, atlantic.Hint{}, atlantic.ErrUnauthenticated},
		"NoToken":    {"s", "", done, atlantic.Hint{}, atlantic.ErrUnauthenticated},
		"NoSecret":   {"", "", done, atlantic.Hint{}, atlantic.ErrUnauthenticated},
		"NoJSON":     {"s", "s", "hello", atlantic.Hint{}, errors.ErrUnsupported},
		"OtherType": {"s", "s", strings.Replace(done, "ATLANTIC_QUERY", "PACIFIC", 1),
			atlantic.Hint{}, errors.ErrUnsupported},
		"OddID": {"s", "s", strings.Replace(done, "01A", "../01A", 1), atlantic.Hint{}, errors.ErrUnsupported},
		"NoID":  {"s", "s", strings.Replace(done, "01A", "", 1), atlantic.Hint{}, errors.ErrUnsupported},
		"Large": {"s", "s", done + strings.Repeat(" ", 1<<17), atlantic.Hint{}, errors.ErrUnsupported},
		"LongEnoughID": {"s", "s", strings.Replace(done, "01A", strings.Repeat("a", 200), 1),
			atlantic.Hint{}, errors.ErrUnsupported},
	} {
		got, err := atlantic.ParseHook(c.secret, c.token, []byte(c.body))
		bad := err == nil != (c.fault == nil) || got != c.want ||
			c.fault == atlantic.ErrUnauthenticated && !errors.Is(err, c.fault)
		if bad {
			t.Errorf("%s: %+v, %v; want %+v, %v", name, got, err, c.want, c.fault)
		}
	}
}

// TestHook: the fake's webhook of an aggregation leads to the aggregation's task.
func TestHook(t *testing.T) {
	t.Parallel()
	bodies := make(chan []byte, 8)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		bodies <- b
	}))
	t.Cleanup(hook.Close)
	s := start(t, fakeatlantic.Config{ProofTime: time.Millisecond, Webhook: hook.URL})
	p, _ := client(t, s)
	bucket, err := p.OpenBucket(t.Context(), "b", "0.13.5")
	if err != nil {
		t.Fatal(err)
	}
	r := child("a", zipped())
	r.Bucket = bucket
	query, err := p.Submit(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	task, err := p.CloseBucket(t.Context(), bucket)
	if err != nil {
		t.Fatal(err)
	}
	var hinted []string
	for len(hinted) < 4 {
		h, err := atlantic.ParseHook("s", "s", <-bodies)
		if err != nil || !h.Ended {
			t.Fatalf("webhook %+v, %v", h, err)
		}
		tasks, err := p.Tasks(t.Context(), h)
		if err != nil || len(tasks) != 2 {
			t.Fatalf("Tasks of %+v = %v, %v", h, tasks, err)
		}
		hinted = append(hinted, tasks...)
	}
	if !slices.Contains(hinted, query) || !slices.Contains(hinted, task) {
		t.Errorf("webhooks hint at %v, want %s and %s among them", hinted, query, task)
	}
	for _, odd := range []string{"nowhere", "../x", ""} {
		if tasks, err := p.Tasks(t.Context(), atlantic.Hint{Task: odd}); err != nil || len(tasks) != 0 {
			t.Errorf("Tasks of %q = %v, %v", odd, tasks, err)
		}
	}
}
