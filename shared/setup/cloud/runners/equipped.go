package runners

import (
	"context"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/operator"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
)

// equipped is a runner whose tasks carry the chain's settings.
type equipped struct {
	snos.Runner
	chain  snos.Chain
	rpc    string
	hidden string // what must not show in what the runner says: rpc, where it is a secret
	api    string // URL of the deployment's API, which takes runners' callbacks; "": none does
}

// Submit implements snos.Runner.
func (e equipped) Submit(ctx context.Context, t snos.Task) (string, error) {
	t.Chain, t.RPC = e.chain, e.rpc
	if e.api != "" {
		t.Callback = e.api + operator.RunHooks + job.OfAttempt(t.ID)
	}
	handle, err := e.Runner.Submit(ctx, t)
	return handle, e.hide(err)
}

// Status implements snos.Runner.
func (e equipped) Status(ctx context.Context, handle string) (snos.Progress, error) {
	p, err := e.Runner.Status(ctx, handle)
	if e.hidden != "" {
		p.Detail = strings.ReplaceAll(p.Detail, e.hidden, "***")
	}
	return p, e.hide(err)
}

// hide takes the secret URL out of an error's text.
func (e equipped) hide(err error) error {
	if err == nil || e.hidden == "" || !strings.Contains(err.Error(), e.hidden) {
		return err
	}
	return redacted{err, strings.ReplaceAll(err.Error(), e.hidden, "***")}
}

// redacted is an error with another text.
type redacted struct {
	error
	text string
}

func (r redacted) Error() string { return r.text }
func (r redacted) Unwrap() error { return r.error }
