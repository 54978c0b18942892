package once_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/once"
)

// What an invocation has read it keeps for a time, each type by itself; what failed it reads again, and without an
// invocation nothing is kept.
func TestRead(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	reads, fails := 0, errors.New("no connection")
	number := func(context.Context) (int, error) {
		if reads++; reads == 1 {
			return 0, fails
		}
		return reads, nil
	}
	text := func(context.Context) (string, error) { return "text", nil }
	ctx := once.Begin(t.Context())
	for i, step := range []struct {
		ctx   context.Context
		after time.Duration
		want  int
		err   error
	}{
		{ctx, 0, 0, fails}, {ctx, 0, 2, nil}, {ctx, time.Second, 2, nil}, {ctx, 2 * time.Second, 3, nil},
		{ctx, 3 * time.Second, 3, nil}, {t.Context(), 0, 4, nil}, {once.Begin(t.Context()), 0, 5, nil},
	} {
		got, err := once.Read(step.ctx, start.Add(step.after), 2*time.Second, number)
		if got != step.want || !errors.Is(err, step.err) {
			t.Errorf("read %d: %d, %v; want %d, %v", i, got, err, step.want, step.err)
		}
		if got, err := once.Read(step.ctx, start, time.Hour, text); got != "text" || err != nil {
			t.Errorf("read %d of another type: %q, %v", i, got, err)
		}
	}
}
