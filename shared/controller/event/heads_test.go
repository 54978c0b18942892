package event_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	eventcontroller "github.com/madara-orchestrator/orchestrator/shared/controller/event"
)

// until notes how long it may listen.
type until struct{ left time.Duration }

func (u *until) Listen(ctx context.Context) error {
	d, _ := ctx.Deadline()
	u.left = time.Until(d)
	return nil
}

// A listener ends before its function does; other events are refused.
func TestHeads(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for event, want := range map[string]string{
		eventcontroller.ListenEvent: "", `{}`: "not the schedule's", `{"stage":"SnosRun"}`: "not the schedule's",
		`[]`: "not the JSON object",
	} {
		u := &until{}
		h := eventcontroller.Heads{Service: u}
		_, err := h.Handle(ctx, json.RawMessage(event))
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", event, err, want)
		}
		if want == "" && (u.left < 50*time.Second || u.left > 58*time.Second) {
			t.Errorf("it listens for %s of a minute", u.left)
		}
	}
	h := eventcontroller.Heads{Service: &until{}}
	if _, err := h.Handle(t.Context(), json.RawMessage(eventcontroller.ListenEvent)); err == nil {
		t.Error("it listens without an end")
	}
}
