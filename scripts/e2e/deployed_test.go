package e2e_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	devlambda "github.com/madara-orchestrator/orchestrator/shared/dev/lambda"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// function is a deployed function.
type function struct {
	env             map[string]string
	code            string // SHA-256, base64
	runtime         string
	memory, timeout int
}

// deployed is what the services themselves say that there is.
type deployed struct {
	cfg                aws.Config
	bucket, topic, bus string
	encryption         types.ServerSideEncryption
	queues             map[string]map[string]string // attributes by name
	functions          map[string]function
	mappings           []devlambda.Mapping
	partial            map[string]bool // mappings that report partial failures, by queue
	retention          map[string]int  // days, by log group
	roles              map[string]int  // number of statements in its own policies, by role
	ticks              []devlambda.Tick
}

// ask reads from each service what it holds; schedules, which the emulator does not make, from the template.
func ask(t *testing.T, cfg aws.Config, tpl template) *deployed {
	t.Helper()
	d := &deployed{
		cfg: cfg, queues: map[string]map[string]string{}, functions: map[string]function{}, partial: map[string]bool{},
		retention: map[string]int{}, roles: map[string]int{},
	}
	for name, read := range map[string]func(context.Context) error{
		"queues": d.askQueues, "functions": d.askFunctions, "storage": d.askStorage,
		"alerts and events": d.askMessaging,
		"logs":              d.askLogs, "roles": d.askRoles,
	} {
		if err := read(t.Context()); err != nil {
			t.Fatalf("ask for %s: %v", name, err)
		}
	}
	for _, s := range tpl.of("AWS::Scheduler::Schedule") {
		input := s.Properties["Target"].(map[string]any)["Input"].(string)
		fields := strings.FieldsFunc(s.Properties["ScheduleExpression"].(string),
			func(r rune) bool { return r == '(' || r == ' ' || r == ')' })
		n, err := strconv.Atoi(fields[1])
		w, ok, err2 := schedule.Decode([]byte(input))
		if !ok || err2 != nil || err != nil {
			t.Fatalf("schedule %v", s.Properties)
		}
		// A minute of the deployment is a second here, at least two.
		d.ticks = append(d.ticks,
			devlambda.Tick{Stage: w.Stage, Every: max(time.Duration(n)*time.Second, 2*time.Second)})
	}
	return d
}

func (d *deployed) askQueues(ctx context.Context) error {
	api := sqs.NewFromConfig(d.cfg)
	list, err := api.ListQueues(ctx, &sqs.ListQueuesInput{})
	if err != nil {
		return err
	}
	for _, u := range list.QueueUrls {
		a, err := api.GetQueueAttributes(ctx,
			&sqs.GetQueueAttributesInput{QueueUrl: &u, AttributeNames: []sqstypes.QueueAttributeName{"All"}})
		if err != nil {
			return err
		}
		d.queues[filepath.Base(u)] = a.Attributes
	}
	return nil
}

func (d *deployed) askFunctions(ctx context.Context) error {
	api := lambda.NewFromConfig(d.cfg)
	list, err := api.ListFunctions(ctx, &lambda.ListFunctionsInput{})
	if err != nil {
		return err
	}
	for _, f := range list.Functions {
		x := function{
			code: aws.ToString(f.CodeSha256), runtime: string(f.Runtime), memory: int(aws.ToInt32(f.MemorySize)),
			timeout: int(aws.ToInt32(f.Timeout)),
		}
		if f.Environment != nil {
			x.env = f.Environment.Variables
		}
		d.functions[aws.ToString(f.FunctionName)] = x
	}
	maps, err := api.ListEventSourceMappings(ctx, &lambda.ListEventSourceMappingsInput{})
	if err != nil {
		return err
	}
	for _, m := range maps.EventSourceMappings {
		queue := last(aws.ToString(m.EventSourceArn))
		_, short, _ := strings.Cut(last(aws.ToString(m.FunctionArn)), "-")
		d.mappings = append(d.mappings, devlambda.Mapping{Queue: queue, Function: short,
			BatchSize: int(aws.ToInt32(m.BatchSize)), MaxConcurrency: 1})
		d.partial[queue] = len(m.FunctionResponseTypes) == 1 && m.FunctionResponseTypes[0] == "ReportBatchItemFailures"
	}
	return nil
}

// last is the last part of an ARN.
func last(arn string) string { return arn[strings.LastIndexByte(arn, ':')+1:] }

func (d *deployed) s3() *s3.Client {
	return s3.NewFromConfig(d.cfg, func(o *s3.Options) { o.UsePathStyle = true })
}

func (d *deployed) askStorage(ctx context.Context) error {
	list, err := d.s3().ListBuckets(ctx, &s3.ListBucketsInput{})
	if err != nil {
		return err
	}
	for _, b := range list.Buckets {
		name := aws.ToString(b.Name)
		if strings.HasPrefix(name, "cdk-") { // the bootstrap's own
			continue
		}
		if d.bucket != "" {
			return fmt.Errorf("there are the buckets %s and %s", d.bucket, name)
		}
		d.bucket = name
		e, err := d.s3().GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: &name})
		if err != nil {
			return err
		}
		d.encryption = e.ServerSideEncryptionConfiguration.Rules[0].ApplyServerSideEncryptionByDefault.SSEAlgorithm
	}
	return nil
}

func (d *deployed) askMessaging(ctx context.Context) error {
	topics, err := sns.NewFromConfig(d.cfg).ListTopics(ctx, &sns.ListTopicsInput{})
	if err != nil {
		return err
	}
	for _, x := range topics.Topics {
		d.topic = aws.ToString(x.TopicArn)
	}
	buses, err := eventbridge.NewFromConfig(d.cfg).ListEventBuses(ctx, &eventbridge.ListEventBusesInput{})
	if err != nil {
		return err
	}
	for _, b := range buses.EventBuses {
		if name := aws.ToString(b.Name); name != "default" {
			d.bus = name
		}
	}
	return nil
}

func (d *deployed) askLogs(ctx context.Context) error {
	groups, err := cloudwatchlogs.NewFromConfig(d.cfg).DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{})
	if err != nil {
		return err
	}
	for _, g := range groups.LogGroups {
		d.retention[aws.ToString(g.LogGroupName)] = int(aws.ToInt32(g.RetentionInDays))
	}
	return nil
}

func (d *deployed) askRoles(ctx context.Context) error {
	api := iam.NewFromConfig(d.cfg)
	roles, err := api.ListRoles(ctx, &iam.ListRolesInput{})
	if err != nil {
		return err
	}
	for _, r := range roles.Roles {
		name := aws.ToString(r.RoleName)
		if strings.HasPrefix(name, "cdk-") {
			continue
		}
		d.roles[name] = 0
		policies, err := api.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: &name})
		if err != nil {
			return err
		}
		for _, p := range policies.PolicyNames {
			got, err := api.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &name, PolicyName: &p})
			if err != nil {
				return err
			}
			text, err := url.QueryUnescape(aws.ToString(got.PolicyDocument))
			var doc struct{ Statement []json.RawMessage }
			if err == nil {
				err = json.Unmarshal([]byte(text), &doc)
			}
			if err != nil {
				return fmt.Errorf("policy %s of role %s: %w", p, name, err)
			}
			d.roles[name] += len(doc.Statement)
		}
	}
	return nil
}

// names are all that there is.
func (d *deployed) names() []string {
	out := slices.Concat(slices.Collect(maps.Keys(d.queues)), slices.Collect(maps.Keys(d.functions)),
		slices.Collect(maps.Keys(d.retention)), slices.Collect(maps.Keys(d.roles)))
	for _, m := range d.mappings {
		out = append(out, "mapping of "+m.Queue)
	}
	for _, x := range []string{d.bucket, d.topic, d.bus} {
		if x != "" {
			out = append(out, x)
		}
	}
	return out
}

// messages is how many messages a queue holds, visible or not.
func (d *deployed) messages(t *testing.T, queue string) int {
	t.Helper()
	if err := d.askQueues(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := d.queues[queue]
	visible, err1 := strconv.Atoi(a["ApproximateNumberOfMessages"])
	hidden, err2 := strconv.Atoi(a["ApproximateNumberOfMessagesNotVisible"])
	if err1 != nil || err2 != nil {
		t.Fatalf("queue %s: %v", queue, a)
	}
	return visible + hidden
}

// empty removes all objects of the bucket, without which it can't be removed itself.
func (d *deployed) empty(t *testing.T) {
	t.Helper()
	pages := s3.NewListObjectsV2Paginator(d.s3(), &s3.ListObjectsV2Input{Bucket: &d.bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			if _, err := d.s3().DeleteObject(t.Context(),
				&s3.DeleteObjectInput{Bucket: &d.bucket, Key: o.Key}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// check compares what the services say with the template and with what shared/resource describes.
func (d *deployment) check() {
	d.t.Helper()
	is, t := d.deployed, d.t
	asked := map[string]int{
		"AWS::SQS::Queue": len(is.queues), "AWS::Lambda::Function": len(is.functions),
		"AWS::Lambda::EventSourceMapping": len(is.mappings),
		"AWS::Logs::LogGroup":             len(is.retention), "AWS::IAM::Role": len(is.roles),
		"AWS::S3::Bucket":       count(is.bucket),
		"AWS::SNS::Topic":       count(is.topic),
		"AWS::Events::EventBus": count(is.bus), "AWS::IAM::Policy": 0,
	}
	for _, n := range is.roles {
		asked["AWS::IAM::Policy"] += min(n, 1)
	}
	for kind, n := range asked {
		if want := len(d.template.of(kind)); n != want || want == 0 {
			t.Errorf("%d of type %s are deployed, the template has %d", n, kind, want)
		}
	}
	for id, r := range d.template.Resources {
		if _, ok := asked[r.Type]; !ok && !slices.Contains(skipped, r.Type) {
			t.Errorf("nobody asks whether %s of type %s is deployed", id, r.Type)
		}
	}
	if is.encryption != types.ServerSideEncryptionAes256 {
		t.Errorf("the bucket's encryption is %q", is.encryption)
	}
	d.checkQueues()
	d.checkFunctions()
	for name, days := range is.retention {
		if days == 0 {
			t.Errorf("log group %s is kept for ever", name)
		}
	}
	if want := len(schedulesOf(stage.L2)); len(is.ticks) != want {
		t.Errorf("%d schedules, want %d", len(is.ticks), want)
	}
}

func count(name string) int { return min(len(name), 1) }

func schedulesOf(l stage.Layer) []resource.Schedule {
	return slices.DeleteFunc(resource.Schedules(),
		func(s resource.Schedule) bool { return !slices.Contains(s.Layers, l) })
}

func (d *deployment) checkQueues() {
	d.t.Helper()
	for _, q := range resource.Queues() {
		if !slices.Contains(q.Layers, stage.L2) {
			continue
		}
		name := resource.Physical(d.chain, q.Name)
		a := d.deployed.queues[name]
		want := map[string]string{
			"VisibilityTimeout":      strconv.Itoa(int(q.Visibility.Seconds())),
			"MessageRetentionPeriod": strconv.Itoa(int(q.Retention.Seconds())), "SqsManagedSseEnabled": "true",
		}
		for k, v := range want {
			if a[k] != v {
				d.t.Errorf("queue %s has %s %q, want %q", name, k, a[k], v)
			}
		}
		var redrive struct {
			DeadLetterTargetArn string          `json:"deadLetterTargetArn"`
			MaxReceiveCount     json.RawMessage `json:"maxReceiveCount"`
		}
		if q.DeadLetter != "" {
			err := json.Unmarshal([]byte(a["RedrivePolicy"]), &redrive)
			if got := strings.Trim(string(redrive.MaxReceiveCount), `"`); err != nil ||
				last(redrive.DeadLetterTargetArn) != resource.Physical(d.chain, q.DeadLetter) ||
				got != strconv.Itoa(q.MaxReceives) {
				d.t.Errorf("queue %s has redrive policy %s", name, a["RedrivePolicy"])
			}
		}
		i := slices.IndexFunc(d.deployed.mappings, func(m devlambda.Mapping) bool { return m.Queue == name })
		if i < 0 || d.deployed.mappings[i].Function != q.Function || d.deployed.mappings[i].BatchSize != q.BatchSize ||
			!d.deployed.partial[name] {
			d.t.Errorf("queue %s: mapping %d of %+v (partial failures %v), want function %s by %d",
				name, i, d.deployed.mappings, d.deployed.partial[name], q.Function, q.BatchSize)
		}
	}
}

func (d *deployment) checkFunctions() {
	d.t.Helper()
	for _, f := range resource.Functions() {
		if !slices.Contains(f.Layers, stage.L2) {
			continue
		}
		name := resource.Physical(d.chain, f.Name)
		got := d.deployed.functions[name]
		if got.runtime != "provided.al2023" || got.memory != f.MemoryMB || got.timeout != int(f.Timeout.Seconds()) {
			d.t.Errorf("function %s is %+v, want %d MB and %s", name, got, f.MemoryMB, f.Timeout)
		}
		zip, err := os.ReadFile(filepath.Join(d.root, "build", "functions", "arm64", f.Name+".zip"))
		if sum := sha256.Sum256(zip); err != nil || got.code != base64.StdEncoding.EncodeToString(sum[:]) {
			d.t.Errorf("the code of function %s is not the zip that was built (%v)", name, err)
		}
		if got.env["ORCHESTRATOR_AWS_BUCKET"] != d.deployed.bucket ||
			got.env["ORCHESTRATOR_AWS_TOPIC_ARN"] != d.deployed.topic ||
			got.env["ORCHESTRATOR_AWS_BUS"] != d.deployed.bus {
			d.t.Errorf("function %s is configured with %q, %q, %q", name, got.env["ORCHESTRATOR_AWS_BUCKET"],
				got.env["ORCHESTRATOR_AWS_TOPIC_ARN"], got.env["ORCHESTRATOR_AWS_BUS"])
		}
		for k, v := range got.env {
			for _, secret := range d.secrets {
				if strings.Contains(v, secret) {
					d.t.Errorf("variable %s of function %s holds a secret's value", k, name)
				}
			}
		}
	}
}
