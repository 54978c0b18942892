package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
)

// State is how far a batch is with a stage.
type State string

// The states.
const (
	StateWaiting State = "waiting" // the stage has no job of the batch yet, or not all of them
	StateRunning State = "running"
	StateDone    State = "done"
	StateFailed  State = "failed" // a job waits for an operator
)

// States are all states.
var States = []State{StateWaiting, StateRunning, StateDone, StateFailed}

// Progress is how far a batch is with one stage.
type Progress struct {
	Stage     string    `json:"stage"`
	State     State     `json:"state"`
	Jobs      int       `json:"jobs"` // that the stage has of the batch
	Done      int       `json:"done"` // of those
	Failed    int       `json:"failed"`
	StartedAt time.Time `json:"started_at,omitzero"` // of the first job
	EndedAt   time.Time `json:"ended_at,omitzero"`   // of the last job, once all are done
	Seconds   float64   `json:"seconds"`             // between the two, or until now
}

// stagesOf are the stages with jobs that a batch passes, in the order of the pipeline.
func (s *Service) stagesOf(d document) []job.Type {
	var out []job.Type
	for _, t := range job.Types {
		if s.Layer.Has(t) && (d.kind == KindAggregator || s.batchKind(t) == KindSnos) {
			out = append(out, t)
		}
	}
	return out
}

// progress is how far a batch is with each stage: of a settled one from its ledger, else from its jobs. jobs may hold
// others.
func (s *Service) progress(d document, jobs []job.Job) []Progress {
	out := []Progress{}
	for _, t := range s.stagesOf(d) {
		p := Progress{Stage: string(t), State: StateWaiting}
		if l, ok := d.ledger.Stages[string(t)]; ok {
			p.State, p.Jobs, p.Done = StateDone, l.Jobs, l.Jobs
			p.StartedAt, p.EndedAt = utc(l.StartedAt), utc(l.EndedAt)
			p.Seconds = max(l.EndedAt.Sub(l.StartedAt).Seconds(), 0)
		} else {
			for _, j := range jobs {
				if j.Type == t && s.carries(d, j) {
					p.add(j)
				}
			}
			p.finish(s.wanted(d, t), s.Now())
		}
		out = append(out, p)
	}
	return out
}

// carries says whether a job belongs to a batch.
func (s *Service) carries(d document, j job.Job) bool {
	if s.batchKind(j.Type) == KindAggregator {
		return d.kind == KindAggregator && j.Batch == d.index
	}
	return j.Batch >= d.firstSnos && j.Batch <= d.lastSnos
}

// wanted is how many jobs a stage has of a batch in the end.
func (s *Service) wanted(d document, t job.Type) int {
	if s.batchKind(t) == KindAggregator {
		return 1
	}
	return int(d.lastSnos - d.firstSnos + 1)
}

func (p *Progress) add(j job.Job) {
	p.Jobs++
	if p.StartedAt.IsZero() || j.CreatedAt.Before(p.StartedAt) {
		p.StartedAt = utc(j.CreatedAt)
	}
	switch {
	case j.Status == job.Completed:
		p.Done++
		if j.EndedAt.After(p.EndedAt) {
			p.EndedAt = utc(j.EndedAt)
		}
	case j.Status.NeedsOperator():
		p.Failed++
	}
}

func (p *Progress) finish(wanted int, now time.Time) {
	until := now
	switch {
	case p.Failed > 0:
		p.State = StateFailed
	case p.Jobs > 0 && p.Done == p.Jobs && p.Jobs >= wanted:
		p.State, until = StateDone, p.EndedAt
	case p.Jobs > 0:
		p.State = StateRunning
	}
	if p.State != StateDone {
		p.EndedAt = time.Time{}
	}
	if !p.StartedAt.IsZero() {
		p.Seconds = max(until.Sub(p.StartedAt).Seconds(), 0)
	}
}

// jobsOf reads the jobs of batches that follow each other, by stage and then by batch: one query a stage.
func (s *Service) jobsOf(ctx context.Context, ds []document) ([]job.Job, error) {
	var out []job.Job
	for _, t := range job.Types {
		var from, to uint64
		for _, d := range ds {
			if !s.Layer.Has(t) || d.kind == KindSnos && s.batchKind(t) == KindAggregator {
				continue
			}
			first, last := d.firstSnos, d.lastSnos
			if s.batchKind(t) == KindAggregator {
				first, last = d.index, d.index
			}
			if from == 0 || first < from {
				from = first
			}
			to = max(to, last)
		}
		if to == 0 {
			continue
		}
		for from <= to {
			js, err := s.Jobs.List(ctx, job.Filter{Type: t, From: from, To: to, Limit: job.MaxPage})
			if err != nil {
				return nil, fmt.Errorf("list %s jobs %d to %d: %w", t, from, to, err)
			}
			out = append(out, js...)
			if len(js) < job.MaxPage {
				break
			}
			from = js[len(js)-1].Batch + 1
		}
	}
	return out, nil
}

// viewAll are batches as operators see them. The jobs are read of those that are not settled alone.
func (s *Service) viewAll(ctx context.Context, ds []document) ([]Batch, error) {
	var busy []document
	for _, d := range ds {
		if !d.settled {
			busy = append(busy, d)
		}
	}
	jobs, err := s.jobsOf(ctx, busy)
	if err != nil {
		return nil, err
	}
	out := make([]Batch, 0, len(ds))
	for _, d := range ds {
		out = append(out, s.batchView(d, jobs))
	}
	return out, nil
}
