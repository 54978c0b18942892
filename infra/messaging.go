package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// messaging makes queues, the alerts' topic and the events' bus.
func (s *Stack) messaging() {
	all := queuesOf(s.chain)
	for i := range all { // the dead-letter queue is the last, and the others name it
		q := all[len(all)-1-i]
		p := &awssqs.QueueProps{
			QueueName:         jsii.String(resource.Physical(s.chain.Name, q.Name)),
			Encryption:        awssqs.QueueEncryption_SQS_MANAGED,
			EnforceSSL:        jsii.Bool(true),
			VisibilityTimeout: awscdk.Duration_Seconds(jsii.Number(q.Visibility.Seconds())),
			RetentionPeriod:   awscdk.Duration_Seconds(jsii.Number(q.Retention.Seconds())),
			RemovalPolicy:     awscdk.RemovalPolicy_DESTROY, // messages are hints: the database has everything
		}
		if q.DeadLetter != "" {
			p.DeadLetterQueue = &awssqs.DeadLetterQueue{
				MaxReceiveCount: jsii.Number(float64(q.MaxReceives)),
				Queue:           s.queues[q.DeadLetter],
			}
		}
		s.queues[q.Name] = awssqs.NewQueue(s.Stack, jsii.String("Queue"+title(q.Name)), p)
	}
	s.topic = awssns.NewTopic(s.Stack, jsii.String("Alerts"), &awssns.TopicProps{
		TopicName: jsii.String(resource.Physical(s.chain.Name, resource.AlertsTopic)), EnforceSSL: jsii.Bool(true),
		DisplayName: jsii.String("Orchestrator " + s.chain.Name),
	})
	// A topic with a policy has lost AWS's own, by which alarms of the account may publish.
	s.topic.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: jsii.String("Alarms"), Actions: jsii.Strings("sns:Publish"), Resources: &[]*string{s.topic.TopicArn()},
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("cloudwatch.amazonaws.com"), nil)},
		Conditions: &map[string]any{"StringEquals": map[string]*string{"aws:SourceAccount": s.Account()}},
	}))
	subscribe := func(id, protocol, endpoint string) {
		awssns.NewCfnSubscription(s.Stack, jsii.String(id), &awssns.CfnSubscriptionProps{
			TopicArn: s.topic.TopicArn(), Protocol: jsii.String(protocol), Endpoint: jsii.String(endpoint),
		})
	}
	for i, e := range s.chain.Alerts.Emails {
		subscribe("Email"+number(i), "email", e)
	}
	for i, w := range s.chain.Alerts.Webhooks {
		subscribe("Webhook"+number(i), "https", w)
	}
	s.bus = awsevents.NewEventBus(s.Stack, jsii.String("Events"), &awsevents.EventBusProps{
		EventBusName: jsii.String(resource.Physical(s.chain.Name, "events")),
	})
}
