package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"github.com/madara-orchestrator/orchestrator/shared/core/event"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// messaging makes queues, the alerts' topic and the events' bus.
func (s *Stack) messaging() {
	all := s.chain.sqsQueues()
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
		if len(all) == 1 { // queues are Kafka's topics
			excuse(s.queues[q.Name], "AwsSolutions-SQS3", "it is the dead-letter queue of the schedules")
		}
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
		EventBusName: jsii.String(resource.Physical(s.chain.Name, resource.EventBus)),
	})
	for _, r := range s.chain.Events {
		s.route(r)
	}
}

// route makes the rule that sends events to a target, and lets the rule, and no other, do so.
func (s *Stack) route(r Route) {
	id, pattern := "Route"+title(r.Name), map[string]any{"source": []string{event.Source}}
	if len(r.Types) > 0 {
		pattern["detail-type"] = r.Types
	}
	target := r.Queue + r.Lambda
	var topic awssns.Topic
	if r.URL != "" {
		topic = awssns.NewTopic(s.Stack, jsii.String(id+"Topic"), &awssns.TopicProps{
			TopicName: jsii.String(resource.Physical(s.chain.Name, "events-"+r.Name)), EnforceSSL: jsii.Bool(true),
		})
		awssns.NewCfnSubscription(s.Stack, jsii.String(id+"Webhook"), &awssns.CfnSubscriptionProps{
			TopicArn: topic.TopicArn(), Protocol: jsii.String("https"), Endpoint: jsii.String(r.URL),
		})
		target = *topic.TopicArn()
	}
	rule := awsevents.NewCfnRule(s.Stack, jsii.String(id), &awsevents.CfnRuleProps{
		Name: jsii.String(resource.Physical(s.chain.Name, r.Name)), EventBusName: s.bus.EventBusName(),
		EventPattern: pattern,
		Targets:      &[]*awsevents.CfnRule_TargetProperty{{Id: jsii.String("target-0"), Arn: jsii.String(target)}},
	})
	if topic != nil {
		topic.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid: jsii.String("Events"), Actions: jsii.Strings("sns:Publish"), Resources: &[]*string{topic.TopicArn()},
			Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), nil)},
			Conditions: &map[string]any{"ArnEquals": map[string]*string{"aws:SourceArn": rule.AttrArn()},
				"StringEquals": map[string]*string{"aws:SourceAccount": s.Stack.Account()}},
		}))
	}
	if r.Lambda != "" {
		awslambda.NewCfnPermission(s.Stack, jsii.String(id+"MayInvoke"), &awslambda.CfnPermissionProps{
			Action: jsii.String("lambda:InvokeFunction"), FunctionName: jsii.String(r.Lambda),
			Principal: jsii.String("events.amazonaws.com"), SourceArn: rule.AttrArn(),
			SourceAccount: s.Stack.Account(),
		})
	}
}
