// Package lag measures how far settlement is behind the chain, for alarms and the dashboard.
package lag

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
)

// Meter measures, for the context's telemetry. All fields but Settled and FirstBlock are required.
type Meter struct {
	Source block.Source
	Jobs   job.Store
	// Control says which stages are paused: nobody is to take their jobs, so those are not overdue.
	Control schedule.Control
	// Settled reads what the core contract has settled: before the first batch of this deployment is settled, the lag
	// counts from there. nil: from FirstBlock.
	Settled func(context.Context) (settlement.State, error)
	// FirstBlock is the first block that this deployment settles.
	FirstBlock uint64
	// Grace is how long a job may be overdue before it counts.
	Grace time.Duration
	Now   func() time.Time
}

// most bounds what is counted of each kind.
const most = 100

// Run measures once, where anybody takes it. Where the chain can't be read, what is known of the jobs is measured all
// the same.
func (m *Meter) Run(ctx context.Context) error {
	if !metric.Wanted(ctx) {
		return nil
	}
	values, err := m.jobs(ctx)
	if err != nil {
		return err
	}
	blocks, err := m.blocks(ctx)
	metric.Record(ctx, m.Now(), append(values, blocks...)...)
	return err
}

func (m *Meter) jobs(ctx context.Context) ([]metric.Value, error) {
	failed := 0
	for _, t := range job.Types {
		counts, err := m.Jobs.Count(ctx, t, []job.Status{job.Failed, job.VerificationTimeout}, most)
		if err != nil {
			return nil, fmt.Errorf("count failed jobs: %w", err)
		}
		for _, n := range counts {
			failed += n
		}
	}
	overdue, err := m.overdue(ctx)
	if err != nil {
		return nil, err
	}
	return []metric.Value{{Name: metric.FailedJobs, Value: float64(failed)},
		{Name: metric.OverdueJobs, Value: float64(overdue)}}, nil
}

// overdue counts the jobs that were due and that nobody took, without those of paused stages.
func (m *Meter) overdue(ctx context.Context) (int, error) {
	pauses, err := schedule.Paused(ctx, m.Control)
	if err != nil {
		return 0, fmt.Errorf("read paused stages: %w", err)
	}
	due, err := m.Jobs.Due(ctx, m.Now().Add(-m.Grace), most, pauses.Stages()...)
	if err != nil {
		return 0, fmt.Errorf("count overdue jobs: %w", err)
	}
	return len(due), nil
}

func (m *Meter) blocks(ctx context.Context) ([]metric.Value, error) {
	head, err := m.Source.Head(ctx)
	if errors.Is(err, block.ErrNotFound) {
		return nil, nil // no block yet
	}
	if err != nil {
		return nil, fmt.Errorf("read the chain's head: %w", err)
	}
	next := m.FirstBlock
	values := []metric.Value{{Name: metric.HeadBlock, Value: float64(head)}}
	js, err := m.Jobs.List(ctx,
		job.Filter{Type: job.StateTransition, Statuses: []job.Status{job.Completed}, Order: job.Descending, Limit: 1})
	if err != nil {
		return nil, fmt.Errorf("read the last settled batch: %w", err)
	}
	if len(js) > 0 {
		if s, ok := js[0].Metadata.(*job.StateTransitionMeta); ok {
			next = s.EndBlock + 1
			values = append(values, metric.Value{Name: metric.SettledBlock, Value: float64(s.EndBlock)})
		}
	} else if m.Settled != nil {
		s, err := m.Settled(ctx)
		if err != nil {
			return values, fmt.Errorf("read the core contract: %w", err)
		}
		next = s.Next()
	}
	if head < next {
		return append(values, metric.Value{Name: metric.LagBlocks}, metric.Value{Name: metric.LagSeconds}), nil
	}
	oldest, err := m.Source.Headers(ctx, next, next)
	if err != nil {
		return values, fmt.Errorf("read the oldest unsettled block: %w", err)
	}
	age := m.Now().Sub(oldest[0].Timestamp)
	return append(values,
		metric.Value{Name: metric.LagBlocks, Value: float64(head - next + 1)},
		metric.Value{Name: metric.LagSeconds, Value: max(age.Seconds(), 0)}), nil
}
