package e2e_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/madara-orchestrator/orchestrator/shared/config"
	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/dev/functions"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// deployed is what the services themselves say of a chain's parts.
type deployed struct {
	cfg       aws.Config
	queues    map[string]map[string]string // attributes by name
	functions map[string]types.FunctionConfiguration
	mappings  map[string]types.EventSourceMappingConfiguration // by queue
}

// look asks the services for the chain's parts.
func (d *deployment) look() {
	d.t.Helper()
	d.is = &deployed{
		cfg: devcloud.Config(d.f.emulator), queues: map[string]map[string]string{},
		functions: map[string]types.FunctionConfiguration{},
		mappings:  map[string]types.EventSourceMappingConfiguration{},
	}
	for _, ask := range []func(context.Context) error{d.askQueues, d.askFunctions} {
		if err := ask(d.t.Context()); err != nil {
			d.t.Fatal(err)
		}
	}
}

// own says whether a physical name is the chain's, and its name without the chain's.
func (d *deployment) own(name string) (string, bool) {
	return strings.CutPrefix(name, resource.Physical(d.options.Name, ""))
}

func (d *deployment) askQueues(ctx context.Context) error {
	api := sqs.NewFromConfig(d.is.cfg)
	list, err := api.ListQueues(ctx,
		&sqs.ListQueuesInput{QueueNamePrefix: aws.String(resource.Physical(d.options.Name, ""))})
	if err != nil {
		return err
	}
	for _, u := range list.QueueUrls {
		a, err := api.GetQueueAttributes(ctx,
			&sqs.GetQueueAttributesInput{QueueUrl: &u, AttributeNames: []sqstypes.QueueAttributeName{"All"}})
		if err != nil {
			return err
		}
		d.is.queues[filepath.Base(u)] = a.Attributes
	}
	return nil
}

func (d *deployment) askFunctions(ctx context.Context) error {
	api := lambda.NewFromConfig(d.is.cfg)
	pages := lambda.NewListFunctionsPaginator(api, &lambda.ListFunctionsInput{})
	err := each(ctx, pages.HasMorePages, pages.NextPage, func(p *lambda.ListFunctionsOutput) {
		for _, f := range p.Functions {
			if name, ok := d.own(aws.ToString(f.FunctionName)); ok {
				d.is.functions[name] = f
			}
		}
	})
	if err != nil {
		return err
	}
	sources := lambda.NewListEventSourceMappingsPaginator(api, &lambda.ListEventSourceMappingsInput{})
	return each(ctx, sources.HasMorePages, sources.NextPage, func(p *lambda.ListEventSourceMappingsOutput) {
		for _, m := range p.EventSourceMappings {
			if name, ok := d.own(last(aws.ToString(m.EventSourceArn))); ok {
				d.is.mappings[name] = m
			}
		}
	})
}

// last is the last part of an ARN.
func last(arn string) string { return lastOf(arn, ':') }

// lastOf is what follows a separator for the last time.
func lastOf(s string, separator byte) string { return s[strings.LastIndexByte(s, separator)+1:] }

// messages is how many messages a queue holds, visible or not.
func (d *deployment) messages(queue string) int {
	d.t.Helper()
	if err := d.askQueues(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	a := d.is.queues[resource.Physical(d.options.Name, queue)]
	visible, err1 := strconv.Atoi(a["ApproximateNumberOfMessages"])
	hidden, err2 := strconv.Atoi(a["ApproximateNumberOfMessagesNotVisible"])
	if err1 != nil || err2 != nil {
		d.t.Fatalf("queue %s: %v", queue, a)
	}
	return visible + hidden
}

// log is what the chain's functions logged and holds one of the words, as CloudWatch has it.
func (d *deployment) log(words ...string) string {
	d.t.Helper()
	api := cloudwatchlogs.NewFromConfig(devcloud.Config(d.f.direct))
	groups, err := api.DescribeLogGroups(d.t.Context(),
		&cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: d.logs()})
	if err != nil {
		d.t.Fatal(err)
	}
	var out strings.Builder
	for _, g := range groups.LogGroups {
		pages := cloudwatchlogs.NewFilterLogEventsPaginator(api,
			&cloudwatchlogs.FilterLogEventsInput{LogGroupName: g.LogGroupName})
		err := each(d.t.Context(), pages.HasMorePages, pages.NextPage, func(p *cloudwatchlogs.FilterLogEventsOutput) {
			for _, e := range p.Events {
				for line := range strings.Lines(aws.ToString(e.Message)) {
					if slices.ContainsFunc(words, func(w string) bool { return strings.Contains(line, w) }) {
						out.WriteString(strings.TrimRight(line, "\n") + "\n")
					}
				}
			}
		})
		if err != nil {
			d.t.Fatal(err)
		}
	}
	return out.String()
}

// logs is what the names of the chain's log groups begin with.
func (d *deployment) logs() *string { return aws.String("/orchestrator/" + d.options.Name + "/") }

// empty removes all objects of the bucket, without which it can't be removed itself.
func (d *deployment) empty() {
	d.t.Helper()
	api := s3.NewFromConfig(d.is.cfg, func(o *s3.Options) { o.UsePathStyle = true })
	pages := s3.NewListObjectsV2Paginator(api, &s3.ListObjectsV2Input{Bucket: &d.made.Bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(d.t.Context())
		if err != nil {
			d.t.Fatal(err)
		}
		for _, o := range page.Contents {
			if _, err := api.DeleteObject(d.t.Context(),
				&s3.DeleteObjectInput{Bucket: &d.made.Bucket, Key: o.Key}); err != nil {
				d.t.Fatal(err)
			}
		}
	}
}

// check compares what the services say with what shared/resource describes.
func (d *deployment) check() {
	d.t.Helper()
	for _, q := range resource.Queues() {
		if slices.Contains(q.Layers, d.options.Layer) {
			d.checkQueue(q)
		}
	}
	for _, f := range resource.Functions() {
		if slices.Contains(f.Layers, d.options.Layer) && !f.Optional {
			d.checkFunction(f)
		}
	}
	api := s3.NewFromConfig(d.is.cfg, func(o *s3.Options) { o.UsePathStyle = true })
	e, err := api.GetBucketEncryption(d.t.Context(), &s3.GetBucketEncryptionInput{Bucket: &d.made.Bucket})
	if err != nil {
		d.t.Fatal(err)
	}
	rule := e.ServerSideEncryptionConfiguration.Rules[0].ApplyServerSideEncryptionByDefault
	if rule.SSEAlgorithm != s3types.ServerSideEncryptionAes256 {
		d.t.Errorf("the bucket's encryption is %+v", rule)
	}
	groups, err := cloudwatchlogs.NewFromConfig(d.is.cfg).DescribeLogGroups(d.t.Context(),
		&cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: d.logs()})
	if err != nil || len(groups.LogGroups) < len(d.is.functions) {
		d.t.Fatalf("%d log groups, %v", len(groups.LogGroups), err)
	}
	for _, g := range groups.LogGroups {
		if aws.ToInt32(g.RetentionInDays) == 0 {
			d.t.Errorf("log group %s is kept for ever", aws.ToString(g.LogGroupName))
		}
	}
}

func (d *deployment) checkQueue(q resource.Queue) {
	d.t.Helper()
	a := d.is.queues[resource.Physical(d.options.Name, q.Name)]
	want := map[string]string{
		"VisibilityTimeout":      strconv.Itoa(int(q.Visibility.Seconds())),
		"MessageRetentionPeriod": strconv.Itoa(int(q.Retention.Seconds())), "SqsManagedSseEnabled": "true",
	}
	for k, v := range want {
		if a[k] != v {
			d.t.Errorf("queue %s has %s %q, want %q", q.Name, k, a[k], v)
		}
	}
	if q.DeadLetter != "" {
		var redrive struct {
			DeadLetterTargetArn string          `json:"deadLetterTargetArn"`
			MaxReceiveCount     json.RawMessage `json:"maxReceiveCount"`
		}
		err := json.Unmarshal([]byte(a["RedrivePolicy"]), &redrive)
		got := strings.Trim(string(redrive.MaxReceiveCount), `"`)
		if err != nil || got != strconv.Itoa(q.MaxReceives) ||
			last(redrive.DeadLetterTargetArn) != resource.Physical(d.options.Name, q.DeadLetter) {
			d.t.Errorf("queue %s has redrive policy %s", q.Name, a["RedrivePolicy"])
		}
	}
	m := d.is.mappings[q.Name]
	partial := slices.Equal(m.FunctionResponseTypes,
		[]types.FunctionResponseType{types.FunctionResponseTypeReportBatchItemFailures})
	function, _ := d.own(last(aws.ToString(m.FunctionArn)))
	if function != q.Function || int(aws.ToInt32(m.BatchSize)) != q.BatchSize || !partial ||
		m.ScalingConfig == nil || int(aws.ToInt32(m.ScalingConfig.MaximumConcurrency)) != q.MaxConcurrency {
		d.t.Errorf("queue %s has mapping %+v, want one to %s by %d, at most %d at a time",
			q.Name, m, q.Function, q.BatchSize, q.MaxConcurrency)
	}
}

func (d *deployment) checkFunction(f resource.Function) {
	d.t.Helper()
	got := d.is.functions[f.Name]
	if got.Runtime != "provided.al2023" || int(aws.ToInt32(got.MemorySize)) != f.MemoryMB ||
		int(aws.ToInt32(got.Timeout)) != int(f.Timeout.Seconds()) {
		d.t.Errorf("function %s is %+v, want %d MB and %s", f.Name, got, f.MemoryMB, f.Timeout)
	}
	zip, err := os.ReadFile(filepath.Join(d.f.cdk.Root, functions.Here(false).Folder(), f.Name+".zip"))
	sum := sha256.Sum256(zip)
	if err != nil || aws.ToString(got.CodeSha256) != base64.StdEncoding.EncodeToString(sum[:]) {
		d.t.Errorf("the code of function %s is not the zip that was built (%v)", f.Name, err)
	}
	if got.Environment == nil {
		d.t.Errorf("function %s has no environment", f.Name)
		return
	}
	for k, v := range map[string]string{
		"AWS_BUCKET": d.made.Bucket, "AWS_TOPIC_ARN": d.made.TopicARN, "AWS_BUS": d.made.Bus,
	} {
		if has := got.Environment.Variables[config.Prefix+k]; has != v || has == "" {
			d.t.Errorf("function %s has %s %q, the stack made %q", f.Name, k, has, v)
		}
	}
	for k, v := range got.Environment.Variables {
		for _, secret := range d.values {
			if strings.Contains(v, secret) {
				d.t.Errorf("variable %s of function %s holds a secret's value", k, f.Name)
			}
		}
	}
}

// kept compares an update with what was there before: nothing that has data or jobs was replaced, no code changed, and
// the settings did.
func (d *deployment) kept(before *deployed, settings map[string]string) {
	d.t.Helper()
	for name, q := range before.queues {
		if now := d.is.queues[name]; now["CreatedTimestamp"] != q["CreatedTimestamp"] {
			d.t.Errorf("an update replaced queue %s: its messages are gone", name)
		}
	}
	for name, f := range d.is.functions {
		for k, v := range settings {
			if got := f.Environment.Variables[config.Prefix+k]; got != v {
				d.t.Errorf("function %s still has %s %q", name, k, got)
			}
		}
		if aws.ToString(f.CodeSha256) != aws.ToString(before.functions[name].CodeSha256) {
			d.t.Errorf("the code of %s changed without a change of its sources", name)
		}
	}
}
