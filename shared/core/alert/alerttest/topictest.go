package alerttest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
)

// TopicHarness is what makes topics under test.
type TopicHarness struct {
	alert.Topics
	// Queue is the ARN of a queue, and what it received since the last call.
	Queue    string
	Received func(ctx context.Context) (int, error)
	// Asks: a webhook is asked to confirm. The emulator moto does not.
	Asks bool
	// Shows: the list shows who has not confirmed. The emulator ministack does not.
	Shows bool
}

// receiver is a webhook.
type receiver struct {
	*httptest.Server

	mu     sync.Mutex
	tokens []string
	got    []string // notifications
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		b, err := io.ReadAll(io.LimitReader(q.Body, 1<<20))
		var m struct{ Type, Token, Message string }
		if err == nil {
			err = json.Unmarshal(b, &m)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		switch m.Type {
		case "SubscriptionConfirmation":
			r.tokens = append(r.tokens, m.Token)
		case "Notification":
			r.got = append(r.got, m.Message)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// token waits for the newest token.
func (r *receiver) token(t *testing.T, ctx context.Context, n int) string {
	t.Helper()
	for {
		r.mu.Lock()
		all := r.tokens
		r.mu.Unlock()
		if len(all) >= n {
			return all[len(all)-1]
		}
		select {
		case <-ctx.Done():
			t.Fatal("the webhook is not asked to confirm")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// count is how many notifications with a word came, once there are n, or after a while.
func (r *receiver) count(word string, n int, wait time.Duration) int {
	for end := time.Now().Add(wait); ; time.Sleep(20 * time.Millisecond) {
		r.mu.Lock()
		found := 0
		for _, m := range r.got {
			if strings.Contains(m, word) {
				found++
			}
		}
		r.mu.Unlock()
		if found >= n || time.Now().After(end) {
			return found
		}
	}
}

// TestTopics checks topics against the contracts of alert.Topics and alert.Topic.
func TestTopics(t *testing.T, newHarness func(t *testing.T) TopicHarness) {
	t.Helper()
	for name, run := range map[string]func(*testing.T, context.Context, TopicHarness, alert.Topic){
		"CreateTwiceIsOne": testTopicTwice, "Subscribers": testSubscribers, "Webhook": testWebhook,
		"NobodyElse": testNobodyElse, "NoTopic": testNoTopic, "Queue": testQueue,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			h := newHarness(t)
			topic, err := h.Create(ctx, topicName)
			if err != nil {
				t.Fatal(err)
			}
			run(t, ctx, h, topic)
		})
	}
}

const topicName = "alerts-under-test"

// theirs are the endpoints of a topic.
func theirs(t *testing.T, ctx context.Context, topic alert.Topic) []string {
	t.Helper()
	all, err := topic.Subscribers(ctx)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, s := range all {
		if s.ID != alert.SubscriberID(s.Protocol, s.Endpoint) {
			t.Errorf("id of %+v", s)
		}
		out = append(out, string(s.Protocol)+" "+s.Endpoint)
	}
	return out
}

func subscribe(t *testing.T, ctx context.Context, topic alert.Topic, endpoint string) alert.Subscriber {
	t.Helper()
	s, err := topic.Subscribe(ctx, endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func testTopicTwice(t *testing.T, ctx context.Context, h TopicHarness, topic alert.Topic) {
	subscribe(t, ctx, topic, "a@example.com")
	again, err := h.Create(ctx, topicName)
	if err != nil || again.ID() != topic.ID() || topic.ID() == "" {
		t.Fatalf("%v, %v; want %s", again, err, topic.ID())
	}
	if got := theirs(t, ctx, again); len(got) != 1 {
		t.Errorf("subscribers %q", got)
	}
}

func testSubscribers(t *testing.T, ctx context.Context, h TopicHarness, topic alert.Topic) {
	if got := theirs(t, ctx, topic); len(got) != 0 {
		t.Fatalf("a new topic has %q", got)
	}
	const most = 105 // more than SNS lists in one answer
	var want []string
	for i := range most {
		endpoint := fmt.Sprintf("ops%03d@example.com", i)
		subscribe(t, ctx, topic, endpoint)
		want = append(want, "email "+endpoint)
	}
	first := subscribe(t, ctx, topic, "ops000@example.com") // again
	subscribe(t, ctx, topic, h.Queue)
	want = append(want, "sqs "+h.Queue)
	if d := cmp.Diff(want, theirs(t, ctx, topic)); d != "" {
		t.Errorf("subscribers (-want +got):\n%s", d)
	}
	if err := topic.Unsubscribe(ctx, first.ID); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want[1:], theirs(t, ctx, topic)); d != "" {
		t.Errorf("after one was removed (-want +got):\n%s", d)
	}
	for _, id := range []string{first.ID, "", "x"} {
		if err := topic.Unsubscribe(ctx, id); !errors.Is(err, alert.ErrNoSubscriber) {
			t.Errorf("remove %q: %v", id, err)
		}
	}
}

// A webhook gets alerts from its confirmation on until it is removed.
func testWebhook(t *testing.T, ctx context.Context, h TopicHarness, topic alert.Topic) {
	r := newReceiver(t)
	s := subscribe(t, ctx, topic, r.URL+"/hook")
	send := func(key string) {
		t.Helper()
		if err := topic.Notify(ctx, alert.Alert{Severity: alert.Warning, Key: key, Title: "t"}); err != nil {
			t.Fatal(err)
		}
	}
	if h.Asks {
		if !s.Pending {
			t.Errorf("%+v is not pending", s)
		}
		token := r.token(t, ctx, 1)
		send("before")
		all, err := topic.Subscribers(ctx)
		if err != nil || len(all) != 1 || all[0].Pending != h.Shows {
			t.Errorf("%+v, %v: pending is to be %t", all, err, h.Shows)
		}
		if err := topic.Unsubscribe(ctx, s.ID); h.Shows && !errors.Is(err, alert.ErrPending) {
			t.Errorf("remove one that is pending: %v", err)
		} else if !h.Shows { // it was removed
			subscribe(t, ctx, topic, r.URL+"/hook")
			token = r.token(t, ctx, 2)
		}
		if err := topic.Confirm(ctx, "x"+token); !errors.Is(err, alert.ErrToken) {
			t.Errorf("another token: %v", err)
		}
		if err := topic.Confirm(ctx, token); err != nil {
			t.Fatal(err)
		}
	}
	send("during")
	if n := r.count("during", 1, 10*time.Second); n != 1 {
		t.Errorf("%d alerts came", n)
	}
	if all, err := topic.Subscribers(ctx); err != nil || len(all) != 1 || all[0].Pending {
		t.Errorf("%+v, %v", all, err)
	}
	if err := topic.Unsubscribe(ctx, s.ID); err != nil {
		t.Fatal(err)
	}
	send("after")
	if n := r.count("after", 1, time.Second) + r.count("before", 1, 0); n != 0 {
		t.Errorf("%d alerts came before the confirmation or after the removal", n)
	}
}

func testNobodyElse(t *testing.T, ctx context.Context, _ TopicHarness, topic alert.Topic) {
	for _, endpoint := range []string{"", "x", "a@", "a@b@c", "Ops <a@example.com>", "http://example.com/hook",
		"https://",
		"https://example.com/#x", "ftp://example.com", "arn:aws:sqs:eu-west-1:1:q",
		"arn:aws:sqs:eu-west-1:123456789012:q.fifo", "arn:aws:lambda:eu-west-1:123456789012:function:f",
		"https://example.com/" + strings.Repeat("x", 3000)} {
		if s, err := topic.Subscribe(ctx, endpoint); !errors.Is(err, alert.ErrSubscriber) {
			t.Errorf("%.60q: %+v, %v", endpoint, s, err)
		}
	}
	if got := theirs(t, ctx, topic); len(got) != 0 {
		t.Errorf("subscribers %q", got)
	}
}

func testNoTopic(t *testing.T, ctx context.Context, _ TopicHarness, topic alert.Topic) {
	for range 2 {
		if err := topic.Delete(ctx); err != nil {
			t.Fatal(err)
		}
	}
	_, subscribed := topic.Subscribe(ctx, "a@example.com")
	_, listed := topic.Subscribers(ctx)
	for name, err := range map[string]error{"Subscribe": subscribed, "Subscribers": listed,
		"Unsubscribe": topic.Unsubscribe(ctx, "x")} {
		if !errors.Is(err, alert.ErrNoTopic) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := topic.Notify(ctx, alert.Alert{Severity: alert.Warning, Key: "k", Title: "t"}); err == nil {
		t.Error("an alert was sent to no topic")
	}
}

func testQueue(t *testing.T, ctx context.Context, h TopicHarness, topic alert.Topic) {
	if h.Received == nil {
		t.Skip("there are no queues here")
	}
	s := subscribe(t, ctx, topic, h.Queue)
	for i, want := range []int{1, 0} {
		if err := topic.Notify(ctx, alert.Alert{Severity: alert.Warning, Key: "k", Title: "t"}); err != nil {
			t.Fatal(err)
		}
		if n, err := h.Received(ctx); err != nil || n != want {
			t.Errorf("alert %d: the queue received %d, %v; want %d", i, n, err, want)
		}
		if i == 0 {
			if err := topic.Unsubscribe(ctx, s.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
}
