// Package reconcile closes every gap between a database write and a message: the Reconcile worker sends the wake-up of
// any job that is overdue again, and the alert of any job that waits for an operator and was not reported.
package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/service/alerting"
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
	pauses, err := schedule.Paused(ctx, r.Control)
	if err != nil {
		return fmt.Errorf("read paused stages: %w", err)
	}
	due, err := r.Jobs.Due(ctx, r.Now().Add(-r.Grace), page, pauses.Stages()...)
	if err != nil {
		return fmt.Errorf("list overdue jobs: %w", err)
	}
	var faults []error
	woken := 0
	for _, j := range due {
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

// alert sends alerts that were lost, reminders, and all-clears.
func (r *Reconciler) alert(ctx context.Context) error {
	alerts := r.Executor.Alerts
	open, err := alerts.Open(ctx, "") // before the jobs: what is reported meanwhile is none of these
	if err != nil {
		return err
	}
	reports := map[string]alert.Report{}
	for _, o := range open {
		reports[o.Key] = o
	}
	lasting, whole := map[string]bool{}, true
	var faults []error
	for _, t := range job.Types {
		waiting, err := r.Jobs.List(ctx,
			job.Filter{Type: t, Statuses: []job.Status{job.Failed, job.VerificationTimeout}, Limit: page})
		if err != nil {
			return errors.Join(append(faults, fmt.Errorf("list failed %s jobs: %w", t, err))...)
		}
		whole = whole && len(waiting) < page
		for _, j := range waiting {
			c := r.Executor.Waits(j)
			if lasting[c.Key] && reports[c.Key].Names(j.ID) {
				continue
			}
			lasting[c.Key] = true
			if err := alerts.Raise(ctx, c); err != nil && !errors.Is(err, alerting.ErrBusy) {
				faults = append(faults, err)
			}
		}
	}
	over := slices.DeleteFunc(open, func(o alert.Report) bool {
		switch {
		case strings.HasPrefix(o.Key, executor.WaitsPrefix):
			return lasting[o.Key] || !whole
		case strings.HasPrefix(o.Key, executor.AwaitingPrefix) && len(o.Jobs) > 0:
			return r.awaits(ctx, o)
		case strings.HasPrefix(o.Key, executor.FailingPrefix), strings.HasPrefix(o.Key, executor.DeadLetterPrefix),
			strings.HasPrefix(o.Key, executor.AwaitingPrefix):
			return r.Now().Sub(o.SeenAt) < alert.Reminder // nothing says that these are over
		}
		return true // another service's
	})
	return errors.Join(append(faults, alerts.Resolve(ctx, over...))...)
}

// awaits says whether a job that a report names still waits: a job takes itself off when it goes on, unless its process
// ended just then. What can't be read now may wait.
func (r *Reconciler) awaits(ctx context.Context, o alert.Report) bool {
	for _, named := range o.Jobs {
		j, err := r.Jobs.Get(ctx, named.ID)
		switch {
		case errors.Is(err, job.ErrNotFound):
		case err != nil:
			return true
		case j.Attempts.Transient > 0 && j.Status != job.Completed && !j.Status.NeedsOperator():
			return true
		}
	}
	return false
}
