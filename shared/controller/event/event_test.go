package event_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	eventcontroller "github.com/madara-orchestrator/orchestrator/shared/controller/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// calls counts what reached the services.
type calls struct {
	ran, invoked int
	closed       uint64
}

func (c *calls) Run(_ context.Context, w stage.Name) error {
	if _, err := stage.Parse(string(w)); err != nil {
		return err
	}
	c.ran++
	return nil
}

func (c *calls) Close(_ context.Context, _ stage.Name, index uint64) error {
	c.closed = index
	return nil
}

func (c *calls) Invoke(_ context.Context, t job.Type, body string) error {
	if m, err := job.DecodeMessage(body); err != nil || m.Type != t {
		return errors.New("a message that is none was passed on")
	}
	c.invoked++
	return nil
}

const good = `{"job_id":"0123456789abcdef0123456789abcdef","job_type":"SnosRun","action":"process","generation":1}`

func sqsEvent(bodies ...string) json.RawMessage {
	var e events.SQSEvent
	for i, b := range bodies {
		e.Records = append(e.Records, events.SQSMessage{MessageId: string(rune('a' + i)), Body: b})
	}
	raw, _ := json.Marshal(e)
	return raw
}

// Every event is a schedule's, a queue's or refused; in a queue's only the bad records are delivered again.
func TestTriggers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		event        string
		ran, invoked int
		failed       string // message ids
		err          string
	}{
		"schedule":         {`{"stage":"SnosBatching"}`, 1, 0, "", ""},
		"of release 0.1":   {`{"worker":"Proving"}`, 1, 0, "", ""},
		"two names":        {`{"stage":"SnosRun","worker":"Snos"}`, 0, 0, "", "want one"},
		"unknown stage":    {`{"stage":"Nonsense"}`, 0, 0, "", "Nonsense"},
		"neither":          {`{}`, 0, 0, "", "no \"stage\""},
		"both":             {`{"stage":"SnosBatching","Records":[]}`, 0, 0, "", "both"},
		"no JSON":          {`nonsense`, 0, 0, "", "invalid"},
		"no object":        {`[1]`, 0, 0, "", "cannot"},
		"wake-up":          {string(sqsEvent(`{"stage":"SnosBatching"}`)), 1, 0, "", ""},
		"priority":         {string(sqsEvent(good)), 0, 1, "", ""},
		"close":            {string(sqsEvent(`{"stage":"SnosBatching","close":7}`)), 0, 0, "", ""},
		"one bad of three": {string(sqsEvent(good, "junk", `{"stage":"SnosBatching"}`)), 1, 1, "b", ""},
		"all bad":          {string(sqsEvent("", `{"stage":"x"}`)), 0, 0, "ab", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &calls{}
			h := &eventcontroller.Triggers{Service: c, Invoker: c, Log: slog.New(slog.DiscardHandler)}
			out, err := h.Handle(t.Context(), json.RawMessage(tt.event))
			if (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Fatalf("error %v, want one with %q", err, tt.err)
			}
			failed := ""
			if r, ok := out.(events.SQSEventResponse); ok {
				for _, f := range r.BatchItemFailures {
					failed += f.ItemIdentifier
				}
			}
			if asked := strings.Contains(tt.event, "close"); asked != (c.closed == 7) {
				t.Errorf("closed %d", c.closed)
			}
			if c.ran != tt.ran || c.invoked != tt.invoked || failed != tt.failed {
				t.Errorf("ran %d, invoked %d, failed %q; want %d, %d, %q",
					c.ran, c.invoked, failed, tt.ran, tt.invoked, tt.failed)
			}
		})
	}
}

// FuzzTriggers feeds whole events: no panic, and nothing that is not a wake-up reaches a service.
func FuzzTriggers(f *testing.F) {
	f.Add([]byte(`{"stage":"SnosBatching"}`))
	f.Add([]byte(sqsEvent(good, "junk")))
	f.Add([]byte(`{"Records":[{"body":1}]}`))
	f.Fuzz(func(t *testing.T, event []byte) {
		c := &calls{}
		h := &eventcontroller.Triggers{Service: c, Invoker: c, Log: slog.New(slog.DiscardHandler)}
		out, err := h.Handle(t.Context(), event)
		if err == nil && out == nil && c.ran != 1 {
			t.Errorf("%q did nothing and returned no error", event)
		}
	})
}
