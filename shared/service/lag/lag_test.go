package lag_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric/metrictest"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/blocks"
	"github.com/madara-orchestrator/orchestrator/shared/service/lag"
)

var start = time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)

// settled is a completed state transition up to a block.
func settled(batch, end uint64) job.Job {
	j := job.New(fmt.Sprintf("%032x", batch), batch, &job.StateTransitionMeta{EndBlock: end}, "", start)
	j.Status, j.NextAction, j.DueAt = job.Completed, job.None, time.Time{}
	return j
}

func TestRun(t *testing.T) {
	t.Parallel()
	failed := func(n uint64, s job.Status) job.Job {
		j := job.New(fmt.Sprintf("%032x", 100+n), n, &job.SnosRunMeta{}, "", start)
		j.Status, j.NextAction, j.DueAt = s, job.None, time.Time{}
		return j
	}
	due := func(n uint64, at time.Time) job.Job {
		return job.New(fmt.Sprintf("%032x", 200+n), n, &job.ProofCreationMeta{}, "", at)
	}
	overdueRun := job.New(fmt.Sprintf("%032x", 300), 1, &job.SnosRunMeta{}, "", start)
	now := start.Add(10 * time.Minute)
	for name, tt := range map[string]struct {
		blocks int // one a minute from start on
		first  uint64
		jobs   []job.Job
		paused stage.Name
		want   map[metric.Name]float64
	}{
		"no block": {0, 0, nil, "", map[metric.Name]float64{metric.FailedJobs: 0, metric.OverdueJobs: 0}},
		"nothing settled": {5, 0, nil, "",
			map[metric.Name]float64{metric.HeadBlock: 4, metric.LagBlocks: 5, metric.LagSeconds: 600,
				metric.FailedJobs: 0, metric.OverdueJobs: 0}},
		"from its first block on": {5, 3, nil, "",
			map[metric.Name]float64{metric.HeadBlock: 4, metric.LagBlocks: 2, metric.LagSeconds: 420,
				metric.FailedJobs: 0, metric.OverdueJobs: 0}},
		"some settled": {5, 0, []job.Job{settled(1, 0), settled(2, 2)}, "",
			map[metric.Name]float64{metric.HeadBlock: 4, metric.SettledBlock: 2,
				metric.LagBlocks: 2, metric.LagSeconds: 420, metric.FailedJobs: 0, metric.OverdueJobs: 0}},
		"all settled": {5, 0, []job.Job{settled(1, 4)}, "", map[metric.Name]float64{metric.HeadBlock: 4,
			metric.SettledBlock: 4,
			metric.LagBlocks:    0, metric.LagSeconds: 0, metric.FailedJobs: 0, metric.OverdueJobs: 0}},
		"failed and overdue": {0, 0,
			[]job.Job{failed(1, job.Failed), failed(2, job.VerificationTimeout), due(1, start), due(2, now)}, "",
			map[metric.Name]float64{metric.FailedJobs: 2, metric.OverdueJobs: 1}},
		"jobs of a paused stage are not overdue": {0, 0,
			[]job.Job{due(1, start), overdueRun}, stage.ProofCreation,
			map[metric.Name]float64{metric.FailedJobs: 0, metric.OverdueJobs: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source, jobs := blocks.New(nil, "DEV"), memory.NewJobs(nil)
			if err := source.Grow(tt.blocks, start, time.Minute); err != nil {
				t.Fatal(err)
			}
			for _, j := range tt.jobs {
				if err := jobs.Create(t.Context(), j); err != nil {
					t.Fatal(err)
				}
			}
			control := memory.NewControls(nil)
			if tt.paused != "" {
				if err := control.Pause(t.Context(), schedule.Pause{Stage: tt.paused}); err != nil {
					t.Fatal(err)
				}
			}
			var out metrictest.Recorder
			m := &lag.Meter{
				Source: source, Jobs: jobs, Control: control, FirstBlock: tt.first, Grace: time.Minute,
				Now: func() time.Time { return now },
			}
			if err := m.Run(metric.With(t.Context(), &out)); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, out.Newest()); d != "" {
				t.Errorf("metrics, wanted (-) and measured (+):\n%s", d)
			}
		})
	}
}

// What is known of the jobs is measured although the chain can't be read, and the error is returned.
func TestChainDown(t *testing.T) {
	t.Parallel()
	down := &fault.Env{
		Hook: fault.NewRules(fault.Rule{Method: "Head", Times: -1, Fault: fault.Fault{Kind: fault.FailBefore}})}
	var out metrictest.Recorder
	m := &lag.Meter{
		Source: blocks.New(down, "DEV"), Jobs: memory.NewJobs(nil), Control: memory.NewControls(nil),
		Now: func() time.Time { return start },
	}
	if err := m.Run(metric.With(t.Context(), &out)); err == nil {
		t.Error("no error")
	}
	want := map[metric.Name]float64{metric.FailedJobs: 0, metric.OverdueJobs: 0}
	if d := cmp.Diff(want, out.Newest()); d != "" {
		t.Errorf("metrics, wanted (-) and measured (+):\n%s", d)
	}
}
