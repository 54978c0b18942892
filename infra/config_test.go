package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"
)

// Wrong configuration is refused with every fault named and where it is.
func TestConfigFaults(t *testing.T) {
	b, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ old, new, want string }{
		"unknown field": {"environment: dev", "envronment: dev", "field envronment not found"},
		"environment": {"environment: dev", "environment: staging",
			"environment \"staging\": want dev or prod"},
		"region":  {"region: eu-west-1", "region: here", "region: \"here\""},
		"account": {`"123456789012"`, "42", "account: \"42\""},
		"a secret's value": {"SETTLEMENT_KEY_SECRET: wallet",
			"SETTLEMENT_KEY_SECRET: 0x4c0883a69102937d6231471b5dbb6204fe512961708279", "want a word"},
		"the stack's own": {"CHAIN_ID: MYCHAIN", "CHAIN_ID: MYCHAIN\n      AWS_BUCKET: mine",
			"settings.AWS_BUCKET: the stack sets it itself"},
		"missing setting":  {"CHAIN_RPC: https://rpc.mychain.example", "", "CHAIN_RPC: missing"},
		"misspelt setting": {"CHAIN_RPC:", "CHAIN_RCP:", "CHAIN_RCP: no such setting"},
		"prover's network": {"PROVER_ATLANTIC_NETWORK: TESTNET", "PROVER_ATLANTIC_NETWORK: MAINNET",
			"MAINNET, but the settlement layer"},
		"prover's own rule": {"PROVER_ATLANTIC_NETWORK: TESTNET",
			"PROVER_ATLANTIC_NETWORK: TESTNET\n      PROVER_ATLANTIC_CAIRO_VM: php", "Cairo VM \"php\""},
		"email":             {"ops@mychain.example", "nobody", "alerts.emails: \"nobody\""},
		"nobody is alerted": {"environment: dev", "environment: prod", ""},
		"authorisation":     {"auth: iam", "auth: none", "api.auth \"none\""},
		"token's issuer":    {"auth: iam", "auth: jwt", "issuer and audience belong to auth jwt"},
		"connections": {"    # mongo: {connections: 500}", "    mongo: {connections: 100} #",
			"the functions may open 186 connections (62 at a time"},
		"ignored document": {"    # min_balance: 1e17     of the wallet, in wei",
			"---\nregion: here", "a second document follows"},
		"no number": {"    # min_balance: 1e17     of the wallet, in wei", "    min_balance: .nan",
			"min_balance: NaN is not a finite number"},
		"no end": {"      # rate: 20   requests a second", "      rate: .inf",
			"api.rate: +Inf is not a finite number"},
		"commands by token": {"auth: iam # or jwt, with issuer and audience\n      admin: false",
			"auth: jwt\n      issuer: https://i.example\n      audience: [a]\n      admin: true",
			"api.command_scopes: with auth jwt and admin"},
		"scopes of IAM": {"admin: false", "admin: true\n      command_scopes: [x]",
			"api.command_scopes: they belong to auth jwt"},
		"no scope": {"auth: iam # or jwt, with issuer and audience\n      admin: false",
			"auth: jwt\n      issuer: https://i.example\n      audience: [a]\n      admin: true\n      " +
				"command_scopes: [\"a b\"]", "command_scopes: \"a b\""},
		"two nodes of SNOS": {"SNOS_URL:", "SNOS_RPC: https://node\n      SNOS_RPC_SECRET: node\n      " +
			"SNOS_URL:", "SNOS_RPC_SECRET: give either it or SNOS_RPC"},
		"a versioned node": {"SNOS_URL:", "SNOS_RPC: https://node/rpc/v0_10\n      SNOS_URL:",
			"SNOS_RPC: it has the path of one RPC version"},
		"a node with a key": {"SNOS_URL:", "SNOS_RPC: https://node/?key=hunter2\n      SNOS_URL:",
			"SNOS_RPC: it has a query"},
		"node of an own job definition": {"SNOS_URL: https://snos.mychain.example",
			"SNOS_KIND: batch\n      SNOS_BATCH_QUEUE: q\n      SNOS_RPC_SECRET: node",
			"your own job definition names the node"},
		"layer": {"layer: l2", "layer: l5", "CHAIN_LAYER"},
	} {
		t.Run(name, func(t *testing.T) {
			in := strings.Replace(string(b), tt.old, tt.new, 1)
			if in == string(b) {
				t.Fatalf("%q is not in the example", tt.old)
			}
			_, err := parse(strings.NewReader(in))
			if tt.want == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want it to say %q", err, tt.want)
			}
		})
	}
	_, err = parse(strings.NewReader("region: x\nchains:\n  - name: A\n    environment: x\n  - name: A\n"))
	for _, want := range []string{"region", "chains[0] A", "the name is taken", "CHAIN_RPC", "environment"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("not all faults at once: %s is missing in %v", want, err)
		}
	}
}

// The same program gives the same zip, whenever and wherever it is packed.
func TestZipIsReproducible(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	var zips [][]byte
	for i := range 2 {
		if err := os.WriteFile(program, bytes.Repeat([]byte("program"), 1000), os.FileMode(0o600+i)); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, number(i)+".zip")
		if err := pack(program, path, []byte("authorities")); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		zips = append(zips, b)
	}
	if !bytes.Equal(zips[0], zips[1]) {
		t.Error("two zips of one program differ")
	}
}

// The rules find what is unsafe.
func TestRules(t *testing.T) {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Bad"), nil)
	awss3.NewCfnBucket(stack, jsii.String("OpenBucket"), &awss3.CfnBucketProps{
		PublicAccessBlockConfiguration: &awss3.CfnBucket_PublicAccessBlockConfigurationProperty{
			BlockPublicAcls: jsii.Bool(false)},
	})
	awssqs.NewCfnQueue(stack, jsii.String("PlainQueue"), &awssqs.CfnQueueProps{SqsManagedSseEnabled: jsii.Bool(false)})
	awslogs.NewCfnLogGroup(stack, jsii.String("Endless"), nil)
	role := awsiam.NewRole(stack, jsii.String("Almighty"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
		ManagedPolicies: &[]awsiam.IManagedPolicy{
			awsiam.ManagedPolicy_FromAwsManagedPolicyName(jsii.String("AdministratorAccess"))},
	})
	allow(role, jsii.String("*"), "s3:*")
	allow(role, jsii.String("*"), "sqs:SendMessage")
	allow(role, jsii.String("arn:aws:s3:::x/*"), "s3:GetObject")
	awslambda.NewCfnFunction(stack, jsii.String("Old"), &awslambda.CfnFunctionProps{
		Code:    &awslambda.CfnFunction_CodeProperty{ZipFile: jsii.String("x")},
		Role:    role.RoleArn(),
		Runtime: jsii.String("nodejs12.x"),
		Environment: &awslambda.CfnFunction_EnvironmentProperty{
			Variables: &map[string]*string{"URI": jsii.String("mongodb://u:p@h")},
		},
	})
	topic := awssns.NewTopic(stack, jsii.String("Deaf"), &awssns.TopicProps{EnforceSSL: jsii.Bool(true)})
	for id, actions := range map[string]*[]any{"Silent": nil, "Unheard": {topic.TopicArn()}} {
		awscloudwatch.NewCfnAlarm(stack, jsii.String(id), &awscloudwatch.CfnAlarmProps{
			AlarmActions:       actions,
			ComparisonOperator: jsii.String("GreaterThanThreshold"),
			EvaluationPeriods:  jsii.Number(1),
		})
	}
	guard(stack)
	var found strings.Builder
	for _, m := range *assertions.Annotations_FromStack(stack).FindError(jsii.String("*"),
		assertions.Match_AnyValue()) {
		found.WriteString(fmt.Sprintln(m.Entry.Data)) //nolint:staticcheck // the library still hands out this type
	}
	for _, want := range []string{
		"AwsSolutions-S1:", "AwsSolutions-S2:", "AwsSolutions-S10:", "AwsSolutions-SQS3:",
		"AwsSolutions-SQS4:", "AwsSolutions-IAM4[Policy::",
		"AwsSolutions-IAM5[Action::s3:*]", "AwsSolutions-IAM5[Resource::*]",
		"AwsSolutions-IAM5[Resource::arn:aws:s3:::x/*]", "AwsSolutions-L1:",
		"the log is kept for ever", "URI holds a secret", "the alarm has no action",
		"topic does not let CloudWatch publish",
	} {
		if !strings.Contains(found.String(), want) {
			t.Errorf("the rules do not find %q in:\n%s", want, found.String())
		}
	}
}

// An empty file says what to do.
func TestEmptyConfig(t *testing.T) {
	for _, in := range []string{"", "# nothing\n"} {
		if _, err := parse(strings.NewReader(in)); err == nil || !strings.Contains(err.Error(), "the file is empty") {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// In prod nothing is asked without TLS; in dev it may be.
func TestPlainURLs(t *testing.T) {
	b, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	for setting, plain := range map[string]string{
		"CHAIN_RPC": "http://rpc.mychain.example", "SETTLEMENT_RPC": "HTTP://ethereum-sepolia.example",
		"SNOS_URL":         "http://snos.mychain.example",
		"CHAIN_BACKUP_RPC": "http://b.example", "CHAIN_FEEDER_GATEWAY": "http://g.example",
		"PROVER_URL": "http://p.example", "REDIS_URL": "redis://r.example:6379",
	} {
		var lines []string
		for line := range strings.Lines(string(b)) {
			if !strings.HasPrefix(strings.TrimSpace(line), setting+":") {
				lines = append(lines, line)
			}
		}
		in := strings.Replace(strings.Join(lines, ""), "    settings:\n",
			"    settings:\n      "+setting+": "+plain+"\n", 1)
		want := "settings." + setting + ": "
		if _, err := parse(strings.NewReader(strings.Replace(in, "environment: dev", "environment: prod",
			1))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("prod with %s %s: %v", setting, plain, err)
		}
		if _, err := parse(strings.NewReader(in)); err != nil && strings.Contains(err.Error(), want) {
			t.Errorf("dev with %s %s: %v", setting, plain, err)
		}
	}
}
