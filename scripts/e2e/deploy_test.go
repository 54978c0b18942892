package e2e_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	clientdeployment "github.com/madara-orchestrator/orchestrator/shared/client/deployment"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/dev/stack"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// settleTime is how long a chain may take: its first schedule comes after a minute.
const settleTime = 8 * time.Minute

// A file of chains becomes running deployments through the CDK's own bootstrap, deploy, update and destroy, with
// nothing adapted: an L2 with a key in a secret and Atlantic, one with a KMS key and SHARP, and an L3 with Atlantic.
// Their schedules and event source mappings settle them. Meanwhile there is a new block that a websocket announces, an
// update, a secret is rotated, a message is poisoned, operators command through the API and a prover sends webhooks.
// Each request of a function to AWS is checked by the emulator and by a second evaluator of policies.
func TestDeploy(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	before := take(t, f.emulator)
	// Without a last block the batch after block 9 stays open until the update gives one.
	key := f.add(stack.Options{Name: "key", Layer: stage.L2, Blocks: 13, More: 1, RunTakes: time.Second,
		Prover: "atlantic"}, true,
		map[string]string{"CHAIN_MAX_BLOCK": ""})
	deaf := map[string]string{"CHAIN_WEBSOCKET": ""} // without the function heads
	kms := f.add(stack.Options{Name: "kms", Layer: stage.L2, Blocks: 5, Prover: "sharp", KMS: true}, false, deaf)
	l3 := f.add(stack.Options{Name: "l3", Layer: stage.L3, Blocks: 4, Prover: "atlantic"}, true, deaf)
	f.start()
	f.inspect(before)

	key.lacksSecrets()
	for _, d := range f.chains {
		if err := devcloud.PutSecrets(t.Context(), f.emulator, d.values); err != nil {
			t.Fatal(err)
		}
	}
	kms.registerWallet()
	key.waitReady()
	key.ask("POST", "/stages/AggregatorBatching/requeue", `{"reason":"at once"}`, 200)
	l3.waitReady()
	l3.ask("POST", "/stages/SnosBatching/requeue", `{"reason":"at once"}`, 200)
	key.poisoned()
	key.settled(9, settleTime)
	key.newBlock()
	key.rotate()
	key.update()
	key.commands()
	for _, d := range f.chains {
		d.settled(d.Last, settleTime)
		d.completed()
	}
	key.passedOn()
	g := f.granted()
	g.check(t)
	key.enforcedOnS3(g)
	l3.enforcedOnS3(g)
	f.destroy(before)
}

// inspect wants what the templates say to be there, with nothing beside it.
func (f *fleet) inspect(before inventory) {
	f.t.Helper()
	var templates []template
	for _, d := range f.chains {
		templates = append(templates, readTemplate(f.t, f.cdk.Template(d.options.Name)))
		d.look()
		d.check()
	}
	take(f.t, f.emulator).beyond(before).compare(f.t, templates...)
	for _, d := range f.chains {
		d.permitMore()
	}
}

// lacksSecrets asks a deployment whose secrets have no values yet: it names what it lacks, and loses nothing.
func (d *deployment) lacksSecrets() {
	d.t.Helper()
	secret := d.options.Name + "/mongo"
	if answer := d.ask("GET", "/ready", "", 503); !strings.Contains(answer, `"ready":false`) ||
		!strings.Contains(answer, secret) {
		d.t.Errorf("/ready of a deployment without secrets answers %s; want the secret's name", answer)
	}
	if status := d.unsigned("GET", "/ready", ""); status != 403 {
		d.t.Errorf("without a signature /ready answers %d, want 403", status)
	}
	name := resource.Physical(d.options.Name, resource.FnTrigger)
	out, err := lambda.NewFromConfig(d.is.cfg).Invoke(d.t.Context(),
		&lambda.InvokeInput{FunctionName: &name, Payload: []byte(`{"stage":"Reconcile"}`)})
	if err != nil || out.FunctionError == nil || !strings.Contains(string(out.Payload), secret) {
		d.t.Errorf("a schedule without secrets: %+v, %v; want an error that names the secret", out, err)
	}
	failed := strings.Count(d.log(secret), "\n")
	if err := d.Queues.Send(d.t.Context(), resource.Physical(d.options.Name, resource.TriggerQueue),
		queue.Outgoing{Body: `{"stage":"AggregatorBatching"}`}); err != nil {
		d.t.Fatal(err)
	}
	d.until("failed at the message", time.Minute, func(context.Context) bool {
		return strings.Count(d.log(secret), "\n") > failed
	})
	if n := d.messages(resource.TriggerQueue); n != 1 {
		d.t.Errorf("%d messages are left in the queue, want the one that failed", n)
	}
}

// registerWallet does what an operator does for a wallet in KMS.
func (d *deployment) registerWallet() {
	d.t.Helper()
	d.waitReady()
	wallet, err := devcloud.Wallet(d.t.Context(), d.calls)
	if err == nil {
		err = d.Operator(d.t.Context(), wallet)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// waitReady waits until the API has its secrets: it looks again for what was missing.
func (d *deployment) waitReady() {
	d.t.Helper()
	d.until("ready", 2*time.Minute, func(ctx context.Context) bool {
		answer, err := d.calls.Do(ctx, clientdeployment.Request{Method: "GET", Path: "/ready"})
		return err == nil && !strings.Contains(string(answer.Body), "/mongo")
	})
}

// rotated is the SNOS runner's second token.
const rotated = "runner-token-rotated"

// rotate gives the SNOS runner another token, and the secret the same: the runs after that need it.
func (d *deployment) rotate() {
	d.t.Helper()
	d.RotateRunner(rotated)
	if err := devcloud.PutSecrets(d.t.Context(), d.f.emulator,
		map[string]string{d.options.Name + "/runner": rotated}); err != nil {
		d.t.Fatal(err)
	}
}

// newBlock has the chain make one more block. The function heads hears of it (what it may do must be used in the run,
// see granted), and the open batch takes it.
func (d *deployment) newBlock() {
	d.t.Helper()
	d.until("listened to", 3*time.Minute, func(context.Context) bool { return d.Chain.Listeners() > 0 })
	d.Chain.Advance(1)
	d.Last++
	d.until("a new block is batched", 2*time.Minute, func(ctx context.Context) bool {
		b, err := d.DB.Batches().LastSnos(ctx)
		return err == nil && b.EndBlock == d.Last
	})
}

// update changes settings and deploys the chain alone again: nothing that has data is replaced, and the last batch may
// close.
func (d *deployment) update() {
	d.t.Helper()
	changed := map[string]string{"LOG_LEVEL": "debug", "PACE": "19", "CHAIN_MAX_BLOCK": fmt.Sprint(d.Last)}
	before := d.is
	maps.Copy(d.entry["settings"].(map[string]string), changed)
	cdk := *d.f.cdk // its folder keeps what all chains were deployed from
	cdk.Dir, cdk.Checked = d.t.TempDir(), true
	if err := cdk.Deploy(d.t.Context(), d.entry); err != nil {
		d.t.Fatal(err)
	}
	d.look()
	d.check()
	made, err := cdk.Made(d.options.Name)
	if err != nil || made != d.made {
		d.t.Errorf("an update replaced bucket, topic or API: %+v, %v, before %+v", made, err, d.made)
	}
	d.kept(before, changed)
	d.permitMore()
}

// completed wants each state update once, in order, and the contract to hold the chain's head; no secret in the logs,
// and nothing sent to the prover that it does not document.
func (d *deployment) completed() {
	d.t.Helper()
	ctx := d.t.Context()
	holdsHead(d.t, d.Sandbox)
	js, err := d.DB.Jobs().List(ctx, job.Filter{Type: job.StateTransition, Limit: job.MaxPage})
	if err != nil {
		d.t.Fatal(err)
	}
	hashes, next := map[string]bool{}, uint64(0)
	for _, j := range js {
		m, ok := j.Metadata.(*job.StateTransitionMeta)
		if !ok || m.StartBlock != next {
			d.t.Fatalf("%s: job %d has %+v, want it to start at block %d", d.options.Name, j.Batch, j.Metadata, next)
		}
		next = m.EndBlock + 1
		for _, r := range m.Journal.Records {
			if hashes[r.Hash] {
				d.t.Errorf("%s: transaction %s is of two batches", d.options.Name, r.Hash)
			}
			hashes[r.Hash] = true
		}
	}
	if next != d.Last+1 || len(hashes) == 0 {
		d.t.Errorf("%s: jobs cover blocks up to %d with %d transactions, the chain has %d",
			d.options.Name, next, len(hashes), d.Last+1)
	}
	if leaks := d.log(append(d.Secrets(), rotated)...); leaks != "" {
		d.t.Errorf("%s: secrets are in the logs: %d lines", d.options.Name, strings.Count(leaks, "\n"))
	}
	if d.log("batch closed") == "" {
		d.t.Errorf("%s: the functions logged nothing: the search for secrets proves nothing", d.options.Name)
	}
	if vs := d.Violations(); len(vs) > 0 {
		d.t.Errorf("%s: requests to the prover were not as documented: %q", d.options.Name, vs)
	}
	if d.Runs != nil {
		if n, err := d.Runs.Reported(); n == 0 {
			d.t.Errorf("%s: the API took no runner's word that a run has ended: %v", d.options.Name, err)
		}
	}
	if d.options.Webhook != "" && d.hooks.answers(202) == 0 {
		d.t.Errorf("%s: the API took no webhook of the prover", d.options.Name)
	}
}

// logGroupsBefore are those of some log groups that are older than a moment. The emulator makes a function's group
// again where an invocation ends after the group was removed; Lambda does that by the function's role, which may not.
func (f *fleet) logGroupsBefore(moment time.Time, names []string) (out []string) {
	f.t.Helper()
	api := cloudwatchlogs.NewFromConfig(devcloud.Config(f.emulator))
	for _, name := range names {
		found, err := api.DescribeLogGroups(f.t.Context(), &cloudwatchlogs.DescribeLogGroupsInput{
			LogGroupNamePrefix: &name})
		if err != nil {
			f.t.Fatal(err)
		}
		for _, g := range found.LogGroups {
			if aws.ToString(g.LogGroupName) == name && time.UnixMilli(aws.ToInt64(g.CreationTime)).Before(moment) {
				out = append(out, name)
			}
		}
	}
	return out
}

// destroy removes the stacks; nothing is left but what the bootstrap made and the wallet's key, which outlives its
// stack.
func (f *fleet) destroy(before inventory) {
	f.t.Helper()
	var names []string
	for _, d := range f.chains {
		d.empty()
		names = append(names, d.options.Name)
	}
	began := time.Now()
	if err := f.cdk.Destroy(f.t.Context(), names...); err != nil {
		f.t.Fatal(err)
	}
	left := take(f.t, f.emulator).beyond(before)
	if groups := f.logGroupsBefore(began, left["AWS::Logs::LogGroup"]); len(groups) == 0 {
		delete(left, "AWS::Logs::LogGroup")
	}
	if len(left["AWS::KMS::Key"]) != 1 {
		f.t.Errorf("the wallet's key went with its stack: %q", left["AWS::KMS::Key"])
	}
	delete(left, "AWS::KMS::Key")
	if len(left) > 0 {
		f.t.Errorf("after destroy there are still %v", left)
	}
}
