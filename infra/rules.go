package main

import (
	"fmt"
	"strings"
	"sync"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"

	"github.com/madara-orchestrator/orchestrator/shared/config"
)

// guard checks every resource of a stack by cdk-nag's AwsSolutions and by rules of our own; what is unsafe is an error,
// so that it is not synthesized.
func guard(stack awscdk.Stack) {
	awscdk.Aspects_Of(stack).Add(cdknag.NewAwsSolutionsChecks(&cdknag.NagPackProps{}), nil)
	awscdk.Aspects_Of(stack).Add(NewRules(stack), nil)
}

// excuse lets through what a rule of cdk-nag finds at a construct and below it; only findings says which, as cdk-nag
// names them or as a JavaScript regular expression between slashes.
func excuse(at constructs.IConstruct, rule, why string, only ...string) {
	var findings *[]any
	for _, f := range only {
		if findings == nil {
			findings = &[]any{}
		}
		if strings.HasPrefix(f, "/") {
			*findings = append(*findings, &cdknag.RegexAppliesTo{Regex: jsii.String(f)})
		} else {
			*findings = append(*findings, f)
		}
	}
	cdknag.NagSuppressions_AddResourceSuppressions(at, &[]*cdknag.NagPackSuppression{
		{Id: jsii.String(rule), Reason: jsii.String(why), AppliesTo: findings},
	}, jsii.Bool(true))
}

// Rules is an aspect with what cdk-nag does not look at: logs that are kept for ever, secrets in variables, alarms that
// reach nobody.
type Rules struct {
	heard func() bool // whether a topic of the stack lets CloudWatch publish
}

var _ awscdk.IAspect = (*Rules)(nil)

// NewRules returns the aspect of a stack.
func NewRules(stack awscdk.Stack) *Rules {
	// Once: asking the CDK for all constructs takes as long as making them.
	return &Rules{heard: sync.OnceValue(func() bool { return hears(stack) })}
}

// Visit implements awscdk.IAspect.
func (r *Rules) Visit(node constructs.IConstruct) {
	fault := func(format string, args ...any) {
		awscdk.Annotations_Of(node).AddError(jsii.String(fmt.Sprintf(format, args...)))
	}
	switch c := node.(type) {
	case awslogs.CfnLogGroup:
		if c.RetentionInDays() == nil {
			fault("the log is kept for ever")
		}
	case awslambda.CfnFunction:
		checkEnvironment(c, fault)
	case awscloudwatch.CfnAlarm:
		r.checkAlarm(c, fault)
	}
}

// checkEnvironment looks for values in variables that should be names of secrets.
func checkEnvironment(f awslambda.CfnFunction, fault func(format string, args ...any)) {
	env, _ := awscdk.Stack_Of(f).Resolve(f.Environment()).(map[string]any)
	vars, _ := env["variables"].(map[string]any)
	if vars == nil {
		vars, _ = env["Variables"].(map[string]any)
	}
	for k, v := range vars {
		if v, _ := v.(string); strings.Contains(v, "PRIVATE KEY") || config.KeyIn(v) != "" {
			fault("the variable %s holds a secret", k)
		}
	}
}

// checkAlarm wants an alarm to have an action, and its topic to let CloudWatch in: a topic with a policy of its own no
// longer has the one that AWS gives it, and then alarms go off unheard.
func (r *Rules) checkAlarm(a awscloudwatch.CfnAlarm, fault func(format string, args ...any)) {
	if a.AlarmActions() == nil || len(*a.AlarmActions()) == 0 {
		fault("the alarm has no action")
		return
	}
	if !r.heard() {
		fault("the alarm's topic does not let CloudWatch publish")
	}
}

// hears says whether a topic of the stack lets CloudWatch publish.
func hears(stack awscdk.Stack) bool {
	for _, c := range *stack.Node().FindAll(constructs.ConstructOrder_PREORDER) {
		policy, ok := c.(awssns.CfnTopicPolicy)
		if ok && strings.Contains(fmt.Sprint(stack.Resolve(policy.PolicyDocument())), "cloudwatch.amazonaws.com") {
			return true
		}
	}
	return false
}
