package e2e_test

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
)

// template is a CloudFormation template.
type template struct {
	Resources map[string]struct {
		Type       string
		Properties map[string]any
	}
}

func readTemplate(t *testing.T, path string) (out template) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// inventory is what the services themselves say that there is: names by the type that CloudFormation has for them.
type inventory map[string][]string

func (i inventory) add(kind string, name *string) { i[kind] = append(i[kind], aws.ToString(name)) }

// partOf are types that belong to another resource, which is asked for them where the test needs them.
var partOf = []string{
	"AWS::ApiGatewayV2::Integration", "AWS::ApiGatewayV2::Route", "AWS::ApiGatewayV2::Stage", "AWS::CDK::Metadata",
	"AWS::IAM::Policy", "AWS::KMS::Alias", "AWS::Lambda::Permission", "AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy",
	"AWS::SQS::QueuePolicy",
}

// take asks every service.
func take(t *testing.T, endpoint string) inventory {
	t.Helper()
	out := inventory{}
	for _, ask := range []func(context.Context, aws.Config) error{
		out.computing, out.messaging, out.guarding, out.storing, out.calling, out.watching,
	} {
		if err := ask(t.Context(), devcloud.Config(endpoint)); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// each reads all pages of a list.
func each[P, O any](ctx context.Context, more func() bool, next func(context.Context, ...func(*O)) (P, error),
	use func(P)) error {
	for more() {
		p, err := next(ctx)
		if err != nil {
			return err
		}
		use(p)
	}
	return nil
}

// computing are functions, their event source mappings and their logs.
func (i inventory) computing(ctx context.Context, cfg aws.Config) error {
	api := lambda.NewFromConfig(cfg)
	functions := lambda.NewListFunctionsPaginator(api, &lambda.ListFunctionsInput{})
	var names []*string
	err := each(ctx, functions.HasMorePages, functions.NextPage, func(p *lambda.ListFunctionsOutput) {
		for _, x := range p.Functions {
			i.add("AWS::Lambda::Function", x.FunctionName)
			names = append(names, x.FunctionName)
		}
	})
	if err != nil {
		return err
	}
	for _, name := range names {
		out, err := api.ListFunctionEventInvokeConfigs(ctx,
			&lambda.ListFunctionEventInvokeConfigsInput{FunctionName: name})
		if err != nil {
			return err
		}
		for _, x := range out.FunctionEventInvokeConfigs {
			i.add("AWS::Lambda::EventInvokeConfig", x.FunctionArn)
		}
	}
	mappings := lambda.NewListEventSourceMappingsPaginator(api,
		&lambda.ListEventSourceMappingsInput{})
	err = each(ctx, mappings.HasMorePages, mappings.NextPage, func(p *lambda.ListEventSourceMappingsOutput) {
		for _, x := range p.EventSourceMappings {
			i.add("AWS::Lambda::EventSourceMapping", x.UUID)
		}
	})
	if err != nil {
		return err
	}
	groups := cloudwatchlogs.NewDescribeLogGroupsPaginator(cloudwatchlogs.NewFromConfig(cfg),
		&cloudwatchlogs.DescribeLogGroupsInput{})
	return each(ctx, groups.HasMorePages, groups.NextPage, func(p *cloudwatchlogs.DescribeLogGroupsOutput) {
		for _, x := range p.LogGroups {
			i.add("AWS::Logs::LogGroup", x.LogGroupName)
		}
	})
}

// messaging are queues, topics, subscriptions and buses.
func (i inventory) messaging(ctx context.Context, cfg aws.Config) error {
	queues := sqs.NewListQueuesPaginator(sqs.NewFromConfig(cfg), &sqs.ListQueuesInput{MaxResults: aws.Int32(1000)})
	err := each(ctx, queues.HasMorePages, queues.NextPage, func(p *sqs.ListQueuesOutput) {
		for _, x := range p.QueueUrls {
			i.add("AWS::SQS::Queue", &x)
		}
	})
	if err != nil {
		return err
	}
	topics := sns.NewListTopicsPaginator(sns.NewFromConfig(cfg), &sns.ListTopicsInput{})
	err = each(ctx, topics.HasMorePages, topics.NextPage, func(p *sns.ListTopicsOutput) {
		for _, x := range p.Topics {
			i.add("AWS::SNS::Topic", x.TopicArn)
		}
	})
	if err != nil {
		return err
	}
	subscriptions := sns.NewListSubscriptionsPaginator(sns.NewFromConfig(cfg), &sns.ListSubscriptionsInput{})
	err = each(ctx, subscriptions.HasMorePages, subscriptions.NextPage, func(p *sns.ListSubscriptionsOutput) {
		for _, x := range p.Subscriptions {
			i.add("AWS::SNS::Subscription", aws.String(aws.ToString(x.TopicArn)+" "+aws.ToString(x.Endpoint)))
		}
	})
	if err != nil {
		return err
	}
	buses, err := eventbridge.NewFromConfig(cfg).ListEventBuses(ctx, &eventbridge.ListEventBusesInput{})
	if err != nil {
		return err
	}
	for _, x := range buses.EventBuses {
		i.add("AWS::Events::EventBus", x.Name)
	}
	return nil
}

// guarding are roles, secrets and keys.
func (i inventory) guarding(ctx context.Context, cfg aws.Config) error {
	roles := iam.NewListRolesPaginator(iam.NewFromConfig(cfg), &iam.ListRolesInput{})
	err := each(ctx, roles.HasMorePages, roles.NextPage, func(p *iam.ListRolesOutput) {
		for _, x := range p.Roles {
			i.add("AWS::IAM::Role", x.RoleName)
		}
	})
	if err != nil {
		return err
	}
	secrets := secretsmanager.NewListSecretsPaginator(secretsmanager.NewFromConfig(cfg),
		&secretsmanager.ListSecretsInput{})
	err = each(ctx, secrets.HasMorePages, secrets.NextPage, func(p *secretsmanager.ListSecretsOutput) {
		for _, x := range p.SecretList {
			i.add("AWS::SecretsManager::Secret", x.ARN)
		}
	})
	if err != nil {
		return err
	}
	keys, err := kms.NewFromConfig(cfg).ListKeys(ctx, &kms.ListKeysInput{})
	if err != nil {
		return err
	}
	for _, x := range keys.Keys {
		i.add("AWS::KMS::Key", x.KeyId)
	}
	return nil
}

// storing are buckets.
func (i inventory) storing(ctx context.Context, cfg aws.Config) error {
	buckets, err := s3.NewFromConfig(cfg).ListBuckets(ctx, &s3.ListBucketsInput{})
	if err != nil {
		return err
	}
	for _, x := range buckets.Buckets {
		i.add("AWS::S3::Bucket", x.Name)
	}
	return nil
}

// beyond is what there is that was not there before. What belongs to the CDK's bootstrap is left out.
func (i inventory) beyond(before inventory) inventory {
	out := inventory{}
	for kind, names := range i {
		for _, n := range names {
			if !slices.Contains(before[kind], n) && !strings.Contains(n, "cdk-hnb659fds-") {
				out[kind] = append(out[kind], n)
			}
		}
	}
	return out
}

// compare wants of what was made all that the templates say to be there, and nothing else.
func (i inventory) compare(t *testing.T, templates ...template) {
	t.Helper()
	want := map[string]int{}
	for _, tpl := range templates {
		for _, r := range tpl.Resources {
			if !slices.Contains(partOf, r.Type) {
				want[r.Type]++
			}
		}
	}
	for kind := range i {
		want[kind] += 0
	}
	for _, kind := range slices.Sorted(maps.Keys(want)) {
		if len(i[kind]) != want[kind] {
			t.Errorf("there are %d of type %s, the templates have %d: %q", len(i[kind]), kind, want[kind], i[kind])
		}
	}
}
