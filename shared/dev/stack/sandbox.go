// Package stack is everything that compiled functions need around them on one machine: a development app chain,
// contracts on an Ethereum node, resources in an AWS emulator, a SNOS runner, and the environment that configures the
// functions for these. The end-to-end tests and `make invoke` use it.
package stack

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/madara-orchestrator/orchestrator/shared/client/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/client/mongodb"
	"github.com/madara-orchestrator/orchestrator/shared/client/s3"
	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/httprunner"
	"github.com/madara-orchestrator/orchestrator/shared/client/sqs"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	devappchain "github.com/madara-orchestrator/orchestrator/shared/dev/appchain"
	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/awsbatch"
	"github.com/madara-orchestrator/orchestrator/shared/dev/loopback"
	"github.com/madara-orchestrator/orchestrator/shared/dev/snosrunner"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/version"
)

// Options name the real components. Redis may be left out.
type Options struct {
	Name                 string        // of the deployment
	Layer                stage.Layer   // "" is l2; an l3 settles on a fake of Starknet
	Blocks               int           // of the app chain
	More                 int           // blocks that Chain.Advance will add
	RunTakes             time.Duration // of a run over HTTP, which then says that it has ended; 0: it works in Submit
	Version              string        // Starknet version of its blocks; "" is the newest that is known
	Speed                float64       // blocks a second that the app chain makes; 0: all are there from the start
	SettledTo            uint64        // the contract has settled up to this block already; 0: nothing
	Mongo, AWS, Ethereum string        // URLs; an l3 needs no Ethereum
	Redis                string
	Visibility           time.Duration     // of queues; 0 as in the cloud
	Prover               string            // mock, atlantic or sharp; "" is mock
	RefuseProof          int64             // number of the proof that Atlantic's fake refuses once, from 1; 0: none
	Webhook              string            // gets the webhooks of the fake of Atlantic; "" none
	Settings             map[string]string // beside or instead of the sandbox's own, without the prefix
	// KMS says that the deployment makes a KMS key that signs: there is no wallet's key, and Operator registers its
	// address.
	KMS bool
	// Batch lets the SNOS runs be jobs of a fake of AWS Batch, with this queue and definition; nil: a runner over HTTP.
	Batch *awsbatch.Config
	// Deploy, when set, makes the resources instead of cloud.Provision: it is given the settings of a deployment,
	// without those that name resources, and the values of its secrets by name.
	Deploy func(settings, secrets map[string]string) (devcloud.Stack, error)
}

// runnerToken is the secret token of the SNOS runner.
const runnerToken = "runner-token-hunter2"

// Sandbox is a deployment's surroundings.
type Sandbox struct {
	Chain    *devappchain.Chain
	Contract settlement.Contract
	DB       *mongodb.DB
	Queues   *sqs.Client
	TopicARN string   // of the alerts
	Last     uint64   // the chain's last block
	Env      []string // environment of the functions
	// Own are the sandbox's own settings, without the prefix and without those of Options.Settings.
	Own   map[string]string
	Batch string // endpoint of the fake of AWS Batch; "" without Options.Batch
	Unit  string // of fees: a thousand millionth of the settlement layer's coin
	About string // where it settles

	// Runs is the SNOS runner where its runs take a time, which says that they have ended; else nil.
	Runs *snosrunner.Background

	// Violations are requests to fakes that were not as documented.
	Violations func() []string

	messages []block.MessageToL2 // that the chain's blocks consume
	ethereum string              // URL
	core     common.Address
	secrets  map[string]string
	runner   func(token string) http.Handler
	serves   atomic.Pointer[http.Handler] // the SNOS runner's requests
	closers  []func()
}

// RotateRunner changes the token that the SNOS runner over HTTP takes: with the one before it refuses.
func (s *Sandbox) RotateRunner(token string) {
	h := s.runner(token)
	s.serves.Store(&h)
}

// Close stops what was started; the named components stay.
func (s *Sandbox) Close() {
	for _, f := range slices.Backward(s.closers) {
		f()
	}
	s.closers = nil
}

// Secrets are the secret values that functions get to see: none of them may show anywhere.
func (s *Sandbox) Secrets() []string {
	out := []string{"PRIVATE KEY"}
	for _, v := range s.secrets {
		if !strings.Contains(v, "\n") { // no certificate
			out = append(out, v)
		}
	}
	return out
}

// Start makes a sandbox. Close it also after an error.
func Start(ctx context.Context, o Options) (*Sandbox, error) {
	s := &Sandbox{Last: uint64(o.Blocks - 1), Violations: func() []string { return nil }, secrets: map[string]string{}}
	if o.Layer == "" {
		o.Layer = stage.L2
	}
	if o.Version == "" {
		o.Version = version.Newest()
	}
	if err := s.startChain(o); err != nil {
		return s, err
	}
	l, err := s.settlement(ctx, o)
	if err != nil {
		return s, err
	}
	prover, err := s.prover(o, l)
	if err != nil {
		return s, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return s, fmt.Errorf("serve the SNOS runner: %w", err)
	}
	s.closers = append(s.closers, func() { _ = listener.Close() })
	settings := s.settings(o, l, prover, listener.Addr().String())
	made, err := o.deploy(ctx, settings, s.secrets)
	if err != nil {
		return s, err
	}
	s.TopicARN, s.Queues = made.TopicARN, sqs.New(devcloud.Config(o.AWS))
	if s.DB, err = mongodb.Connect(mongodb.Config{URI: o.Mongo, Database: "orchestrator_" + o.Name}); err != nil {
		return s, err
	}
	s.closers = append(s.closers, func() { _ = s.DB.Close(context.WithoutCancel(ctx)) })
	if err := s.serveRunner(listener, o, l, s3.New(devcloud.Config(o.AWS), made.Bucket, true)); err != nil {
		return s, err
	}
	s.environment(o, settings, made)
	return s, nil
}

// startChain starts the app chain. The settlement layer must know beforehand what messages the chain will consume:
// those of a chain that makes its blocks with time are read from one of the same seed that has all blocks at once.
func (s *Sandbox) startChain(o Options) (err error) {
	opts := devappchain.Options{Seed: 7, Blocks: o.Blocks,
		Versions: []devappchain.VersionFrom{{Version: o.Version}}}
	if o.Speed > 0 {
		interval := time.Duration(float64(time.Second) / o.Speed)
		opts.BlockTime = max(interval, time.Second)
		early := time.Duration(o.Blocks) * (opts.BlockTime - interval) // its clock is right at the last block
		opts.GenesisTime = time.Now().Add(-early).UTC().Truncate(time.Second)
		if s.messages, err = devappchain.LookAhead(opts, o.Blocks, func(int) {}); err != nil {
			return err
		}
		opts.Blocks, opts.MaxBlocks, opts.BlockInterval = 1, uint64(o.Blocks), interval
	}
	if s.Chain, err = devappchain.Start(opts); err != nil {
		return err
	}
	switch {
	case o.Speed > 0:
	case o.More > 0:
		if s.messages, err = devappchain.LookAhead(opts, o.Blocks+o.More, func(int) {}); err != nil {
			return err
		}
	default:
		s.messages = s.Chain.MessagesToL2()
	}
	s.closers = append(s.closers, func() { _ = s.Chain.Close() })
	return nil
}

// settings are those of the chain and of the parts around it; their secrets are kept.
func (s *Sandbox) settings(o Options, l layer, prover part, runner string) map[string]string {
	settings := map[string]string{
		"CHAIN_ID": s.Chain.ChainID(), "CHAIN_RPC": s.Chain.URL(), "CHAIN_FEEDER_GATEWAY": s.Chain.GatewayURL(),
		"CHAIN_WEBSOCKET": s.Chain.WebsocketURL(),
		"CHAIN_MAX_BLOCK": fmt.Sprint(s.Last),
		"BATCH_BLOCKS":    "5", "BATCH_SNOS_BLOCKS": "2", "PACE": "20", "REDIS_URL": o.Redis,
	}
	parts := []part{l.part, prover}
	if o.Batch == nil {
		parts = append(parts, part{
			settings: map[string]string{"SNOS_URL": "http://" + runner,
				"SNOS_TOKEN_SECRET": o.Name + "/runner"},
			secrets: map[string]string{"runner": runnerToken},
		})
	}
	for _, p := range parts {
		maps.Copy(settings, p.settings)
		for name, value := range p.secrets {
			s.secrets[o.Name+"/"+name] = value
		}
	}
	return settings
}

// environment is that of the compiled functions.
func (s *Sandbox) environment(o Options, settings map[string]string, made devcloud.Stack) {
	maps.Copy(settings, map[string]string{
		"CHAIN_NAME": o.Name, "CHAIN_LAYER": string(o.Layer), "MONGO_URI": o.Mongo,
		"AWS_ENDPOINT": o.AWS, "AWS_BUCKET": made.Bucket,
		"AWS_TOPIC_ARN": made.TopicARN, "AWS_BUS": made.Bus,
	})
	s.Own = maps.Clone(settings)
	maps.Copy(settings, o.Settings)
	s.Env = []string{"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
		"AWS_REGION=" + devcloud.Region, "PATH=" + os.Getenv("PATH")}
	for k, v := range settings {
		s.Env = append(s.Env, config.Prefix+k+"="+v)
	}
}

// deploy makes the resources.
func (o Options) deploy(ctx context.Context, settings, secrets map[string]string) (devcloud.Stack, error) {
	if o.Deploy != nil {
		return o.Deploy(maps.Clone(settings), maps.Clone(secrets))
	}
	return devcloud.Provision(ctx, devcloud.Config(o.AWS),
		devcloud.Options{Chain: o.Name, Layer: o.Layer, Visibility: o.Visibility, Secrets: secrets,
			Timers: true})
}

// serveRunner serves the development SNOS runner on the deployment's bucket: over HTTP, or as jobs of AWS Batch.
func (s *Sandbox) serveRunner(l net.Listener, o Options, settles layer, store *s3.Store) error {
	src, err := s.source()
	if err != nil {
		return err
	}
	r, err := snosrunner.New(
		snosrunner.Options{Source: src, Artifacts: store, Calldata: o.Layer == stage.L3, Fact: settles.fact})
	if err != nil {
		return err
	}
	if o.Batch != nil {
		c := *o.Batch
		c.Run = awsbatch.Container(r)
		server, err := awsbatch.Start(c)
		if err != nil {
			return err
		}
		s.closers = append(s.closers, func() { _ = server.Close() })
		before := s.Violations
		s.Batch, s.Violations = server.URL(), func() []string { return append(before(), server.Violations()...) }
		return nil
	}
	var served snos.Runner = r
	if o.RunTakes > 0 {
		s.Runs = snosrunner.NewBackground(r, o.RunTakes)
		s.closers = append(s.closers, func() { _ = s.Runs.Close() })
		served = s.Runs
	}
	s.runner = func(token string) http.Handler { return loopback.Guard(httprunner.NewHandler(served, token)) }
	s.RotateRunner(runnerToken)
	srv := &http.Server{
		Handler: http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) { (*s.serves.Load()).ServeHTTP(w, r) }),
		ReadHeaderTimeout: 10 * time.Second,
	}
	go func() { _ = srv.Serve(l) }()
	s.closers = append(s.closers, func() { _ = srv.Close() })
	return nil
}

// source reads the app chain.
func (s *Sandbox) source() (*appchain.Source, error) {
	return appchain.New(appchain.Config{URL: s.Chain.URL(), GatewayURL: s.Chain.GatewayURL()}, appchain.Deps{})
}
