package executor_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
)

// prompt is a queue that drops what has a delay, as Kafka's topics do.
type prompt struct{ sent []string }

func (p *prompt) Send(_ context.Context, _ string, ms ...queue.Outgoing) error {
	for _, m := range ms {
		if m.Delay == 0 {
			p.sent = append(p.sent, m.Body)
		}
	}
	return nil
}

// What an operator wants is in no document: its message reaches also a queue that drops what has a delay.
func TestCloseLaterWithoutDelays(t *testing.T) {
	t.Parallel()
	q, held := &prompt{}, time.Duration(0)
	w := executor.Waker{Queue: q, Hold: func(_ context.Context, d time.Duration) error { held = d; return nil }}
	if err := w.CloseLater(t.Context(), stage.SnosBatching, 7); err != nil {
		t.Fatal(err)
	}
	want := schedule.Wakeup{Stage: stage.SnosBatching, Close: 7}.Encode()
	if len(q.sent) != 1 || q.sent[0] != want || held <= 0 || held > 10*time.Second {
		t.Errorf("sent %q after %s, want %q", q.sent, held, want)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	w.Hold = executor.Hold
	if err := w.CloseLater(ended, stage.SnosBatching, 7); !errors.Is(err, context.Canceled) || len(q.sent) != 1 {
		t.Errorf("an invocation that ends sent %q, %v", q.sent, err)
	}
}
