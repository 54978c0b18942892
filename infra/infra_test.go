package main

import (
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/contract"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

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
			workers = append(workers, string(x.Stage))
		}
		for _, tt := range []struct {
			want []string
			got  []string
		}{
			{functions, named("AWS::Lambda::Function", "FunctionName")},
			{queues, named("AWS::SQS::Queue", "QueueName")},
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

// A message stays invisible for six timeouts of its function, goes to the dead-letter queue in the end, and is
// encrypted.
// Synthesizing needs no account: in CI and for a first look nobody has credentials.
func TestLooksNothingUp(t *testing.T) {
	each(t, func(t *testing.T, s template) {
		if len(s.asked) > 0 {
			t.Errorf("cdk synth would ask an account for %v", s.asked)
		}
	})
}

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
			if text(p["FlexibleTimeWindow"]) != `{"Mode":"OFF"}` || target["RetryPolicy"] == nil ||
				target["DeadLetterConfig"] == nil {
				t.Errorf("schedule %s", text(p))
			}
			if name := fmt.Sprint(p["Name"]); !strings.Contains(fmt.Sprint(target["Input"]),
				strings.TrimPrefix(name, s.chain.Name+"-")) {
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
			for _, f := range functionsOf(s.chain) {
				storage, _ := p["EphemeralStorage"].(map[string]any)
				if f.ScratchMB > 0 && p["FunctionName"] == resource.Physical(s.chain.Name, f.Name) &&
					text(storage["Size"]) != fmt.Sprint(f.ScratchMB) {
					t.Errorf("%s has a disk of %s, want %d MB", f.Name, text(storage), f.ScratchMB)
				}
			}
			if n := len(text(vars)); n > 4096 {
				t.Errorf("%v: %d bytes of environment, Lambda takes 4096", p["FunctionName"], n)
			}
		}
		if faults := s.chain.faults(); len(faults) > 0 {
			t.Errorf("%+v", faults)
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
			for _, x := range []string{"orchestrator-expire", `"Value":"work"`, "AbortIncompleteMultipartUpload",
				"BlockPublicPolicy", "AES256"} {
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

// Every alarm publishes to the topic when it goes off and when it is over.
func TestAlarms(t *testing.T) {
	each(t, func(t *testing.T, s template) {
		alarms := s.of("AWS::CloudWatch::Alarm")
		// scripts/cost prices them
		if want := 9 + len(queuesOf(s.chain)) - 1 + 3*len(functionsOf(s.chain)); len(alarms) != want {
			t.Errorf("%d alarms, want %d", len(alarms), want)
		}
		for _, p := range alarms {
			if !strings.Contains(text(p["AlarmActions"]), "Alerts") ||
				!strings.Contains(text(p["OKActions"]), "Alerts") {
				t.Errorf("%v has no action", p["AlarmName"])
			}
		}
		alarming := 0
		for id, p := range s.of("AWS::SNS::TopicPolicy") {
			policy := text(p["PolicyDocument"])
			if !strings.Contains(policy, "aws:SourceAccount") {
				t.Errorf("%s lets any account publish: %s", id, policy)
			}
			if strings.Contains(policy, `"Service":"cloudwatch.amazonaws.com"`) {
				alarming++
			}
		}
		if alarming != 1 {
			t.Errorf("alarms may publish to %d topics, want the one of the alerts", alarming)
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
			for _, want := range []string{"LagBlocks", "FailedJobs", "WalletBalance",
				"ARGS='status'", "LogTrigger", "limit 20"} {
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
		commands := 0
		for _, p := range s.of("AWS::ApiGatewayV2::Route") {
			open := p["AuthorizationType"] == "NONE"
			key := fmt.Sprint(p["RouteKey"])
			if open != strings.HasPrefix(key, "POST /hooks/") {
				t.Errorf("route %v has authorisation %v", p["RouteKey"], p["AuthorizationType"])
			}
			if hooks := strings.Contains(text(p["Target"]), "HooksFunction"); hooks != open {
				t.Errorf("route %v goes to the webhooks' function: %t", p["RouteKey"], hooks)
			}
			if command := strings.HasPrefix(key, "POST /jobs/") || strings.HasPrefix(key, "POST /stages/"); command {
				commands++
				if got := text(p["AuthorizationScopes"]); !strings.Contains(got, s.chain.API.CommandScopes[0]) {
					t.Errorf("route %v takes tokens with scopes %s", p["RouteKey"], got)
				}
			}
		}
		if want := 2 * min(len(s.chain.API.CommandScopes), 1); commands != want {
			t.Errorf("%d routes of commands ask for a scope, want %d", commands, want)
		}
		for _, p := range s.of("AWS::ApiGatewayV2::Stage") {
			if !strings.Contains(text(p), "ThrottlingRateLimit") ||
				strings.Contains(text(p["AccessLogSettings"]), "$context.path") {
				t.Errorf("stage %s", text(p))
			}
			for _, who := range []string{"identity.userArn", "authorizer.claims.sub", "authorizer.claims.client_id"} {
				if !strings.Contains(text(p["AccessLogSettings"]), "$context."+who) {
					t.Errorf("the access log does not name the caller by %s", who)
				}
			}
		}
	})
}

// AWS's own linter finds nothing but dependencies that are said twice, which the CDK does to wait for a role's
// policies.
func TestLint(t *testing.T) {
	each(t, func(t *testing.T, s template) {
		root, err := tools.Tools()
		if err != nil {
			t.Fatal(err)
		}
		lint := filepath.Join(root, "venv", "bin", "cfn-lint")
		if _, err := os.Stat(lint); err != nil {
			if os.Getenv(tools.Require) != "" {
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

// The runner's container gets what package contract says; only who starts runs may, on this chain's queue, and end only
// this chain's.
func TestRunner(t *testing.T) {
	each(t, func(t *testing.T, s template) {
		definitions := s.of("AWS::Batch::JobDefinition")
		if s.chain.Snos.Image == "" {
			if len(definitions)+len(s.of("AWS::Batch::JobQueue")) > 0 {
				t.Error("there is a runner without an image")
			}
			return
		}
		backup := `"SNOS_BACKUP_RPC","Value":"https://backup.example"`
		if s.chain.Settings["CHAIN_BACKUP_RPC_SECRET"] != "" {
			backup = `"SNOS_BACKUP_RPC","ValueFrom":{"Fn::GetAtt":["SecretBackup","Id"]}`
		}
		for _, d := range definitions {
			for _, want := range []string{
				contract.Bucket, `"SNOS_LAYER","Value":"l2"`, backup, "awslogs", `"FARGATE"`,
				fmt.Sprintf(`"Type":"VCPU","Value":"%v"`, s.chain.Snos.VCPU),
				fmt.Sprintf(`"Type":"MEMORY","Value":"%d"`, s.chain.Snos.MemoryMiB),
				"Your Spot Task was interrupted*", "AttemptDurationSeconds",
			} {
				if !strings.Contains(text(d), want) {
					t.Errorf("the job definition has no %s: %s", want, text(d))
				}
			}
		}
		if machines := text(s.of("AWS::Batch::ComputeEnvironment")); strings.Contains(machines,
			"FARGATE_SPOT") != s.chain.Snos.Spot || !strings.Contains(machines, `"MaxvCpus":64`) {
			t.Errorf("machines %s", machines)
		}
		testRunnerEvents(t, s)
		for _, f := range functionsOf(s.chain) {
			runs := s.chain.accessOf(f.Name).Runs
			// A submission is checked on queue, definition and job; as it carries a tag, tagging them as well.
			for _, action := range []string{"batch:SubmitJob", "batch:TagResource"} {
				got := s.may(f.Name, action)
				if len(got) > 0 != runs || slices.Contains(got, `"*"`) {
					t.Errorf("%s may %s on %q", f.Name, action, got)
				}
				for _, part := range []string{"RunnerQueue", "RunnerDefinition", ":job/*"} {
					if runs && !strings.Contains(strings.Join(got, " "), part) {
						t.Errorf("%s may not %s on %s: %q", f.Name, action, part, got)
					}
				}
			}
			if got := s.may(f.Name, "batch:TerminateJob"); len(got) > 0 != runs {
				t.Errorf("%s may end %q", f.Name, got)
			}
		}
		for _, tag := range []string{"aws:ResourceTag", "aws:RequestTag"} {
			if policies := text(s.of("AWS::IAM::Policy")); !strings.Contains(policies,
				`"`+tag+`/orchestrator:chain":"`+s.chain.Name+`"`) {
				t.Errorf("no policy keeps to this chain's runs by %s", tag)
			}
		}
		for _, p := range s.of("AWS::Lambda::Function") {
			vars := text(p["Environment"])
			if !strings.Contains(vars, `"ORCHESTRATOR_SNOS_KIND":"batch"`) ||
				!strings.Contains(vars, `"ORCHESTRATOR_SNOS_BATCH_QUEUE":{`) {
				t.Errorf("%v does not know the runner: %s", p["FunctionName"], vars)
			}
		}
	})
}

// testRunnerEvents wants the end of each kind of run to be reported into the queue of the stage that waits for it, and
// that rule alone to write there.
func testRunnerEvents(t *testing.T, s template) {
	t.Helper()
	queues, policies := s.of("AWS::SQS::Queue"), text(s.of("AWS::SQS::QueuePolicy"))
	rules := s.of("AWS::Events::Rule")
	want := map[string]string{"RunsEndSnosRun": "snos-run-verify", "RunsEndAggregator": "aggregator-verify"}
	if s.chain.Layer == "l3" {
		delete(want, "RunsEndAggregator")
	}
	if len(rules) != len(want) {
		t.Errorf("%d rules, want %d: %s", len(rules), len(want), text(rules))
	}
	for name, queue := range want {
		rule := rules[name]
		targets, _ := rule["Targets"].([]any)
		if len(targets) != 1 {
			t.Fatalf("%s: targets %s", name, text(rule))
		}
		target := targets[0].(map[string]any)
		if q := queues[id(target["Arn"])]["QueueName"]; q != resource.Physical(s.chain.Name, queue) {
			t.Errorf("%s reports to %v", name, q)
		}
		body := fmt.Sprint(target["InputTransformer"].(map[string]any)["InputTemplate"])
		run := map[string]string{"snos-run-verify": "snos-7-x", "aggregator-verify": "aggregate-7-x"}[queue]
		if _, batch, ok, err := snos.DecodeEnded(strings.ReplaceAll(body, "<run>", `"`+run+`"`)); !ok || err != nil ||
			batch != 7 {
			t.Errorf("%s sends %s, which reads as batch %d, %v", name, body, batch, err)
		}
		if pattern := text(rule["EventPattern"]); !strings.Contains(pattern, `"FAILED"`) ||
			!strings.Contains(pattern, `{"prefix":"`+strings.TrimSuffix(run, "7-x")+`"}`) ||
			!strings.Contains(pattern, "RunnerQueue") {
			t.Errorf("%s is about %s", name, pattern)
		}
		if !strings.Contains(policies, `{"aws:SourceArn":{"Fn::GetAtt":["`+name+`","Arn"]}}`) {
			t.Errorf("%s may not send: %s", name, policies)
		}
	}
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
				if vars := text(f["Environment"]); !strings.Contains(vars, "/var/task/"+caFile) ||
					f["VpcConfig"] == nil {
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
		if os.Getenv(tools.Require) != "" {
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
