// Package alerting sends alerts: one for each cause, a reminder a day while the cause lasts, and an all-clear. All
// processes share the memory of what was reported, so a cause that strikes fifty jobs makes one alert.
package alerting

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/operator"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// Reporter reports causes. Notifier, Store and Now are required.
type Reporter struct {
	Notifier alert.Notifier
	Store    alert.Store
	Now      func() time.Time
	Layer    stage.Layer   // of the chain, for the names of batches
	Seat     operator.Seat // from where operators act; zero: alerts name no commands
	// Dashboard is the URL of the chain's dashboard; "": there is none.
	Dashboard string
	Log       *slog.Logger
}

// ErrBusy says that another process is sending the alert of this cause now. It may yet fail: raise the cause again.
var ErrBusy = errors.New("another process is sending this alert")

// tries is how often a report is read again because another process has changed it.
const tries = 5

// page is how many open reports are looked at.
const page = 200

// Raise reports a cause that was seen: it sends an alert if one is due. The error says that an alert is due and may not
// have been sent, or that nobody knows whether one is due; raise the cause again then.
func (r *Reporter) Raise(ctx context.Context, c alert.Cause) error {
	for range tries {
		next, sight, err := r.see(ctx, c)
		if errors.Is(err, alert.ErrConflict) {
			continue
		}
		if err != nil {
			return fmt.Errorf("report %s: %w", c.Key, err)
		}
		switch sight {
		case alert.Busy:
			return fmt.Errorf("report %s: %w", c.Key, ErrBusy)
		case alert.Due:
			return r.send(ctx, next, c.Retry)
		}
		return nil
	}
	return fmt.Errorf("report %s: %w", c.Key, alert.ErrConflict)
}

// see writes what was seen.
func (r *Reporter) see(ctx context.Context, c alert.Cause) (alert.Report, alert.Sight, error) {
	old, err := r.Store.Get(ctx, c.Key)
	if err != nil && !errors.Is(err, alert.ErrNotFound) {
		return old, alert.Known, err
	}
	if err != nil {
		old = alert.Report{}
	}
	next, sight := old.See(c, r.Now())
	if sight == alert.Noted || sight == alert.Due {
		next, err = r.Store.Save(ctx, next)
		return next, sight, err
	}
	return next, sight, nil
}

// send sends the alert that this process has claimed, and notes that it did. If it can't be sent, it is free for
// others.
func (r *Reporter) send(ctx context.Context, claimed alert.Report, retry bool) error {
	a := alert.Alert{
		Severity: claimed.Severity, Key: claimed.Key, Title: claimed.Title,
		Detail: claimed.Detail + r.named(claimed.Jobs),
		Jobs:   claimed.Jobs, At: r.Now(), Runbook: alert.RunbookSection(claimed.Key), Dashboard: r.Dashboard,
	}
	if r.Seat != (operator.Seat{}) {
		a.Command, a.Page = r.command(claimed, retry), r.Seat.Page()
	}
	if !claimed.ReportedAt.IsZero() {
		a.Title = "Reminder: " + a.Title
		a.Detail = fmt.Sprintf("Since %s. %s", claimed.Since.UTC().Format(time.RFC3339), a.Detail)
	}
	sent := r.Notifier.Notify(ctx, a)
	note := claimed.Sent(a.At)
	if sent != nil {
		note.ReportedAt = claimed.ReportedAt
	}
	for range tries {
		_, err := r.Store.Save(ctx, note)
		if errors.Is(err, alert.ErrConflict) {
			var now alert.Report
			if now, err = r.Store.Get(ctx, note.Key); err == nil {
				now.ReportedAt, now.ClaimedUntil = note.ReportedAt, note.ClaimedUntil
				note = now
				continue
			}
		}
		if err != nil && !errors.Is(err, alert.ErrNotFound) {
			r.log().WarnContext(ctx, "whether the alert was sent is not noted, it may be sent again", "key", a.Key,
				"error", err)
		}
		break
	}
	if sent != nil {
		return fmt.Errorf("send alert %s: %w", a.Key, sent)
	}
	return nil
}

// command is what an operator types to act on a cause.
func (r *Reporter) command(c alert.Report, retry bool) string {
	switch {
	case retry && len(c.Jobs) == 1:
		return r.Seat.Retry(c.Jobs[0].ID)
	case retry && len(c.Jobs) > 1: // all of one stage: the key has it
		return r.Seat.RetryAll(c.Jobs[0].Type)
	case len(c.Jobs) == 1:
		return r.Seat.Job(c.Jobs[0].ID)
	}
	return r.Seat.Status()
}

// named lists the jobs that a cause touches.
func (r *Reporter) named(jobs []alert.Job) string {
	const shown = 20
	if len(jobs) < 2 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, " It touches %d jobs", len(jobs))
	if len(jobs) == alert.MaxJobs {
		b.WriteString(" or more")
	}
	for i, j := range jobs[:min(len(jobs), shown)] {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		fmt.Fprintf(&b, "%s%s of %s (%s)", sep, j.Type, r.Layer.BatchName(stage.Name(j.Type), j.Batch), j.ID)
	}
	if len(jobs) > shown {
		b.WriteString(" and others")
	}
	return b.String() + "."
}

// Release says that the causes whose keys begin with prefix do not touch some jobs any more. A cause that touches none
// is over.
func (r *Reporter) Release(ctx context.Context, prefix string, jobIDs ...string) error {
	open, err := r.Open(ctx, prefix)
	if err != nil {
		return err
	}
	var faults []error
	for _, o := range open {
		faults = append(faults, r.release(ctx, o, jobIDs))
	}
	return errors.Join(faults...)
}

func (r *Reporter) release(ctx context.Context, o alert.Report, jobIDs []string) error {
	var err error
	for range tries {
		next, changed, over := o.Without(jobIDs...)
		switch {
		case !changed:
			return nil
		case over:
			err = r.resolve(ctx, o)
		default:
			_, err = r.Store.Save(ctx, next)
		}
		if !errors.Is(err, alert.ErrConflict) {
			return err
		}
		o, err = r.Store.Get(ctx, o.Key)
		if errors.Is(err, alert.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return err
}

// Open returns the open reports of a prefix, at most a page of them.
func (r *Reporter) Open(ctx context.Context, prefix string) ([]alert.Report, error) {
	open, err := r.Store.Open(ctx, prefix, page)
	if err != nil {
		return nil, fmt.Errorf("read the open reports of %s: %w", prefix, err)
	}
	return open, nil
}

// Resolve ends reports, as they were read, whose cause is over. One that has changed since was seen again and stays
// open.
func (r *Reporter) Resolve(ctx context.Context, over ...alert.Report) error {
	var faults []error
	for _, o := range over {
		if err := r.resolve(ctx, o); err != nil && !errors.Is(err, alert.ErrConflict) {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// resolve ends a report and sends the all-clear if there was an alert. It ends first: an all-clear for a cause that was
// just seen again would mislead, one that is lost does not.
func (r *Reporter) resolve(ctx context.Context, o alert.Report) error {
	if err := r.Store.Delete(ctx, o); err != nil {
		return fmt.Errorf("end report %s: %w", o.Key, err)
	}
	if o.ReportedAt.IsZero() {
		return nil
	}
	a := alert.Alert{
		Severity: alert.Resolved, Key: o.Key, Title: "Resolved: " + o.Title, At: r.Now(),
		Detail: fmt.Sprintf("What was reported on %s is over.", o.ReportedAt.UTC().Format(time.RFC3339)),
	}
	if err := r.Notifier.Notify(ctx, a); err != nil {
		r.log().WarnContext(ctx, "all-clear not sent", "key", o.Key, "error", err)
	}
	return nil
}

func (r *Reporter) log() *slog.Logger {
	if r.Log == nil {
		return slog.Default()
	}
	return r.Log
}
