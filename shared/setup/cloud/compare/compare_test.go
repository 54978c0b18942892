package compare

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// Where a node leaves out what is compared, an L2 that only reads its blobs back goes on, and says so. Every other
// error stays.
func TestAsFar(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err, want error
		logged    bool
	}{
		"right":        {nil, nil, false},
		"left out":     {fmt.Errorf("%w: no aliases", da.ErrNotCompared), nil, true},
		"another diff": {&da.MismatchError{What: "nonce"}, &da.MismatchError{}, false},
		"unreadable":   {da.ErrUnreadable, da.ErrUnreadable, false},
		"node is down": {context.DeadlineExceeded, context.DeadlineExceeded, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			c := asFar(func(context.Context, []felt.Felt, da.Blocks) error { return tt.err },
				slog.New(slog.NewTextHandler(&out, nil)))
			err := c(t.Context(), nil, da.Blocks{From: 1, To: 2})
			var differs *da.MismatchError
			if (err == nil) != (tt.want == nil) || err != nil && !errors.Is(err, tt.err) && !errors.As(err, &differs) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if strings.Contains(out.String(), "no aliases") != tt.logged {
				t.Errorf("logged %q", out.String())
			}
		})
	}
}
