package main

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"

	"github.com/madara-orchestrator/orchestrator/scripts/testenv"
	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/contract"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

func TestMain(m *testing.M) {
	if err := os.Setenv("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "18,20"); err != nil { // as the Makefile does: they work
		panic(err)
	}
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

// template is a synthesized stack.
type template struct {
	chain     Chain
	raw       []byte
	Resources map[string]struct {
		Type           string
		Properties     map[string]any
		DeletionPolicy string
	}
}

// example are the chains of the tests: the example's, an L3 in prod, and an L2 in prod with all that the stack can make.
const example = "chains.example.yaml"

const others = `
region: eu-west-1
account: "123456789012"
chains:
  - name: full
    environment: prod
    layer: l2
    wallet_kms: true
    settings:
      CHAIN_ID: FULL
      CHAIN_RPC: https://rpc.example
      CHAIN_BACKUP_RPC: https://backup.example
      SETTLEMENT_RPC: https://ethereum.example
      SETTLEMENT_CHAIN_ID: "11155111"
      SETTLEMENT_CONTRACT: "0x0000000000000000000000000000000000000001"
      SETTLEMENT_VERIFIER: "0x0000000000000000000000000000000000000002"
      PROVER_KIND: sharp
      PROVER_URL: https://sharp.example/v1/gateway
      PROVER_SHARP_CUSTOMER_ID: full
      PROVER_SHARP_CLIENT_CERT_SECRET: cert
      PROVER_SHARP_CLIENT_KEY_SECRET: key
      PROVER_SHARP_SERVER_CERT_SECRET: server
    mongo: {documentdb: true}
    snos: {image: "123456789012.dkr.ecr.eu-west-1.amazonaws.com/snos:1.0", vcpu: 4, memory_mib: 16384, spot: true}
    alerts: {emails: [ops@example.org]}
  - name: game
    environment: prod
    layer: l3
    settings:
      CHAIN_ID: GAME
      CHAIN_RPC: https://rpc.example
      SETTLEMENT_KIND: starknet
      SETTLEMENT_RPC: https://starknet.example
      SETTLEMENT_CHAIN_ID: SN_SEPOLIA
      SETTLEMENT_CONTRACT: "0x1"
      SETTLEMENT_ACCOUNT: "0x2"
      SETTLEMENT_KEY_SECRET: wallet
      PROVER_KIND: atlantic
      PROVER_KEY_SECRET: prover
      PROVER_ATLANTIC_NETWORK: TESTNET
      PROVER_ATLANTIC_VERIFIER_PROGRAM_HASH: "0x5"
      PROVER_ATLANTIC_HOOK_SECRET: hook
      SNOS_KIND: grpc
      SNOS_URL: grpcs://snos.example:443
      SNOS_TOKEN_SECRET: runner
      SNOS_CA_SECRET: runner-ca
      MONGO_URI_SECRET: mongo
    snos: {}
    vpc: {create: true}
    alerts: {webhooks: [https://pager.example/x]}
    api: {auth: jwt, issuer: https://issuer.example, audience: [orchestrator], admin: true}
  - name: public
    environment: dev
    layer: l2
    settings:
      CHAIN_ID: PUBLIC
      CHAIN_RPC: https://rpc.example
      CHAIN_BACKUP_RPC: https://backup.example
      SETTLEMENT_RPC: https://ethereum.example
      SETTLEMENT_CHAIN_ID: "11155111"
      SETTLEMENT_CONTRACT: "0x0000000000000000000000000000000000000001"
      SETTLEMENT_VERIFIER: "0x0000000000000000000000000000000000000002"
      SETTLEMENT_KEY_SECRET: wallet
      PROVER_KIND: mock
      PROVER_KEY_SECRET: registrar
      MONGO_URI_SECRET: mongo
    snos: {image: "ghcr.io/example/snos:1.0"}
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
		if err := pack(program, zips[f.Name], nil); err != nil {
			return nil, err
		}
	}
	l2, err := Load(example)
	if err != nil {
		return nil, err
	}
	other, err := parse(strings.NewReader(others))
	if err != nil {
		return nil, err
	}
	out := map[string]template{}
	for name, c := range map[string]Chain{"l2": l2.Chains[0], "full": other.Chains[0], "l3": other.Chains[1], "runner": other.Chains[2]} {
		app, err := newApp() // one a stack: an app is synthesized once
		if err != nil {
			return nil, err
		}
		s := NewStack(app, c, "123456789012", "eu-west-1", zips)
		b, err := json.Marshal(assertions.Template_FromStack(s.Stack, nil).ToJSON())
		if err != nil {
			return nil, err
		}
		t := template{chain: c, raw: b}
		if err := json.Unmarshal(b, &t); err != nil {
			return nil, err
		}
		notes := assertions.Annotations_FromStack(s.Stack)
		var found []error
		for _, m := range append(*notes.FindError(jsii.String("*"), assertions.Match_AnyValue()), *notes.FindWarning(jsii.String("*"), assertions.Match_AnyValue())...) {
			found = append(found, fmt.Errorf("%s: %v at %s", name, m.Entry.Data, *m.Id)) //nolint:staticcheck // the library still hands out this type
		}
		if len(found) > 0 {
			return nil, errors.Join(found...)
		}
		out[name] = t
	}
	return out, nil
})

// newApp is an app with the feature flags of cdk.json.
func newApp() (awscdk.App, error) {
	b, err := os.ReadFile("../cdk.json")
	if err != nil {
		return nil, err
	}
	var settings struct{ Context map[string]any }
	if err := json.Unmarshal(b, &settings); err != nil {
		return nil, err
	}
	return awscdk.NewApp(&awscdk.AppProps{Context: &settings.Context}), nil
}

// each runs a test for every stack.
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
		if want := 8 + len(queuesOf(s.chain)) - 1 + 3*len(functionsOf(s.chain)); len(alarms) != want { // scripts/cost prices them
			t.Errorf("%d alarms, want %d", len(alarms), want)
		}
		for _, p := range alarms {
			if !strings.Contains(text(p["AlarmActions"]), "Alerts") || !strings.Contains(text(p["OKActions"]), "Alerts") {
				t.Errorf("%v tells nobody", p["AlarmName"])
			}
		}
		for _, p := range s.of("AWS::SNS::TopicPolicy") {
			if policy := text(p["PolicyDocument"]); !strings.Contains(policy, `"Service":"cloudwatch.amazonaws.com"`) || !strings.Contains(policy, "aws:SourceAccount") {
				t.Errorf("alarms may not publish: %s", policy)
			}
		}
	})
}

// The dashboard says where settlement is, where to ask what blocks it, and what was logged about it.
func TestDashboard(t *testing.T) {
	each(t, func(t *testing.T, s template) {
		ds := s.of("AWS::CloudWatch::Dashboard")
		if len(ds) != 1 {
			t.Fatalf("%d dashboards", len(ds))
		}
		for _, d := range ds {
			body := text(d["DashboardBody"])
			for _, want := range []string{"LagBlocks", "FailedJobs", "WalletBalance", "/lag", "LogTrigger", "limit 20"} {
				if !strings.Contains(body, want) {
					t.Errorf("it has no %s", want)
				}
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

// AWS's own linter finds nothing but dependencies that are said twice, which the CDK does to wait for a role's policies.
func TestLint(t *testing.T) {
	each(t, func(t *testing.T, s template) {
		tools, err := testenv.Tools()
		if err != nil {
			t.Fatal(err)
		}
		lint := filepath.Join(tools, "venv", "bin", "cfn-lint")
		if _, err := os.Stat(lint); err != nil {
			if os.Getenv(testenv.Require) != "" {
				t.Fatalf("cfn-lint is not installed: %v", err)
			}
			t.Skipf("cfn-lint is not here (%v): install it with `make tools`", err)
		}
		path := filepath.Join(t.TempDir(), "template.json")
		if err := os.WriteFile(path, s.raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(lint, "--ignore-checks", "W3005", "--", path).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
}

// The runner's container gets what package contract says; only who starts runs may, on this chain's queue, and end only this chain's.
func TestRunner(t *testing.T) {
	each(t, func(t *testing.T, s template) {
		definitions := s.of("AWS::Batch::JobDefinition")
		if s.chain.Snos.Image == "" {
			if len(definitions)+len(s.of("AWS::Batch::JobQueue")) > 0 {
				t.Error("there is a runner without an image")
			}
			return
		}
		for _, d := range definitions {
			for _, want := range []string{
				contract.Bucket, `"SNOS_LAYER","Value":"l2"`, `"SNOS_BACKUP_RPC","Value":"https://backup.example"`, "awslogs", `"FARGATE"`,
				fmt.Sprintf(`"Type":"VCPU","Value":"%v"`, s.chain.Snos.VCPU), fmt.Sprintf(`"Type":"MEMORY","Value":"%d"`, s.chain.Snos.MemoryMiB), "Your Spot Task was interrupted*", "AttemptDurationSeconds",
			} {
				if !strings.Contains(text(d), want) {
					t.Errorf("the job definition has no %s: %s", want, text(d))
				}
			}
		}
		if machines := text(s.of("AWS::Batch::ComputeEnvironment")); strings.Contains(machines, "FARGATE_SPOT") != s.chain.Snos.Spot || !strings.Contains(machines, `"MaxvCpus":64`) {
			t.Errorf("machines %s", machines)
		}
		for _, f := range functionsOf(s.chain) {
			runs := resource.AccessOf(f.Name).Runs
			if got := s.may(f.Name, "batch:SubmitJob"); len(got) > 0 != runs || slices.Contains(got, `"*"`) {
				t.Errorf("%s may start %q", f.Name, got)
			}
			if got := s.may(f.Name, "batch:TerminateJob"); len(got) > 0 != runs {
				t.Errorf("%s may end %q", f.Name, got)
			}
		}
		if policies := text(s.of("AWS::IAM::Policy")); !strings.Contains(policies, `"aws:ResourceTag/orchestrator:chain":"`+s.chain.Name+`"`) {
			t.Error("runs of other chains may be ended")
		}
		for _, p := range s.of("AWS::Lambda::Function") {
			vars := text(p["Environment"])
			if !strings.Contains(vars, `"ORCHESTRATOR_SNOS_KIND":"batch"`) || !strings.Contains(vars, `"ORCHESTRATOR_SNOS_BATCH_QUEUE":{`) {
				t.Errorf("%v does not know the runner: %s", p["FunctionName"], vars)
			}
		}
	})
}

// DocumentDB is reached from the functions alone, encrypted, by the login that AWS keeps.
func TestDatabase(t *testing.T) {
	each(t, func(t *testing.T, s template) {
		clusters := s.of("AWS::DocDB::DBCluster")
		if got, want := len(clusters) == 1, s.chain.Mongo.DocumentDB; got != want {
			t.Fatalf("%d clusters", len(clusters))
		}
		for _, c := range clusters {
			if c["StorageEncrypted"] != true || c["DeletionProtection"] != true {
				t.Errorf("cluster %s", text(c))
			}
			for _, f := range s.of("AWS::Lambda::Function") {
				if vars := text(f["Environment"]); !strings.Contains(vars, "/var/task/"+caFile) || f["VpcConfig"] == nil {
					t.Errorf("%v can't reach the database", f["FunctionName"])
				}
			}
			ingress := text(s.of("AWS::EC2::SecurityGroupIngress"))
			if strings.Contains(ingress, "0.0.0.0/0") || !strings.Contains(ingress, "Port") {
				t.Errorf("the database takes %s", ingress)
			}
		}
	})
}

// Certificate authorities are those of the region.
func TestAuthorities(t *testing.T) {
	pem, err := Authorities("..", "eu-west-1")
	if err != nil {
		if os.Getenv(testenv.Require) != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) || len(pem) > 20_000 {
		t.Errorf("%d bytes of authorities", len(pem))
	}
	if _, err := Authorities("..", "mars-north-1"); err == nil {
		t.Error("Mars has an authority")
	}
}

// list is what a policy says once or several times.
func list(v any) []any {
	if l, ok := v.([]any); ok {
		return l
	}
	return []any{v}
}
