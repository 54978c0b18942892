package main

import (
	"context"

	apicontroller "github.com/madara-orchestrator/orchestrator/shared/controller/api"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/atlantic"
)

func wire(ctx context.Context, p *cloud.Process) (any, error) {
	core, err := p.Core(ctx)
	if err != nil {
		return nil, err
	}
	var hook apicontroller.ProverHook
	if p.Config.Prover.Atlantic.HookSecret != "" {
		if hook, err = atlantic.Hook(ctx, p); err != nil {
			return nil, err
		}
	}
	return core.Hooks(hook).Handle, nil
}

// unready answers while something is missing, such as a secret's value. Third parties call these routes, so they don't
// learn the reason: it is in the log.
func unready(error) any { return apicontroller.NewUnreadyHooks().Handle }
