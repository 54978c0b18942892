package main

import (
	"fmt"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"
	"github.com/aws/jsii-runtime-go"

	eventcontroller "github.com/madara-orchestrator/orchestrator/shared/controller/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// rate is a schedule's expression.
func rate(every time.Duration) string {
	n := int(every / time.Minute)
	if n == 1 {
		return "rate(1 minute)"
	}
	return fmt.Sprintf("rate(%d minutes)", n)
}

// schedules makes one EventBridge Scheduler schedule a trigger worker.
func (s *Stack) schedules() {
	name := resource.Physical(s.chain.Name, resource.ScheduleGroup)
	group := awsscheduler.NewCfnScheduleGroup(s.Stack, jsii.String("ScheduleGroup"),
		&awsscheduler.CfnScheduleGroupProps{Name: jsii.String(name)})
	role := awsiam.NewRole(s.Stack, jsii.String("RoleScheduler"), &awsiam.RoleProps{
		AssumedBy: s.assumedBy("scheduler.amazonaws.com",
			s.arn("scheduler", "schedule-group/"+name)),
		Description: jsii.String("of the schedules of " + s.chain.Name),
	})
	trigger, dead := s.functions[resource.FnTrigger], s.queues[resource.DeadLetterQueue]
	allow(role, trigger.FunctionArn(), "lambda:InvokeFunction")
	allow(role, dead.QueueArn(), "sqs:SendMessage")
	s.permitSchedules(role, name)
	add := func(id string, every time.Duration, target awslambda.Function, input string, retries float64) {
		var letters *awsscheduler.CfnSchedule_DeadLetterConfigProperty
		if retries > 0 { // what is not tried again is not missed: the next minute does the same
			letters = &awsscheduler.CfnSchedule_DeadLetterConfigProperty{Arn: dead.QueueArn()}
		}
		sched := awsscheduler.NewCfnSchedule(s.Stack, jsii.String("Schedule"+title(id)),
			&awsscheduler.CfnScheduleProps{
				Name:               jsii.String(resource.Physical(s.chain.Name, id)),
				GroupName:          group.Name(),
				ScheduleExpression: jsii.String(rate(every)),
				FlexibleTimeWindow: &awsscheduler.CfnSchedule_FlexibleTimeWindowProperty{Mode: jsii.String("OFF")},
				Target: &awsscheduler.CfnSchedule_TargetProperty{
					Arn:     target.FunctionArn(),
					RoleArn: role.RoleArn(),
					Input:   jsii.String(input),
					// An old tick is worth nothing once the next one has come.
					RetryPolicy: &awsscheduler.CfnSchedule_RetryPolicyProperty{
						MaximumRetryAttempts:     jsii.Number(retries),
						MaximumEventAgeInSeconds: jsii.Number(max(every.Seconds(), 60)),
					},
					DeadLetterConfig: letters,
				},
			})
		sched.AddResourceDependency(group, nil)
	}
	for _, x := range schedulesOf(s.chain) {
		add(string(x.Stage), x.Every, trigger, schedule.Wakeup{Stage: x.Stage}.Encode(), 2)
	}
	if heads := s.functions[resource.FnHeads]; heads != nil {
		allow(role, heads.FunctionArn(), "lambda:InvokeFunction")
		add(resource.FnHeads, resource.HeadsEvery, heads, eventcontroller.ListenEvent, 0)
	}
}

// permitSchedules lets the functions that resource.AccessOf names look at the schedules and change them. Who changes
// one hands the role over under which it fires, and may do so to the scheduler alone.
func (s *Stack) permitSchedules(fires awsiam.Role, group string) {
	for _, f := range functionsOf(s.chain) {
		if !s.chain.accessOf(f.Name).Schedules {
			continue
		}
		role := s.functions[f.Name].Role()
		for _, x := range schedulesOf(s.chain) {
			allow(role, jsii.String(s.arn("scheduler", "schedule/"+group+"/"+
				resource.Physical(s.chain.Name, string(x.Stage)))), "scheduler:GetSchedule",
				"scheduler:UpdateSchedule")
		}
		role.AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions: jsii.Strings("iam:PassRole"), Resources: &[]*string{fires.RoleArn()},
			Conditions: &map[string]any{"StringEquals": map[string]string{
				"iam:PassedToService": "scheduler.amazonaws.com"}},
		}))
	}
}
