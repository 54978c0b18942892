// Package cloud puts what shared/resource describes into an AWS emulator such as moto, through the services' own APIs:
// what the CDK stack does in an account. For the local run and the tests.
package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/madara-orchestrator/orchestrator/shared/client/s3"
	"github.com/madara-orchestrator/orchestrator/shared/client/sns"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// Region is the region that emulated resources are in.
const Region = "eu-west-1"

// Config is the SDK's configuration for an emulator's endpoint.
func Config(endpoint string) aws.Config {
	return aws.Config{
		Region: Region, BaseEndpoint: aws.String(endpoint),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}
}

// Stack names what was made.
type Stack struct {
	Bucket, TopicARN, Bus string
	APIURL                string // of a stack that the CDK made; "" of Provision
}

// Options say what to make.
type Options struct {
	Chain   string // prefix of all names
	Layer   stage.Layer
	Secrets map[string]string // name to value
	// Timers makes the schedules of the trigger workers: they send to the trigger queue, where the emulator fires them.
	Timers bool
	// Visibility, when set, replaces the queues' visibility timeouts, so that tests of crashes need not wait.
	Visibility time.Duration
}

// Provision makes queues, bucket, topic, bus, secrets and schedules.
func Provision(ctx context.Context, cfg aws.Config, o Options) (Stack, error) {
	s := Stack{Bucket: resource.Physical(o.Chain, "artifacts"), Bus: resource.Physical(o.Chain, resource.EventBus)}
	if err := queues(ctx, sqs.NewFromConfig(cfg), o); err != nil {
		return s, err
	}
	if err := MakeBucket(ctx, s3.New(cfg, s.Bucket, true).Bucket()); err != nil {
		return s, err
	}
	topic, err := sns.NewTopics(cfg, o.Chain).Create(ctx, resource.Physical(o.Chain, resource.AlertsTopic))
	if err != nil {
		return s, err
	}
	s.TopicARN = topic.ID()
	if _, err := eventbridge.NewFromConfig(cfg).CreateEventBus(ctx,
		&eventbridge.CreateEventBusInput{Name: &s.Bus}); err != nil {
		return s, fmt.Errorf("create event bus: %w", err)
	}
	var errs []error
	if o.Timers {
		errs = append(errs, MakeTimers(ctx, Timers(cfg, o.Chain), o.Layer, s.timer(o.Chain)))
	}
	for name, value := range o.Secrets {
		_, err := secretsmanager.NewFromConfig(cfg).CreateSecret(ctx,
			&secretsmanager.CreateSecretInput{Name: aws.String(name), SecretString: aws.String(value)})
		errs = append(errs, err)
	}
	return s, errors.Join(errs...)
}

// MakeBucket makes the artifacts bucket with its rules.
func MakeBucket(ctx context.Context, b artifact.Bucket) error {
	if err := b.Create(ctx); err != nil {
		return err
	}
	return b.SetLifecycle(ctx, resource.Lifecycle())
}

// RemoveBucket removes the artifacts bucket with all that is in it.
func RemoveBucket(ctx context.Context, s artifact.Store, b artifact.Bucket) error {
	if err := artifact.Empty(ctx, s); err != nil {
		return err
	}
	return b.Delete(ctx)
}

// queues makes the queues, the dead-letter queue first.
func queues(ctx context.Context, api *sqs.Client, o Options) error {
	all := slices.Clone(resource.Queues())
	slices.Reverse(all)
	arns := map[string]string{}
	for _, q := range all {
		if !slices.Contains(q.Layers, o.Layer) {
			continue
		}
		visibility := q.Visibility
		if o.Visibility > 0 {
			visibility = o.Visibility
		}
		attributes := map[string]string{
			"VisibilityTimeout":      strconv.Itoa(int(visibility / time.Second)),
			"MessageRetentionPeriod": strconv.Itoa(int(q.Retention / time.Second)),
		}
		if q.DeadLetter != "" {
			policy, err := json.Marshal(
				map[string]any{"deadLetterTargetArn": arns[q.DeadLetter], "maxReceiveCount": q.MaxReceives})
			if err != nil {
				return fmt.Errorf("encode redrive policy: %w", err)
			}
			attributes["RedrivePolicy"] = string(policy)
		}
		name := resource.Physical(o.Chain, q.Name)
		out, err := api.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
		if err != nil {
			return fmt.Errorf("create queue %s: %w", name, err)
		}
		got, err := api.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: out.QueueUrl,
			AttributeNames: []sqstypes.QueueAttributeName{"QueueArn"}})
		if err != nil {
			return fmt.Errorf("read queue %s: %w", name, err)
		}
		arns[q.Name] = got.Attributes["QueueArn"]
	}
	return nil
}
