// Package timing keeps the schedules of the trigger workers as pauses and settings say. The pause in the database
// decides what a stage does; its schedule is only what a paused stage would cost in vain.
package timing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// Keeper corrects schedules that differ from what they should be. All fields but Log are required.
type Keeper struct {
	Scheduler schedule.Scheduler
	Control   schedule.Control
	Every     map[stage.Name]time.Duration // of the layer's stages
	Log       *slog.Logger
}

// Run looks at each stage's schedule once: that of a paused stage is disabled, all others are enabled, and each has the
// interval that the settings say. Reconcile's is never disabled: it is what enables the others again.
func (k *Keeper) Run(ctx context.Context) error {
	pauses, err := schedule.Paused(ctx, k.Control)
	if err != nil {
		return fmt.Errorf("read paused stages: %w", err)
	}
	var faults []error
	for _, n := range slices.Sorted(maps.Keys(k.Every)) {
		_, paused := pauses.Of(n)
		if err := k.keep(ctx, n, paused && n != stage.Reconcile); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// keep looks at one schedule. EventBridge Scheduler's listing would be one request for all, but it has no intervals,
// and its right can't be limited to these schedules.
func (k *Keeper) keep(ctx context.Context, n stage.Name, disabled bool) error {
	t, err := k.Scheduler.Get(ctx, string(n))
	if err != nil {
		return err
	}
	if every := k.Every[n]; t.Every != every {
		was := t.Every
		t.Every = every
		if err := k.Scheduler.Update(ctx, t); err != nil {
			return err
		}
		k.log(ctx, "schedule has another interval", n, "was", was.String(), "is", every.String())
	}
	if t.Disabled == disabled {
		return nil
	}
	change, what := k.Scheduler.Enable, "schedule enabled"
	if disabled {
		change, what = k.Scheduler.Disable, "schedule disabled"
	}
	if err := change(ctx, string(n)); err != nil {
		return err
	}
	k.log(ctx, what, n)
	return nil
}

func (k *Keeper) log(ctx context.Context, what string, n stage.Name, more ...any) {
	if k.Log != nil {
		k.Log.InfoContext(ctx, what, append([]any{"stage", string(n)}, more...)...)
	}
}
