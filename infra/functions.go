package main

import (
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"

	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

func number(i int) string { return strconv.Itoa(i + 1) }

// retention is CloudWatch's name of a number of days; "" where it has none.
func retention(days int) awslogs.RetentionDays {
	return map[int]awslogs.RetentionDays{
		1: awslogs.RetentionDays_ONE_DAY, 3: awslogs.RetentionDays_THREE_DAYS, 5: awslogs.RetentionDays_FIVE_DAYS,
		7:  awslogs.RetentionDays_ONE_WEEK,
		14: awslogs.RetentionDays_TWO_WEEKS, 30: awslogs.RetentionDays_ONE_MONTH, 60: awslogs.RetentionDays_TWO_MONTHS,
		90: awslogs.RetentionDays_THREE_MONTHS, 180: awslogs.RetentionDays_SIX_MONTHS,
		365: awslogs.RetentionDays_ONE_YEAR,
	}[days]
}

// deployFunctions makes the functions with their roles, logs and event source mappings.
func (s *Stack) deployFunctions() {
	env := map[string]*string{}
	n := names{Bucket: *s.bucket.BucketName(), Topic: *s.topic.TopicArn(), Bus: *s.bus.EventBusName(),
		API: *s.http.AttrApiEndpoint()}
	if s.walletKey != nil {
		n.KMS = *s.walletKey.KeyArn()
	}
	if s.dataKey != nil {
		n.DataKMS = *s.dataKey.KeyArn()
	}
	for k, v := range s.chain.environment(n) {
		env[k] = jsii.String(v)
	}
	s.runnerEnvironment(env)
	for _, f := range functionsOf(s.chain) {
		s.functions[f.Name] = s.function(f, env)
	}
	for _, q := range s.chain.sqsQueues() {
		s.sourceSQS(q)
	}
	for _, q := range s.chain.topics() {
		s.sourceKafka(q)
	}
	for caller, f := range s.functions {
		for _, called := range s.chain.accessOf(caller).Invokes {
			if target, ok := s.functions[called]; ok {
				allow(f.Role(), target.FunctionArn(), "lambda:InvokeFunction")
			}
		}
	}
}

// sourceSQS has Lambda give a queue's messages to its function.
func (s *Stack) sourceSQS(q resource.Queue) {
	awslambda.NewCfnEventSourceMapping(s.Stack, jsii.String("Source"+title(q.Name)),
		&awslambda.CfnEventSourceMappingProps{
			FunctionName:   s.functions[q.Function].FunctionArn(),
			EventSourceArn: s.queues[q.Name].QueueArn(),
			BatchSize:      jsii.Number(float64(q.BatchSize)),

			MaximumBatchingWindowInSeconds: jsii.Number(q.Window.Seconds()),
			FunctionResponseTypes:          jsii.Strings("ReportBatchItemFailures"),
			Enabled:                        jsii.Bool(true),
			ScalingConfig: &awslambda.CfnEventSourceMapping_ScalingConfigProperty{
				MaximumConcurrency: jsii.Number(float64(q.MaxConcurrency))},
		}).Node().AddDependency(s.functions[q.Function].Role())
}

// lambdaOfThisAccount is Lambda where it acts for this account. Lambda itself takes only roles of the function's
// account, and its documentation does not say that it sends aws:SourceAccount when it assumes one: so the condition is
// checked where it does.
func (s *Stack) lambdaOfThisAccount() awsiam.IPrincipal {
	return awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), &awsiam.ServicePrincipalOpts{
		Conditions: &map[string]any{"StringEqualsIfExists": map[string]*string{"aws:SourceAccount": s.Account()}},
	})
}

func (s *Stack) function(f resource.Function, env map[string]*string) awslambda.Function {
	name := resource.Physical(s.chain.Name, f.Name)
	logs := awslogs.NewLogGroup(s.Stack, jsii.String("Log"+title(f.Name)), &awslogs.LogGroupProps{
		LogGroupName:  jsii.String("/orchestrator/" + s.chain.Name + "/" + f.Name),
		Retention:     retention(s.chain.LogDays),
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
	})
	role := awsiam.NewRole(s.Stack, jsii.String("Role"+title(f.Name)), &awsiam.RoleProps{
		AssumedBy: s.lambdaOfThisAccount(), Description: jsii.String("of the function " + name),
	})
	s.permit(role, f.Name, logs)
	p := &awslambda.FunctionProps{
		FunctionName:  jsii.String(name),
		Runtime:       awslambda.Runtime_PROVIDED_AL2023(),
		Architecture:  s.architecture(),
		Handler:       jsii.String("bootstrap"),
		Code:          awslambda.Code_FromAsset(jsii.String(s.zips[f.Name]), nil),
		Role:          role,
		LogGroup:      logs,
		MemorySize:    jsii.Number(float64(f.MemoryMB)),
		Timeout:       awscdk.Duration_Seconds(jsii.Number(f.Timeout.Seconds())),
		Environment:   &env,
		Tracing:       awslambda.Tracing_DISABLED,
		LoggingFormat: awslambda.LoggingFormat_JSON, // Lambda's own lines too
	}
	if s.chain.Tracing {
		p.Tracing = awslambda.Tracing_ACTIVE
	}
	if resource.WakesItself(f.Name) {
		p.RecursiveLoop = awslambda.RecursiveLoop_ALLOW
	}
	if f.Name == resource.FnHeads { // the next minute starts it anyway
		p.RetryAttempts = jsii.Number(0)
	}
	if f.ScratchMB > 0 {
		p.EphemeralStorageSize = awscdk.Size_Mebibytes(jsii.Number(float64(f.ScratchMB)))
	}
	if f.Concurrency > 0 {
		p.ReservedConcurrentExecutions = jsii.Number(float64(f.Concurrency))
	}
	if s.vpc != nil {
		p.Vpc, p.SecurityGroups = s.vpc, &[]awsec2.ISecurityGroup{s.inside}
	}
	fn := awslambda.NewFunction(s.Stack, jsii.String("Function"+title(f.Name)), p)
	if s.chain.Tracing { // the library adds xray:PutTraceSegments and xray:PutTelemetryRecords to the role
		excuse(role, "AwsSolutions-IAM5",
			"traces have no resource to name (AWS X-Ray in the service authorization reference)", "Resource::*")
	}
	return fn
}

// architecture is the functions' processor.
func (s *Stack) architecture() awslambda.Architecture {
	if s.chain.Architecture == x86 {
		return awslambda.Architecture_X86_64()
	}
	return awslambda.Architecture_ARM_64()
}
