// Package scheduler is Amazon EventBridge Scheduler: a schedule.Scheduler.
package scheduler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
)

// Group are the schedules of a group whose names begin with a prefix: a schedule.Scheduler.
type Group struct {
	api           *scheduler.Client
	group, prefix string
	made          atomic.Bool // the group is there
}

var _ schedule.Scheduler = (*Group)(nil)

// New returns the scheduler of a group. The name of a timer's schedule is prefix and the timer's name. It makes no
// request.
func New(cfg aws.Config, group, prefix string) *Group {
	return &Group{api: scheduler.NewFromConfig(cfg), group: group, prefix: prefix}
}

// rate is a schedule's expression.
func rate(every time.Duration) string {
	if every == time.Minute {
		return "rate(1 minute)"
	}
	return fmt.Sprintf("rate(%d minutes)", every/time.Minute)
}

// units are those of a rate.
var units = map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}

// interval reads an expression; 0 where it is not a rate.
func interval(expression string) time.Duration {
	inner, ok := strings.CutPrefix(expression, "rate(")
	n, unit, found := strings.Cut(strings.TrimSuffix(inner, ")"), " ")
	count, err := strconv.Atoi(n)
	if !ok || !found || err != nil {
		return 0
	}
	return time.Duration(count) * units[strings.TrimSuffix(unit, "s")]
}

// translate turns the service's errors into the port's.
func translate(what, name string, err error) error {
	var missing *types.ResourceNotFoundException
	var invalid *types.ValidationException
	switch {
	case errors.As(err, &missing):
		return fmt.Errorf("%s schedule %s: %w", what, name, schedule.ErrNoTimer)
	case errors.As(err, &invalid):
		return fmt.Errorf("%s schedule %s: %w: %s", what, name, schedule.ErrTimer, invalid.ErrorMessage())
	}
	return fmt.Errorf("%s schedule %s: %w", what, name, err)
}

// Create implements schedule.Scheduler. It makes the group where there is none.
func (g *Group) Create(ctx context.Context, t schedule.Timer) error {
	if err := t.Check(); err != nil {
		return err
	}
	state := types.ScheduleStateEnabled
	if t.Disabled {
		state = types.ScheduleStateDisabled
	}
	in := &scheduler.CreateScheduleInput{
		Name: aws.String(g.prefix + t.Name), GroupName: &g.group, ScheduleExpression: aws.String(rate(t.Every)),
		FlexibleTimeWindow: &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff}, State: state,
		Target: &types.Target{Arn: &t.Target, RoleArn: &t.Role, Input: &t.Input},
	}
	var there *types.ConflictException
	if !g.made.Load() {
		_, err := g.api.CreateScheduleGroup(ctx, &scheduler.CreateScheduleGroupInput{Name: &g.group})
		if err != nil && !errors.As(err, &there) {
			return translate("create the group of", t.Name, err)
		}
		g.made.Store(true)
	}
	if _, err := g.api.CreateSchedule(ctx, in); err != nil && !errors.As(err, &there) {
		return translate("create", t.Name, err)
	}
	return nil
}

func (g *Group) get(ctx context.Context, name string) (*scheduler.GetScheduleOutput, error) {
	out, err := g.api.GetSchedule(ctx, &scheduler.GetScheduleInput{Name: aws.String(g.prefix + name),
		GroupName: &g.group})
	if err != nil {
		return nil, translate("look at", name, err)
	}
	return out, nil
}

// Get implements schedule.Scheduler. Every is 0 where somebody has given the schedule another kind of time.
func (g *Group) Get(ctx context.Context, name string) (schedule.Timer, error) {
	out, err := g.get(ctx, name)
	if err != nil {
		return schedule.Timer{}, err
	}
	t := schedule.Timer{Name: name, Every: interval(aws.ToString(out.ScheduleExpression)),
		Disabled: out.State == types.ScheduleStateDisabled}
	if out.Target != nil {
		t.Target, t.Role, t.Input = aws.ToString(out.Target.Arn), aws.ToString(out.Target.RoleArn),
			aws.ToString(out.Target.Input)
	}
	return t, nil
}

// change replaces a schedule by what f makes of it: the service takes whole schedules only, so all that is there is
// sent back.
func (g *Group) change(ctx context.Context, what, name string, f func(*scheduler.UpdateScheduleInput) bool) error {
	is, err := g.get(ctx, name)
	if err != nil {
		return err
	}
	in := &scheduler.UpdateScheduleInput{
		Name: is.Name, GroupName: &g.group, ScheduleExpression: is.ScheduleExpression,
		FlexibleTimeWindow: is.FlexibleTimeWindow, Target: is.Target, State: is.State,
		ActionAfterCompletion: is.ActionAfterCompletion, Description: is.Description, StartDate: is.StartDate,
		EndDate: is.EndDate, KmsKeyArn: is.KmsKeyArn, ScheduleExpressionTimezone: is.ScheduleExpressionTimezone,
	}
	if !f(in) {
		return nil
	}
	if _, err := g.api.UpdateSchedule(ctx, in); err != nil {
		return translate(what, name, err)
	}
	return nil
}

// Update implements schedule.Scheduler.
func (g *Group) Update(ctx context.Context, t schedule.Timer) error {
	if err := t.Check(); err != nil {
		return err
	}
	return g.change(ctx, "update", t.Name, func(in *scheduler.UpdateScheduleInput) bool {
		in.ScheduleExpression = aws.String(rate(t.Every))
		target := types.Target{}
		if in.Target != nil { // retry policy and dead letters stay
			target = *in.Target
		}
		target.Arn, target.RoleArn, target.Input = &t.Target, &t.Role, &t.Input
		in.Target = &target
		return true
	})
}

func (g *Group) set(ctx context.Context, what, name string, s types.ScheduleState) error {
	return g.change(ctx, what, name, func(in *scheduler.UpdateScheduleInput) bool {
		same := in.State == s
		in.State = s
		return !same
	})
}

// Enable implements schedule.Scheduler.
func (g *Group) Enable(ctx context.Context, name string) error {
	return g.set(ctx, "enable", name, types.ScheduleStateEnabled)
}

// Disable implements schedule.Scheduler.
func (g *Group) Disable(ctx context.Context, name string) error {
	return g.set(ctx, "disable", name, types.ScheduleStateDisabled)
}

// List implements schedule.Scheduler.
func (g *Group) List(ctx context.Context) ([]string, error) {
	out := []string{}
	pages := scheduler.NewListSchedulesPaginator(g.api,
		&scheduler.ListSchedulesInput{GroupName: &g.group, NamePrefix: &g.prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		var missing *types.ResourceNotFoundException
		if errors.As(err, &missing) { // there is no group yet
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list schedules of %s: %w", g.group, err)
		}
		for _, s := range page.Schedules {
			out = append(out, strings.TrimPrefix(aws.ToString(s.Name), g.prefix))
		}
	}
	slices.Sort(out)
	return out, nil
}

// Delete implements schedule.Scheduler.
func (g *Group) Delete(ctx context.Context, name string) error {
	_, err := g.api.DeleteSchedule(ctx, &scheduler.DeleteScheduleInput{Name: aws.String(g.prefix + name),
		GroupName: &g.group})
	if err != nil {
		if err = translate("delete", name, err); !errors.Is(err, schedule.ErrNoTimer) {
			return err
		}
	}
	return nil
}
