package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/mail"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/provers"
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
	API      API               `yaml:"api"`
	// WalletKMS makes a KMS key (secp256k1) that signs instead of a secret key.
	WalletKMS bool  `yaml:"wallet_kms"`
	VPC       VPC   `yaml:"vpc"`
	Mongo     Mongo `yaml:"mongo"`
	Snos      Snos  `yaml:"snos"`
	// Architecture is the processor of the functions: arm64 (the default; cheaper) or x86_64.
	Architecture string `yaml:"architecture"`
	// LogDays is how long logs are kept; 0: 30, in prod 90.
	LogDays int `yaml:"log_days"`
	// Lag is how many blocks and seconds settlement may be behind before an alarm; 0: 1000 blocks, 3 hours.
	LagBlocks  int `yaml:"lag_blocks"`
	LagSeconds int `yaml:"lag_seconds"`
	// MinBalance is the wallet's balance in wei (fri) below which an alarm goes off, as a decimal number; "": 0.1 ETH.
	MinBalance float64 `yaml:"min_balance"`
}

// Alerts are who is alerted.
type Alerts struct {
	Emails   []string `yaml:"emails"`
	Webhooks []string `yaml:"webhooks"` // https
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

// Mongo is the database: how much it bears, and how it is made where the stack makes it.
type Mongo struct {
	// Connections is how many the cluster takes; 0: 500, as the smallest of Atlas and DocumentDB (db.t4g.medium) do.
	Connections int    `yaml:"connections"`
	DocumentDB  bool   `yaml:"documentdb"`
	Instance    string `yaml:"instance"`  // t4g.medium
	Instances   int    `yaml:"instances"` // 1, in prod 2
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

// Load reads and checks the file. The error names every fault and where it is.
func Load(path string) (File, error) {
	r, err := os.Open(path)
	if err != nil {
		return File{}, fmt.Errorf("read the chains: %w: copy infra/chains.example.yaml to it", err)
	}
	defer r.Close()
	f, err := parse(r)
	if err != nil {
		return f, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

func parse(r io.Reader) (File, error) {
	var f File
	d := yaml.NewDecoder(io.LimitReader(r, 1<<20))
	d.KnownFields(true)
	if err := d.Decode(&f); errors.Is(err, io.EOF) {
		return f, errors.New("the file is empty: copy infra/chains.example.yaml to it")
	} else if err != nil {
		return f, err
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return f, errors.New("a second document follows after ---: put all chains into one, or it would be ignored")
	}
	var errs []error
	fault := func(bad bool, where, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf("%s: %s", where, fmt.Sprintf(format, args...)))
		}
	}
	fault(f.Account != "" && !accountPattern.MatchString(f.Account), "account", "%q: want 12 digits in quotes",
		f.Account)
	fault(!regionPattern.MatchString(f.Region), "region", "%q: want a region such as eu-west-1", f.Region)
	fault(len(f.Chains) == 0, "chains", "there are none")
	seen := map[string]bool{}
	for i, c := range f.Chains {
		where := fmt.Sprintf("chains[%d] %s", i, c.Name)
		fault(seen[c.Name], where, "the name is taken by another chain")
		seen[c.Name] = true
		for _, err := range c.faults() {
			errs = append(errs, fmt.Errorf("%s: %w", where, err))
		}
	}
	if len(errs) > 0 {
		return f, fmt.Errorf("%d faults:\n%w", len(errs), errors.Join(errs...))
	}
	for i := range f.Chains {
		f.Chains[i].defaults()
	}
	return f, nil
}

func (c Chain) faults() []error {
	var errs []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	fault(c.Environment != dev && c.Environment != prod, "environment %q: want dev or prod", c.Environment)
	fault(!slices.Contains([]string{"", arm64, x86}, c.Architecture), "architecture %q: want arm64 or x86_64",
		c.Architecture)
	for k, v := range c.Settings {
		fault(config.SetByStack(k), "settings.%s: the stack sets it itself", k)
		fault(strings.HasSuffix(k, "_SECRET") && !wordPattern.MatchString(v),
			"settings.%s: want a word that names the secret, never its value (what is there is not shown)", k)
	}
	for _, e := range c.Alerts.Emails {
		_, err := mail.ParseAddress(e)
		fault(err != nil, "alerts.emails: %q is not an address", e)
	}
	for _, w := range c.Alerts.Webhooks {
		u, err := url.Parse(w)
		fault(err != nil || u.Scheme != "https" || u.Host == "", "alerts.webhooks: want https URLs")
	}
	fault(c.Environment == prod && len(c.Alerts.Emails)+len(c.Alerts.Webhooks) == 0,
		"alerts: in prod somebody must be alerted: give an email or a webhook")
	fault(!slices.Contains([]string{"", "iam", "jwt"}, c.API.Auth), "api.auth %q: want iam or jwt", c.API.Auth)
	fault((c.API.Auth == "jwt") != (c.API.Issuer != "" && len(c.API.Audience) > 0),
		"api: issuer and audience belong to auth jwt")
	fault(c.API.Auth == "jwt" && c.API.Admin && len(c.API.CommandScopes) == 0,
		"api.command_scopes: with auth jwt and admin, name the scopes that a token needs for commands; without them "+
			"every token could give them")
	fault(len(c.API.CommandScopes) > 0 && (c.API.Auth != "jwt" || !c.API.Admin),
		"api.command_scopes: they belong to auth jwt with admin")
	for _, scope := range c.API.CommandScopes {
		fault(!scopePattern.MatchString(scope), "api.command_scopes: %q: want a scope such as orchestrator/commands",
			scope)
	}
	for name, n := range map[string]float64{
		"api.rate": c.API.Rate, "api.burst": c.API.Burst, "min_balance": c.MinBalance, "snos.vcpu": c.Snos.VCPU,
	} {
		fault(math.IsNaN(n) || math.IsInf(n, 0), "%s: %v is not a finite number", name, n)
	}
	errs = append(errs, c.plainURLs()...)
	fault(c.API.Rate < 0 || c.API.Burst < 0 || c.LogDays < 0 || c.LagBlocks < 0 || c.LagSeconds < 0 ||
		c.MinBalance < 0, "a limit is negative")
	fault(c.LogDays != 0 && retention(c.LogDays) == "",
		"log_days %d: CloudWatch has 1, 3, 5, 7, 14, 30, 60, 90, 180 and 365", c.LogDays)
	fault(c.Mongo.DocumentDB && c.Settings["MONGO_URI_SECRET"] != "",
		"settings.MONGO_URI_SECRET: with mongo.documentdb the stack makes the database")
	fault(c.Snos.Image != "" && (c.Settings["SNOS_KIND"] != "" || c.Settings["SNOS_URL"] != ""),
		"settings.SNOS_KIND: with snos.image the stack makes the runner")
	fault(c.Snos.Image == "" && (c.Snos != Snos{}), "snos: without an image the rest means nothing")
	fault(c.Snos.Image != "" && !fargate(c.Snos), "snos: %v vCPU with %d MiB: Fargate has 0.25, 0.5, 1, 2, 4, 8 and "+
		"16 vCPU, and 2 to 8 GiB for each", c.Snos.VCPU, c.Snos.MemoryMiB)
	fault(c.Snos.Image != "" && !imagePattern.MatchString(c.Snos.Image),
		"snos.image %q: want an image with tag or digest", c.Snos.Image)
	if c.Snos.Image != "" && c.Settings["SNOS_RPC_SECRET"] == "" {
		err := config.RPCRoot(c.snosRPC())
		fault(err != nil, "settings.CHAIN_RPC: the SNOS container reads this node: %v", err)
	}
	fault(c.Snos.Image == "" && c.Settings["SNOS_KIND"] == config.BatchRunner && c.Settings["SNOS_RPC_SECRET"] != "",
		"settings.SNOS_RPC_SECRET: your own job definition names the node: set SNOS_RPC from a secret there")
	fault(c.WalletKMS && c.Settings["SETTLEMENT_KEY_SECRET"] != "",
		"settings.SETTLEMENT_KEY_SECRET: with wallet_kms the key is in KMS")
	var lines []string
	for k, v := range c.environment(names{Bucket: "b", Topic: "t", Bus: "e", KMS: "k"}) {
		lines = append(lines, k+"="+v)
	}
	slices.Sort(lines)
	parsed, err := config.FromEnviron(lines)
	if err != nil {
		return append(errs, fmt.Errorf("settings: %w", err))
	}
	if err := provers.Check(parsed); err != nil {
		errs = append(errs, fmt.Errorf("settings: %w", err))
	}
	most, takes := c.connections(parsed.Mongo.PoolSize), c.Mongo.Connections
	if takes == 0 {
		takes = mongoConnections
	}
	fault(most > takes, "mongo.connections: the functions may open %d connections (%d at a time, each %d and one "+
		"that watches), the cluster takes %d: lower settings.MONGO_POOL_SIZE or api.burst, or take a larger cluster",
		most, c.concurrency(), parsed.Mongo.PoolSize, takes)
	return errs
}

// plainURLs names what a production chain would ask without TLS: whoever is in between reads keys and writes answers.
func (c Chain) plainURLs() (errs []error) {
	if !c.prod() {
		return nil
	}
	for _, setting := range config.Settings() {
		name := setting.Name
		if !setting.Service {
			continue
		}
		scheme, _, _ := strings.Cut(c.Settings[name], "://")
		if plain := []string{"http", "grpc", "redis"}; slices.Contains(plain, strings.ToLower(scheme)) {
			errs = append(errs, fmt.Errorf("settings.%s: %s:// is not encrypted: in prod want %ss://",
				name, scheme, strings.ToLower(scheme)))
		}
	}
	return errs
}

// fargate says whether Fargate has such a size: 1024 MiB steps from 2 to 8 GiB a vCPU (16 vCPU: up to 7.5; below 1: 0.5
// GiB and more).
func fargate(s Snos) bool {
	cpu, memory := s.VCPU, float64(s.MemoryMiB)
	if cpu == 0 {
		cpu = 8
	}
	if memory == 0 {
		memory = 32 << 10
	}
	return slices.Contains([]float64{0.25, 0.5, 1, 2, 4, 8, 16}, cpu) && memory >= cpu*2048 &&
		memory <= min(cpu*8192, 120<<10)
}

func (c *Chain) defaults() {
	set := func(to *int, v int) {
		if *to == 0 {
			*to = v
		}
	}
	set(&c.LagBlocks, 1000)
	set(&c.LagSeconds, 3*60*60)
	if c.Snos.Image != "" {
		set(&c.Snos.MaxVCPU, 64)
		set(&c.Snos.MemoryMiB, 32<<10)
		if c.Snos.VCPU == 0 {
			c.Snos.VCPU = 8
		}
	}
	if c.MinBalance == 0 {
		c.MinBalance = 1e17
	}
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

// inVPC says whether the functions need a network.
func (c Chain) inVPC() bool { return c.VPC.Create || c.Mongo.DocumentDB }

// names are what resources are called, once they are there.
type names struct{ Bucket, Topic, Bus, KMS string }

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
	if c.Mongo.DocumentDB {
		env["MONGO_URI_SECRET"], env["MONGO_CA_FILE"] = c.secret("mongo"), "/var/task/"+caFile
	}
	if c.Snos.Image != "" { // the stack puts the ARNs in the place of these names
		env["SNOS_KIND"], env["SNOS_BATCH_QUEUE"], env["SNOS_BATCH_DEFINITION"] = config.BatchRunner, "queue",
			"definition"
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

// snosRPC is the node that the SNOS container reads, where it is not a secret.
func (c Chain) snosRPC() string {
	if rpc := c.Settings["SNOS_RPC"]; rpc != "" {
		return rpc
	}
	return c.Settings["CHAIN_RPC"]
}

// secret is the name of a secret in Secrets Manager.
func (c Chain) secret(word string) string { return c.Name + "/" + word }

// secretsOf are the words of the secrets that a kind of secret stands for.
func (c Chain) secretsOf(s resource.Secret) []string {
	if s == resource.HookSecret && c.Settings["PROVER_ATLANTIC_HOOK_SECRET"] == "" {
		return nil // without webhooks, their function asks nobody
	}
	var out []string
	for _, k := range config.SecretSettings(string(s)) {
		if w := c.Settings[k]; w != "" {
			out = append(out, w)
		}
	}
	if s == resource.HookSecret && c.Settings["PROVER_ATLANTIC_HOOK_SECRET"] == "" {
		return nil // without webhooks, their function asks nobody
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
	slices.Sort(out)
	return slices.Compact(out)
}
