package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/contract"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

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
	blocked := text(rules["RunsBlocked"])
	delete(rules, "RunsBlocked")
	for _, part := range []string{`"Batch Job Queue Blocked"`, `"RunnerQueue`, `"why":"$.detail.statusReason"`,
		`"Arn":{"Ref":"Alerts`} {
		if !strings.Contains(blocked, part) {
			t.Errorf("a run that can't start: no %s in %s", part, blocked)
		}
	}
	if topics := text(s.of("AWS::SNS::TopicPolicy")); !strings.Contains(topics,
		`{"aws:SourceArn":{"Fn::GetAtt":["RunsBlocked","Arn"]}}`) {
		t.Errorf("who hears of a run that can't start: %s", topics)
	}
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

// An image in Amazon's registry is pulled from its own region and account, and the role that starts the container may
// pull it there.
func TestImageOfAnotherRegion(t *testing.T) {
	all, err := templates()
	if err != nil {
		t.Fatal(err)
	}
	chain := all["runner"].chain
	chain.Snos.Image = "210987654321.dkr.ecr.us-east-1.amazonaws.com/tools/snos:1.0"
	zips, err := testZips()
	if err != nil {
		t.Fatal(err)
	}
	made, err := synthesized(map[string]Chain{"x": chain}, zips)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range made["x"].of("AWS::Batch::JobDefinition") {
		if got := text(d["ContainerProperties"].(map[string]any)["Image"]); !strings.Contains(got,
			`"210987654321.dkr.ecr.us-east-1."`) || !strings.Contains(got, `"/tools/snos:1.0"`) {
			t.Errorf("it runs %s", got)
		}
	}
	const repository = "arn:aws:ecr:us-east-1:210987654321:repository/tools/snos"
	if got := made["x"].may("runner-start", "ecr:BatchGetImage"); !slices.Equal(got, []string{`"` + repository + `"`}) {
		t.Errorf("the role may pull %q, want %s", got, repository)
	}
	for image, refused := range map[string]bool{
		"210987654321.dkr.ecr.us-east-1.amazonaws.com/snos:1":     false,
		"210987654321.dkr.ecr.cn-north-1.amazonaws.com.cn/snos:1": true,
		"210987654321.dkr.ecr.us-gov-west-1.amazonaws.com/snos:1": true,
		"ghcr.io/example/snos:1":                                  false,
	} {
		f := File{Region: "eu-west-1", Chains: []Chain{{Name: "a", Snos: Snos{Image: image}}}}
		found := slices.ContainsFunc(f.faults(func(string) bool { return false }), func(x fault) bool {
			return x.path == "chains[0].snos.image"
		})
		if found != refused {
			t.Errorf("%s: refused %t, want %t", image, found, refused)
		}
	}
}
