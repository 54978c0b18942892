package main

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"

	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// allow lets a role do the actions on a resource.
func allow(role awsiam.IRole, on *string, actions ...string) {
	role.AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{Actions: jsii.Strings(actions...), Resources: &[]*string{on}}))
}

// permit gives a function's role what resource.AccessOf says, and no more.
func (s *Stack) permit(role awsiam.Role, function string, logs awslogs.LogGroup) {
	a := resource.AccessOf(function)
	// A log stream's name is the service's choice, so it can't be named: the group can.
	allow(role, logs.LogGroupArn(), "logs:CreateLogStream", "logs:PutLogEvents")
	for _, q := range a.Consumes {
		if queue := s.queues[q]; queue != nil {
			allow(role, queue.QueueArn(), "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility")
		}
	}
	for _, q := range a.Sends {
		if queue := s.queues[q]; queue != nil {
			allow(role, queue.QueueArn(), "sqs:SendMessage", "sqs:GetQueueUrl")
		}
	}
	objects := func(prefix string) *string { return s.bucket.ArnForObjects(jsii.String(prefix + "*")) }
	for _, p := range a.Reads {
		allow(role, objects(p), "s3:GetObject")
	}
	for _, p := range a.Writes {
		allow(role, objects(p), "s3:PutObject", "s3:AbortMultipartUpload")
	}
	if a.Tags {
		for _, p := range []string{resource.SnosArtifacts, resource.AggregatorArtifacts, resource.SignedTransactions} {
			allow(role, objects(p), "s3:PutObjectTagging", "s3:DeleteObject")
		}
	}
	if a.Lists || len(a.Reads) > 0 { // without it a missing object is "access denied" instead of "not found"
		allow(role, s.bucket.BucketArn(), "s3:ListBucket")
	}
	for _, kind := range a.Secrets {
		for _, word := range s.chain.secretsOf(kind) {
			if secret := s.secrets[word]; secret != nil {
				allow(role, secret.Ref(), "secretsmanager:GetSecretValue")
			}
		}
	}
	if s.mongo != nil && slices.Contains(a.Secrets, resource.MongoSecret) {
		allow(role, s.mongo.SecretArn(), "secretsmanager:GetSecretValue")
	}
	if a.Signs && s.walletKey != nil {
		allow(role, s.walletKey.KeyArn(), "kms:Sign", "kms:GetPublicKey")
	}
	if a.Publishes {
		allow(role, s.topic.TopicArn(), "sns:Publish")
		allow(role, s.bus.EventBusArn(), "events:PutEvents")
	}
	if a.Runs {
		s.permitRuns(role)
	}
	if s.vpc != nil {
		// AWS gives network interfaces no name beforehand, so these actions have no resource to name.
		role.AddManagedPolicy(awsiam.ManagedPolicy_FromAwsManagedPolicyName(jsii.String("service-role/AWSLambdaVPCAccessExecutionRole")))
	}
	awscdk.Tags_Of(role).Add(jsii.String("orchestrator:function"), jsii.String(function), nil)
}
