package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// statement is one of a policy.
type statement struct {
	Effect    string
	Action    any
	Resource  any
	Condition map[string]any `json:",omitempty"`
}

func several(v any) []string {
	if s, ok := v.(string); ok {
		return []string{s}
	}
	var out []string
	for _, x := range v.([]any) {
		out = append(out, x.(string))
	}
	return out
}

type policy struct {
	Version   string
	Statement []statement
}

// policies are those of the deployed functions' roles, as CloudFormation resolved the synthesized template.
func (d *deployment) policies() map[string]policy {
	d.t.Helper()
	ctx := d.t.Context()
	functions, roles := lambda.NewFromConfig(d.deployed.cfg), iam.NewFromConfig(d.deployed.cfg)
	out := map[string]policy{}
	for name := range d.deployed.functions {
		f, err := functions.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &name})
		if err != nil {
			d.t.Fatal(err)
		}
		role := aws.ToString(f.Role)
		role = role[strings.LastIndexByte(role, '/')+1:]
		list, err := roles.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: &role})
		if err != nil {
			d.t.Fatal(err)
		}
		all := policy{Version: "2012-10-17"}
		for _, p := range list.PolicyNames {
			got, err := roles.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &role, PolicyName: &p})
			if err != nil {
				d.t.Fatal(err)
			}
			var one policy
			text, err := url.QueryUnescape(aws.ToString(got.PolicyDocument))
			if err == nil {
				err = json.Unmarshal([]byte(text), &one)
			}
			if err != nil {
				d.t.Fatalf("policy %s of role %s: %v", p, role, err)
			}
			all.Statement = append(all.Statement, one.Statement...)
		}
		if len(all.Statement) == 0 {
			d.t.Errorf("the role %s of %s has no policy", role, name)
		}
		out[strings.TrimPrefix(name, resource.Physical(d.chain, ""))] = all
	}
	return out
}

// evaluate lets the evaluator that others wrote decide on calls.
func evaluate(t *testing.T, calls []awsCall, policies map[string]policy) []string {
	t.Helper()
	root, err := tools.Tools()
	if err != nil {
		t.Fatal(err)
	}
	modules := filepath.Join(root, "permissions", "node_modules")
	if _, err := os.Stat(modules); err != nil {
		if os.Getenv(tools.Require) != "" {
			t.Fatalf("the evaluator of policies is not installed: %v: run `shared/dev/tools/install permissions`", err)
		}
		t.Skipf("the evaluator of policies is not here (%v): install it with `shared/dev/tools/install permissions`",
			err)
	}
	type named struct {
		Name   string `json:"name"`
		Policy policy `json:"policy"`
	}
	type question struct {
		Principal string         `json:"principal"`
		Action    string         `json:"action"`
		Resource  string         `json:"resource"`
		Context   map[string]any `json:"context"`
		Policies  []named        `json:"policies"`
	}
	var all []question
	for _, c := range calls {
		all = append(all, question{
			Principal: "arn:aws:iam::" + account + ":role/" + c.Function, Action: c.Action,
			Resource: c.Resource, Context: map[string]any{},
			Policies: []named{{c.Function, policies[c.Function]}},
		})
	}
	in, err := json.Marshal(map[string]any{"account": account, "calls": all})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "../../shared/dev/permissions/evaluate.mjs", modules)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &stderr
	raw, err := cmd.Output()
	var out []string
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil || len(out) != len(calls) {
		t.Fatalf("the evaluator gave %d results for %d calls: %v\n%s", len(out), len(calls), err, stderr.String())
	}
	return out
}

// exercise invokes what a run in which nothing goes wrong, and about which nobody asks, does not.
func (d *deployment) exercise(w *world) {
	d.t.Helper()
	request := func(method, path string) string {
		return fmt.Sprintf(
			`{"version":"2.0","rawPath":%q,"requestContext":{"stage":"$default","http":{"method":%q,"path":%q}}}`,
			path, method, path)
	}
	sample := func(name string) string {
		b, err := os.ReadFile("../../events/sqs/" + name)
		if err != nil {
			d.t.Fatal(err)
		}
		return string(b)
	}
	for _, x := range []struct{ function, event string }{
		{resource.FnTrigger, `{"worker":"StorageCleanup"}`}, {resource.FnAPI, request("GET", "/ready")},
		{resource.FnAPI, request("GET", "/lag")},
		{resource.FnHooks, request("POST", "/hooks/prover/"+strings.Repeat("0", 32))},
		{resource.FnJobFailure, sample("jobfailure_lost.json")},
		{resource.FnTrigger, sample("trigger_priority_process.json")},
	} {
		if out, err := w.platform.Invoke(d.t.Context(), x.function, []byte(x.event)); err != nil {
			d.t.Errorf("%s with %s: %s, %v", x.function, x.event, out, err)
		}
	}
}

// unused are actions that functions may do and did not in the run, with why they may. "*" is every function.
var unused = map[string]string{
	"* logs:CreateLogStream": "by Lambda itself for a function's log",
	"* logs:PutLogEvents":    "by Lambda itself for a function's log",
	"* sqs:ReceiveMessage": "by Lambda itself for the event source mapping (AWS Lambda, \"Using Lambda with " +
		"Amazon SQS\")",
	"* sqs:DeleteMessage":       "by Lambda itself for the event source mapping",
	"* sqs:GetQueueAttributes":  "by Lambda itself for the event source mapping",
	"* s3:AbortMultipartUpload": "of an upload in parts that fails; artifacts of the run are smaller than a part",
	"* sns:Publish":             "alerts; nothing goes wrong in the run",
	// Each of these is called where the run does not come: a test of the service or the simulation does.
	"aggregator s3:PutObject":    "the proof and the output that a real prover gives; the mock prover gives none",
	"proofcreation s3:PutObject": "the proof that a real prover gives (PROVER_PROOFS); the mock prover gives none",
	"trigger s3:GetObject": "the accumulator of an aggregator batch that stays open over runs; those of the " +
		"run close at once",
	"trigger s3:PutObject":        "likewise",
	"trigger s3:DeleteObject":     "likewise: the accumulator before the newest one",
	"trigger s3:PutObjectTagging": "StorageCleanup, once a state update is final, which the run does not wait for",
	"hooks events:PutEvents":      "a webhook of a job that waits at the prover; at the end of the run none does",
	"hooks sqs:GetQueueUrl":       "likewise",
	"hooks sqs:SendMessage":       "likewise",
	"jobfailure events:PutEvents": "a dead letter of a job that then fails or is tried again; no job of the run dies",
	"jobfailure sqs:GetQueueUrl":  "likewise",
	"jobfailure sqs:SendMessage":  "likewise",
	"* s3:ListBucket": "without it S3 says of a missing object that access is denied (Amazon S3 API " +
		"Reference, GetObject)",
}

// checkPermissions holds what the functions asked of AWS against what their roles allow, in both directions: every call
// is allowed, and every allowed action was called or has a reason.
func (d *deployment) checkPermissions(w *world) {
	d.t.Helper()
	w.mu.Lock()
	recorded := slices.Clone(w.calls)
	w.mu.Unlock()
	policies := d.policies()
	seen := map[awsCall]bool{}
	for _, c := range recorded {
		seen[c] = true
	}
	calls := slices.SortedFunc(maps.Keys(seen),
		func(a, b awsCall) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	for i, result := range evaluate(d.t, calls, policies) {
		if result != "Allowed" {
			d.t.Errorf("%s may not %s on %s: %s", calls[i].Function, calls[i].Action, calls[i].Resource, result)
		}
	}
	used, reasons, allowed := 0, 0, map[string]bool{}
	for function, p := range policies {
		for _, s := range p.Statement {
			for _, a := range several(s.Action) {
				allowed[function+" "+a] = true
			}
		}
	}
	called := map[string]bool{}
	for c := range seen {
		called[c.Function+" "+c.Action] = true
	}
	for _, fa := range slices.Sorted(maps.Keys(allowed)) {
		_, action, _ := strings.Cut(fa, " ")
		switch {
		case called[fa]:
			used++
		case unused[fa] != "" || unused["* "+action] != "":
			reasons++
		default:
			d.t.Errorf("%s is allowed, was not called in the run and has no reason", fa)
		}
	}
	d.t.Logf("%d calls of AWS, %d different ones evaluated; %d actions are allowed and used, %d allowed with a reason",
		len(recorded), len(calls), used, reasons)
}

// The evaluator denies what a policy does not have: with one action or one resource less, the check of the deployment
// fails.
func TestEvaluatorDenies(t *testing.T) {
	t.Parallel()
	call := awsCall{"snosrun", "s3:GetObject", "arn:aws:s3:::b/snos/0000000001/pie.zip"}
	allow := func(resource string, actions ...any) policy {
		return policy{Version: "2012-10-17",
			Statement: []statement{{Effect: "Allow", Action: actions, Resource: resource}}}
	}
	for name, tt := range map[string]struct {
		policy policy
		want   string
	}{
		"allowed":          {allow("arn:aws:s3:::b/snos/*", "s3:GetObject", "s3:PutObject"), "Allowed"},
		"one action less":  {allow("arn:aws:s3:::b/snos/*", "s3:PutObject"), "ImplicitlyDenied"},
		"another prefix":   {allow("arn:aws:s3:::b/tx/*", "s3:GetObject"), "ImplicitlyDenied"},
		"tags, not object": {allow("arn:aws:s3:::b/snos/*", "s3:GetObjectTagging"), "ImplicitlyDenied"},
	} {
		if got := evaluate(t, []awsCall{call}, map[string]policy{"snosrun": tt.policy}); got[0] != tt.want {
			t.Errorf("%s: %q, want %q", name, got[0], tt.want)
		}
	}
}

// Requests are taken for the actions that IAM asks for.
func TestCallsOf(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		service, method, path, target, body string
		want                                awsCall
	}{
		"object": {"s3", "GET", "/b/snos/1/pie.zip", "", "",
			awsCall{"trigger", "s3:GetObject", "arn:aws:s3:::b/snos/1/pie.zip"}},
		"head": {"s3", "HEAD", "/b/k", "", "", awsCall{"trigger", "s3:GetObject", "arn:aws:s3:::b/k"}},
		"tags": {"s3", "GET", "/b/k?tagging", "", "",
			awsCall{"trigger", "s3:GetObjectTagging", "arn:aws:s3:::b/k"}},
		"tag": {"s3", "PUT", "/b/k?tagging=", "", "",
			awsCall{"trigger", "s3:PutObjectTagging", "arn:aws:s3:::b/k"}},
		"part": {"s3", "PUT", "/b/k?partNumber=1&uploadId=u", "", "",
			awsCall{"trigger", "s3:PutObject", "arn:aws:s3:::b/k"}},
		"abort": {"s3", "DELETE", "/b/k?uploadId=u", "", "",
			awsCall{"trigger", "s3:AbortMultipartUpload", "arn:aws:s3:::b/k"}},
		"list": {"s3", "GET", "/b?list-type=2&prefix=x", "", "",
			awsCall{"trigger", "s3:ListBucket", "arn:aws:s3:::b"}},
		"send": {"sqs", "POST", "/", "AmazonSQS.SendMessageBatch", `{"QueueUrl":"http://x/1/q"}`,
			awsCall{"trigger", "sqs:SendMessage", arn("sqs", "q")}},
		"find": {"sqs", "POST", "/", "AmazonSQS.GetQueueUrl", `{"QueueName":"q"}`,
			awsCall{"trigger", "sqs:GetQueueUrl", arn("sqs", "q")}},
		"invoke": {"lambda", "POST", "/2015-03-31/functions/f/invocations", "", `{}`,
			awsCall{"trigger", "lambda:InvokeFunction", arn("lambda", "function:f")}},
		"look at a bus": {"events", "POST", "/", "AWSEvents.DescribeEventBus", `{"Name":"b"}`,
			awsCall{"trigger", "events:DescribeEventBus", arn("events", "event-bus/b")}},
		"announce": {"sns", "POST", "/", "", "Action=Publish&TopicArn=t", awsCall{"trigger", "sns:Publish", "t"}},
		"secret": {"secretsmanager", "POST", "/", "secretsmanager.GetSecretValue", `{"SecretId":"c/s"}`,
			awsCall{"trigger", "secretsmanager:GetSecretValue", arn("secretsmanager", "secret:c/s")}},
	} {
		r := httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body))
		r.Header.Set("X-Amz-Target", tt.target)
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+callerKey+"trigger/20260101/eu-west-1/"+tt.service+
			"/aws4_request, SignedHeaders=host")
		if got := callsOf(r); len(got) != 1 || got[0] != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
	other := httptest.NewRequest("GET", "/b/k", nil)
	other.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/s3/aws4_request")
	if got := callsOf(other); len(got) > 0 {
		t.Errorf("%+v is not a function's", got)
	}
}
