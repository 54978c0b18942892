package main

import (
	"cmp"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// Stack is one chain's deployment.
type Stack struct {
	awscdk.Stack
	chain Chain
	zips  Zips

	bucket    awss3.Bucket
	topic     awssns.Topic
	bus       awsevents.EventBus
	walletKey awskms.Key           // nil without wallet_kms
	dataKey   awskms.Key           // nil without data_wallet_kms
	network   awsec2.IVpc          // of runners, database and functions; nil without any
	vpc       awsec2.IVpc          // the functions'; nil where they have none
	inside    awsec2.SecurityGroup // of the functions in the VPC
	queues    map[string]awssqs.Queue
	functions map[string]awslambda.Function
	secrets   map[string]awssecretsmanager.CfnSecret
	mongo     awssecretsmanager.ISecret // of the database that the stack makes
	runner    *batchRunner              // nil without snos.image
	http      awsapigatewayv2.CfnApi
}

// NewStack makes a chain's stack.
func NewStack(app awscdk.App, c Chain, account, region string, zips Zips) *Stack {
	env := &awscdk.Environment{Region: jsii.String(region)}
	if account != "" {
		env.Account = jsii.String(account)
	}
	s := &Stack{
		Stack: awscdk.NewStack(app, jsii.String(StackName(c)), &awscdk.StackProps{
			Env:                   env,
			TerminationProtection: jsii.Bool(c.prod()),
			Description:           jsii.String("Orchestrator of the chain " + c.Name),
			Synthesizer: awscdk.NewDefaultStackSynthesizer(
				&awscdk.DefaultStackSynthesizerProps{GenerateBootstrapVersionRule: jsii.Bool(true)}),
		}),
		chain: c, zips: zips, queues: map[string]awssqs.Queue{}, functions: map[string]awslambda.Function{},
		secrets: map[string]awssecretsmanager.CfnSecret{},
	}
	s.knowZones(account, region)
	awscdk.Tags_Of(s.Stack).Add(jsii.String("orchestrator:chain"), jsii.String(c.Name), nil)
	awscdk.Tags_Of(s.Stack).Add(jsii.String("orchestrator:environment"), jsii.String(c.Environment), nil)
	s.storage()
	s.messaging()
	s.deployNetwork()
	s.database()
	s.snosRunner()
	s.runnerEvents()
	s.runnerBlocked()
	s.frontDoor()
	s.deployFunctions()
	s.schedules()
	s.api()
	s.alarms()
	s.dashboard()
	s.outputs()
	guard(s.Stack)
	return s
}

// arn is that of a resource of this account and region.
func (s *Stack) arn(service, rest string) string {
	return "arn:" + *s.Partition() + ":" + service + ":" + *s.Region() + ":" + *s.Account() + ":" + rest
}

// layered says whether the chain has what is for some layers.
func layered[T any](c Chain, all []T, layers func(T) []string) []T {
	var out []T
	for _, x := range all {
		for _, l := range layers(x) {
			if l == string(c.Layer) {
				out = append(out, x)
			}
		}
	}
	return out
}

// functionsOf are the functions that the chain has.
func functionsOf(c Chain) []resource.Function {
	all := slices.DeleteFunc(resource.Functions(), func(f resource.Function) bool {
		return f.Optional && (f.Name != resource.FnHeads || !c.Heads)
	})
	return layered(c, all, func(f resource.Function) (out []string) {
		for _, l := range f.Layers {
			out = append(out, string(l))
		}
		return out
	})
}

// queuesOf are the queues that the chain has.
func queuesOf(c Chain) []resource.Queue {
	return layered(c, resource.Queues(), func(q resource.Queue) (out []string) {
		for _, l := range q.Layers {
			out = append(out, string(l))
		}
		return out
	})
}

// schedulesOf are the schedules that the chain has.
func schedulesOf(c Chain) []resource.Schedule {
	all := layered(c, resource.Schedules(), func(x resource.Schedule) (out []string) {
		for _, l := range x.Layers {
			out = append(out, string(l))
		}
		return out
	})
	chosen := config.Schedules{Every: c.Settings["SCHEDULE_EVERY"]}.Intervals()
	for i, x := range all {
		all[i].Every = cmp.Or(chosen[x.Stage], x.Every)
	}
	return all
}

// keep is what becomes of data when the stack is destroyed: in prod it stays.
func (s *Stack) keep() awscdk.RemovalPolicy {
	if s.chain.prod() {
		return awscdk.RemovalPolicy_RETAIN
	}
	return awscdk.RemovalPolicy_DESTROY
}

func (s *Stack) outputs() {
	out := func(id string, value *string, about string) {
		awscdk.NewCfnOutput(s.Stack, jsii.String(id), &awscdk.CfnOutputProps{
			Value:       value,
			Description: jsii.String(about),
		})
	}
	out("ArtifactsBucket", s.bucket.BucketName(), "bucket of the artifacts")
	out("AlertsTopic", s.topic.TopicArn(), "topic of the alerts")
	for _, w := range s.chain.words() {
		out("PutSecret"+title(w), s.secrets[w].AttrId(),
			"put the value: aws secretsmanager put-secret-value --region "+*s.Region()+" --secret-id "+
				s.chain.secret(w)+" --secret-string file://...")
	}
	if s.walletKey != nil {
		out("WalletKeyArn", s.walletKey.KeyArn(),
			"the key that settles. Its address, which the core contract must have as operator: "+
				s.seat().Command("wallet"))
	}
	if s.dataKey != nil {
		out("DataWalletKeyArn", s.dataKey.KeyArn(),
			"the key that publishes data. Its address, which needs funds: "+s.seat().Command("wallet"))
	}
}
