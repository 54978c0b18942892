package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
)

// Reports is an alert.Store.
type Reports struct {
	env *fault.Env

	mu   sync.Mutex
	docs table[string, alert.Report]
	keys index[string]
}

var _ alert.Store = (*Reports)(nil)

// NewReports returns a store without reports.
func NewReports(e *fault.Env) *Reports {
	clone := func(r alert.Report) alert.Report {
		r.Jobs = slices.Clone(r.Jobs)
		return r
	}
	return &Reports{env: e, docs: newTable[string](clone, e.Hooked()), keys: index[string]{cmp: cmp.Compare[string]}}
}

// Get implements alert.Store.
func (s *Reports) Get(ctx context.Context, key string) (alert.Report, error) {
	return fault.Call(ctx, s.env, "reports", "Get", key, func(f fault.Fault) (alert.Report, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		r, ok := s.docs.get(key, f.Is(fault.Stale))
		if !ok {
			return r, fmt.Errorf("read report %s: %w", key, alert.ErrNotFound)
		}
		return r, nil
	})
}

// Open implements alert.Store.
func (s *Reports) Open(ctx context.Context, prefix string, limit int) ([]alert.Report, error) {
	return fault.Call(ctx, s.env, "reports", "Open", prefix, func(f fault.Fault) ([]alert.Report, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		var out []alert.Report
		for _, k := range s.keys.keys[s.keys.at(prefix):] {
			if !strings.HasPrefix(k, prefix) || len(out) == limit {
				break
			}
			if r, ok := s.docs.get(k, f.Is(fault.Stale)); ok {
				out = append(out, r)
			}
		}
		return out, nil
	})
}

// Save implements alert.Store.
func (s *Reports) Save(ctx context.Context, r alert.Report) (alert.Report, error) {
	return fault.Call(ctx, s.env, "reports", "Save", r.Key, func(fault.Fault) (alert.Report, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		old, _ := s.docs.get(r.Key, false)
		if old.Version != r.Version {
			return r, fmt.Errorf("save report %s at version %d: %w", r.Key, r.Version, alert.ErrConflict)
		}
		r.Version++
		r.Jobs = slices.Clone(r.Jobs)
		s.docs.put(r.Key, r)
		s.keys.add(r.Key)
		return r, nil
	})
}

// Delete implements alert.Store.
func (s *Reports) Delete(ctx context.Context, r alert.Report) error {
	return fault.Act(ctx, s.env, "reports", "Delete", r.Key, func(fault.Fault) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		old, ok := s.docs.get(r.Key, false)
		if !ok || old.Version != r.Version {
			return fmt.Errorf("delete report %s at version %d: %w", r.Key, r.Version, alert.ErrConflict)
		}
		delete(s.docs.rows, r.Key)
		s.keys.remove(r.Key)
		return nil
	})
}
