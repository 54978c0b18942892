package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
)

// Jobs is a job.Store.
type Jobs struct {
	env *fault.Env

	mu     sync.Mutex
	docs   table[string, job.Job]
	ids    map[batchKey]string
	stages index[stageKey]
	due    index[dueKey]
}

var _ job.Store = (*Jobs)(nil)

type batchKey struct {
	kind  job.Type
	batch uint64
}

type stageKey struct {
	kind   job.Type
	status job.Status
	batch  uint64
}

type dueKey struct {
	at time.Time
	id string
}

// NewJobs returns an empty store.
func NewJobs(e *fault.Env) *Jobs {
	return &Jobs{
		env: e, docs: newTable[string](job.Job.Clone, e.Hooked()), ids: map[batchKey]string{},
		stages: index[stageKey]{cmp: func(a, b stageKey) int {
			return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.status, b.status), cmp.Compare(a.batch, b.batch))
		}},
		due: index[dueKey]{cmp: func(a, b dueKey) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id)) }},
	}
}

// Create implements job.Store.
func (s *Jobs) Create(ctx context.Context, j job.Job) error {
	return fault.Act(ctx, s.env, "jobs", "Create", j.ID, func(fault.Fault) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if _, ok := s.docs.rows[j.ID]; ok {
			return fmt.Errorf("create job %s: %w", j.ID, job.ErrExists)
		}
		if id, ok := s.ids[batchKey{j.Type, j.Batch}]; ok {
			old, _ := s.docs.get(id, false)
			if old.Epoch >= j.Epoch {
				return fmt.Errorf("create %s job of batch %d: %w", j.Type, j.Batch, job.ErrExists)
			}
			s.remove(old)
		}
		s.docs.put(j.ID, j)
		s.enlist(j)
		return nil
	})
}

// Get implements job.Store.
func (s *Jobs) Get(ctx context.Context, id string) (job.Job, error) {
	return fault.Call(ctx, s.env, "jobs", "Get", id, func(f fault.Fault) (job.Job, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.read(id, f)
	})
}

// Find implements job.Store.
func (s *Jobs) Find(ctx context.Context, t job.Type, internalID uint64) (job.Job, error) {
	key := fmt.Sprintf("%s/%d", t, internalID)
	return fault.Call(ctx, s.env, "jobs", "Find", key, func(f fault.Fault) (job.Job, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		id, ok := s.ids[batchKey{t, internalID}]
		if !ok {
			return job.Job{}, fmt.Errorf("find %s job of batch %d: %w", t, internalID, job.ErrNotFound)
		}
		return s.read(id, f)
	})
}

// read returns a readable document. The caller holds the lock.
func (s *Jobs) read(id string, f fault.Fault) (job.Job, error) {
	j, ok := s.docs.get(id, f.Is(fault.Stale))
	if !ok {
		return job.Job{}, fmt.Errorf("read job %s: %w", id, job.ErrNotFound)
	}
	if !readable(j) {
		return job.Job{}, fmt.Errorf("read job %s of schema %d: %w", id, j.Schema, job.ErrSchema)
	}
	return j, nil
}

func readable(j job.Job) bool { return j.Schema >= job.SchemaMin && j.Schema <= job.SchemaMax }

// Update implements job.Store.
func (s *Jobs) Update(ctx context.Context, j job.Job) (job.Job, error) {
	return fault.Call(ctx, s.env, "jobs", "Update", j.ID, func(fault.Fault) (job.Job, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		old, err := s.read(j.ID, fault.Fault{})
		if err != nil {
			return job.Job{}, err
		}
		if old.Version != j.Version {
			return job.Job{}, fmt.Errorf("update job %s at version %d, stored is %d: %w",
				j.ID, j.Version, old.Version, job.ErrConflict)
		}
		key := batchKey{j.Type, j.Batch}
		if id, ok := s.ids[key]; ok && id != j.ID {
			return job.Job{}, fmt.Errorf("update job %s to batch %d of job %s: %w", j.ID, j.Batch, id, job.ErrExists)
		}
		next := j.Clone()
		next.Version++
		s.delist(old)
		s.docs.put(j.ID, next)
		s.enlist(next)
		return next, nil
	})
}

// Delete implements job.Store.
func (s *Jobs) Delete(ctx context.Context, j job.Job) error {
	return fault.Act(ctx, s.env, "jobs", "Delete", j.ID, func(fault.Fault) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		old, err := s.read(j.ID, fault.Fault{})
		if err != nil {
			return err
		}
		if j.Version != old.Version {
			return fmt.Errorf("delete job %s at version %d, stored is %d: %w", j.ID, j.Version, old.Version,
				job.ErrConflict)
		}
		s.remove(old)
		return nil
	})
}

// remove takes a job out. The caller holds the lock.
func (s *Jobs) remove(j job.Job) {
	s.delist(j)
	delete(s.docs.rows, j.ID)
}

// enlist and delist keep the indexes. The caller holds the lock.
func (s *Jobs) enlist(j job.Job) {
	s.ids[batchKey{j.Type, j.Batch}] = j.ID
	s.stages.add(stageKey{j.Type, j.Status, j.Batch})
	if j.NextAction != job.None {
		s.due.add(dueKey{j.DueAt, j.ID})
	}
}

func (s *Jobs) delist(j job.Job) {
	delete(s.ids, batchKey{j.Type, j.Batch})
	s.stages.remove(stageKey{j.Type, j.Status, j.Batch})
	s.due.remove(dueKey{j.DueAt, j.ID})
}

// Due implements job.Store.
func (s *Jobs) Due(ctx context.Context, t time.Time, limit int, without ...job.Type) ([]job.Job, error) {
	return fault.Call(ctx, s.env, "jobs", "Due", "", func(f fault.Fault) ([]job.Job, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		var out []job.Job
		if f.Is(fault.Stale) {
			for j := range s.docs.before() {
				if j.NextAction != job.None && !j.DueAt.After(t) && readable(j) && !slices.Contains(without, j.Type) {
					out = append(out, j)
				}
			}
			slices.SortFunc(out, func(a, b job.Job) int {
				return cmp.Or(a.DueAt.Compare(b.DueAt), cmp.Compare(a.ID, b.ID))
			})
			return cut(out, limit), nil
		}
		for _, k := range s.due.keys {
			if k.at.After(t) || len(out) == pageSize(limit) {
				break
			}
			if j, err := s.read(k.id, f); err == nil && !slices.Contains(without, j.Type) {
				out = append(out, j)
			}
		}
		return out, nil
	})
}

// List implements job.Store.
func (s *Jobs) List(ctx context.Context, f job.Filter) ([]job.Job, error) {
	return fault.Call(ctx, s.env, "jobs", "List", string(f.Type), func(fault fault.Fault) ([]job.Job, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if f.Type == "" {
			return nil, fmt.Errorf("list jobs of no type: want one of %v", job.Types)
		}
		out := s.selected(f, fault)
		slices.SortFunc(out, func(a, b job.Job) int {
			if f.Order == job.Descending {
				a, b = b, a
			}
			return cmp.Compare(a.Batch, b.Batch)
		})
		return cut(out, f.Limit), nil
	})
}

// selected returns the jobs of a filter, at most a page of each status, in no order. The caller holds the lock.
func (s *Jobs) selected(f job.Filter, with fault.Fault) []job.Job {
	statuses := f.Statuses
	if len(statuses) == 0 {
		statuses = job.Statuses
	}
	var out []job.Job
	if with.Is(fault.Stale) {
		for j := range s.docs.before() {
			if j.Type == f.Type && slices.Contains(statuses, j.Status) && within(j.Batch, f) && readable(j) {
				out = append(out, j)
			}
		}
		return out
	}
	for i, status := range statuses {
		if slices.Contains(statuses[:i], status) {
			continue
		}
		keys := s.stage(f.Type, status, f.From, f.To)
		n := 0
		for i := range keys {
			if f.Order == job.Descending {
				i = len(keys) - 1 - i
			}
			if n == pageSize(f.Limit) {
				break
			}
			if j, err := s.read(s.ids[batchKey{f.Type, keys[i].batch}], fault.Fault{}); err == nil {
				out = append(out, j)
				n++
			}
		}
	}
	return out
}

func within(id uint64, f job.Filter) bool { return id >= f.From && (f.To == 0 || id <= f.To) }

// stage is the part of the index for a status, with to 0 for no bound. The caller holds the lock.
func (s *Jobs) stage(t job.Type, status job.Status, from, to uint64) []stageKey {
	if to == 0 {
		to = ^uint64(0)
	}
	lo, hi := s.stages.at(stageKey{t, status, from}), s.stages.at(stageKey{t, status + "\x00", 0})
	if to < ^uint64(0) {
		hi = s.stages.at(stageKey{t, status, to + 1})
	}
	return s.stages.keys[lo:max(lo, hi)]
}

// Count implements job.Store.
func (s *Jobs) Count(ctx context.Context, t job.Type, statuses []job.Status, most int) (map[job.Status]int, error) {
	return fault.Call(ctx, s.env, "jobs", "Count", string(t), func(f fault.Fault) (map[job.Status]int, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		out := make(map[job.Status]int, len(statuses))
		for _, status := range statuses {
			n := len(s.stage(t, status, 0, 0))
			if f.Is(fault.Stale) {
				n = 0
				for j := range s.docs.before() {
					if j.Type == t && j.Status == status {
						n++
					}
				}
			}
			out[status] = min(n, most)
		}
		return out, nil
	})
}

// Ping implements job.Store.
func (s *Jobs) Ping(ctx context.Context) error { return fault.Ping(ctx, s.env, "jobs") }

// pageSize is how much a limit allows.
func pageSize(limit int) int { return min(max(limit, 0), job.MaxPage) }

func cut[T any](list []T, limit int) []T { return list[:min(len(list), pageSize(limit))] }
