package alerting_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/operator"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/service/alerting"
)

// bench is a reporter with a clock, and hooks on the calls of its ports.
type bench struct {
	*alerting.Reporter
	t      *testing.T
	now    time.Time
	alerts *memory.Alerts
	fail   func(fault.Op) fault.Fault
}

func setup(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	env := &fault.Env{Now: func() time.Time { return b.now }, Hook: fault.HookFunc(func(op fault.Op) fault.Fault {
		if b.fail == nil {
			return fault.Fault{}
		}
		return b.fail(op)
	})}
	b.alerts = memory.NewAlerts(env)
	b.Reporter = &alerting.Reporter{Notifier: b.alerts, Store: memory.NewReports(env),
		Now: func() time.Time { return b.now }}
	return b
}

func cause(job string) alert.Cause {
	c := alert.Cause{Key: "failing/SnosRun/x", Severity: alert.Warning,
		Title: "SnosRun keeps failing", Detail: "Runner is down."}
	if job != "" {
		c.Job = alert.Job{ID: job, Type: "SnosRun", Batch: 7}
	}
	return c
}

func (b *bench) raise(c alert.Cause) {
	b.t.Helper()
	if err := b.Raise(b.t.Context(), c); err != nil {
		b.t.Fatal(err)
	}
}

// sent checks the titles of everything that was sent.
func (b *bench) sent(want ...string) []alert.Alert {
	b.t.Helper()
	var titles []string
	as := b.alerts.Sent()
	for _, a := range as {
		titles = append(titles, a.Title)
	}
	if fmt.Sprint(titles) != fmt.Sprint(want) {
		b.t.Fatalf("alerts %q, want %q", titles, want)
	}
	return as
}

// A cause that strikes fifty jobs at once makes one alert, a reminder a day that names them, and one all-clear.
func TestOneAlertACause(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			for { // as a job does that fails again
				err := b.Raise(t.Context(), cause(fmt.Sprintf("job%02d", i)))
				if err == nil {
					return
				}
				if !errors.Is(err, alerting.ErrBusy) && !errors.Is(err, alert.ErrConflict) {
					t.Errorf("job %d: %v", i, err)
					return
				}
			}
		})
	}
	all.Wait()
	b.sent("SnosRun keeps failing")
	for range 6 * 60 {
		b.now = b.now.Add(time.Minute)
		for i := range 50 {
			b.raise(cause(fmt.Sprintf("job%02d", i)))
		}
	}
	b.sent("SnosRun keeps failing")
	b.now = b.now.Add(18 * time.Hour)
	b.raise(cause("job07"))
	as := b.sent("SnosRun keeps failing", "Reminder: SnosRun keeps failing")
	if d := as[1].Detail; len(as[1].Jobs) != 50 || !strings.Contains(d,
		"It touches 50 jobs: SnosRun of SNOS batch 7 (job") || !strings.Contains(d, "Since 2026-01-01T00:00:00Z") {
		t.Errorf("the reminder names %d jobs: %s", len(as[1].Jobs), d)
	}
	for i := range 50 {
		if err := b.Release(t.Context(), "failing/SnosRun/", fmt.Sprintf("job%02d", i)); err != nil {
			t.Fatal(err)
		}
		if n := len(b.alerts.Sent()); i < 49 && n != 2 {
			t.Fatalf("%d alerts after %d jobs are fine, want no all-clear yet", n, i+1)
		}
	}
	as = b.sent("SnosRun keeps failing", "Reminder: SnosRun keeps failing", "Resolved: SnosRun keeps failing")
	if as[2].Severity != alert.Resolved || as[2].Key != as[0].Key {
		t.Errorf("the all-clear is %+v", as[2])
	}
	b.raise(cause("job00")) // once more: a new cause
	b.sent("SnosRun keeps failing", "Reminder: SnosRun keeps failing",
		"Resolved: SnosRun keeps failing", "SnosRun keeps failing")
}

// An alert that can't be sent is sent at the next sight; so is one whose sender died between claiming and sending.
func TestAlertIsNotLost(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]fault.Fault{"refused": {Kind: fault.FailBefore},
		"process ended": {Kind: fault.FailBefore, Err: fault.ErrCrashed}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			dead := false
			b.fail = func(op fault.Op) fault.Fault {
				if op.Component == "alerts" || dead {
					dead = kind.Err != nil
					return kind
				}
				return fault.Fault{}
			}
			if err := b.Raise(t.Context(), cause("a")); err == nil {
				t.Fatal("an alert that was not sent returned nil")
			}
			b.fail = nil
			if kind.Err != nil {
				if err := b.Raise(t.Context(), cause("a")); !errors.Is(err, alerting.ErrBusy) {
					t.Fatalf("while the claim lasts: %v, want ErrBusy", err)
				}
				b.now = b.now.Add(time.Minute)
			}
			b.raise(cause("a"))
			b.sent("SnosRun keeps failing")
		})
	}
}

// A cause that must last is reported when it has; one that ends before is never mentioned.
func TestCauseMustLast(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := cause("")
	c.After = 10 * time.Minute
	b.raise(c)
	b.now = b.now.Add(9 * time.Minute)
	b.raise(c)
	b.over("failing/")
	b.sent()
	b.raise(c)
	b.now = b.now.Add(10 * time.Minute)
	b.raise(c)
	b.over("failing/")
	b.sent("SnosRun keeps failing", "Resolved: SnosRun keeps failing")
}

func (b *bench) over(prefix string) {
	b.t.Helper()
	open, err := b.Open(context.Background(), prefix)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.Resolve(context.Background(), open...); err != nil {
		b.t.Fatal(err)
	}
}

// What was seen again since it was taken for over stays open.
func TestSeenAgainIsNotOver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.raise(cause("a"))
	open, err := b.Open(t.Context(), "failing/")
	if err != nil || len(open) != 1 {
		t.Fatalf("%d open, %v", len(open), err)
	}
	b.raise(cause("b"))
	if err := b.Resolve(t.Context(), open...); err != nil {
		t.Fatal(err)
	}
	b.sent("SnosRun keeps failing")
	if now, err := b.Open(t.Context(), "failing/"); err != nil || len(now) != 1 || len(now[0].Jobs) != 2 {
		t.Errorf("open %+v, %v", now, err)
	}
}

// An alert names the command that acts on it, the runbook's section, the page and the dashboard; an all-clear names
// none.
func TestAlertsSayWhatToDo(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		key     string
		retry   bool
		jobs    int
		command string
		runbook string
	}{
		"one job": {"waiting/SnosRun/Failed/1", true, 1, "retry job0", "docs/runbook.md#alert-waiting"},
		"two jobs": {"waiting/SnosRun/Failed/1", true, 2, `retry SnosRun -reason "..."`,
			"docs/runbook.md#alert-waiting"},
		"it goes on": {"failing/SnosRun/1", false, 1, "job job0", "docs/runbook.md#alert-failing"},
		"no job":     {"dead-letter/stage/SnosRun", false, 0, "status", "docs/runbook.md#alert-dead-letterstage"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.Seat, b.Dashboard, b.Layer = operator.Seat{Chain: "mychain"}, "https://dashboard.example", stage.L2
			c := alert.Cause{Key: tt.key, Severity: alert.Critical, Title: "t", Retry: tt.retry, After: time.Minute}
			for i := range max(tt.jobs, 1) {
				if tt.jobs > 0 {
					c.Job = alert.Job{ID: fmt.Sprintf("job%d", i), Type: "SnosRun", Batch: 3}
				}
				b.raise(c)
			}
			b.now = b.now.Add(time.Minute)
			b.raise(c)
			a := b.sent("t")[0]
			if want := "make ops CHAIN=mychain ARGS='" + tt.command + "'"; a.Command != want ||
				a.Runbook != tt.runbook ||
				a.Page != "make ops CHAIN=mychain ARGS='page'" || a.Dashboard != "https://dashboard.example" {
				t.Errorf("got %+v, want %s and %s", a, want, tt.runbook)
			}
			open, err := b.Open(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			if err := b.Resolve(t.Context(), open...); err != nil {
				t.Fatal(err)
			}
			if a := b.sent("t", "Resolved: t")[1]; a.Command != "" || a.Runbook != "" {
				t.Errorf("the all-clear is %+v", a)
			}
		})
	}
}
