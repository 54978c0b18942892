package cloud

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/madara-orchestrator/orchestrator/shared/client/scheduler"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// Timers are the schedules of a chain's trigger workers.
func Timers(cfg aws.Config, chain string) schedule.Scheduler {
	return scheduler.New(cfg, resource.Physical(chain, resource.ScheduleGroup), resource.Physical(chain, ""))
}

// timer is what the schedules of a chain's trigger workers have in common: they send to the trigger queue.
func (s Stack) timer(chain string) schedule.Timer {
	account := "000000000000"
	if part := strings.Split(s.TopicARN, ":"); len(part) > 4 { // arn:aws:sns:REGION:ACCOUNT:NAME
		account = part[4]
	}
	return schedule.Timer{
		Target: "arn:aws:sqs:" + Region + ":" + account + ":" + resource.Physical(chain, resource.TriggerQueue),
		Role:   "arn:aws:iam::" + account + ":role/" + resource.Physical(chain, resource.ScheduleGroup),
	}
}

// MakeTimers makes the schedules of a layer's trigger workers, with target and role of one.
func MakeTimers(ctx context.Context, s schedule.Scheduler, l stage.Layer, like schedule.Timer) error {
	for n, every := range resource.Intervals(l, nil) {
		like.Name, like.Every, like.Input = string(n), every, schedule.Wakeup{Stage: n}.Encode()
		if err := s.Create(ctx, like); err != nil {
			return err
		}
	}
	return nil
}

// RemoveTimers removes all schedules.
func RemoveTimers(ctx context.Context, s schedule.Scheduler) error {
	all, err := s.List(ctx)
	errs := []error{err}
	for _, name := range all {
		errs = append(errs, s.Delete(ctx, name))
	}
	return errors.Join(errs...)
}
