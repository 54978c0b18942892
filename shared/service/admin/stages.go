package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
)

// StageState is a stage of the pipeline: a trigger worker, the jobs of a type, or both where they share a name.
type StageState struct {
	Stage  string    `json:"stage"`
	Worker bool      `json:"worker"` // it is a trigger worker
	Jobs   bool      `json:"jobs"`   // it is a job type
	Paused bool      `json:"paused"`
	Since  time.Time `json:"since,omitzero"`
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
}

// StageList is all stages of the chain: its trigger workers in the order of the pipeline, then the job types.
type StageList struct {
	Stages []StageState `json:"stages"`
}

// Stages lists the stages and which of them are paused.
func (s *Service) Stages(ctx context.Context) (StageList, error) {
	l := StageList{Stages: s.stages()}
	pauses, err := s.Control.Pauses(ctx)
	if err != nil {
		return l, fmt.Errorf("read paused stages: %w", err)
	}
	for i := range l.Stages {
		for _, p := range pauses {
			if p.Stage == l.Stages[i].Stage {
				l.Stages[i].Paused, l.Stages[i].Since, l.Stages[i].By, l.Stages[i].Reason = true, utc(p.Since), p.By, p.Reason
			}
		}
	}
	return l, nil
}

// stages are the chain's stages, none of them paused.
func (s *Service) stages() []StageState {
	var out []StageState
	for _, w := range schedule.Workers {
		if s.Layer.Serves(w) {
			out = append(out, StageState{Stage: string(w), Worker: true})
		}
	}
	for _, t := range job.Types {
		i := slices.IndexFunc(out, func(x StageState) bool { return x.Stage == string(t) })
		switch {
		case i >= 0:
			out[i].Jobs = true
		case s.Layer.Serves(schedule.Worker(t)): // a type that only one layer has shares its worker's name
			out = append(out, StageState{Stage: string(t), Jobs: true})
		}
	}
	return out
}

// stage returns the state of a stage; ErrUnknown where the chain has none of that name.
func (s *Service) stage(ctx context.Context, name string) (StageState, error) {
	l, err := s.Stages(ctx)
	if err != nil {
		return StageState{}, err
	}
	names := make([]string, 0, len(l.Stages))
	for _, x := range l.Stages {
		if x.Stage == name {
			return x, nil
		}
		names = append(names, x.Stage)
	}
	return StageState{}, fmt.Errorf("no stage %.40q: want one of %s: %w", name, strings.Join(names, ", "), ErrUnknown)
}

// Pause stops a stage: its worker creates no jobs and its jobs are not worked on until it is resumed. What is under way ends, and nothing
// is lost. Paused already keeps the first order's data. It needs a reason. Errors: ErrInvalid, ErrUnknown.
func (s *Service) Pause(ctx context.Context, name string, o Order) (StageState, error) {
	if err := o.check(true); err != nil {
		return StageState{}, err
	}
	if _, err := s.stage(ctx, name); err != nil {
		return StageState{}, err
	}
	if err := s.Control.Pause(ctx, schedule.Pause{Stage: name, Since: s.Now(), By: o.By, Reason: o.Reason}); err != nil {
		return StageState{}, fmt.Errorf("pause %s: %w", name, err)
	}
	s.audit(ctx, event.StagePaused, name, o)
	return s.stage(ctx, name)
}

// Resume lets a stage go on, and wakes what waits. It needs a reason. Errors are those of Pause.
func (s *Service) Resume(ctx context.Context, name string, o Order) (StageState, error) {
	if err := o.check(true); err != nil {
		return StageState{}, err
	}
	st, err := s.stage(ctx, name)
	if err != nil {
		return st, err
	}
	if err := s.Control.Resume(ctx, name); err != nil {
		return st, fmt.Errorf("resume %s: %w", name, err)
	}
	s.audit(ctx, event.StageResumed, name, o)
	if _, err := s.wake(ctx, st, o); err != nil {
		s.log().WarnContext(ctx, "stage is resumed and not woken, its schedule and Reconcile will", "stage", name, "error", err)
	}
	return s.stage(ctx, name)
}

// Requeue runs a stage's worker now and makes the next action of its jobs due now, at most 100, the lowest batches first. It needs a
// reason. Errors are those of Pause.
func (s *Service) Requeue(ctx context.Context, name string, o Order) (Bulk, error) {
	if err := o.check(true); err != nil {
		return Bulk{}, err
	}
	st, err := s.stage(ctx, name)
	if err != nil {
		return Bulk{}, err
	}
	return s.wake(ctx, st, o)
}

// underWay are the statuses of jobs that have a next action of their own.
var underWay = []job.Status{job.Created, job.LockedForProcessing, job.PendingVerification, job.VerificationFailed, job.PendingRetry}

func (s *Service) wake(ctx context.Context, st StageState, o Order) (Bulk, error) {
	if st.Worker {
		body, err := json.Marshal(schedule.Wakeup{Worker: schedule.Worker(st.Stage)})
		if err != nil {
			return Bulk{}, err
		}
		if err := s.Queue.Send(ctx, s.Trigger, queue.Outgoing{Body: string(body)}); err != nil {
			return Bulk{}, fmt.Errorf("wake %s: %w", st.Stage, err)
		}
	}
	if !st.Jobs {
		return Bulk{Done: []string{}, Refused: []Refusal{}}, nil
	}
	return s.bulk(ctx, job.Filter{Type: job.Type(st.Stage), Statuses: underWay}, func(j job.Job) error {
		_, err := s.Worker.Hasten(ctx, j.ID, j.NextAction, o.worker())
		return err
	})
}

// audit keeps who ordered what about a stage: in the log, and as an event.
func (s *Service) audit(ctx context.Context, t event.Type, stage string, o Order) {
	s.log().InfoContext(ctx, "order carried out", "order", string(t), "stage", stage, "by", o.By, "reason", o.Reason)
	e := event.Event{Type: t, At: s.Now(), Chain: s.Chain, Detail: map[string]string{"stage": stage, "by": o.By, "reason": o.Reason}}
	if err := s.Events.Publish(ctx, e); err != nil {
		s.log().WarnContext(ctx, "event not published", "stage", stage, "error", err)
	}
}
