// Package reconcile closes every gap between a database write and a message: the Reconcile worker sends the wake-up of
// any job that is overdue again, and the alert of any job that waits for an operator and whose alert was not sent.
package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
)

// Reconciler sends lost wake-ups again. All fields but Log are required.
type Reconciler struct {
	Jobs     job.Store
	Executor *executor.Executor
	Control  schedule.Control
	// Grace is how long a job may be overdue before it is woken: the time that its own message needs.
	Grace time.Duration
	Now   func() time.Time
	Log   *slog.Logger
}

// page is how many overdue jobs one run wakes; the longest overdue first, the rest at the next run.
const page = 500

// Run wakes what is overdue.
func (r *Reconciler) Run(ctx context.Context) error {
	due, err := r.Jobs.Due(ctx, r.Now().Add(-r.Grace), page)
	if err != nil {
		return fmt.Errorf("list overdue jobs: %w", err)
	}
	pauses, err := r.Control.Pauses(ctx)
	if err != nil {
		return fmt.Errorf("read paused stages: %w", err)
	}
	var faults []error
	woken := 0
	for _, j := range due {
		if _, paused := pauses.Of(j.Type); paused {
			continue
		}
		if err := r.Executor.Dispatch(ctx, j); err != nil {
			faults = append(faults, err)
			continue
		}
		woken++
	}
	if woken > 0 && r.Log != nil {
		r.Log.InfoContext(ctx, "overdue jobs woken", "jobs", woken)
	}
	return errors.Join(append(faults, r.alert(ctx))...)
}

// Reminder is how often the operators are reminded of a job that waits for them: an alert that was taken may still never arrive.
const Reminder = 24 * time.Hour

// alert sends alerts that were lost, and reminders.
func (r *Reconciler) alert(ctx context.Context) error {
	for _, t := range job.Types {
		js, err := r.Jobs.List(ctx, job.Filter{Type: t, Statuses: []job.Status{job.Failed, job.VerificationTimeout}, Limit: page})
		if err != nil {
			return fmt.Errorf("list failed %s jobs: %w", t, err)
		}
		for _, j := range js {
			if r.Now().Sub(j.AlertedAt) >= Reminder {
				r.Executor.AlertOperators(ctx, j)
			}
		}
	}
	return nil
}
