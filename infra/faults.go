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
	seen := map[string]bool{}
	for i, c := range f.Chains {
		at := fmt.Sprintf("chains[%d]", i)
		if misread(at) {
			continue
		}
		check(!seen[c.Name], at+".name", "the name %q is taken by another chain", c.Name)
		seen[c.Name] = true
		for _, x := range c.faults() {
			if path := join(at, x.path); !misread(path) {
				out = append(out, fault{path, x.text})
			}
		}
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
		cs.want(c.Settings["SNOS_KIND"] != config.BatchRunner || c.Settings["SNOS_RPC_SECRET"] == "",
			"settings.SNOS_RPC_SECRET",
			"your own job definition names the node: set SNOS_RPC from a secret there")
		return
	}
	cs.want(c.Settings["SNOS_KIND"] == "" && c.Settings["SNOS_URL"] == "", "settings.SNOS_KIND",
		"with snos.image the stack makes the runner")
	cs.want(fargate(s), "snos", "%v vCPU with %d MiB: Fargate has 0.25, 0.5, 1, 2, 4, 8 and 16 vCPU, and 2 to 8 GiB "+
		"for each", s.VCPU, s.MemoryMiB)
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
