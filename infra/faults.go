package main

import (
	"errors"
	"fmt"
	"math"
	"net/mail"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/provers"
)

// faults checks what was read. misread says of a path that its value could not be read.
func (f File) faults(misread func(path string) bool) []fault {
	var out []fault
	check := func(ok bool, path, format string, args ...any) {
		if !ok {
			out = append(out, fault{path, fmt.Sprintf(format, args...)})
		}
	}
	check(f.Account == "" || accountPattern.MatchString(f.Account), "account", "%q: want 12 digits in quotes",
		f.Account)
	check(regionPattern.MatchString(f.Region), "region", "%q: want a region such as eu-west-1", f.Region)
	check(len(f.Chains) > 0 || misread("chains"), "chains", "there are none")
	seen, signs := map[string]bool{}, map[string]string{}
	for i, c := range f.Chains {
		at := fmt.Sprintf("chains[%d]", i)
		if misread(at) {
			continue
		}
		check(!seen[c.Name], at+".name", "the name %q is taken by another chain", c.Name)
		seen[c.Name] = true
		for _, w := range c.wallets() {
			other, taken := signs[w.id]
			check(!taken, at+".settings."+w.setting, "the chain %s signs with this wallet too: the two would use each "+
				"other's nonces; give each chain a wallet of its own", other)
			signs[w.id] = c.Name
		}
		if m := ecrImage.FindStringSubmatch(c.Snos.Image); m != nil {
			check(partition(m[2]) == partition(f.Region), at+".snos.image", "the registry of %s is out of reach of "+
				"roles in %s: copy the image to a registry there", m[2], f.Region)
		}
		for _, x := range c.faults() {
			if path := join(at, x.path); !misread(path) {
				out = append(out, fault{path, x.text})
			}
		}
	}
	return out
}

// wallet is an account that signs transactions.
type wallet struct {
	setting string // that names it
	id      string // layer, chain id and address: equal for one account
}

// wallets are the accounts that the file names. Those of KMS keys are made with the stack, so no two chains share one.
func (c Chain) wallets() []wallet {
	var out []wallet
	add := func(layer, chainID, setting string) {
		address := c.Settings[setting]
		if a, err := felt.FromHex(address); err == nil { // however it is written
			address = a.String()
		}
		if chainID != "" && address != "" {
			out = append(out, wallet{setting, layer + "/" + chainID + "/" + address})
		}
	}
	if c.Settings["SETTLEMENT_KIND"] == config.StarknetLayer {
		add(config.StarknetLayer, c.Settings["SETTLEMENT_CHAIN_ID"], "SETTLEMENT_ACCOUNT")
	} else {
		add(config.EthereumLayer, c.Settings["SETTLEMENT_CHAIN_ID"], "SETTLEMENT_ADDRESS")
	}
	if c.ownData() {
		add(config.EthereumLayer, c.Settings["DA_CHAIN_ID"], "DA_ADDRESS")
	}
	return out
}

// checks collects the faults of one chain; paths begin below it.
type checks []fault

func (cs *checks) want(ok bool, path, format string, args ...any) {
	if !ok {
		*cs = append(*cs, fault{path, fmt.Sprintf(format, args...)})
	}
}

func (c Chain) faults() []fault {
	var cs checks
	cs.want(c.Environment == dev || c.Environment == prod, "environment", "%q: want dev or prod", c.Environment)
	cs.want(slices.Contains([]string{"", arm64, x86}, c.Architecture), "architecture", "%q: want arm64 or x86_64",
		c.Architecture)
	c.alertFaults(&cs)
	c.routeFaults(&cs)
	c.apiFaults(&cs)
	numbers(&cs, "", reflect.ValueOf(c))
	cs.want(c.Artifacts.Days >= 0 && c.Artifacts.WorkDays >= 0, "artifacts",
		"%d and %d days: want whole days, from 1 on", c.Artifacts.Days, c.Artifacts.WorkDays)
	cs.want(c.LogDays == 0 || retention(c.LogDays) != "", "log_days",
		"%d: CloudWatch has 1, 3, 5, 7, 14, 30, 60, 90, 180 and 365", c.LogDays)
	c.snosFaults(&cs)
	c.kafkaFaults(&cs)
	listens := c.Settings["CHAIN_WEBSOCKET"]+c.Settings["CHAIN_WEBSOCKET_SECRET"] != ""
	cs.want(c.Heads == listens, "heads", "%t: heads: true and settings.CHAIN_WEBSOCKET (or CHAIN_WEBSOCKET_SECRET) "+
		"belong together: give both or neither", c.Heads)
	c.settingFaults(&cs)
	return cs
}

func (c Chain) alertFaults(cs *checks) {
	for i, e := range c.Alerts.Emails {
		_, err := mail.ParseAddress(e)
		cs.want(err == nil, fmt.Sprintf("alerts.emails[%d]", i), "%q is not an address", e)
	}
	for i, w := range c.Alerts.Webhooks {
		u, err := url.Parse(w)
		cs.want(err == nil && u.Scheme == "https" && u.Host != "", fmt.Sprintf("alerts.webhooks[%d]", i),
			"want an https URL")
	}
	cs.want(c.Environment != prod || len(c.Alerts.Emails)+len(c.Alerts.Webhooks) > 0, "alerts",
		"in prod somebody must be alerted: give an email or a webhook")
}

// routeFaults checks where events go.
func (c Chain) routeFaults(cs *checks) {
	seen := map[string]bool{}
	for i, r := range c.Events {
		at := fmt.Sprintf("events[%d]", i)
		if err := r.rule().Check(); err != nil {
			cs.want(false, at, "%v", err)
			continue
		}
		cs.want(len(r.rule().Targets) == 1, at, "want one of queue, lambda and url")
		cs.want(!seen[r.Name], at+".name", "the name %q is taken by another route", r.Name)
		seen[r.Name] = true
		cs.want(r.Queue == "" || strings.Contains(r.Queue, ":sqs:"), at+".queue", "want the ARN of a queue")
		cs.want(r.Lambda == "" || strings.Contains(r.Lambda, ":lambda:"), at+".lambda", "want the ARN of a function")
		u, err := url.Parse(r.URL)
		cs.want(r.URL == "" || err == nil && u.Scheme == "https" && u.Host != "", at+".url", "want an https URL")
	}
}

func (c Chain) apiFaults(cs *checks) {
	a := c.API
	cs.want(slices.Contains([]string{"", "iam", "jwt"}, a.Auth), "api.auth", "%q: want iam or jwt", a.Auth)
	cs.want((a.Auth == "jwt") == (a.Issuer != "" && len(a.Audience) > 0), "api",
		"issuer and audience belong to auth jwt")
	cs.want(a.Auth != "jwt" || !a.Admin || len(a.CommandScopes) > 0, "api.command_scopes",
		"with auth jwt and admin, name the scopes that a token needs for commands; without them every token could "+
			"give them")
	cs.want(len(a.CommandScopes) == 0 || a.Auth == "jwt" && a.Admin, "api.command_scopes",
		"they belong to auth jwt with admin")
	for i, scope := range a.CommandScopes {
		cs.want(scopePattern.MatchString(scope), fmt.Sprintf("api.command_scopes[%d]", i),
			"%q: want a scope such as orchestrator/commands", scope)
	}
}

// numbers wants every number of a chain to be finite and not negative.
func numbers(cs *checks, path string, v reflect.Value) {
	for name, i := range fieldsOf(v.Type()) {
		at, field := join(path, name), v.Field(i)
		switch field.Kind() {
		case reflect.Struct:
			numbers(cs, at, field)
		case reflect.Int:
			cs.want(field.Int() >= 0, at, "%d is negative: want 0 (the default) or more", field.Int())
		case reflect.Float64:
			n := field.Float()
			cs.want(!math.IsNaN(n) && !math.IsInf(n, 0), at, "%v is not a finite number", n)
			cs.want(!(n < 0) || math.IsInf(n, 0), at, "%v is negative: want 0 (the default) or more", n)
		}
	}
}

func (c Chain) snosFaults(cs *checks) {
	s := c.Snos
	if s.Image == "" {
		cs.want(s == Snos{}, "snos", "without an image the rest means nothing")
		cs.want(!c.orphanBatch(), "settings.SNOS_KIND",
			"batch: leave it out and set snos.image; the stack makes the queue and the job definition")
		return
	}
	cs.want(c.Settings["SNOS_KIND"] == "" && c.Settings["SNOS_URL"] == "", "settings.SNOS_KIND",
		"with snos.image the stack makes the runner")
	s = s.defaults()
	memories := fargate[s.VCPU]
	cs.want(memories != nil, "snos.vcpu", "%v: Fargate has 0.25, 0.5, 1, 2, 4, 8 and 16", s.VCPU)
	cs.want(memories == nil || slices.Contains(memories, s.MemoryMiB), "snos.memory_mib",
		"%d: with %v vCPU Fargate has %d MiB", s.MemoryMiB, s.VCPU, memories)
	cs.want(float64(s.MaxVCPU) >= s.VCPU, "snos.max_vcpu", "%d: a run has %v vCPU, so none could ever start",
		s.MaxVCPU, s.VCPU)
	cs.want(imagePattern.MatchString(s.Image), "snos.image", "%q: want an image with tag or digest", s.Image)
	if rpc, secret := c.snosNode(); secret == "" {
		err := config.RPCRoot(rpc)
		cs.want(err == nil, "settings.CHAIN_RPC", "the SNOS container reads this node: %v", err)
	}
}

// settingFaults checks the functions' settings as the functions do, and what they mean for the stack.
func (c Chain) settingFaults(cs *checks) {
	for k, v := range c.Settings {
		at := "settings." + k
		cs.want(!config.SetByStack(k), at, "the stack sets it itself")
		cs.want(!strings.HasSuffix(k, "_SECRET") || wordPattern.MatchString(v), at,
			"want a word that names the secret, never its value (what is there is not shown)")
	}
	c.plainURLs(cs)
	cs.want(!c.Mongo.DocumentDB || c.Settings["MONGO_URI_SECRET"] == "", "settings.MONGO_URI_SECRET",
		"with mongo.documentdb the stack makes the database")
	cs.want(!c.WalletKMS || c.Settings["SETTLEMENT_KEY_SECRET"] == "", "settings.SETTLEMENT_KEY_SECRET",
		"with wallet_kms the key is in KMS")
	cs.want(!c.DataWalletKMS || c.Settings["DA_KEY_SECRET"] == "", "settings.DA_KEY_SECRET",
		"with data_wallet_kms the key is in KMS")
	cs.want(!c.DataWalletKMS || c.ownData(), "data_wallet_kms", "it belongs to settings.DA_KIND ethereum")
	parsed, err := c.parse()
	var all config.Faults
	switch {
	case errors.As(err, &all):
		for _, x := range all {
			if c.orphanBatch() && strings.HasPrefix(x.Setting, "SNOS_BATCH_") { // a fault of SNOS_KIND
				continue
			}
			path := "settings." + x.Setting
			if own, ok := map[string]string{"CHAIN_NAME": "name", "CHAIN_LAYER": "layer", "QUEUE_KIND": "queue",
				"QUEUE_BROKERS": "kafka.bootstrap_servers", "QUEUE_AUTH": "kafka.auth",
				"QUEUE_AUTH_SECRET": "kafka.secret", "QUEUE_CA_SECRET": "kafka.ca_secret"}[x.Setting]; ok {
				path = own
			}
			*cs = append(*cs, fault{path, x.Text})
		}
		return
	case err != nil:
		*cs = append(*cs, fault{"settings", err.Error()})
		return
	}
	if err := provers.Check(parsed); err != nil {
		*cs = append(*cs, fault{"settings", err.Error()})
	}
	most, takes := c.connections(parsed.Mongo.PoolSize), c.Mongo.Connections
	if takes == 0 {
		takes = mongoConnections
	}
	cs.want(most <= takes, "mongo.connections",
		"the functions may open %d connections (%d at a time, each %d and one that watches), the cluster takes %d: "+
			"lower settings.MONGO_POOL_SIZE or api.burst, or take a larger cluster",
		most, c.concurrency(), parsed.Mongo.PoolSize, takes)
}

// parse reads the functions' settings as the functions do.
func (c Chain) parse() (config.Config, error) {
	var lines []string
	some := names{Bucket: "b", Topic: "t", Bus: "e", KMS: "k", DataKMS: "d", API: "https://api.example"}
	for k, v := range c.environment(some) {
		lines = append(lines, k+"="+v)
	}
	slices.Sort(lines)
	return config.FromEnviron(lines)
}

// plainURLs names what a production chain would ask without TLS: whoever is in between reads keys and writes answers.
func (c Chain) plainURLs(cs *checks) {
	if !c.prod() {
		return
	}
	for _, setting := range config.Settings() {
		if !setting.Service {
			continue
		}
		scheme, _, _ := strings.Cut(c.Settings[setting.Name], "://")
		scheme = strings.ToLower(scheme)
		cs.want(!slices.Contains([]string{"http", "grpc", "redis", "ws"}, scheme), "settings."+setting.Name,
			"%s:// is not encrypted: in prod want %ss://", scheme, scheme)
	}
}

// orphanBatch says whether the settings ask for AWS Batch without an image, of which the stack makes queue and
// definition.
func (c Chain) orphanBatch() bool {
	return c.Snos.Image == "" && c.Settings["SNOS_KIND"] == config.BatchRunner
}

// fargate is which memories in MiB Fargate has with a number of vCPU (Amazon ECS, "Task definition parameters for
// Fargate", task size).
var fargate = map[float64][]int{
	0.25: {512, 1024, 2048}, 0.5: steps(1024, 4096, 1024), 1: steps(2048, 8192, 1024), 2: steps(4096, 16384, 1024),
	4: steps(8192, 30720, 1024), 8: steps(16384, 61440, 4096), 16: steps(32768, 122880, 8192),
}

// steps are the numbers from first to last.
func steps(first, last, step int) []int {
	var out []int
	for n := first; n <= last; n += step {
		out = append(out, n)
	}
	return out
}
