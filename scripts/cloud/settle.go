package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/appchain"
	clientdeployment "github.com/madara-orchestrator/orchestrator/shared/client/deployment"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/operator"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/dev/report"
	"github.com/madara-orchestrator/orchestrator/shared/dev/stack"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// deployment is what `cdk deploy` made in the emulator.
type deployment struct {
	o       options
	cdk     *devcloud.CDK
	note    func(format string, args ...any)
	secrets map[string]string // values by name
	parts   map[string]string // URLs of what was started
	made    devcloud.Stack
	alerts  *devcloud.Alerts
}

// settle deploys and waits until the contract holds the chain's head. user ends when the user interrupts.
func settle(ctx, user context.Context, o options, stdout io.Writer) error {
	began := time.Now()
	d := &deployment{o: o, parts: map[string]string{}}
	d.note = func(format string, args ...any) {
		fmt.Fprintf(stdout, "%6.1fs  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}
	dir, err := os.MkdirTemp("", "orchestrator-cloud-")
	if err != nil {
		return fmt.Errorf("make a folder for the CDK: %w", err)
	}
	defer os.RemoveAll(dir)
	s, err := d.start(ctx, dir, stdout)
	if s != nil { // also after an error: what was started must end
		defer s.Close()
	}
	if err != nil {
		return err
	}
	if o.keep {
		d.howToReach(stdout)
	}
	d.note("schedules and queues drive it from here; blocks 0 to %d", s.Last)
	if err := d.follow(ctx, s); err != nil {
		return err
	}
	if err := d.summarize(ctx, s, stdout); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%.0f s in all\n", time.Since(began).Seconds())
	for o.keep && user.Err() == nil {
		d.showAlerts(ctx)
		select {
		case <-user.Done():
		case <-time.After(look):
		}
	}
	return nil
}

// start starts the components, deploys, and does what an operator does once: it registers a wallet in KMS, and
// subscribes to the alerts. dir is for the CDK's files.
func (d *deployment) start(ctx context.Context, dir string, stdout io.Writer) (*stack.Sandbox, error) {
	names := []string{"mongod", "ministack"}
	if d.o.layer == stage.L2 {
		names = append(names, "anvil")
	}
	for _, name := range names {
		url, err := tools.Start(name, "--block-time", "1") // confirmations need blocks
		if err != nil {
			return nil, err
		}
		d.parts[name] = url
		d.note("%-10s %s", name, url)
	}
	d.cdk = &devcloud.CDK{
		Root: d.o.root, Dir: dir, Endpoint: d.parts["ministack"], Account: tools.MinistackAccount,
		Region: tools.MinistackRegion,
	}
	if d.o.verbose {
		d.cdk.Log = stdout
	}
	s, err := stack.Start(ctx, stack.Options{
		Name: chainName, Layer: d.o.layer, Blocks: d.o.blocks, Mongo: d.parts["mongod"], AWS: d.parts["ministack"],
		Ethereum: d.parts["anvil"], KMS: d.o.kms, Speed: d.o.speed, Prover: d.o.fail.proverKind(),
		RefuseProof: d.o.fail.proof,
		Deploy: func(settings, secrets map[string]string) (devcloud.Stack, error) {
			return d.deploy(ctx, settings, secrets)
		},
	})
	if err == nil && d.o.kms {
		err = d.registerWallet(ctx, s)
	}
	if err != nil {
		return s, err
	}
	d.note("%s", s.About)
	d.alerts, err = devcloud.Subscribe(ctx, devcloud.Config(d.cdk.Endpoint), d.made.TopicARN, chainName+"-alerts-seen")
	return s, err
}

// deploy runs the CDK and puts the secrets' values where an operator puts them.
func (d *deployment) deploy(ctx context.Context, settings, secrets map[string]string) (devcloud.Stack, error) {
	d.note("cdk bootstrap")
	if err := d.cdk.Bootstrap(ctx); err != nil {
		return devcloud.Stack{}, err
	}
	d.secrets = maps.Clone(secrets)
	d.secrets[chainName+"/mongo"] = d.parts["mongod"]
	d.note("cdk deploy %s (compiles the CDK app, minutes at the first time)", resource.Stack(chainName))
	if err := d.cdk.Deploy(ctx, devcloud.Entry(chainName, d.o.layer, d.o.kms, settings)); err != nil {
		return devcloud.Stack{}, err
	}
	var err error
	if d.made, err = d.cdk.Made(chainName); err != nil {
		return devcloud.Stack{}, err
	}
	if err := devcloud.PutSecrets(ctx, d.cdk.Endpoint, d.secrets); err != nil {
		return devcloud.Stack{}, err
	}
	d.note("%d secrets have their values", len(d.secrets))
	return d.made, nil
}

func (d *deployment) api() (*clientdeployment.HTTP, error) {
	return clientdeployment.Signed(devcloud.Config(d.cdk.Endpoint), d.made.APIURL)
}

// registerWallet lets the wallet that /ready reports update the state, and funds it.
func (d *deployment) registerWallet(ctx context.Context, s *stack.Sandbox) error {
	api, err := d.api()
	if err != nil {
		return err
	}
	wallet, err := devcloud.Wallet(ctx, api)
	if err != nil {
		return err
	}
	d.note("wallet %s in KMS: registered and funded", wallet)
	return s.Operator(ctx, wallet)
}

// errStuck says that a job waits for an operator.
var errStuck = errors.New("a job waits for an operator")

// summarize prints the table and compares the contract with the chain's head.
func (d *deployment) summarize(ctx context.Context, s *stack.Sandbox, w io.Writer) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	rows, err := report.Rows(ctx, s.DB.Batches(), d.o.layer)
	if err != nil {
		return err
	}
	fmt.Fprintln(w)
	report.Table(w, rows, d.o.layer, s.Unit)
	head, err := head(ctx, s)
	if err != nil {
		return err
	}
	return report.Check(ctx, w, s.Contract, head)
}

// head is the chain's last block.
func head(ctx context.Context, s *stack.Sandbox) (block.Header, error) {
	source, err := appchain.New(appchain.Config{URL: s.Chain.URL(), GatewayURL: s.Chain.GatewayURL()}, appchain.Deps{})
	if err != nil {
		return block.Header{}, err
	}
	hs, err := source.Headers(ctx, s.Last, s.Last)
	if err != nil || len(hs) != 1 {
		return block.Header{}, fmt.Errorf("read block %d of the app chain: %w", s.Last, err)
	}
	return hs[0], nil
}

// howToReach prints how to ask what runs.
func (d *deployment) howToReach(w io.Writer) {
	local := strings.Replace(d.cdk.Endpoint, "127.0.0.1", "localhost", 1)
	fmt.Fprintf(w, "\nIt stays up until you interrupt. Ask it as you would a deployment on AWS:\n\n"+
		"  export AWS_ENDPOINT_URL=%s AWS_REGION=%s\n"+
		"  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test\n  %s\n  %s\n\nMongoDB is at %s.\n\n",
		local, d.cdk.Region, operator.Seat{Chain: chainName}.Status(), operator.Seat{Chain: chainName}.Page(),
		d.parts["mongod"])
}
