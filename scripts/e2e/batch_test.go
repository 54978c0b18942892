package e2e_test

import (
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/awsbatch"
	"github.com/madara-orchestrator/orchestrator/shared/dev/stack"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// SNOS runs that are jobs of AWS Batch settle a chain (a fake of it: neither emulator runs containers without Docker),
// with the mock prover. What the functions ask of AWS is recorded and compared with the policies of the stack that
// makes the runner, in both directions where it is asked of Batch.
func TestSettlesOnBatch(t *testing.T) {
	t.Parallel()
	const name = "e2e-batch"
	r := newRecorder(t)
	queue, definition := arn("batch", "job-queue/"+name+"-snos"), arn("batch", "job-definition/"+name+"-snos:1")
	var settings map[string]string
	o := stack.Options{
		Name: name, Blocks: 14, Batch: &awsbatch.Config{Queue: queue, Definition: definition}, AWS: tools.Moto(t),
		Settings: map[string]string{
			"AWS_ENDPOINT": r.url, "SNOS_KIND": config.BatchRunner, "SNOS_BATCH_QUEUE": queue,
			"SNOS_BATCH_DEFINITION": definition,
		},
	}
	o.Deploy = func(s, secrets map[string]string) (devcloud.Stack, error) {
		settings = s
		return devcloud.Provision(t.Context(), devcloud.Config(o.AWS),
			devcloud.Options{Chain: name, Layer: stage.L2, Secrets: secrets, Timers: true})
	}
	w := newWorld(t, o)
	for at, address := range map[*atomic.Pointer[url.URL]]string{&r.target: w.api, &r.batch: w.Batch} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		at.Store(u)
	}
	for function, b := range w.binaries {
		b.Env = append(slices.Clone(b.Env), "AWS_ACCESS_KEY_ID="+functionKey+function)
	}
	w.settle(t, 3*time.Minute, nil)
	w.check(t)
	checks, err := w.binaries[resource.FnSnosRun].Invoke(t.Context(), []byte(`{"check":true}`)) // as /ready asks it
	if err != nil || !strings.Contains(string(checks), `:""`) {
		t.Errorf("the SNOS runner's check answers %s, %v", checks, err)
	}
	w.checkMemory(t)
	g := grants{roles: map[string]policy{}, calls: map[awsCall]int{}}
	for function, p := range withRunner(t, name, settings) {
		g.roles[name+"/"+function] = p
	}
	calls, _, _ := r.recorded()
	for c, n := range calls {
		c.Caller = name + "/" + strings.TrimPrefix(c.Caller, functionKey)
		g.calls[c] = n
	}
	for _, f := range g.refused(t) {
		t.Error(f)
	}
	g.of("batch").check(t)
}

// withRunner synthesizes the stack of a chain whose SNOS runner is on AWS Batch, and returns what its functions may do.
func withRunner(t *testing.T, chain string, settings map[string]string) map[string]policy {
	t.Helper()
	root, err := tools.Tools()
	if err != nil {
		t.Fatal(err)
	}
	tools.Program(t, "cdk/node_modules/.bin/cdk")
	cdk := &devcloud.CDK{
		Root: filepath.Dir(root), Dir: t.TempDir(), Endpoint: tools.Moto(t), Account: account, Region: devcloud.Region,
		Checked: true, // TestDeploy's and infra's are
	}
	settings = maps.Clone(settings)
	maps.DeleteFunc(settings, func(k, _ string) bool { return strings.HasPrefix(k, "SNOS_") })
	entry := devcloud.Entry(chain, stage.L2, false, settings)
	entry["snos"] = map[string]any{"image": "registry.example/snos:1"}
	if err := cdk.Synth(t.Context(), entry); err != nil {
		t.Fatal(err)
	}
	return synthesized(t, chain, cdk.Template(chain))
}
