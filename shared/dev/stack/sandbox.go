// Package stack is everything that compiled functions need around them on one machine: a development app chain, contracts
// on an Ethereum node, resources in an AWS emulator, a SNOS runner, and the environment that configures the functions for
// these. The end-to-end tests and `make invoke` use it.
package stack

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/madara-orchestrator/orchestrator/shared/client/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/client/mongodb"
	"github.com/madara-orchestrator/orchestrator/shared/client/s3"
	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/httprunner"
	"github.com/madara-orchestrator/orchestrator/shared/client/sqs"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	devappchain "github.com/madara-orchestrator/orchestrator/shared/dev/appchain"
	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
	devethereum "github.com/madara-orchestrator/orchestrator/shared/dev/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/dev/loopback"
	"github.com/madara-orchestrator/orchestrator/shared/dev/snosrunner"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/version"
)

// Options name the real components. Redis may be left out.
type Options struct {
	Name                 string // of the deployment
	Blocks               int    // of the app chain, all there from the start
	Mongo, AWS, Ethereum string // URLs
	Redis                string
	Visibility           time.Duration     // of queues; 0 as in the cloud
	Prover               string            // mock, atlantic or sharp; "" is mock
	Settings             map[string]string // beside or instead of the sandbox's own, without the prefix
	// KMS says that the deployment makes a KMS key that signs: there is no wallet's key, and Operator registers its address.
	KMS bool
	// Deploy, when set, makes the resources instead of cloud.Provision: it is given the settings of a deployment, without
	// those that name resources, and the values of its secrets by name.
	Deploy func(settings, secrets map[string]string) (devcloud.Stack, error)
}

// RunnerToken is the secret token of the SNOS runner.
const RunnerToken = "runner-token-hunter2"

// Secrets are the secret values that functions get to see.
func Secrets() []string {
	return []string{devethereum.Keys[1], devethereum.Keys[2], RunnerToken, proverKey, "PRIVATE KEY"}
}

// Sandbox is a deployment's surroundings.
type Sandbox struct {
	Chain    *devappchain.Chain
	Contract *ethereum.Core
	DB       *mongodb.DB
	Queues   *sqs.Client
	TopicARN string   // of the alerts
	Last     uint64   // the chain's last block
	Env      []string // environment of the functions

	// Violations are requests to the prover's stand-in that were not as documented.
	Violations func() []string

	ethereum string // URL
	core     common.Address
	closers  []func()
}

// Close stops what was started; the named components stay.
func (s *Sandbox) Close() {
	for _, f := range slices.Backward(s.closers) {
		f()
	}
}

// Start makes a sandbox. Close it also after an error.
func Start(ctx context.Context, o Options) (*Sandbox, error) {
	s := &Sandbox{Last: uint64(o.Blocks - 1), Violations: func() []string { return nil }}
	var err error
	if s.Chain, err = devappchain.Start(devappchain.Options{Seed: 7, Blocks: o.Blocks}); err != nil {
		return s, err
	}
	s.closers = append(s.closers, func() { _ = s.Chain.Close() })
	d, id, err := s.contracts(ctx, o.Ethereum)
	if err != nil {
		return s, err
	}
	cfg := devcloud.Config(o.AWS)
	prover, err := s.prover(o, d, id)
	if err != nil {
		return s, err
	}
	secrets := map[string]string{o.Name + "/runner": RunnerToken}
	if !o.KMS {
		secrets[o.Name+"/wallet"] = devethereum.Keys[2]
	}
	for name, value := range prover.secrets {
		secrets[o.Name+"/"+name] = value
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return s, fmt.Errorf("serve the SNOS runner: %w", err)
	}
	s.closers = append(s.closers, func() { _ = l.Close() })
	settings := map[string]string{
		"CHAIN_ID": s.Chain.ChainID(), "CHAIN_RPC": s.Chain.URL(), "CHAIN_FEEDER_GATEWAY": s.Chain.GatewayURL(), "CHAIN_MAX_BLOCK": fmt.Sprint(s.Last),
		"SETTLEMENT_RPC": o.Ethereum, "SETTLEMENT_CHAIN_ID": id, "SETTLEMENT_CONTRACT": d.Core.Hex(), "SETTLEMENT_VERIFIER": d.Registry.Hex(),
		"SNOS_URL": "http://" + l.Addr().String(), "SNOS_TOKEN_SECRET": o.Name + "/runner",
		"BATCH_BLOCKS": "5", "BATCH_SNOS_BLOCKS": "2", "PACE": "20", "REDIS_URL": o.Redis,
	}
	if !o.KMS {
		settings["SETTLEMENT_ADDRESS"] = devethereum.Address(devethereum.Keys[2]).Hex()
		settings["SETTLEMENT_KEY_SECRET"] = o.Name + "/wallet"
	}
	maps.Copy(settings, prover.settings)
	stack, err := o.deploy(ctx, cfg, settings, secrets)
	if err != nil {
		return s, err
	}
	s.TopicARN = stack.TopicARN
	s.Queues = sqs.New(cfg)
	if s.DB, err = mongodb.Connect(mongodb.Config{URI: o.Mongo, Database: "orchestrator_" + o.Name}); err != nil {
		return s, err
	}
	s.closers = append(s.closers, func() { _ = s.DB.Close(context.WithoutCancel(ctx)) })
	if err := s.serveRunner(l, s3.New(cfg, stack.Bucket, true)); err != nil {
		return s, err
	}
	maps.Copy(settings, map[string]string{
		"CHAIN_NAME": o.Name, "CHAIN_LAYER": "l2", "MONGO_URI": o.Mongo, "AWS_ENDPOINT": o.AWS, "AWS_BUCKET": stack.Bucket,
		"AWS_TOPIC_ARN": stack.TopicARN, "AWS_BUS": stack.Bus,
	})
	maps.Copy(settings, o.Settings)
	s.Env = []string{"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION=" + devcloud.Region, "PATH=" + os.Getenv("PATH")}
	for k, v := range settings {
		s.Env = append(s.Env, config.Prefix+k+"="+v)
	}
	return s, nil
}

// deploy makes the resources.
func (o Options) deploy(ctx context.Context, cfg aws.Config, settings, secrets map[string]string) (devcloud.Stack, error) {
	if o.Deploy != nil {
		return o.Deploy(maps.Clone(settings), secrets)
	}
	return devcloud.Provision(ctx, cfg, devcloud.Options{Chain: o.Name, Layer: stage.L2, Visibility: o.Visibility, Secrets: secrets})
}

// Operator lets an account update the state, and funds it with an ether: what an operator does for a wallet in KMS.
func (s *Sandbox) Operator(ctx context.Context, account common.Address) error {
	client, err := ethclient.DialContext(ctx, s.ethereum)
	if err != nil {
		return fmt.Errorf("connect to Ethereum: %w", err)
	}
	defer client.Close()
	return (&devethereum.Sender{Client: client, Key: devethereum.Keys[0]}).Operator(ctx, s.core, account)
}

// contracts deploys the contracts and sends the chain's messages to the core contract.
func (s *Sandbox) contracts(ctx context.Context, url string) (devethereum.Deployment, string, error) {
	client, err := ethclient.DialContext(ctx, url)
	if err != nil {
		return devethereum.Deployment{}, "", fmt.Errorf("connect to Ethereum: %w", err)
	}
	defer client.Close()
	id, err := client.ChainID(ctx)
	if err != nil {
		return devethereum.Deployment{}, "", fmt.Errorf("connect to Ethereum: %w", err)
	}
	hashes, err := snosrunner.HashesOf(version.Newest()) // of the chain's blocks
	if err != nil {
		return devethereum.Deployment{}, "", err
	}
	sender := &devethereum.Sender{Client: client, Key: devethereum.Keys[0]}
	d, err := sender.Deploy(ctx, devethereum.Setup{
		ProgramHash: hashes.OS, AggregatorProgramHash: hashes.Aggregator, ConfigHash: hashes.Config,
		Registrar: devethereum.Address(devethereum.Keys[1]), Operators: []common.Address{devethereum.Address(devethereum.Keys[2])},
	})
	if err != nil {
		return d, "", err
	}
	if err := sender.SendMessages(ctx, d.Core, s.Chain.MessagesToL2()); err != nil {
		return d, "", err
	}
	node, err := ethereum.Dial(url, id.String())
	if err != nil {
		return d, "", err
	}
	s.closers = append(s.closers, node.Close)
	s.ethereum, s.core = url, d.Core
	s.Contract, err = ethereum.NewCore(node, d.Core.Hex(), nil)
	return d, id.String(), err
}

// serveRunner serves the development SNOS runner over HTTP, on the deployment's bucket.
func (s *Sandbox) serveRunner(l net.Listener, store *s3.Store) error {
	src, err := appchain.New(appchain.Config{URL: s.Chain.URL(), GatewayURL: s.Chain.GatewayURL()}, appchain.Deps{})
	if err != nil {
		return err
	}
	r, err := snosrunner.New(snosrunner.Options{Source: src, Artifacts: store})
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: loopback.Guard(httprunner.NewHandler(r, RunnerToken)), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = srv.Serve(l) }()
	s.closers = append(s.closers, func() { _ = srv.Close() })
	return nil
}
