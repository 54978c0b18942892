package alert_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
)

var began = time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)

func TestSee(t *testing.T) {
	t.Parallel()
	stored := func(change func(*alert.Report)) alert.Report {
		r := alert.Report{
			Key: "k", Severity: alert.Warning, Since: began, SeenAt: began, ReportedAt: began,
			Version: 1, Jobs: []alert.Job{{ID: "a"}},
		}
		if change != nil {
			change(&r)
		}
		return r
	}
	warning := alert.Cause{Key: "k", Severity: alert.Warning, Job: alert.Job{ID: "a"}}
	full := make([]alert.Job, alert.MaxJobs)
	for i := range full {
		full[i].ID = fmt.Sprint(i)
	}
	for name, tt := range map[string]struct {
		report alert.Report
		cause  alert.Cause
		at     time.Duration
		want   alert.Sight
		jobs   int
	}{
		"new":             {alert.Report{}, warning, 0, alert.Due, 1},
		"new and to last": {alert.Report{}, alert.Cause{Key: "k", After: time.Minute}, 0, alert.Noted, 0},
		"lasted long enough": {stored(func(r *alert.Report) { r.ReportedAt = time.Time{} }),
			alert.Cause{After: time.Minute}, time.Minute, alert.Due, 1},
		"not long enough": {stored(func(r *alert.Report) { r.ReportedAt = time.Time{} }),
			alert.Cause{After: time.Minute}, 59 * time.Second, alert.Known, 1},
		"reported": {stored(nil), warning, time.Minute, alert.Known, 1},
		"another job": {stored(nil), alert.Cause{Severity: alert.Warning, Job: alert.Job{ID: "b"}},
			time.Minute, alert.Noted, 2},
		"one job too many": {stored(func(r *alert.Report) { r.Jobs = full }), warning,
			time.Minute, alert.Known, alert.MaxJobs},
		"seen an hour later": {stored(nil), warning, time.Hour, alert.Noted, 1},
		"almost a day": {stored(func(r *alert.Report) { r.SeenAt = began.Add(23 * time.Hour) }), warning,
			alert.Reminder - 1, alert.Known, 1},
		"a day":             {stored(nil), warning, alert.Reminder, alert.Due, 1},
		"worse than before": {stored(nil), alert.Cause{Severity: alert.Critical}, time.Minute, alert.Due, 1},
		"better than before": {stored(func(r *alert.Report) { r.Severity = alert.Critical }),
			warning, time.Minute, alert.Known, 1},
		"being sent": {stored(func(r *alert.Report) {
			r.ReportedAt, r.ClaimedUntil = time.Time{}, began.Add(time.Minute)
		}), warning, time.Second, alert.Busy, 1},
		"sender has vanished": {stored(func(r *alert.Report) {
			r.ReportedAt, r.ClaimedUntil = time.Time{}, began.Add(time.Minute)
		}), warning, time.Minute, alert.Due, 1},
		"reminder is claimed": {stored(func(r *alert.Report) {
			r.ClaimedUntil = began.Add(alert.Reminder + time.Minute)
		}), warning, alert.Reminder, alert.Busy, 1},
		"sent and not claimed": {stored(nil).Sent(began), warning, time.Second, alert.Known, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := began.Add(tt.at)
			next, got := tt.report.See(tt.cause, now)
			if got != tt.want || len(next.Jobs) != tt.jobs {
				t.Errorf("sight %d with %d jobs, want %d with %d", got, len(next.Jobs), tt.want, tt.jobs)
			}
			if got == alert.Due && !next.ClaimedUntil.After(now) {
				t.Error("the alert is due and not claimed: two processes would send it")
			}
			if len(tt.report.Jobs) > 0 && len(tt.report.Jobs) != alert.MaxJobs && tt.report.Jobs[0].ID != "a" {
				t.Error("the report that was given has changed")
			}
		})
	}
}

func TestWithout(t *testing.T) {
	t.Parallel()
	r := alert.Report{Jobs: []alert.Job{{ID: "a"}, {ID: "b"}}}
	if _, changed, over := r.Without("c"); changed || over {
		t.Error("a job that is not on the report changed it")
	}
	next, changed, over := r.Without("a")
	if !changed || over || len(next.Jobs) != 1 || next.Jobs[0].ID != "b" || len(r.Jobs) != 2 || r.Jobs[0].ID != "a" {
		t.Errorf("without a: %+v, changed %t, over %t; the report itself is %+v", next, changed, over, r)
	}
	if _, _, over := next.Without("b"); !over {
		t.Error("the last job is gone and the cause is not over")
	}
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	same := [][]string{
		{"submit batch 7: dial tcp 10.0.0.1:443: refused", "submit batch 12: dial tcp 10.0.12.9:8080: refused"},
		{"transaction 0xabc1 reverted", "transaction 0x0 reverted"},
		{"task 3f2504e0-beef-11d3-9a0c-0305e82c3301 lost", "task 9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d lost"},
	}
	seen := map[string]string{}
	for _, group := range same {
		f := alert.Fingerprint(group[0])
		for _, s := range group {
			if got := alert.Fingerprint(s); got != f {
				t.Errorf("%q and %q have different fingerprints", group[0], s)
			}
		}
		if other, ok := seen[f]; ok {
			t.Errorf("%q and %q have the same fingerprint", group[0], other)
		}
		seen[f] = group[0]
	}
	if alert.Fingerprint("connection refused") == alert.Fingerprint("connection reset") {
		t.Error("different words have the same fingerprint")
	}
}
