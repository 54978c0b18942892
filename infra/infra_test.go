package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"

	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

// template is a synthesized stack.
type template struct {
	chain     Chain
	Resources map[string]struct {
		Type           string
		Properties     map[string]any
		DeletionPolicy string
	}
}

// example are the chains of the tests: the example's, and an L3 in prod with all that the stack can make.
const example = "chains.example.yaml"

const l3 = `
region: eu-west-1
account: "123456789012"
chains:
  - name: game
    environment: prod
    layer: l3
    wallet_kms: true
    settings:
      CHAIN_ID: GAME
      CHAIN_RPC: https://rpc.example
      SETTLEMENT_RPC: https://starknet.example
      SETTLEMENT_CHAIN_ID: SN_SEPOLIA
      SETTLEMENT_CONTRACT: "0x1"
      PROVER_KIND: atlantic
      PROVER_KEY_SECRET: prover
      PROVER_ATLANTIC_NETWORK: TESTNET
      PROVER_ATLANTIC_VERIFIER_PROGRAM_HASH: "0x5"
      PROVER_ATLANTIC_HOOK_SECRET: hook
      SNOS_URL: https://snos.example
      SNOS_TOKEN_SECRET: runner
    mongo: {documentdb: true}
    alerts: {webhooks: [https://pager.example/x]}
    api: {auth: jwt, issuer: https://issuer.example, audience: [orchestrator], admin: true}
`

// templates are synthesized once for all tests; the functions' code stands for itself by a few bytes.
var templates = sync.OnceValues(func() (map[string]template, error) {
	dir, err := os.MkdirTemp("", "infra-test-")
	if err != nil {
		return nil, err
	}
	zips := Zips{}
	for _, f := range resource.Functions() {
		program := filepath.Join(dir, f.Name)
		if err := os.WriteFile(program, []byte(f.Name), 0o600); err != nil {
			return nil, err
		}
		zips[f.Name] = program + ".zip"
		if err := pack(program, zips[f.Name]); err != nil {
			return nil, err
		}
	}
	l2, err := Load(example)
	if err != nil {
		return nil, err
	}
	other, err := parse(strings.NewReader(l3))
	if err != nil {
		return nil, err
	}
	out := map[string]template{}
	for name, c := range map[string]Chain{"l2": l2.Chains[0], "l3": other.Chains[0]} {
		s := NewStack(awscdk.NewApp(nil), c, "123456789012", "eu-west-1", zips)
		b, err := json.Marshal(assertions.Template_FromStack(s.Stack, nil).ToJSON())
		if err != nil {
			return nil, err
		}
		t := template{chain: c}
		if err := json.Unmarshal(b, &t); err != nil {
			return nil, err
		}
		for _, m := range *assertions.Annotations_FromStack(s.Stack).FindError(jsii.String("*"), assertions.Match_AnyValue()) {
			return nil, fmt.Errorf("%s: %v at %s", name, m.Entry.Data, *m.Id) //nolint:staticcheck // the library still hands out this type
		}
		out[name] = t
	}
	return out, nil
})

// each runs a test for both stacks.
func each(t *testing.T, f func(t *testing.T, s template)) {
	t.Helper()
	all, err := templates()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) { f(t, all[name]) })
	}
}

// of are the properties of all resources of a type, by logical id.
func (s template) of(kind string) map[string]map[string]any {
	out := map[string]map[string]any{}
	for id, r := range s.Resources {
		if r.Type == kind {
			out[id] = r.Properties
		}
	}
	return out
}

// text is a value as JSON: what it refers to can be looked for in it.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // it was JSON before
	}
	return string(b)
}

// id is the logical id that a Ref or GetAtt names.
func id(v any) string {
	m, _ := v.(map[string]any)
	if r, ok := m["Ref"].(string); ok {
		return r
	}
	if l, ok := m["Fn::GetAtt"].([]any); ok && len(l) > 0 {
		return fmt.Sprint(l[0])
	}
	return ""
}

// The stack has the functions, queues and schedules of shared/resource one to one.
func TestOneToOne(t *testing.T) {
	each(t, func(t *testing.T, s template) {
		named := func(kind, property string) []string {
			var out []string
			for _, p := range s.of(kind) {
				out = append(out, strings.TrimPrefix(fmt.Sprint(p[property]), s.chain.Name+"-"))
			}
			slices.Sort(out)
			return out
		}
		var functions, queues, workers []string
		for _, f := range functionsOf(s.chain) {
			functions = append(functions, f.Name)
		}
		for _, q := range queuesOf(s.chain) {
			queues = append(queues, q.Name)
		}
		for _, x := range schedulesOf(s.chain) {
			workers = append(workers, string(x.Worker))
		}
		for _, tt := range []struct {
			want []string
			got  []string
		}{
			{functions, named("AWS::Lambda::Function", "FunctionName")}, {queues, named("AWS::SQS::Queue", "QueueName")},
			{workers, named("AWS::Scheduler::Schedule", "Name")},
		} {
			slices.Sort(tt.want)
			if len(tt.want) < 5 || !slices.Equal(tt.want, tt.got) {
				t.Errorf("described %q, in the stack %q", tt.want, tt.got)
			}
		}
		if got := len(s.of("AWS::Lambda::EventSourceMapping")); got != len(queues) {
			t.Errorf("%d event source mappings for %d queues", got, len(queues))
		}
	})
}

// A message stays invisible for six timeouts of its function, goes to the dead-letter queue in the end, and is encrypted.
func TestQueues(t *testing.T) {
	each(t, func(t *testing.T, s template) {
		queues, functions := s.of("AWS::SQS::Queue"), s.of("AWS::Lambda::Function")
		for _, m := range s.of("AWS::Lambda::EventSourceMapping") {
			q, f := queues[id(m["EventSourceArn"])], functions[id(m["FunctionName"])]
			if q == nil || f == nil {
				t.Fatalf("mapping %s", text(m))
			}
			if v, timeout := q["VisibilityTimeout"].(float64), f["Timeout"].(float64); v < 6*timeout {
				t.Errorf("%s: visibility %v s, function's timeout %v s", q["QueueName"], v, timeout)
			}
			if text(m["FunctionResponseTypes"]) != `["ReportBatchItemFailures"]` {
				t.Errorf("%s: no partial failures", q["QueueName"])
			}
			most := m["ScalingConfig"].(map[string]any)["MaximumConcurrency"].(float64)
			if reserved, ok := f["ReservedConcurrentExecutions"].(float64); most < 2 || ok && most > reserved {
				t.Errorf("%s: maximum concurrency %v, reserved %v", q["QueueName"], most, reserved)
			}
			if q["SqsManagedSseEnabled"] != true {
				t.Errorf("%s is not encrypted", q["QueueName"])
			}
			isDead := strings.HasSuffix(fmt.Sprint(q["QueueName"]), resource.DeadLetterQueue)
			if (q["RedrivePolicy"] == nil) != isDead {
				t.Errorf("%s: redrive policy %v", q["QueueName"], q["RedrivePolicy"])
			}
		}
	})
}

func TestSchedules(t *testing.T) {
	each(t, func(t *testing.T, s template) {
		for _, p := range s.of("AWS::Scheduler::Schedule") {
			target := p["Target"].(map[string]any)
			if text(p["FlexibleTimeWindow"]) != `{"Mode":"OFF"}` || target["RetryPolicy"] == nil || target["DeadLetterConfig"] == nil {
				t.Errorf("schedule %s", text(p))
			}
			if name := fmt.Sprint(p["Name"]); !strings.Contains(fmt.Sprint(target["Input"]), strings.TrimPrefix(name, s.chain.Name+"-")) {
				t.Errorf("%s has input %v", name, target["Input"])
			}
		}
	})
}

// What the functions get is what they take, and no value of a secret is in it.
func TestEnvironment(t *testing.T) {
	each(t, func(t *testing.T, s template) {
		for _, p := range s.of("AWS::Lambda::Function") {
			vars := p["Environment"].(map[string]any)["Variables"].(map[string]any)
			if len(vars) < 10 {
				t.Fatalf("%v has %d variables", p["FunctionName"], len(vars))
			}
			if n := len(text(vars)); n > 4096 {
				t.Errorf("%v: %d bytes of environment, Lambda takes 4096", p["FunctionName"], n)
			}
		}
		if faults := s.chain.faults(); len(faults) > 0 {
			t.Error(faults)
		}
	})
}

// may says whether a function's role may do an action, and on what.
func (s template) may(function, action string) []string {
	var out []string
	for pid, p := range s.of("AWS::IAM::Policy") {
		if !strings.HasPrefix(pid, "Role"+title(function)+"DefaultPolicy") {
			continue
		}
		for _, raw := range p["PolicyDocument"].(map[string]any)["Statement"].([]any) {
			st := raw.(map[string]any)
			if slices.Contains(list(st["Action"]), any(action)) {
				for _, r := range list(st["Resource"]) {
					out = append(out, text(r))
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// Each function may touch only what resource.AccessOf says.
func TestLeastPrivilege(t *testing.T) {
	each(t, func(t *testing.T, s template) {
		for _, f := range functionsOf(s.chain) {
			a := resource.AccessOf(f.Name)
			count := func(names []string) (n int) {
				for _, name := range names {
					if slices.ContainsFunc(queuesOf(s.chain), func(q resource.Queue) bool { return q.Name == name }) {
						n++
					}
				}
				return n
			}
			if got, want := len(s.may(f.Name, "sqs:ReceiveMessage")), count(a.Consumes); got != want {
				t.Errorf("%s may consume %d queues, want %d", f.Name, got, want)
			}
			if got, want := len(s.may(f.Name, "sqs:SendMessage")), count(a.Sends); got != want {
				t.Errorf("%s may send to %d queues, want %d", f.Name, got, want)
			}
			if got := s.may(f.Name, "s3:PutObject"); len(got) != len(a.Writes) {
				t.Errorf("%s may write %q, want %q", f.Name, got, a.Writes)
			}
			if got := len(s.may(f.Name, "lambda:InvokeFunction")) > 0; got != (len(a.Invokes) > 0) {
				t.Errorf("%s may invoke: %t", f.Name, got)
			}
			secrets := 0
			for _, kind := range a.Secrets {
				secrets += len(s.chain.secretsOf(kind))
			}
			if got := len(s.may(f.Name, "secretsmanager:GetSecretValue")); got != secrets {
				t.Errorf("%s may read %d secrets, want %d", f.Name, got, secrets)
			}
			if got := len(s.may(f.Name, "kms:Sign")) > 0; got != (a.Signs && s.chain.WalletKMS) {
				t.Errorf("%s may sign: %t", f.Name, got)
			}
		}
	})
}

// Data of prod stays, of dev it goes; the bucket is private, encrypted and cleans up.
func TestStorage(t *testing.T) {
	each(t, func(t *testing.T, s template) {
		for bid, p := range s.of("AWS::S3::Bucket") {
			want := "Delete"
			if s.chain.prod() {
				want = "Retain"
			}
			if got := s.Resources[bid].DeletionPolicy; got != want {
				t.Errorf("deletion policy %q, want %q", got, want)
			}
			for _, x := range []string{"orchestrator-expire", "AbortIncompleteMultipartUpload", "BlockPublicPolicy", "AES256"} {
				if !strings.Contains(text(p), x) {
					t.Errorf("the bucket has no %s", x)
				}
			}
		}
		if policies := text(s.of("AWS::S3::BucketPolicy")); !strings.Contains(policies, "aws:SecureTransport") {
			t.Error("the bucket takes requests without TLS")
		}
		for _, p := range s.of("AWS::SecretsManager::Secret") {
			if p["SecretString"] != nil {
				t.Error("a secret's value is in the template")
			}
		}
		for _, p := range s.of("AWS::Logs::LogGroup") {
			if p["RetentionInDays"] == nil {
				t.Error("a log is kept for ever")
			}
		}
	})
}

// Every alarm tells the topic when it goes off and when it is over.
func TestAlarms(t *testing.T) {
	each(t, func(t *testing.T, s template) {
		alarms := s.of("AWS::CloudWatch::Alarm")
		if len(alarms) < 8+3*len(functionsOf(s.chain)) {
			t.Errorf("only %d alarms", len(alarms))
		}
		for _, p := range alarms {
			if !strings.Contains(text(p["AlarmActions"]), "Alerts") || !strings.Contains(text(p["OKActions"]), "Alerts") {
				t.Errorf("%v tells nobody", p["AlarmName"])
			}
		}
	})
}

// Without a signature or token only webhooks get through, which carry a secret in their path.
func TestAPI(t *testing.T) {
	each(t, func(t *testing.T, s template) {
		for _, p := range s.of("AWS::ApiGatewayV2::Route") {
			open := p["AuthorizationType"] == "NONE"
			if open != strings.HasPrefix(fmt.Sprint(p["RouteKey"]), "POST /hooks/") {
				t.Errorf("route %v has authorisation %v", p["RouteKey"], p["AuthorizationType"])
			}
		}
		for _, p := range s.of("AWS::ApiGatewayV2::Stage") {
			if !strings.Contains(text(p), "ThrottlingRateLimit") || strings.Contains(text(p["AccessLogSettings"]), "$context.path") {
				t.Errorf("stage %s", text(p))
			}
		}
	})
}
