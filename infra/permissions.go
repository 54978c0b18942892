package main

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"

	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// accessOf is what a function of the chain may do.
func (c Chain) accessOf(function string) resource.Access {
	a := resource.AccessOf(function)
	if function == resource.FnAPI && !c.API.Admin {
		return a.WithoutCommands()
	}
	publisher := resource.FnStateTransition
	if c.Layer == stage.L3 {
		publisher = resource.FnDataSubmission
	}
	if (function == resource.FnDataSubmission || function == resource.FnStateTransition) &&
		(function != publisher || !c.compares()) {
		a = a.Without(resource.ChainSecret)
	}
	if kind := c.Settings["DA_KIND"]; function == resource.FnDataSubmission && kind != "" &&
		kind != config.SettlementDA {
		return a.Publishing(c.ownData())
	}
	return a
}

// assumedBy is a service that may assume a role for this account alone (AWS IAM, "The confused deputy problem"). from
// is the ARN or pattern of what the service acts for; "": any of the account's.
func (s *Stack) assumedBy(service, from string) awsiam.IPrincipal {
	conditions := map[string]any{"StringEquals": map[string]*string{"aws:SourceAccount": s.Account()}}
	if from != "" {
		conditions["ArnLike"] = map[string]string{"aws:SourceArn": from}
	}
	return awsiam.NewServicePrincipal(jsii.String(service), &awsiam.ServicePrincipalOpts{Conditions: &conditions})
}

// allow lets a role do the actions on a resource.
func allow(role awsiam.IRole, on *string, actions ...string) {
	role.AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings(actions...),
		Resources: &[]*string{on},
	}))
}

// allowObjects lets a role do the actions on the artifacts below a prefix.
func (s *Stack) allowObjects(role awsiam.IRole, prefix string, actions ...string) {
	allow(role, s.bucket.ArnForObjects(jsii.String(prefix+"*")), actions...)
	excuse(role, "AwsSolutions-IAM5",
		"objects of one prefix of the artifacts bucket: their names come with the batches",
		`/^Resource::<Artifacts\w+\.Arn>\/`+prefix+`\*$/g`)
}

// allowAll lets a role do actions that have no resource to name, as why says.
func allowAll(role awsiam.IRole, why string, actions ...string) {
	allow(role, jsii.String("*"), actions...)
	excuse(role, "AwsSolutions-IAM5", why, "Resource::*")
}

// permitQueues lets a role receive, send and look up as resource.AccessOf says.
func (s *Stack) permitQueues(role awsiam.Role, a resource.Access) {
	for _, q := range a.Consumes {
		if queue := s.queues[q]; queue != nil {
			allow(role, queue.QueueArn(), "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
		}
	}
	for _, q := range a.Sends {
		if queue := s.queues[q]; queue != nil {
			allow(role, queue.QueueArn(), "sqs:SendMessage", "sqs:GetQueueUrl")
		}
	}
	for _, q := range a.Pings {
		if queue := s.queues[q]; queue != nil {
			allow(role, queue.QueueArn(), "sqs:GetQueueUrl")
		}
	}
}

// permitObjects lets a role use the artifacts that its function works with.
func (s *Stack) permitObjects(role awsiam.Role, a resource.Access) {
	for _, p := range a.Reads {
		s.allowObjects(role, p, "s3:GetObject")
	}
	if s.chain.links() {
		for _, p := range a.Links { // a link may do what the role may that signed it
			s.allowObjects(role, p, "s3:GetObject")
		}
	}
	for _, p := range a.Writes {
		s.allowObjects(role, p, "s3:PutObject", "s3:AbortMultipartUpload")
	}
	if a.Tags {
		for _, p := range []string{resource.SnosArtifacts, resource.AggregatorArtifacts, resource.SignedTransactions} {
			s.allowObjects(role, p, "s3:PutObjectTagging", "s3:DeleteObject")
		}
	}
	if a.Lists || len(a.Reads) > 0 { // without it a missing object is "access denied" instead of "not found"
		allow(role, s.bucket.BucketArn(), "s3:ListBucket")
	}
}

// permitKey lets a role sign with a wallet's key, or look at its public part.
func permitKey(role awsiam.Role, key awskms.Key, signs, watches bool) {
	if key == nil {
		return
	}
	if signs {
		allow(role, key.KeyArn(), "kms:Sign", "kms:GetPublicKey")
	}
	if watches {
		allow(role, key.KeyArn(), "kms:GetPublicKey")
	}
}

// permit gives a function's role what resource.AccessOf says, and no more.
func (s *Stack) permit(role awsiam.Role, function string, logs awslogs.LogGroup) {
	a := s.chain.accessOf(function)
	// A log stream's name is the service's choice, so it can't be named: the group can.
	allow(role, logs.LogGroupArn(), "logs:CreateLogStream", "logs:PutLogEvents")
	s.permitQueues(role, a)
	s.permitKafka(role, function, a)
	s.permitObjects(role, a)
	for _, kind := range a.Secrets {
		for _, word := range s.chain.secretsOf(kind) {
			if secret := s.secrets[word]; secret != nil {
				allow(role, secret.AttrId(), "secretsmanager:GetSecretValue")
			}
		}
	}
	if s.mongo != nil && slices.Contains(a.Secrets, resource.MongoSecret) {
		allow(role, s.mongo.SecretArn(), "secretsmanager:GetSecretValue")
	}
	permitKey(role, s.walletKey, a.Signs, a.Watches)
	permitKey(role, s.dataKey, a.SignsData, a.WatchesData)
	if a.Publishes {
		allow(role, s.topic.TopicArn(), "sns:Publish")
		allow(role, s.bus.EventBusArn(), "events:PutEvents")
	}
	if a.Looks {
		allow(role, s.topic.TopicArn(), "sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic")
		allow(role, s.bus.EventBusArn(), "events:DescribeEventBus")
	}
	if a.Subscribes {
		allow(role, s.topic.TopicArn(), "sns:Subscribe", "sns:ConfirmSubscription")
		allowAll(role, "a request to unsubscribe names no topic, and a subscription's ARN ends in a random id that "+
			"only the list of its topic shows, which this role may read of the chain's own alone", "sns:Unsubscribe")
	}
	if a.Runs {
		s.permitRuns(role, function)
	}
	if s.vpc != nil || s.chain.Kafka.Cluster != "" && len(a.Consumes) > 0 {
		allowAll(role, "network interfaces have no name beforehand (AWSLambdaVPCAccessExecutionRole, without its logs)",
			"ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces",
			"ec2:DescribeSubnets", "ec2:DeleteNetworkInterface",
			"ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses")
	}
	awscdk.Tags_Of(role).Add(jsii.String("orchestrator:function"), jsii.String(function), nil)
}
