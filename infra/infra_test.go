package main

import (
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
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

// Synthesizing needs no account: in CI and for a first look nobody has credentials.
func TestLooksNothingUp(t *testing.T) {
	each(t, func(t *testing.T, s template) {
		if len(s.asked) > 0 {
			t.Errorf("cdk synth would ask an account for %v", s.asked)
		}
	})
}

// A message stays invisible for six timeouts of its function, goes to the dead-letter queue in the end, and is
// encrypted.
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
			again, ok := target["RetryPolicy"].(map[string]any)
			if text(p["FlexibleTimeWindow"]) != `{"Mode":"OFF"}` || !ok {
				t.Errorf("schedule %s", text(p))
			}
			// What is not tried again (heads: the next minute listens again) needs no queue for what was missed.
			if missed := again["MaximumRetryAttempts"] != 0.0; (target["DeadLetterConfig"] != nil) != missed {
				t.Errorf("schedule %s: dead letters kept %t, want %t", p["Name"], !missed, missed)
			}
			if name := fmt.Sprint(p["Name"]); !strings.Contains(fmt.Sprint(target["Input"]),
				strings.TrimPrefix(name, s.chain.Name+"-")) {
				t.Errorf("%s has input %v", name, target["Input"])
			}
		}
	})
}

// The stack names each key that signs: its address must be registered, or needs funds.
func TestKeysAreNamed(t *testing.T) {
	each(t, func(t *testing.T, s template) {
		for output, want := range map[string]bool{
			"WalletKeyArn": s.chain.WalletKMS, "DataWalletKeyArn": s.chain.DataWalletKMS,
		} {
			if _, got := s.Outputs[output]; got != want {
				t.Errorf("output %s: %t, want %t", output, got, want)
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
		want := 8 + len(queuesOf(s.chain)) - 1 + 3*len(functionsOf(s.chain))
		if s.chain.ownData() {
			want++ // of the second wallet
		}
		if s.chain.LagBlocks > 0 {
			want++
		}
		if len(alarms) != want {
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

// Each alarm can go off with the metrics that there are, and does not go off by itself.
func TestAlarmsFitTheirMetrics(t *testing.T) {
	pace := 0.0 // the longest time between two tries of a job
	for _, p := range job.Policies() {
		pace = max(pace, p.Retry.Max.Seconds())
	}
	each(t, func(t *testing.T, s template) {
		alarms := map[string]map[string]any{}
		for _, p := range s.of("AWS::CloudWatch::Alarm") {
			alarms[strings.TrimPrefix(fmt.Sprint(p["AlarmName"]), s.chain.Name+"-")] = p
		}
		// A job that fees hold back logs them at each try: a period without a try would end the alarm's count.
		if got := alarms["FeeCap"]["Period"].(float64); got <= pace || alarms["FeeCap"]["EvaluationPeriods"] != 2.0 {
			t.Errorf("FeeCap: %v periods of %v s, a job tries again after %v s", alarms["FeeCap"]["EvaluationPeriods"],
				got, pace)
		}
		// Balances are logged where a wallet is looked at, which may be once an hour.
		for _, name := range []string{"Balance", "DataBalance"} {
			if a := alarms[name]; a != nil && a["TreatMissingData"] != "ignore" {
				t.Errorf("%s without a new value: %v", name, a["TreatMissingData"])
			}
		}
		// Ten times the fee cap of the layer that is paid.
		policy, wei := tx.DefaultPolicy(), tx.DefaultPolicy()
		if s.chain.Settings["SETTLEMENT_KIND"] == config.StarknetLayer {
			policy = tx.StarknetPolicy()
		}
		for name, most := range map[string]*big.Int{"Balance": policy.FeeCap, "DataBalance": wei.FeeCap} {
			want, _ := new(big.Float).SetInt(new(big.Int).Mul(most, big.NewInt(10))).Float64()
			if a := alarms[name]; a != nil && a["Threshold"] != want {
				t.Errorf("%s below %v, want %v", name, a["Threshold"], want)
			}
		}
		if has, want := alarms["Lag"] != nil, s.chain.LagBlocks > 0; has != want || alarms["LagTime"] == nil {
			t.Errorf("alarm Lag: %t, lag_blocks: %d; LagTime %v", has, s.chain.LagBlocks, alarms["LagTime"])
		}
	})
}

// The least balance follows the chain's own fee cap; what the file says holds.
func TestLeastBalance(t *testing.T) {
	for name, tt := range map[string]struct {
		lines            string
		balance, forData float64
	}{
		"Ethereum":     {"", 1e17, 1e17},
		"a cap":        {"      SETTLEMENT_FEE_CAP: \"20000000000000000\"", 2e17, 1e17},
		"the file's":   {"    min_balance: 5e17", 5e17, 1e17},
		"the second's": {"    min_data_balance: 3e17", 1e17, 3e17},
	} {
		text, err := os.ReadFile(example)
		if err != nil {
			t.Fatal(err)
		}
		at := "    layer: l2"
		if strings.HasPrefix(tt.lines, "      ") {
			at = "      CHAIN_ID: MYCHAIN"
		}
		before, after, _ := strings.Cut(string(text), at)
		f, err := parse(strings.NewReader(before + tt.lines + "\n" + at + after))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if c := f.Chains[0]; c.MinBalance != tt.balance || c.MinDataBalance != tt.forData {
			t.Errorf("%s: %v and %v, want %v and %v", name, c.MinBalance, c.MinDataBalance, tt.balance, tt.forData)
		}
	}
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
	all, err := templates()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	args := []string{"--ignore-checks", "W3005", "--"} // all at once: it takes its time to start
	for name, s := range all {
		path := filepath.Join(dir, name+".json")
		if err := os.WriteFile(path, s.raw, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	if out, err := exec.Command(lint, args...).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// list is what a policy says once or several times.
func list(v any) []any {
	if l, ok := v.([]any); ok {
		return l
	}
	return []any{v}
}
