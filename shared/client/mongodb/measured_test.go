package mongodb_test

import (
	"context"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/mongodb"
	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/job/jobtest"
	"github.com/madara-orchestrator/orchestrator/shared/core/lock"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric/metrictest"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

// measured connects to a server and returns what is measured in the context.
func measured(t *testing.T, uri string) (context.Context, *mongodb.DB, *metrictest.Recorder) {
	t.Helper()
	db, err := mongodb.Connect(mongodb.Config{URI: uri, Database: "measured", Timeout: 5 * time.Second,
		Monitor: mongodb.Measured()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	r := &metrictest.Recorder{}
	return metric.With(t.Context(), r), db, r
}

// A database that can't be reached is measured whatever is asked of it: no command is sent, so that the driver's
// monitor sees nothing.
func TestUnreachableIsMeasured(t *testing.T) {
	t.Parallel()
	ctx, db, r := measured(t, "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=50")
	jobs, batches, locks, control, reports := db.Jobs(), db.Batches(), db.Locks(time.Now), db.Controls(), db.Reports()
	j := jobtest.New(1, &job.SnosRunMeta{})
	lease := lock.Lease{Name: "x", Owner: "o", Fence: 1}
	for name, call := range map[string]func(context.Context) error{
		"ping":   jobs.Ping,
		"index":  db.EnsureIndexes,
		"create": func(ctx context.Context) error { return jobs.Create(ctx, j) },
		"get":    func(ctx context.Context) error { _, err := jobs.Get(ctx, j.ID); return err },
		"update": func(ctx context.Context) error { _, err := jobs.Update(ctx, j); return err },
		"due":    func(ctx context.Context) error { _, err := jobs.Due(ctx, time.Now(), 1); return err },
		"list": func(ctx context.Context) error {
			_, err := jobs.List(ctx, job.Filter{Type: job.SnosRun, Limit: 1})
			return err
		},
		"count": func(ctx context.Context) error {
			_, err := jobs.Count(ctx, job.SnosRun, []job.Status{job.Failed}, 1)
			return err
		},
		"create batch": func(ctx context.Context) error { return batches.CreateSnos(ctx, batch.SnosBatch{Index: 1}) },
		"last batch":   func(ctx context.Context) error { _, err := batches.LastAggregator(ctx); return err },
		"batches":      func(ctx context.Context) error { _, err := batches.SnosRange(ctx, 1, 2); return err },
		"update batch": func(ctx context.Context) error {
			_, err := batches.UpdateSnos(ctx, batch.SnosBatch{Index: 1})
			return err
		},
		"acquire": func(ctx context.Context) error { _, err := locks.Acquire(ctx, "x", "o", time.Minute); return err },
		"renew":   func(ctx context.Context) error { _, err := locks.Renew(ctx, lease, time.Minute); return err },
		"release": func(ctx context.Context) error { return locks.Release(ctx, lease) },
		"pauses":  func(ctx context.Context) error { _, err := control.Pauses(ctx); return err },
		"pause":   func(ctx context.Context) error { return control.Pause(ctx, schedule.Pause{Stage: stage.SnosRun}) },
		"resume":  func(ctx context.Context) error { return control.Resume(ctx, stage.SnosRun) },
		"report":  func(ctx context.Context) error { _, err := reports.Get(ctx, "k"); return err },
		"open":    func(ctx context.Context) error { _, err := reports.Open(ctx, "", 1); return err },
		"save":    func(ctx context.Context) error { _, err := reports.Save(ctx, alert.Report{Key: "k"}); return err },
	} {
		before := len(r.Of(metric.CallErrors))
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		err := call(short)
		cancel()
		vs := r.Of(metric.CallErrors)
		if err == nil || len(vs) != before+1 || vs[before].Labels[metric.Service] != metric.Database {
			t.Errorf("%s: %v, %d failed calls were measured, want 1", name, err, len(vs)-before)
		}
	}
}

// What the database answers is measured once; that there is no such document is an answer.
func TestAnswersAreMeasuredOnce(t *testing.T) {
	t.Parallel()
	ctx, db, r := measured(t, tools.Mongod(t))
	jobs, j := db.Jobs(), jobtest.New(1, &job.SnosRunMeta{})
	if _, err := jobs.Get(ctx, j.ID); err == nil {
		t.Fatal("there is a job already")
	}
	for range 2 { // the second one exists already
		_ = jobs.Create(ctx, j)
	}
	if n, m := len(r.Of(metric.CallSeconds)), len(r.Of(metric.CallErrors)); n != 3 || m != 0 {
		t.Errorf("%d calls and %d failed ones were measured, want 3 and 0", n, m)
	}
}
