package e2e_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/madara-orchestrator/orchestrator/shared/config"
	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// granted is what the deployed functions' roles may do, as CloudFormation resolved the synthesized templates, and what
// the functions did.
func (f *fleet) granted() grants {
	f.t.Helper()
	g := grants{roles: map[string]policy{}, resources: map[string]any{}, calls: map[awsCall]int{}}
	callers := map[string]string{} // by access key
	for _, d := range f.chains {
		d.look()
		for name, fn := range d.is.functions {
			caller := d.options.Name + "/" + name
			// The emulator's key of a function's session (ministack 1.5, core/lambda_runtime.py execution_credentials).
			sum := sha256.Sum256([]byte(aws.ToString(fn.FunctionArn) + ":" + aws.ToString(fn.Role)))
			callers[functionKey+strings.ToUpper(hex.EncodeToString(sum[:])[:16])] = caller
			g.roles[caller] = f.policyOf(lastOf(aws.ToString(fn.Role), '/'))
		}
		d.resourcePolicies(g.resources)
	}
	secrets := f.secretARNs()
	calls, denied, broken := f.recorder.recorded()
	for c, n := range calls {
		caller, ok := callers[c.Caller]
		if !ok { // a role of the CDK's bootstrap
			continue
		}
		c.Caller = caller
		if full, ok := secrets[strings.TrimPrefix(c.Resource, arn("secretsmanager", "secret:"))]; ok {
			c.Resource = full
		}
		g.calls[c] += n
	}
	for key, requests := range denied {
		if caller, ok := callers[key]; ok {
			f.t.Errorf("the emulator denied %d requests of %s: %q", len(requests), caller,
				requests[:min(5, len(requests))])
		}
	}
	if len(broken) > 0 {
		f.t.Errorf("the emulator broke at %d requests: %q", len(broken), broken[:min(5, len(broken))])
	}
	return g
}

// emulatorPolicy is the name of a policy that a role has in this emulator alone.
const emulatorPolicy = "Emulator"

// permitMore permits on top what the emulator wrongly denies. Who may send messages may send several at once: AWS has
// the one permission sqs:SendMessage for both, the emulator asks for sqs:SendMessageBatch, which AWS does not have
// (findings/ministack-sqs-batch-action.sh). Who may describe the bus may describe all: the emulator looks for its name
// in the field EventBusName, which DescribeEventBus calls Name (Amazon EventBridge API Reference, DescribeEventBus).
// Who may change a schedule may change that of the default group: the emulator takes every schedule for one of that
// group (ministack 1.5.33, core/iam_actions.py), whatever the request says.
func (d *deployment) permitMore() {
	d.t.Helper()
	api := iam.NewFromConfig(d.is.cfg)
	for name, fn := range d.is.functions {
		role := lastOf(aws.ToString(fn.Role), '/')
		extra := policy{Version: "2012-10-17"}
		for _, s := range d.f.policyOf(role).Statement {
			if slices.Contains(several(s.Action), "sqs:SendMessage") {
				extra.Statement = append(extra.Statement,
					statement{Effect: s.Effect, Action: "sqs:SendMessageBatch", Resource: s.Resource})
			}
			if slices.Contains(several(s.Action), "events:DescribeEventBus") {
				extra.Statement = append(extra.Statement,
					statement{Effect: s.Effect, Action: "events:DescribeEventBus", Resource: "*"})
			}
			if slices.Contains(several(s.Action), "scheduler:UpdateSchedule") {
				var on []string
				for _, r := range several(s.Resource) {
					on = append(on, strings.Replace(r, ":schedule/"+resource.Physical(d.options.Name,
						resource.ScheduleGroup)+"/", ":schedule/default/", 1))
				}
				extra.Statement = append(extra.Statement, statement{Effect: s.Effect, Action: s.Action, Resource: on})
			}
		}
		if extra.Statement == nil {
			continue
		}
		text, err := json.Marshal(extra)
		if err == nil {
			_, err = api.PutRolePolicy(d.t.Context(), &iam.PutRolePolicyInput{
				RoleName: &role, PolicyName: aws.String(emulatorPolicy), PolicyDocument: aws.String(string(text)),
			})
		}
		if err != nil {
			d.t.Fatalf("%s: %v", name, err)
		}
	}
}

// policyOf are all policies of a role in one.
func (f *fleet) policyOf(role string) policy {
	f.t.Helper()
	api := iam.NewFromConfig(devcloud.Config(f.emulator))
	list, err := api.ListRolePolicies(f.t.Context(), &iam.ListRolePoliciesInput{RoleName: &role})
	if err != nil {
		f.t.Fatal(err)
	}
	all := policy{Version: "2012-10-17"}
	for _, p := range list.PolicyNames {
		if p == emulatorPolicy {
			continue
		}
		got, err := api.GetRolePolicy(f.t.Context(), &iam.GetRolePolicyInput{RoleName: &role, PolicyName: &p})
		if err != nil {
			f.t.Fatal(err)
		}
		var one policy
		text, err := url.QueryUnescape(aws.ToString(got.PolicyDocument))
		if err == nil {
			err = json.Unmarshal([]byte(text), &one)
		}
		if err != nil {
			f.t.Fatalf("policy %s of role %s: %v", p, role, err)
		}
		all.Statement = append(all.Statement, one.Statement...)
	}
	attached, err := api.ListAttachedRolePolicies(f.t.Context(), &iam.ListAttachedRolePoliciesInput{RoleName: &role})
	if err != nil || len(attached.AttachedPolicies) > 0 || len(all.Statement) == 0 {
		f.t.Errorf("role %s has %d statements and attached policies %+v, %v; want its own alone",
			role, len(all.Statement), attached, err)
	}
	return all
}

// resourcePolicies are those of a chain's bucket, queues, topic and key.
func (d *deployment) resourcePolicies(into map[string]any) {
	d.t.Helper()
	put := func(arn, text string) {
		var p any
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			d.t.Errorf("policy of %s: %v", arn, err)
			return
		}
		into[arn] = p
	}
	ctx := d.t.Context()
	buckets := s3.NewFromConfig(d.is.cfg, func(o *s3.Options) { o.UsePathStyle = true })
	b, err := buckets.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &d.made.Bucket})
	if err != nil {
		d.t.Fatal(err)
	}
	put("arn:aws:s3:::"+d.made.Bucket, aws.ToString(b.Policy))
	for _, attributes := range d.is.queues {
		put(attributes["QueueArn"], attributes["Policy"])
	}
	topic, err := sns.NewFromConfig(d.is.cfg).GetTopicAttributes(ctx,
		&sns.GetTopicAttributesInput{TopicArn: &d.TopicARN})
	if err != nil {
		d.t.Fatal(err)
	}
	put(d.TopicARN, topic.Attributes["Policy"])
	key := d.is.functions[resource.FnStateTransition].Environment.Variables[config.Prefix+"SETTLEMENT_KMS_KEY"]
	if key == "" {
		return
	}
	k, err := kms.NewFromConfig(d.is.cfg).GetKeyPolicy(ctx,
		&kms.GetKeyPolicyInput{KeyId: &key, PolicyName: aws.String("default")})
	if err != nil {
		d.t.Fatal(err)
	}
	put(key, aws.ToString(k.Policy))
}

// secretARNs are the secrets' ARNs by name: a request names a secret, a policy its ARN with the random end.
func (f *fleet) secretARNs() map[string]string {
	f.t.Helper()
	out := map[string]string{}
	pages := secretsmanager.NewListSecretsPaginator(secretsmanager.NewFromConfig(devcloud.Config(f.emulator)),
		&secretsmanager.ListSecretsInput{})
	err := each(f.t.Context(), pages.HasMorePages, pages.NextPage, func(p *secretsmanager.ListSecretsOutput) {
		for _, s := range p.SecretList {
			out[aws.ToString(s.Name)] = aws.ToString(s.ARN)
		}
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return out
}
