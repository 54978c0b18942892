package runners

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
)

// echo is a runner that says what it was given.
type echo struct {
	snos.Runner
	got snos.Task
}

func (e *echo) Submit(_ context.Context, t snos.Task) (string, error) {
	e.got = t
	return "h", fmt.Errorf("can't reach %s: %w", t.RPC, snos.ErrBusy)
}

func (e *echo) Status(context.Context, string) (snos.Progress, error) {
	return snos.Progress{State: snos.Failed, Detail: "no answer of " + e.got.RPC}, nil
}

// Tasks carry the settings, and a secret URL does not come back in errors.
func TestEquipped(t *testing.T) {
	t.Parallel()
	const url = "https://node.example/hunter2"
	chain := snos.Chain{ID: "MADARA", FeeToken: "0x1", EthFeeToken: "0x2", PublicKeys: []string{"0x3"}}
	for _, hidden := range []bool{true, false} {
		r := &echo{}
		e := equipped{Runner: r, chain: chain, rpc: url}
		if hidden {
			e.hidden = url
		}
		_, err := e.Submit(t.Context(), snos.Task{ID: "x", StarknetVersion: "0.14.4"})
		want := snos.Task{ID: "x", StarknetVersion: "0.14.4", Chain: chain, RPC: url}
		if d := cmp.Diff(want, r.got); d != "" {
			t.Errorf("task: %s", d)
		}
		if !errors.Is(err, snos.ErrBusy) || strings.Contains(err.Error(), "hunter2") == hidden {
			t.Errorf("hidden %t: %v", hidden, err)
		}
		if p, err := e.Status(t.Context(), "h"); err != nil || strings.Contains(p.Detail, "hunter2") == hidden {
			t.Errorf("hidden %t: %+v, %v", hidden, p, err)
		}
	}
}

// A task says where a runner says that the run has ended: the API's path for the job.
func TestCallback(t *testing.T) {
	t.Parallel()
	j := job.New(job.NewID(), 7, &job.SnosRunMeta{}, "", time.Time{})
	for api, want := range map[string]string{"": "", "https://api.example": "https://api.example/hooks/run/" + j.ID} {
		r := &echo{}
		if _, err := (equipped{Runner: r, api: api}).Submit(t.Context(), snos.Task{ID: j.AttemptID()}); err == nil ||
			r.got.Callback != want {
			t.Errorf("%q: callback %q, want %q", api, r.got.Callback, want)
		}
	}
}
