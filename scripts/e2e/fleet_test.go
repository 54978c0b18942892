package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	clientdeployment "github.com/madara-orchestrator/orchestrator/shared/client/deployment"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/dev/stack"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

// fleet is an AWS account in an emulator (ministack, which checks signatures and policies), and the deployments in it
// that the CDK's own command line makes of one file of chains.
type fleet struct {
	t         *testing.T
	cdk       *devcloud.CDK
	emulator  string // through the recorder
	direct    string // past it
	recorder  *recorder
	mongo     string
	receiver  *receiver
	chains    []*deployment
	expected  sync.WaitGroup // chains of which it is not known yet what they need
	once      sync.Once
	deployErr error
}

// deployment is one chain of a fleet.
type deployment struct {
	*stack.Sandbox
	t       *testing.T
	f       *fleet
	options stack.Options
	api     map[string]any    // its part in the file of chains
	given   map[string]string // settings beside the sandbox's own
	entry   map[string]any    // in the file of chains
	values  map[string]string // of secrets, by name
	made    devcloud.Stack
	calls   *clientdeployment.HTTP
	hooks   *forwarder
	is      *deployed
}

// newFleet starts the emulator.
func newFleet(t *testing.T) *fleet {
	t.Helper()
	root, err := tools.Tools()
	if err != nil {
		t.Fatal(err)
	}
	tools.Program(t, "cdk/node_modules/.bin/cdk")
	f := &fleet{t: t, recorder: newRecorder(t), mongo: tools.Mongod(t), receiver: newReceiver(t)}
	// The functions' requests go through the recorder. AUTH checks each against the policies of the function's role.
	f.direct = tools.MinistackAlone(t, "AUTH=true", "AWS_ENDPOINT_URL="+f.recorder.url,
		"SSL_CERT_FILE="+f.receiver.authority)
	f.emulator = f.recorder.url
	target, err := url.Parse(f.direct)
	if err != nil {
		t.Fatal(err)
	}
	f.recorder.target.Store(target)
	f.cdk = &devcloud.CDK{
		Root: filepath.Dir(root), Dir: t.TempDir(), Endpoint: f.emulator, Account: account, Region: devcloud.Region,
	}
	return f
}

// add says that a chain is to be deployed. admin lets its API serve commands; given are settings beside the sandbox's
// own.
func (f *fleet) add(o stack.Options, admin bool, given map[string]string) *deployment {
	d := &deployment{
		t: f.t, f: f, options: o, api: map[string]any{"admin": admin, "rate": 1000, "burst": 1000}, given: given,
	}
	d.hooks = newForwarder(d)
	d.options.Mongo, d.options.AWS = f.mongo, f.emulator
	if o.Prover == "atlantic" {
		d.options.Webhook = d.hooks.URL + "/hooks/atlantic/" + stack.HookSecret
	}
	if o.Layer == stage.L2 {
		d.options.Ethereum = tools.Anvil(f.t, "--block-time", "1", "--hardfork", "osaka", "--slots-in-an-epoch", "1")
	}
	d.options.Deploy = d.deploy
	f.expected.Add(1)
	f.chains = append(f.chains, d)
	return d
}

// start starts what is around the chains and deploys them all at once.
func (f *fleet) start() {
	f.t.Helper()
	var all sync.WaitGroup
	errs := make([]error, len(f.chains))
	for i, d := range f.chains {
		all.Go(func() {
			d.Sandbox, errs[i] = stack.Start(f.t.Context(), d.options)
			if d.Sandbox != nil {
				f.t.Cleanup(d.Close)
			}
			if errs[i] != nil && d.values == nil { // it failed before it came to deploy
				f.expected.Done()
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		f.t.Fatal(err)
	}
}

// deploy implements stack.Options.Deploy: the last chain that calls it starts the CDK for all.
func (d *deployment) deploy(settings, secrets map[string]string) (devcloud.Stack, error) {
	d.values = secrets
	d.values[d.options.Name+"/mongo"] = d.f.mongo
	maps.Copy(settings, d.given)
	d.entry = devcloud.Entry(d.options.Name, d.options.Layer, d.options.KMS, settings)
	d.entry["api"] = d.api
	d.entry["alerts"] = map[string]any{
		"emails": []string{"ops@example.org"}, "webhooks": []string{d.f.receiver.URL + "/" + d.options.Name},
	}
	d.entry["mongo"] = map[string]any{"connections": 100000}
	d.f.expected.Done()
	d.f.expected.Wait()
	d.f.once.Do(func() {
		d.f.deployErr = d.f.deploy()
	})
	if d.f.deployErr != nil {
		return devcloud.Stack{}, d.f.deployErr
	}
	var err error
	if d.made, err = d.f.cdk.Made(d.options.Name); err != nil {
		return devcloud.Stack{}, err
	}
	d.calls, err = clientdeployment.Signed(devcloud.Config(d.f.direct), d.made.APIURL)
	return d.made, err
}

// deploy prepares the account and deploys all chains.
func (f *fleet) deploy() error {
	if err := f.cdk.Bootstrap(f.t.Context()); err != nil {
		return err
	}
	var entries []map[string]any
	for _, d := range f.chains {
		if d.entry == nil {
			return fmt.Errorf("chain %s has not come to be deployed", d.options.Name)
		}
		entries = append(entries, d.entry)
	}
	return f.cdk.Deploy(f.t.Context(), entries...)
}

// until waits until done, and fails after a time with what the chain's functions logged.
func (d *deployment) until(what string, within time.Duration, done func(context.Context) bool) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), within)
	defer cancel()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for !done(ctx) {
		select {
		case <-ctx.Done():
			s, err := d.Contract.State(d.t.Context(), false)
			d.t.Fatalf("%s: not %s within %s: the contract is at %+v (%v)\n%s",
				d.options.Name, what, within, s, err, d.log("ERROR"))
		case <-tick.C:
		}
	}
	d.t.Logf("%s: %s after %s", d.options.Name, what, time.Since(began).Round(time.Second))
}

// settled waits until the contract holds a block.
func (d *deployment) settled(block uint64, within time.Duration) {
	d.t.Helper()
	d.until(fmt.Sprintf("settled up to block %d", block), within, func(ctx context.Context) bool {
		s, err := d.Contract.State(ctx, false)
		return err == nil && s.Settled && s.Block >= block
	})
}

// ask sends a request to the chain's API and wants a status.
func (d *deployment) ask(method, path, body string, want int) string {
	d.t.Helper()
	answer, err := d.calls.Do(d.t.Context(),
		clientdeployment.Request{Method: method, Path: path, Body: []byte(body)})
	if err != nil || answer.Status != want {
		d.t.Errorf("%s: %s %s answers %d, %v, want %d: %.600s",
			d.options.Name, method, path, answer.Status, err, want, answer.Body)
	}
	return string(answer.Body)
}

// unsigned sends a request without a signature and returns its status.
func (d *deployment) unsigned(method, path, body string) int {
	d.t.Helper()
	answer, err := d.calls.WithToken("").Do(d.t.Context(),
		clientdeployment.Request{Method: method, Path: path, Body: []byte(body)})
	if err != nil || strings.Contains(string(answer.Body), "ready") {
		d.t.Errorf("%s: %s %s without a signature: %v: %.600s", d.options.Name, method, path, err, answer.Body)
	}
	return answer.Status
}
