package admin

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// StageState is a stage of the pipeline.
type StageState struct {
	Stage  stage.Name `json:"stage"`
	Jobs   bool       `json:"jobs"` // it has jobs
	Paused bool       `json:"paused"`
	Since  time.Time  `json:"since,omitzero"`
	By     string     `json:"by,omitempty"`
	Reason string     `json:"reason,omitempty"`
}

// StageList is all stages of the chain, in the order of the pipeline.
type StageList struct {
	Stages []StageState `json:"stages"`
}

// Stages lists the stages and which of them are paused.
func (s *Service) Stages(ctx context.Context) (StageList, error) {
	var l StageList
	pauses, err := s.Control.Pauses(ctx)
	if err != nil {
		return l, fmt.Errorf("read paused stages: %w", err)
	}
	for _, x := range stage.All() {
		if !s.Layer.Has(x.Name) {
			continue
		}
		st := StageState{Stage: x.Name, Jobs: x.Jobs}
		if p, ok := pauses.Of(x.Name); ok {
			st.Paused, st.Since, st.By, st.Reason = true, utc(p.Since), p.By, p.Reason
		}
		l.Stages = append(l.Stages, st)
	}
	return l, nil
}

// stage returns the state of a stage; ErrUnknown where the chain has none of that name.
func (s *Service) stage(ctx context.Context, name string) (StageState, error) {
	l, err := s.Stages(ctx)
	if err != nil {
		return StageState{}, err
	}
	asked, err := stage.Parse(name)
	names := make([]string, 0, len(l.Stages))
	for _, x := range l.Stages {
		if err == nil && x.Stage == asked {
			return x, nil
		}
		names = append(names, string(x.Stage))
	}
	return StageState{}, fmt.Errorf("no stage %.40q: want one of %s: %w", name, strings.Join(names, ", "), ErrUnknown)
}

// Pause stops a stage: its worker creates no jobs and its jobs are not worked on until it is resumed. What is under way
// ends, and nothing is lost. Paused already keeps the first command's data. It needs a reason. Errors: ErrInvalid,
// ErrUnknown.
func (s *Service) Pause(ctx context.Context, name string, o Command) (StageState, error) {
	if err := o.check(true); err != nil {
		return StageState{}, err
	}
	st, err := s.stage(ctx, name)
	if err != nil {
		return StageState{}, err
	}
	if err := s.Control.Pause(ctx,
		schedule.Pause{Stage: st.Stage, Since: s.Now(), By: o.By, Reason: o.Reason}); err != nil {
		return StageState{}, fmt.Errorf("pause %s: %w", st.Stage, err)
	}
	s.audit(ctx, event.StagePaused, st.Stage, o)
	s.reconcile(ctx, st.Stage)
	return s.stage(ctx, name)
}

// Resume lets a stage go on, and wakes what waits. It needs a reason. Errors are those of Pause.
func (s *Service) Resume(ctx context.Context, name string, o Command) (StageState, error) {
	if err := o.check(true); err != nil {
		return StageState{}, err
	}
	st, err := s.stage(ctx, name)
	if err != nil {
		return st, err
	}
	if err := s.Control.Resume(ctx, st.Stage); err != nil {
		return st, fmt.Errorf("resume %s: %w", st.Stage, err)
	}
	s.audit(ctx, event.StageResumed, st.Stage, o)
	s.reconcile(ctx, st.Stage)
	if _, err := s.wake(ctx, st, o); err != nil {
		s.log().WarnContext(ctx, "stage is resumed and not woken, its schedule and Reconcile will",
			"stage", st.Stage, "error", err)
	}
	return s.stage(ctx, name)
}

// Requeue runs a stage's worker now and makes the next action of its jobs due now, at most 100, the lowest batches
// first. It needs a reason. Errors are those of Pause.
func (s *Service) Requeue(ctx context.Context, name string, o Command) (Bulk, error) {
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
var underWay = []job.Status{job.Created, job.LockedForProcessing, job.PendingVerification,
	job.VerificationFailed, job.PendingRetry}

func (s *Service) wake(ctx context.Context, st StageState, o Command) (Bulk, error) {
	if err := s.Queue.Send(ctx, s.Trigger,
		queue.Outgoing{Body: schedule.Wakeup{Stage: st.Stage}.Encode()}); err != nil {
		return Bulk{}, fmt.Errorf("wake %s: %w", st.Stage, err)
	}
	if !st.Jobs {
		return Bulk{Done: []string{}, Refused: []Refusal{}}, nil
	}
	return s.bulk(ctx, job.Filter{Type: st.Stage, Statuses: underWay}, func(j job.Job) error {
		_, err := s.Executor.RunNow(ctx, j.ID, j.NextAction, o.forExecutor())
		return err
	})
}

// reconcile runs the Reconcile worker now: it alone may change a stage's schedule, and does so by itself a minute
// later.
func (s *Service) reconcile(ctx context.Context, changed stage.Name) {
	if err := s.Queue.Send(ctx, s.Trigger,
		queue.Outgoing{Body: schedule.Wakeup{Stage: stage.Reconcile}.Encode()}); err != nil {
		s.log().WarnContext(ctx, "the schedule follows with Reconcile's next run", "stage", changed, "error", err)
	}
}

// audit keeps who gave which command about a stage: in the log, and as an event.
func (s *Service) audit(ctx context.Context, t event.Type, n stage.Name, o Command) {
	s.log().InfoContext(ctx, "command carried out", "command", string(t), "stage", n, "by", o.By, "reason", o.Reason)
	e := event.Event{Type: t, At: s.Now(), Chain: s.Chain,
		Detail: map[string]string{"stage": string(n), "by": o.By, "reason": o.Reason}}
	if err := s.Events.Publish(ctx, e); err != nil {
		s.log().WarnContext(ctx, "event not published", "stage", n, "error", err)
	}
}
