package main

import (
	"cmp"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// File is the configuration file: all chains of an account. infra/chains.example.yaml explains each field.
type File struct {
	Account string  `yaml:"account"`
	Region  string  `yaml:"region"`
	Chains  []Chain `yaml:"chains"`
}

// Chain is one deployment: one stack.
type Chain struct {
	Name        string      `yaml:"name"`
	Environment string      `yaml:"environment"` // dev or prod
	Layer       stage.Layer `yaml:"layer"`       // l2 or l3
	// Settings are the functions' settings without ORCHESTRATOR_. A setting that ends in _SECRET names a secret by a
	// word; the stack makes the secret NAME/WORD, whose value you put in afterwards.
	Settings map[string]string `yaml:"settings"`
	Alerts   Alerts            `yaml:"alerts"`
	Events   []Route           `yaml:"events"`
	API      API               `yaml:"api"`
	// Heads makes a function that listens for new blocks, so that batching wakes within a second of one.
	Heads bool `yaml:"heads"`
	// WalletKMS makes a KMS key (secp256k1) that signs instead of a secret key.
	WalletKMS bool `yaml:"wallet_kms"`
	// DataWalletKMS makes one for the wallet that publishes data with DA_KIND ethereum.
	DataWalletKMS bool  `yaml:"data_wallet_kms"`
	VPC           VPC   `yaml:"vpc"`
	Mongo         Mongo `yaml:"mongo"`
	// Queue is what the queues are: sqs (the default), or kafka, as Kafka says.
	Queue string `yaml:"queue"`
	Kafka Kafka  `yaml:"kafka"`
	Snos  Snos   `yaml:"snos"`
	// Architecture is the processor of the functions: arm64 (the default; cheaper) or x86_64.
	Architecture string `yaml:"architecture"`
	// Tracing sends traces of the functions to AWS X-Ray.
	Tracing bool `yaml:"tracing"`
	// Artifacts is how long the files of settled batches stay.
	Artifacts Artifacts `yaml:"artifacts"`
	// LogDays is how long logs are kept; 0: 30, in prod 90.
	LogDays int `yaml:"log_days"`
	// LagBlocks is how many blocks settlement may be behind before an alarm; 0: no such alarm.
	LagBlocks int `yaml:"lag_blocks"`
	// LagSeconds is how many seconds old the oldest unsettled block may be before an alarm; 0: 3 hours.
	LagSeconds int `yaml:"lag_seconds"`
	// MinBalance is the wallet's balance in wei (fri) below which an alarm goes off; 0: ten times the fee cap.
	MinBalance float64 `yaml:"min_balance"`
	// MinDataBalance is that of the wallet that publishes data with DA_KIND ethereum, in wei; 0: ten times its fee cap.
	MinDataBalance float64 `yaml:"min_data_balance"`
}

// Alerts are who is alerted.
type Alerts struct {
	Emails   []string `yaml:"emails"`
	Webhooks []string `yaml:"webhooks"` // https
}

// Route sends events to a queue, a function or a webhook; one of them.
type Route struct {
	Name   string   `yaml:"name"`
	Types  []string `yaml:"types"`  // none: all events
	Queue  string   `yaml:"queue"`  // ARN; the queue's policy must let EventBridge send
	Lambda string   `yaml:"lambda"` // ARN of a function
	URL    string   `yaml:"url"`    // https: it confirms as a webhook of alerts does
}

// rule is the route as a rule of the bus, for its checks.
func (r Route) rule() event.Rule {
	out := event.Rule{Name: r.Name}
	for _, t := range r.Types {
		out.Types = append(out.Types, event.Type(t))
	}
	for _, target := range []string{r.Queue, r.Lambda} {
		if target != "" {
			out.Targets = append(out.Targets, target)
		}
	}
	if r.URL != "" { // the topic that the stack makes
		out.Targets = append(out.Targets, "arn:aws:sns:eu-west-1:123456789012:topic")
	}
	return out
}

// API is the HTTP API.
type API struct {
	Auth     string   `yaml:"auth"` // iam (the default) or jwt
	Issuer   string   `yaml:"issuer"`
	Audience []string `yaml:"audience"`
	Admin    bool     `yaml:"admin"`
	// CommandScopes are those of which a token (jwt) that gives a command must carry one.
	CommandScopes []string `yaml:"command_scopes"`
	Rate          float64  `yaml:"rate"`  // requests a second; 0: 20
	Burst         float64  `yaml:"burst"` // 0: 40
}

// burst is Burst or its default.
func (a API) burst() float64 {
	if a.Burst == 0 {
		return 40
	}
	return a.Burst
}

// VPC puts the functions into a network of their own; without it they have none.
type VPC struct {
	Create bool `yaml:"create"`
}

// Artifacts are how many days after they are settled for good the files of batches stay.
type Artifacts struct {
	Days     int `yaml:"days"`      // what audits need: outputs, state diffs, transactions; 0: 14
	WorkDays int `yaml:"work_days"` // what only the work needed: PIEs and proofs, which are most of the bytes; 0: 1
}

// Mongo is the database: how much it bears, and how it is made where the stack makes it.
type Mongo struct {
	// Connections is how many the cluster takes; 0: 500, as the smallest of Atlas and DocumentDB (db.t4g.medium) do.
	Connections int    `yaml:"connections"`
	DocumentDB  bool   `yaml:"documentdb"`
	Instance    string `yaml:"instance"`  // t4g.medium
	Instances   int    `yaml:"instances"` // 1, in prod 2
}

// Kafka are the brokers whose topics are the queues: a cluster of one's own, or Amazon MSK where cluster is set.
type Kafka struct {
	BootstrapServers []string `yaml:"bootstrap_servers"` // host:port
	Cluster          string   `yaml:"cluster"`           // ARN of the Amazon MSK cluster
	Auth             string   `yaml:"auth"`              // none (the default), or as QUEUE_AUTH
	Secret           string   `yaml:"secret"`            // word of the secret for it
	CASecret         string   `yaml:"ca_secret"`         // word of the secret with the trusted authorities
}

// Snos is the runner on AWS Batch where the stack makes it.
type Snos struct {
	Image     string  `yaml:"image"`      // of a container as shared/client/snosrunner/contract says
	VCPU      float64 `yaml:"vcpu"`       // 0.25 to 16, of a run; 0: 8
	MemoryMiB int     `yaml:"memory_mib"` // of a run; 0: 32768
	Spot      bool    `yaml:"spot"`       // machines that AWS may take away
	MaxVCPU   int     `yaml:"max_vcpu"`   // of all runs; 0: 64
}

const (
	dev  = "dev"
	prod = "prod"

	arm64 = "arm64"
	x86   = "x86_64"
)

var (
	accountPattern = regexp.MustCompile(`^[0-9]{12}$`)
	regionPattern  = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
	wordPattern    = regexp.MustCompile(`^[a-z][a-z0-9-]{0,40}$`)
	scopePattern   = regexp.MustCompile(`^[A-Za-z0-9._:/-]{1,100}$`)
	imagePattern   = regexp.MustCompile(`^[A-Za-z0-9./_-]+(:[A-Za-z0-9._-]+|@sha256:[0-9a-f]{64})$`)
)

// capsInWallet is how many times the fee cap a wallet should hold. The cap is what its transactions on their way may
// cost together, which is many times what one costs.
const capsInWallet = 10

// defaults are the runner's values, with defaults where the file has none.
func (s Snos) defaults() Snos {
	s.VCPU, s.MemoryMiB, s.MaxVCPU = cmp.Or(s.VCPU, 8), cmp.Or(s.MemoryMiB, 32<<10), cmp.Or(s.MaxVCPU, 64)
	return s
}

func (c *Chain) defaults() {
	set := func(to *int, v int) {
		if *to == 0 {
			*to = v
		}
	}
	set(&c.LagSeconds, 3*60*60)
	set(&c.Artifacts.Days, resource.ExpiryDays)
	set(&c.Artifacts.WorkDays, resource.WorkDays)
	if c.Snos.Image != "" {
		c.Snos = c.Snos.defaults()
	}
	parsed, _ := c.parse() // the file is checked: there is no error
	balance := func(to *float64, p tx.Policy) {
		if most, _ := new(big.Float).SetInt(p.FeeCap).Float64(); *to == 0 {
			*to = capsInWallet * most
		}
	}
	balance(&c.MinBalance, parsed.TxPolicy())
	balance(&c.MinDataBalance, parsed.DA.Layer().TxPolicy())
	if c.API.Rate == 0 {
		c.API.Rate = 20
	}
	c.API.Burst = c.API.burst()
	days, instances := 30, 1
	if c.prod() {
		days, instances = 90, 2
	}
	set(&c.LogDays, days)
	set(&c.Mongo.Instances, instances)
	for _, s := range []struct {
		to *string
		v  string
	}{{&c.API.Auth, "iam"}, {&c.Architecture, arm64}, {&c.Mongo.Instance, "t4g.medium"}} {
		if *s.to == "" {
			*s.to = s.v
		}
	}
}

func (c Chain) prod() bool { return c.Environment == prod }

// ownData says whether data are published on a layer of their own.
func (c Chain) ownData() bool { return c.Settings["DA_KIND"] == config.EthereumDA }

// compares says whether segments are compared with the app chain before they are published. Settings that are wrong are
// faults of their own.
func (c Chain) compares() bool {
	parsed, _ := c.parse()
	return parsed.Compares()
}

// links says whether the API gives out links to artifacts. A setting that is wrong is a fault of its own.
func (c Chain) links() bool {
	age, err := time.ParseDuration(c.Settings["LINK_AGE"])
	return err != nil || age > 0
}

// inVPC says whether the functions need a network.
func (c Chain) inVPC() bool { return c.VPC.Create || c.Mongo.DocumentDB }

// names are what resources are called, once they are there.
type names struct{ Bucket, Topic, Bus, KMS, DataKMS, API string }

// StackName is the name of a chain's stack.
func StackName(c Chain) string { return resource.Stack(c.Name) }

// environment is what the functions are configured with.
func (c Chain) environment(n names) map[string]string {
	env := map[string]string{
		"CHAIN_NAME": c.Name, "CHAIN_LAYER": string(c.Layer), "AWS_BUCKET": n.Bucket,
		"AWS_TOPIC_ARN": n.Topic, "AWS_BUS": n.Bus,
	}
	for k, v := range c.Settings {
		if strings.HasSuffix(k, "_SECRET") && v != "" {
			v = c.secret(v)
		}
		env[k] = v
	}
	if c.WalletKMS {
		env["SETTLEMENT_KMS_KEY"] = n.KMS
	}
	if c.DataWalletKMS {
		env["DA_KMS_KEY"] = n.DataKMS
	}
	if c.Mongo.DocumentDB {
		env["MONGO_URI_SECRET"], env["MONGO_CA_FILE"] = c.secret("mongo"), "/var/task/"+caFile
	}
	if c.Queue == config.Kafka {
		env["QUEUE_KIND"], env["QUEUE_BROKERS"] = c.Queue, strings.Join(c.Kafka.BootstrapServers, ",")
		for name, v := range map[string]string{"QUEUE_AUTH": c.Kafka.Auth,
			"QUEUE_AUTH_SECRET": c.kafkaSecret(c.Kafka.Secret), "QUEUE_CA_SECRET": c.kafkaSecret(c.Kafka.CASecret)} {
			if v != "" {
				env[name] = v
			}
		}
	}
	if c.Snos.Image != "" { // the stack puts the ARNs in the place of these names
		env["SNOS_KIND"], env["SNOS_BATCH_QUEUE"], env["SNOS_BATCH_DEFINITION"] = config.BatchRunner, "queue",
			"definition"
	}
	if env["SNOS_KIND"] != config.BatchRunner { // of which an event says that a run has ended
		env["SNOS_CALLBACK"] = n.API
	}
	if len(c.API.CommandScopes) > 0 {
		env["API_COMMAND_SCOPES"] = strings.Join(c.API.CommandScopes, ",")
	}
	if c.API.Admin {
		env["API_ADMIN"] = "true"
	}
	out := make(map[string]string, len(env))
	for k, v := range env {
		out[config.Prefix+k] = v
	}
	return out
}

// snosNode is the node that the SNOS container reads: its URL, or the word of the secret that holds it.
func (c Chain) snosNode() (rpc, secret string) {
	for _, name := range []string{"SNOS_RPC", "CHAIN_RPC"} {
		if rpc, secret = c.Settings[name], c.Settings[name+"_SECRET"]; rpc != "" || secret != "" {
			return rpc, secret
		}
	}
	return "", ""
}

// secret is the name of a secret in Secrets Manager.
func (c Chain) secret(word string) string { return c.Name + "/" + word }

func (c Chain) kafkaSecret(word string) string {
	if word == "" {
		return ""
	}
	return c.secret(word)
}

// secretsOf are the words of the secrets that a kind of secret stands for.
func (c Chain) secretsOf(s resource.Secret) []string {
	switch {
	// without webhooks, their function asks nobody
	case s == resource.HookSecret && c.Settings["PROVER_ATLANTIC_HOOK_SECRET"] == "":
		return nil
	case s == resource.FactsSecret && c.Settings["PROVER_KIND"] == config.Atlantic: // it says itself what is registered
		return nil
	}
	var out []string
	for _, k := range config.SecretSettings(string(s)) {
		if w := c.Settings[k]; w != "" {
			out = append(out, w)
		}
	}
	if s == resource.QueueSecret {
		out = append(out, c.Kafka.words()...)
	}
	if s == resource.MongoSecret && c.Mongo.DocumentDB {
		out = append(out, "mongo")
	}
	return out
}

// words are the names of all secrets that the settings name, sorted.
func (c Chain) words() []string {
	var out []string
	for k, v := range c.Settings {
		if strings.HasSuffix(k, "_SECRET") && v != "" {
			out = append(out, v)
		}
	}
	out = append(out, c.Kafka.words()...)
	slices.Sort(out)
	return slices.Compact(out)
}
