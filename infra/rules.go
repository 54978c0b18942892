package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdocdb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Rules is an aspect that looks at every resource of a stack and marks what is unsafe as an error, so that it is not
// synthesized. It has the rules of cdk-nag's AwsSolutions that these resources can break (cdk-nag for Go is not to be had at
// this version of the library); its names are theirs.
type Rules struct{}

var _ awscdk.IAspect = (*Rules)(nil)

// NewRules returns the aspect.
func NewRules() *Rules { return &Rules{} }

// exceptions are what is let through, by rule and part of the resource's path, each with its reason.
var exceptions = []struct{ rule, path, reason string }{
	{"IAM5", "RoleStateTransition", "objects of one prefix of the artifacts bucket"},
	{"IAM5", "RoleDataSubmission", "objects of one prefix of the artifacts bucket"},
	{"IAM5", "RoleSnosrun", "objects of one prefix of the artifacts bucket; log streams have no name beforehand"},
	{"IAM5", "RoleProof", "objects of one prefix of the artifacts bucket"},
	{"IAM5", "RoleAggregator", "objects of one prefix of the artifacts bucket"},
	{"IAM5", "RoleTrigger", "objects of the artifacts bucket's prefixes"},
	{"IAM5", "Role", "a log group's ARN ends in :*, which is how CloudWatch Logs names its streams"},
	{"IAM4", "Role", "in a VPC: network interfaces have no name beforehand, AWS's own policy is the documented one"},
	{"IAM5", "RunnerContainer", "the log streams of the container's group"},
	{"IAM5W", "RunnerContainer", "ecr:GetAuthorizationToken has no resource to name"},
	{"IAM5", "Network", "flow logs: the streams of the group that was made for them"},
}

// Visit implements awscdk.IAspect.
func (*Rules) Visit(node constructs.IConstruct) {
	fault := func(rule, format string, args ...any) {
		path := *node.Node().Path()
		for _, e := range exceptions {
			if e.rule == rule && strings.Contains(path, e.path) && !strings.Contains(fmt.Sprintf(format, args...), "action") {
				return
			}
		}
		awscdk.Annotations_Of(node).AddError(jsii.String(fmt.Sprintf("[%s] %s", rule, fmt.Sprintf(format, args...))))
	}
	switch r := node.(type) {
	case awss3.CfnBucket:
		checkBucket(r, fault)
	case awssqs.CfnQueue:
		if r.SqsManagedSseEnabled() != true && r.KmsMasterKeyId() == nil {
			fault("SQS4", "the queue is not encrypted")
		}
		if r.RedrivePolicy() == nil && !strings.Contains(*node.Node().Path(), "DeadLetter") {
			fault("SQS3", "the queue has no dead-letter queue")
		}
	case awslambda.CfnFunction:
		if r.Runtime() == nil || *r.Runtime() != "provided.al2023" {
			fault("L1", "the function does not run on the newest runtime")
		}
		checkEnvironment(r, fault)
	case awsiam.CfnPolicy:
		checkPolicy(node, r.PolicyDocument(), fault)
	case awsiam.CfnRole:
		if r.ManagedPolicyArns() != nil && len(*r.ManagedPolicyArns()) > 0 {
			fault("IAM4", "the role has managed policies")
		}
	case awslogs.CfnLogGroup:
		if r.RetentionInDays() == nil {
			fault("CWL1", "the log is kept for ever")
		}
	case awsdocdb.CfnDBCluster:
		if r.StorageEncrypted() != true {
			fault("DOC1", "the database is not encrypted")
		}
	}
}

func checkBucket(b awss3.CfnBucket, fault func(rule, format string, args ...any)) {
	if b.BucketEncryption() == nil {
		fault("S2E", "the bucket is not encrypted")
	}
	if b.PublicAccessBlockConfiguration() == nil {
		fault("S2", "the bucket's public access is not blocked")
	}
	if b.Node().Scope().Node().TryFindChild(jsii.String("Policy")) == nil {
		fault("S10", "the bucket takes requests without TLS")
	}
}

// checkEnvironment looks for values in variables that should be names of secrets.
func checkEnvironment(f awslambda.CfnFunction, fault func(rule, format string, args ...any)) {
	env, _ := awscdk.Stack_Of(f).Resolve(f.Environment()).(map[string]any)
	vars, _ := env["variables"].(map[string]any)
	if vars == nil {
		vars, _ = env["Variables"].(map[string]any)
	}
	for k, v := range vars {
		if v, _ := v.(string); strings.Contains(v, "PRIVATE KEY") || strings.Contains(v, "@") && strings.Contains(v, "://") {
			fault("SECRET", "the variable %s holds a secret", k)
		}
	}
}

// checkPolicy wants every action and every resource named.
func checkPolicy(node constructs.IConstruct, document any, fault func(rule, format string, args ...any)) {
	d, ok := document.(awsiam.PolicyDocument)
	if !ok {
		return
	}
	resolved, ok := awscdk.Stack_Of(node).Resolve(d).(map[string]any)
	if !ok {
		return
	}
	statements, _ := resolved["Statement"].([]any)
	for _, raw := range statements {
		s, _ := raw.(map[string]any)
		if s["Effect"] != "Allow" {
			continue
		}
		for _, a := range list(s["Action"]) {
			if text, ok := a.(string); ok && strings.Contains(text, "*") {
				fault("IAM5", "the action %s is a wildcard", text)
			}
		}
		for _, r := range list(s["Resource"]) {
			if r == "*" && !slices.ContainsFunc(wideActions, func(w string) bool { return only(s["Action"], w) }) {
				fault("IAM5W", "the policy allows %v on every resource", s["Action"])
			}
			if text := fmt.Sprint(r); strings.Contains(text, "*") && r != "*" {
				fault("IAM5", "the policy names a wildcard: %s", text)
			}
		}
	}
}

// wideActions have no resource to name, as AWS's service authorization reference says.
var wideActions = []string{"batch:ListJobs", "batch:DescribeJobs", "batch:DescribeJobQueues", "batch:DescribeJobDefinitions"}

// only says whether a statement's actions are among those that have no resource.
func only(actions any, wide string) bool {
	for _, a := range list(actions) {
		if text, _ := a.(string); text != wide && !slices.Contains(wideActions, text) {
			return false
		}
	}
	return true
}

func list(v any) []any {
	if l, ok := v.([]any); ok {
		return l
	}
	return []any{v}
}
