package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"go.yaml.in/yaml/v3"

	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
	devlambda "github.com/madara-orchestrator/orchestrator/shared/dev/lambda"
	"github.com/madara-orchestrator/orchestrator/shared/dev/stack"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// account is the emulator's account.
const account = "123456789012"

// deployment is what the CDK's own command line made in the emulator from a file of chains.
type deployment struct {
	t          *testing.T
	root, dir  string
	chain      string
	endpoint   string // of the emulator, with Lambda's Invoke
	settings   map[string]string
	secrets    map[string]string // values by name
	template   template
	deployed   *deployed
	cdkProgram string
}

// A file of chains becomes a running deployment through the CDK's own bootstrap, deploy, update and destroy. Every
// resource is asked for at its own service; the functions run from the deployed mappings, schedules and environments
// until all is settled, with an update in the middle. What lacks a secret says so and loses nothing.
func TestDeploy(t *testing.T) {
	t.Parallel()
	d := newDeployment(t, "deployed")
	w := newWorld(t, stack.Options{Name: d.chain, Blocks: 12, Deploy: d.deploy, AWS: tools.MotoAlone(t)},
		func(w *world) { d.endpoint = w.api })
	w.usePlatform(t, d.deployed)

	d.lacksSecrets(w)
	d.putSecrets()
	w.during(t, 3*time.Minute, func(ctx context.Context) bool {
		s, err := w.Contract.State(ctx, false)
		return err == nil && s.Settled && s.Block >= 4
	})

	d.settings["LOG_LEVEL"], d.settings["PACE"] = "debug", "19"
	before := d.deployed
	d.update()
	d.check()
	d.kept(before)
	w.usePlatform(t, d.deployed)
	w.settle(t, 3*time.Minute, nil)
	w.check(t)
	d.exercise(w)
	d.checkPermissions(w)

	d.destroy()
	if faults := w.serverErrors(); len(faults) > 0 {
		t.Errorf("the emulator broke: %q", faults)
	}
}

func newDeployment(t *testing.T, chain string) *deployment {
	t.Helper()
	root, err := tools.Tools()
	if err != nil {
		t.Fatal(err)
	}
	d := &deployment{t: t, chain: chain, root: filepath.Dir(root), dir: t.TempDir(),
		cdkProgram: filepath.Join(root, "cdk/node_modules/.bin/cdk")}
	if _, err := os.Stat(d.cdkProgram); err != nil {
		if os.Getenv(tools.Require) != "" {
			t.Fatalf("the CDK's command line is not installed: %v: run `make tools`", err)
		}
		t.Skipf("the CDK's command line is not here (%v): install it with `make tools`", err)
	}
	return d
}

// run runs a program in the project's folder against the emulator.
func (d *deployment) run(program string, args ...string) {
	d.t.Helper()
	cmd := exec.CommandContext(d.t.Context(), program, args...)
	cmd.Dir = d.root
	local := strings.Replace(d.endpoint, "127.0.0.1", "localhost", 1) // the CDK wants names in the URL of its template
	cmd.Env = append(os.Environ(), "ORCHESTRATOR_CHAINS="+filepath.Join(d.dir, "chains.yaml"),
		"AWS_ENDPOINT_URL="+local, "AWS_ENDPOINT_URL_S3="+d.endpoint, "AWS_ACCESS_KEY_ID=test",
		"AWS_SECRET_ACCESS_KEY=test", "AWS_SESSION_TOKEN=test",
		"AWS_REGION="+devcloud.Region, "AWS_DEFAULT_REGION="+devcloud.Region, "AWS_CA_BUNDLE=",
		"CDK_DISABLE_CLI_TELEMETRY=true",
		"JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION=1", "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=18,20")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		d.t.Fatalf("%s %s: %v\n%s", filepath.Base(program), strings.Join(args, " "), err, tail(out.String(), 3000))
	}
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

func (d *deployment) cdk(args ...string) {
	d.t.Helper()
	d.run(d.cdkProgram, append(args, "--no-notices")...)
}

func (d *deployment) stack() string { return "Orchestrator-" + d.chain }

// deploy implements sandbox.Options.Deploy.
func (d *deployment) deploy(settings, secrets map[string]string) (devcloud.Stack, error) {
	d.settings, d.secrets = map[string]string{"MONGO_URI_SECRET": "mongo"}, map[string]string{d.chain +
		"/mongo": tools.Mongod(d.t)}
	for k, v := range settings {
		if k == "REDIS_URL" && v == "" {
			continue
		}
		d.settings[k] = strings.TrimPrefix(v, d.chain+"/")
	}
	for k, v := range secrets {
		d.secrets[k] = v
	}
	d.run("go", "build", "-o", filepath.Join(d.dir, "infra"), "./infra")
	d.cdk("bootstrap", "--app", "", "aws://"+account+"/"+devcloud.Region)
	d.update()
	d.check()
	return devcloud.Stack{Bucket: d.deployed.bucket, TopicARN: d.deployed.topic, Bus: d.deployed.bus}, nil
}

// update writes the file of chains, synthesizes and deploys.
func (d *deployment) update() {
	d.t.Helper()
	chains, err := yaml.Marshal(
		map[string]any{"account": account, "region": devcloud.Region, "chains": []any{map[string]any{
			"name": d.chain, "environment": "dev", "layer": "l2", "settings": d.settings,
			"alerts": map[string]any{"emails": []string{"ops@example.org"}},
		}}})
	if err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.dir, "chains.yaml"), chains, 0o600); err != nil {
		d.t.Fatal(err)
	}
	out := filepath.Join(d.dir, "cdk.out")
	if err := os.RemoveAll(out); err != nil {
		d.t.Fatal(err)
	}
	d.cdk("synth", "--quiet", "--app", filepath.Join(d.dir, "infra"), "--output", out)
	d.template = adapt(d.t, filepath.Join(out, d.stack()+".template.json"))
	d.cdk("deploy", "--method=direct", "--require-approval", "never", "--app", out, d.stack())
	d.deployed = ask(d.t, devcloud.Config(d.endpoint), d.template)
}

// lacksSecrets invokes functions of a deployment whose secrets have no values yet.
func (d *deployment) lacksSecrets(w *world) {
	d.t.Helper()
	event := func(method, path string) []byte {
		return fmt.Appendf(nil,
			`{"version":"2.0","rawPath":%q,"requestContext":{"stage":"$default","http":{"method":%q,"path":%q}}}`,
			path, method, path)
	}
	answer, err := w.platform.Invoke(d.t.Context(), resource.FnAPI, event("GET", "/ready"))
	var got struct {
		StatusCode int    `json:"statusCode"`
		Body       string `json:"body"`
	}
	if err != nil || json.Unmarshal(answer, &got) != nil || got.StatusCode != 503 ||
		!strings.Contains(got.Body, `"ready":false`) || !strings.Contains(got.Body, d.chain+"/mongo") {
		d.t.Errorf("/ready of a deployment without secrets: %s, %v; want 503 and the secret's name", answer, err)
	}
	// A schedule and a message fail with the reason, which is what the alarms count, and the message stays.
	if _, err := w.platform.Invoke(d.t.Context(), resource.FnTrigger, []byte(`{"stage":"Reconcile"}`)); err == nil ||
		!strings.Contains(err.Error(), d.chain+"/mongo") {
		d.t.Errorf("a schedule without secrets: %v; want an error that names the secret", err)
	}
	name := resource.Physical(d.chain, resource.TriggerQueue)
	if err := w.Queues.Send(d.t.Context(), name, queue.Outgoing{Body: `{"stage":"AggregatorBatching"}`}); err != nil {
		d.t.Fatal(err)
	}
	ds, err := w.Queues.Receive(d.t.Context(), name, 1, time.Second)
	if err != nil || len(ds) != 1 {
		d.t.Fatalf("received %d messages, %v", len(ds), err)
	}
	i := slices.IndexFunc(w.platform.Mappings, func(m devlambda.Mapping) bool { return m.Queue == name })
	w.platform.Deliver(d.t.Context(), w.platform.Mappings[i], ds)
	if n := d.deployed.messages(d.t, name); n != 1 {
		d.t.Errorf("%d messages are left in the queue, want the one that failed", n)
	}
}

// putSecrets does what the operator does after the first deployment.
func (d *deployment) putSecrets() {
	d.t.Helper()
	api := secretsmanager.NewFromConfig(devcloud.Config(d.endpoint))
	for name, value := range d.secrets {
		if !slices.Contains(d.template.secrets(), name) {
			d.t.Errorf("the template has no secret %s; it has %q", name, d.template.secrets())
		}
		// The emulator skips secrets of a template; in an account they are there and this is put-secret-value.
		if _, err := api.CreateSecret(d.t.Context(),
			&secretsmanager.CreateSecretInput{Name: &name, SecretString: aws.String(value)}); err != nil {
			d.t.Fatal(err)
		}
	}
}

// kept compares an update with what was there before: nothing that has data or jobs was replaced.
func (d *deployment) kept(before *deployed) {
	d.t.Helper()
	if before.bucket != d.deployed.bucket || before.topic != d.deployed.topic {
		d.t.Errorf("an update replaced bucket or topic: %s %s, before %s %s",
			d.deployed.bucket, d.deployed.topic, before.bucket, before.topic)
	}
	for name, q := range before.queues {
		if now := d.deployed.queues[name]; now["CreatedTimestamp"] != q["CreatedTimestamp"] {
			d.t.Errorf("an update replaced queue %s: its messages are gone", name)
		}
	}
	for name, f := range d.deployed.functions {
		if f.env[config.Prefix+"PACE"] != "19" || f.env[config.Prefix+"LOG_LEVEL"] != "debug" {
			d.t.Errorf("function %s still has PACE %q", name, f.env[config.Prefix+"PACE"])
		}
		if f.code != before.functions[name].code {
			d.t.Errorf("the code of %s changed without a change of its sources", name)
		}
	}
}

// destroy removes the stack; nothing is left.
func (d *deployment) destroy() {
	d.t.Helper()
	d.deployed.empty(d.t)
	d.cdk("destroy", "--force", "--app", filepath.Join(d.dir, "cdk.out"), d.stack())
	if left := ask(d.t, devcloud.Config(d.endpoint), template{}).names(); len(left) > 0 {
		d.t.Errorf("after destroy there are still %q", left)
	}
}
