package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"
)

// The same program gives the same zip, whenever and wherever it is packed.
func TestZipIsReproducible(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	var zips [][]byte
	for i := range 2 {
		if err := os.WriteFile(program, bytes.Repeat([]byte("program"), 1000), os.FileMode(0o600+i)); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, number(i)+".zip")
		if err := pack(program, path, []byte("authorities")); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		zips = append(zips, b)
	}
	if !bytes.Equal(zips[0], zips[1]) {
		t.Error("two zips of one program differ")
	}
}

// The rules find what is unsafe.
func TestRules(t *testing.T) {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Bad"), nil)
	awss3.NewCfnBucket(stack, jsii.String("OpenBucket"), &awss3.CfnBucketProps{
		PublicAccessBlockConfiguration: &awss3.CfnBucket_PublicAccessBlockConfigurationProperty{
			BlockPublicAcls: jsii.Bool(false)},
	})
	awssqs.NewCfnQueue(stack, jsii.String("PlainQueue"), &awssqs.CfnQueueProps{SqsManagedSseEnabled: jsii.Bool(false)})
	awslogs.NewCfnLogGroup(stack, jsii.String("Endless"), nil)
	role := awsiam.NewRole(stack, jsii.String("Almighty"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
		ManagedPolicies: &[]awsiam.IManagedPolicy{
			awsiam.ManagedPolicy_FromAwsManagedPolicyName(jsii.String("AdministratorAccess"))},
	})
	allow(role, jsii.String("*"), "s3:*")
	allow(role, jsii.String("*"), "sqs:SendMessage")
	allow(role, jsii.String("arn:aws:s3:::x/*"), "s3:GetObject")
	awslambda.NewCfnFunction(stack, jsii.String("Old"), &awslambda.CfnFunctionProps{
		Code:    &awslambda.CfnFunction_CodeProperty{ZipFile: jsii.String("x")},
		Role:    role.RoleArn(),
		Runtime: jsii.String("nodejs12.x"),
		Environment: &awslambda.CfnFunction_EnvironmentProperty{
			Variables: &map[string]*string{"URI": jsii.String("mongodb://u:p@h")},
		},
	})
	topic := awssns.NewTopic(stack, jsii.String("Deaf"), &awssns.TopicProps{EnforceSSL: jsii.Bool(true)})
	for id, actions := range map[string]*[]any{"Silent": nil, "Unheard": {topic.TopicArn()}} {
		awscloudwatch.NewCfnAlarm(stack, jsii.String(id), &awscloudwatch.CfnAlarmProps{
			AlarmActions:       actions,
			ComparisonOperator: jsii.String("GreaterThanThreshold"),
			EvaluationPeriods:  jsii.Number(1),
		})
	}
	guard(stack)
	var found strings.Builder
	for _, m := range *assertions.Annotations_FromStack(stack).FindError(jsii.String("*"),
		assertions.Match_AnyValue()) {
		//lint:ignore SA1019 the library still hands out this type
		fmt.Fprintln(&found, m.Entry.Data)
	}
	for _, want := range []string{
		"AwsSolutions-S1:", "AwsSolutions-S2:", "AwsSolutions-S10:", "AwsSolutions-SQS3:",
		"AwsSolutions-SQS4:", "AwsSolutions-IAM4[Policy::",
		"AwsSolutions-IAM5[Action::s3:*]", "AwsSolutions-IAM5[Resource::*]",
		"AwsSolutions-IAM5[Resource::arn:aws:s3:::x/*]", "AwsSolutions-L1:",
		"the log is kept for ever", "URI holds a secret", "the alarm has no action",
		"topic does not let CloudWatch publish",
	} {
		if !strings.Contains(found.String(), want) {
			t.Errorf("the rules do not find %q in:\n%s", want, found.String())
		}
	}
}
