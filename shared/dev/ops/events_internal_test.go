package ops

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Events are what is new, what differs and what is over; a batch that has left the list of the newest is not over.
func TestChanges(t *testing.T) {
	t.Parallel()
	at := func(what, name, text string) happening { return happening{What: what, Name: name, Text: text} }
	before := seen{"batch 1": at("batch", "b1", "settled"), "batch 2": at("batch", "b2", "open"),
		"alert x": at("alert", "x", "critical: down"), "stage s": at("stage", "SnosRun", "paused by me: why")}
	now := seen{"batch 2": at("batch", "b2", "closed"), "batch 3": at("batch", "b3", "open"),
		"alert y": at("alert", "y", "warning: slow")}
	var got []string
	for _, h := range changes(before, now) {
		got = append(got, h.What+" "+h.Name+": "+h.Text)
	}
	want := []string{"alert y: warning: slow", "batch b2: closed", "batch b3: open", "alert x: over: critical: down",
		"stage SnosRun: resumed"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("wanted (-) and happened (+):\n%s", d)
	}
	if len(changes(now, now)) > 0 {
		t.Error("nothing changed, and something happened")
	}
}
