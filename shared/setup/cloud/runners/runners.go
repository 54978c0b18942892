// Package runners is the SNOS runner as a function is configured to use it.
package runners

import (
	"context"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/httprunner"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
)

// Runner returns the configured runner.
func Runner(ctx context.Context, p *cloud.Process) (snos.Runner, error) {
	switch s := p.Config.Snos; s.Kind {
	case "http":
		token := ""
		if s.TokenSecret != "" {
			var err error
			if token, err = p.Secrets.Get(ctx, s.TokenSecret); err != nil {
				return nil, err
			}
		}
		return httprunner.New(s.URL, token, 0)
	default:
		return nil, fmt.Errorf("SNOS runner %q is not known", s.Kind)
	}
}
