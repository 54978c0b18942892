package memory

import (
	"context"
	"fmt"
	"maps"
	"math/big"
	"sync"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/history"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
)

// History is a history.Store.
type History struct {
	env     *fault.Env
	jobs    *Jobs
	batches *Batches

	mu     sync.Mutex
	totals history.Totals
}

var _ history.Store = (*History)(nil)

// NewHistory returns the history of documents in stores, with nothing counted.
func NewHistory(e *fault.Env, jobs *Jobs, batches *Batches) *History {
	return &History{env: e, jobs: jobs, batches: batches}
}

func cloneTotals(t history.Totals) history.Totals {
	t.Jobs = maps.Clone(t.Jobs)
	for _, n := range []**big.Int{&t.Fee, &t.FeeSaved, &t.DataFee} {
		if *n != nil {
			*n = new(big.Int).Set(*n)
		}
	}
	return t
}

// Totals implements history.Store.
func (s *History) Totals(ctx context.Context) (history.Totals, error) {
	return fault.Call(ctx, s.env, "history", "Totals", "", func(fault.Fault) (history.Totals, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return cloneTotals(s.totals), nil
	})
}

// Count implements history.Store.
func (s *History) Count(ctx context.Context, t history.Totals) (history.Totals, error) {
	return fault.Call(ctx, s.env, "history", "Count", "", func(fault.Fault) (history.Totals, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.totals.Version != t.Version {
			return t, fmt.Errorf("count at version %d, stored is %d: %w", t.Version, s.totals.Version,
				history.ErrConflict)
		}
		t.Version++
		s.totals = cloneTotals(t)
		return t, nil
	})
}

// RemoveJobs implements history.Store.
func (s *History) RemoveJobs(ctx context.Context, t job.Type, first, last uint64) error {
	return fault.Act(ctx, s.env, "history", "RemoveJobs", string(t), func(fault.Fault) error {
		s.jobs.mu.Lock()
		defer s.jobs.mu.Unlock()
		var ids []string
		for _, k := range s.jobs.stage(t, job.Completed, first, last) {
			ids = append(ids, s.jobs.ids[batchKey{t, k.batch}])
		}
		for _, id := range ids {
			if j, ok := s.jobs.docs.get(id, false); ok && j.NextAction == job.None {
				s.jobs.delist(j)
				delete(s.jobs.docs.rows, id)
			}
		}
		return nil
	})
}

// RemoveSnos implements history.Store.
func (s *History) RemoveSnos(ctx context.Context, first, last uint64) error {
	return fault.Act(ctx, s.env, "history", "RemoveSnos", fmt.Sprint(first), func(fault.Fault) error {
		for i := first; i <= last && i-first < history.MaxRange; i++ {
			s.batches.snos.drop(i)
		}
		return nil
	})
}

// RemoveAggregator implements history.Store.
func (s *History) RemoveAggregator(ctx context.Context, index uint64) error {
	return fault.Act(ctx, s.env, "history", "RemoveAggregator", fmt.Sprint(index), func(fault.Fault) error {
		s.batches.aggregators.drop(index)
		return nil
	})
}

// drop removes a batch, if there is one.
func (s *shelf[B]) drop(index uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, err := s.get(index, fault.Fault{}); err == nil {
		s.remove(s.fields(&b))
	}
}
