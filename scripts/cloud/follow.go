package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/dev/report"
	"github.com/madara-orchestrator/orchestrator/shared/dev/stack"
)

// look is how often the database and the contract are looked at.
const look = 500 * time.Millisecond

// lookTimeout is how long one look may take: what hangs is reported, and asked again.
const lookTimeout = 5 * time.Second

// follow shows what schedules and mappings do, and the alerts, until the contract holds the chain's last block and its
// batch is completed. A look that fails is shown and made again; a job that waits for an operator ends it, except with
// -keep: there somebody may retry it.
func (d *deployment) follow(ctx context.Context, s *stack.Sandbox) error {
	shown, failing := "", false
	for {
		line, done, err := d.look(ctx, s)
		if errors.Is(err, errStuck) {
			if !d.o.keep {
				return err
			}
			err = nil // it has an alert
		}
		if err != nil && !failing {
			d.note("a look failed, it is made again: %v", err)
		}
		failing = err != nil
		if err == nil && line != shown {
			d.note("%s", line)
			shown = line
		}
		d.showAlerts(ctx)
		if done {
			return nil
		}
		if strings.HasPrefix(line, "blocks") {
			d.o.fail.begin(d)
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), d.waits(context.WithoutCancel(ctx), s))
		case <-time.After(look):
		}
	}
}

// look is one look at the database and the contract: a line that says how far it is, and whether all is settled.
func (d *deployment) look(ctx context.Context, s *stack.Sandbox) (line string, done bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	if line, err = d.progress(ctx, s); err == nil {
		done, err = d.settled(ctx, s)
	}
	return line, done, err
}

// showAlerts shows the alerts that came, with the command that acts on each.
func (d *deployment) showAlerts(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	ms, err := d.alerts.New(ctx)
	if err != nil {
		return // asked again at the next look
	}
	for _, m := range ms {
		d.note("ALERT      %s: %s", m.Severity, m.Title)
		if m.Command != "" {
			d.note("           %s", m.Command)
		}
	}
}

// progress is one line: how many jobs of each stage are completed, of how many. A job that waits for an operator is an
// error beside it.
func (d *deployment) progress(ctx context.Context, s *stack.Sandbox) (string, error) {
	var parts []string
	var stuck error
	last, err := s.DB.Batches().LastSnos(ctx)
	if err == nil {
		parts = append(parts, fmt.Sprintf("blocks %d/%d", last.EndBlock+1, s.Last+1))
	} else {
		parts = append(parts, "waiting for the first schedule")
	}
	for _, t := range job.Types {
		if !d.o.layer.Has(t) {
			continue
		}
		n, err := s.DB.Jobs().Count(ctx, t, job.Statuses, 1000)
		if err != nil {
			return "", fmt.Errorf("count %s jobs: %w", t, err)
		}
		all := 0
		for _, count := range n {
			all += count
		}
		if n[job.Failed]+n[job.VerificationTimeout] > 0 {
			stuck = cmp.Or(stuck, d.stuck(ctx, s, t))
		}
		if all > 0 {
			parts = append(parts, fmt.Sprintf("%s %d/%d", report.Short(t), n[job.Completed], all))
		}
	}
	return strings.Join(parts, " "), stuck // 80 columns with all stages of an L3
}

// unfinished are the statuses of jobs that have work left.
var unfinished = []job.Status{job.Created, job.LockedForProcessing, job.PendingVerification,
	job.VerificationFailed, job.PendingRetry}

// waits is an error that says what the first unfinished job of each stage waits for.
func (d *deployment) waits(ctx context.Context, s *stack.Sandbox) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var errs []error
	for _, t := range job.Types {
		js, err := s.DB.Jobs().List(ctx, job.Filter{Type: t, Statuses: unfinished, Limit: 1})
		if err != nil || len(js) == 0 {
			continue
		}
		j := js[0]
		errs = append(errs, fmt.Errorf("%s of batch %d is %s (%d invocations, next %q due %s): %s",
			t, j.Batch, j.Status, j.Attempts.Total,
			j.NextAction, j.DueAt.UTC().Format(time.TimeOnly), cmp.Or(j.Reason(), "no failure recorded")))
	}
	return errors.Join(errs...)
}

// stuck is the error that names the job that waits for an operator, and why.
func (d *deployment) stuck(ctx context.Context, s *stack.Sandbox, t job.Type) error {
	js, err := s.DB.Jobs().List(ctx,
		job.Filter{Type: t, Statuses: []job.Status{job.Failed, job.VerificationTimeout}, Limit: 1})
	if err != nil || len(js) == 0 {
		return errStuck
	}
	return fmt.Errorf("%w: %s of batch %d is %s: %s", errStuck, t, js[0].Batch, js[0].Status, js[0].Reason())
}

// settled says whether the contract holds the last block and the database knows it.
func (d *deployment) settled(ctx context.Context, s *stack.Sandbox) (bool, error) {
	state, err := s.Contract.State(ctx, false)
	if err != nil || !state.Settled || state.Block < s.Last {
		return false, err
	}
	rows, err := report.Rows(ctx, s.DB.Batches(), d.o.layer)
	if err != nil || len(rows) == 0 {
		return false, err
	}
	return slices.Contains([]batch.Status{batch.Completed, batch.Archived}, rows[len(rows)-1].Status), nil
}
