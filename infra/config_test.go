package main

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// Wrong configuration is refused with every fault named and where it is.
func TestConfigFaults(t *testing.T) {
	b, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ old, new, want string }{
		"unknown field": {"environment: dev", "envronment: dev",
			"envronment: no such field; did you mean environment?"},
		"environment": {"environment: dev", "environment: staging",
			"line 8: mychain: environment: \"staging\": want dev or prod"},
		"region":  {"region: eu-west-1", "region: here", "region: \"here\""},
		"account": {`"123456789012"`, "42", "account: \"42\""},
		"a secret's value": {"SETTLEMENT_KEY_SECRET: wallet",
			"SETTLEMENT_KEY_SECRET: 0x4c0883a69102937d6231471b5dbb6204fe512961708279", "want a word"},
		"the stack's own": {"CHAIN_ID: MYCHAIN", "CHAIN_ID: MYCHAIN\n      AWS_BUCKET: mine",
			"settings.AWS_BUCKET: the stack sets it itself"},
		"missing setting": {"CHAIN_RPC: https://rpc.mychain.example", "", "CHAIN_RPC: missing"},
		"misspelt setting": {"CHAIN_RPC:", "CHAIN_RCP:",
			"settings.CHAIN_RCP: no such setting; did you mean CHAIN_RPC?"},
		"prover's network": {"PROVER_ATLANTIC_NETWORK: TESTNET", "PROVER_ATLANTIC_NETWORK: MAINNET",
			"MAINNET, but the settlement layer"},
		"prover's own rule": {"PROVER_ATLANTIC_NETWORK: TESTNET",
			"PROVER_ATLANTIC_NETWORK: TESTNET\n      PROVER_ATLANTIC_CAIRO_VM: php", "Cairo VM \"php\""},
		"email":             {"ops@mychain.example", "nobody", "alerts.emails[0]: \"nobody\""},
		"nobody is alerted": {"environment: dev", "environment: prod", ""},
		"authorisation":     {"auth: iam", "auth: none", "api.auth: \"none\""},
		"token's issuer":    {"auth: iam", "auth: jwt", "issuer and audience belong to auth jwt"},
		"connections": {"    # mongo: {connections: 500}", "    mongo: {connections: 100} #",
			"the functions may open 204 connections (68 at a time"},
		"ignored document": {"    # min_balance: 1e17     of the wallet, in wei or fri; ten fee caps",
			"---\nregion: here", "a second document follows"},
		"no number": {"    # min_balance: 1e17     of the wallet, in wei or fri; ten fee caps", "    min_balance: .nan",
			"min_balance: NaN is not a finite number"},
		"no end": {"      # rate: 20   requests a second", "      rate: .inf",
			"api.rate: +Inf is not a finite number"},
		"commands by token": {"auth: iam # or jwt, with issuer and audience\n      admin: false",
			"auth: jwt\n      issuer: https://i.example\n      audience: [a]\n      admin: true",
			"api.command_scopes: with auth jwt and admin"},
		"scopes of IAM": {"admin: false", "admin: true\n      command_scopes: [x]",
			"api.command_scopes: they belong to auth jwt"},
		"no scope": {"auth: iam # or jwt, with issuer and audience\n      admin: false",
			"auth: jwt\n      issuer: https://i.example\n      audience: [a]\n      admin: true\n      " +
				"command_scopes: [\"a b\"]", "command_scopes[0]: \"a b\""},
		"two nodes of SNOS": {"SNOS_URL:", "SNOS_RPC: https://node\n      SNOS_RPC_SECRET: node\n      " +
			"SNOS_URL:", "SNOS_RPC_SECRET: give either it or SNOS_RPC"},
		"a versioned node": {"SNOS_URL:", "SNOS_RPC: https://node/rpc/v0_10\n      SNOS_URL:",
			"SNOS_RPC: it has the path of one RPC version"},
		"a node with a key": {"SNOS_URL:", "SNOS_RPC: https://node/?key=hunter2\n      SNOS_URL:",
			"SNOS_RPC: it has a query"},
		"AWS Batch without an image": {"SNOS_URL: https://snos.mychain.example", "SNOS_KIND: batch",
			"1 fault:\n  line 26: mychain: settings.SNOS_KIND: batch: leave it out and set snos.image"},
		"a queue of AWS Batch": {"SNOS_URL: https://snos.mychain.example",
			"SNOS_KIND: batch\n      SNOS_BATCH_QUEUE: q", "SNOS_BATCH_QUEUE: the stack sets it itself"},
		"Reconcile too rare": {"CHAIN_ID: MYCHAIN", "CHAIN_ID: MYCHAIN\n      SCHEDULE_EVERY: Reconcile=5m",
			"settings.SCHEDULE_EVERY: \"Reconcile=5m\": invalid timer: want at most 4 minutes"},
		"layer": {"layer: l2", "layer: l5", "layer: \"l5\""},
	} {
		t.Run(name, func(t *testing.T) {
			in := strings.Replace(string(b), tt.old, tt.new, 1)
			if in == string(b) {
				t.Fatalf("%q is not in the example", tt.old)
			}
			_, err := parse(strings.NewReader(in))
			if tt.want == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want it to say %q", err, tt.want)
			}
		})
	}
	_, err = parse(strings.NewReader("region: x\nchains:\n  - name: A\n    environment: x\n  - name: A\n"))
	for _, want := range []string{
		"line 1: region: ", "line 3: A: layer: ", `line 5: A: name: the name "A" is taken`,
		"line 3: A: settings.CHAIN_RPC: missing", "line 4: A: environment: ",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("not all faults at once: %s is missing in %v", want, err)
		}
	}
}

// An empty file says what to do.
func TestEmptyConfig(t *testing.T) {
	for _, in := range []string{"", "# nothing\n"} {
		if _, err := parse(strings.NewReader(in)); err == nil || !strings.Contains(err.Error(), "the file is empty") {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// In prod nothing is asked without TLS; in dev it may be.
func TestPlainURLs(t *testing.T) {
	b, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	for setting, plain := range map[string]string{
		"CHAIN_RPC": "http://rpc.mychain.example", "SETTLEMENT_RPC": "HTTP://ethereum-sepolia.example",
		"SNOS_URL":         "http://snos.mychain.example",
		"CHAIN_BACKUP_RPC": "http://b.example", "CHAIN_FEEDER_GATEWAY": "http://g.example",
		"PROVER_URL": "http://p.example", "REDIS_URL": "redis://r.example:6379",
	} {
		var lines []string
		for line := range strings.Lines(string(b)) {
			if !strings.HasPrefix(strings.TrimSpace(line), setting+":") {
				lines = append(lines, line)
			}
		}
		in := strings.Replace(strings.Join(lines, ""), "    settings:\n",
			"    settings:\n      "+setting+": "+plain+"\n", 1)
		want := "settings." + setting + ": "
		if _, err := parse(strings.NewReader(strings.Replace(in, "environment: dev", "environment: prod",
			1))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("prod with %s %s: %v", setting, plain, err)
		}
		if _, err := parse(strings.NewReader(in)); err != nil && strings.Contains(err.Error(), want) {
			t.Errorf("dev with %s %s: %v", setting, plain, err)
		}
	}
}

// Every fault of a file is named at once, each with its line, its field and what is wanted, and what can't be read
// makes no faults of its own.
func TestAllFaultsOfAFile(t *testing.T) {
	const in = `account: 42
regoin: eu-west-1
region: here
chains:
  - name: mychain
    environment: staging
    layer: l2
    log_days: thirty
    lag_blocks: -1
    min_balance: .nan
    wallet_kms: perhaps
    tracing: [true]
    colour: blue
    settings:
      CHAIN_RCP: https://rpc.mychain.example
      CHAIN_ID: MYCHAIN
      CHAIN_ID: TWICE
      MONGO_POOL_SIZE: two
      SETTLEMENT_RPC: https://u:hunter2@node.example
    alerts: none
    api: {rate: -3, burts: 5}
    mongo: {connections: -5}
`
	_, err := parse(strings.NewReader(in))
	if err == nil {
		t.Fatal("it was taken")
	}
	for _, want := range []string{
		`line 1: account: "42": want 12 digits`, `line 2: regoin: no such field; did you mean region?`,
		`line 3: region: "here": want a region`,
		`line 6: mychain: environment: "staging": want dev or prod`,
		`line 8: mychain: log_days: "thirty": want a whole number`,
		`line 9: mychain: lag_blocks: -1 is negative`, `line 10: mychain: min_balance: NaN is not a finite number`,
		`line 11: mychain: wallet_kms: "perhaps": want true or false`, `line 12: mychain: tracing: want one value`,
		`line 13: mychain: colour: no such field; there are alerts, api, architecture`,
		`line 15: mychain: settings.CHAIN_RCP: no such setting; did you mean CHAIN_RPC?`,
		`line 14: mychain: settings.CHAIN_RPC: missing`,
		`line 16: mychain: settings.CHAIN_ID: it is there twice, in lines 16 and 17`,
		`line 18: mychain: settings.MONGO_POOL_SIZE: "two": want a whole number`,
		`line 19: mychain: settings.SETTLEMENT_RPC: it holds a user or password`,
		`line 20: mychain: alerts: want fields`, `line 21: mychain: api.rate: -3 is negative`,
		`line 21: mychain: api.burts: no such field; did you mean burst?`,
		`line 22: mychain: mongo.connections: -5 is negative`,
	} {
		if !strings.Contains(err.Error(), "  "+want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Error("a password is shown")
	}
	if t.Failed() {
		t.Log(err)
	}
}

// What is shared by chains may be written once.
func TestMergedSettings(t *testing.T) {
	b, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	chain := string(b[strings.Index(string(b), "  - name: mychain"):])
	second := strings.Replace(chain, "name: mychain", "name: other", 1)
	at, end := strings.Index(second, "    settings:\n"), strings.Index(second, "    alerts:\n")
	second = second[:at] + "    settings:\n      <<: *common\n      CHAIN_ID: OTHER\n" +
		"      SETTLEMENT_ADDRESS: \"0x0000000000000000000000000000000000000004\"\n\n" + second[end:]
	f, err := parse(
		strings.NewReader(strings.Replace(string(b), "    settings:\n", "    settings: &common\n", 1) + second))
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Chains[1].Settings; got["CHAIN_ID"] != "OTHER" ||
		got["CHAIN_RPC"] != f.Chains[0].Settings["CHAIN_RPC"] {
		t.Errorf("settings %v", got)
	}
}

// A file that does not hold chains is refused with the reason.
func TestNoFileOfChains(t *testing.T) {
	for in, want := range map[string]string{
		"region: [": "this is not YAML: ", "- a\n": "want fields with values", "just a word": "want fields with values",
		"region: eu-west-1\n":                    "chains: there are none",
		"region: eu-west-1\nchains: mychain\n":   "line 2: chains: want a list",
		"region: eu-west-1\nchains: [mychain]\n": "chains[0]: want fields",
		strings.Repeat("#", 1<<20) + "#":         "it has more than",
	} {
		if _, err := parse(strings.NewReader(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", in, err, want)
		}
	}
}

// A size that Fargate does not have, or of which no run could start, is refused.
func TestSnosFaults(t *testing.T) {
	for name, tt := range map[string]struct {
		snos Snos
		want string
	}{
		"defaults":              {Snos{}, ""},
		"least":                 {Snos{VCPU: 0.25, MemoryMiB: 512}, ""},
		"most":                  {Snos{VCPU: 16, MemoryMiB: 122880}, ""},
		"one run at a time":     {Snos{VCPU: 8, MaxVCPU: 8}, ""},
		"no run at a time":      {Snos{VCPU: 8, MaxVCPU: 7}, "snos.max_vcpu: 7: a run has 8 vCPU"},
		"none by default":       {Snos{MaxVCPU: 4}, "snos.max_vcpu: 4: a run has 8 vCPU"},
		"no such vCPU":          {Snos{VCPU: 3}, "snos.vcpu: 3: Fargate has"},
		"between two steps":     {Snos{VCPU: 8, MemoryMiB: 17408}, "snos.memory_mib: 17408: with 8 vCPU Fargate has"},
		"4 vCPU take 30 GiB":    {Snos{VCPU: 4, MemoryMiB: 32768}, "snos.memory_mib: 32768"},
		"0.25 vCPU":             {Snos{VCPU: 0.25, MemoryMiB: 1536}, "with 0.25 vCPU Fargate has [512 1024 2048] MiB"},
		"default memory":        {Snos{VCPU: 1}, "snos.memory_mib: 32768: with 1 vCPU"},
		"too little for a size": {Snos{VCPU: 16, MemoryMiB: 16384}, "snos.memory_mib: 16384"},
	} {
		tt.snos.Image = "ghcr.io/example/snos:1.0"
		var cs checks
		Chain{Settings: map[string]string{"CHAIN_RPC": "https://rpc.example"}, Snos: tt.snos}.snosFaults(&cs)
		var got []string
		for _, x := range cs {
			got = append(got, x.path+": "+x.text)
		}
		if all := strings.Join(got, "\n"); (all == "") != (tt.want == "") || !strings.Contains(all, tt.want) ||
			len(got) > 1 {
			t.Errorf("%s: %q, want %q", name, all, tt.want)
		}
	}
}

// Two chains do not sign with one account: each keeps its lease in its own database, so both would take one nonce.
func TestSharedWallets(t *testing.T) {
	ethereum := func(more ...string) map[string]string {
		return with(map[string]string{"SETTLEMENT_CHAIN_ID": "1", "SETTLEMENT_ADDRESS": "0xAb"}, more...)
	}
	starknet := func(more ...string) map[string]string {
		return with(map[string]string{"SETTLEMENT_KIND": "starknet", "SETTLEMENT_CHAIN_ID": "SN_MAIN",
			"SETTLEMENT_ACCOUNT": "0x2"}, more...)
	}
	for name, tt := range map[string]struct {
		a, b map[string]string
		want string // the setting that is named
	}{
		"one account":               {ethereum(), ethereum(), "SETTLEMENT_ADDRESS"},
		"written in another way":    {ethereum(), ethereum("SETTLEMENT_ADDRESS", "0x00aB"), "SETTLEMENT_ADDRESS"},
		"another account":           {ethereum(), ethereum("SETTLEMENT_ADDRESS", "0xac"), ""},
		"another chain":             {ethereum(), ethereum("SETTLEMENT_CHAIN_ID", "11155111"), ""},
		"keys of KMS":               {ethereum("SETTLEMENT_ADDRESS", ""), ethereum("SETTLEMENT_ADDRESS", ""), ""},
		"one account on Starknet":   {starknet(), starknet("SETTLEMENT_ACCOUNT", "0x02"), "SETTLEMENT_ACCOUNT"},
		"another one on Starknet":   {starknet(), starknet("SETTLEMENT_ACCOUNT", "0x3"), ""},
		"Ethereum's and Starknet's": {ethereum(), starknet("SETTLEMENT_ACCOUNT", "0xab"), ""},
		"data and settlement": {ethereum(), starknet("DA_KIND", "ethereum", "DA_CHAIN_ID", "1", "DA_ADDRESS", "0xab"),
			"DA_ADDRESS"},
		"data nowhere": {ethereum(), starknet("DA_CHAIN_ID", "1", "DA_ADDRESS", "0xab"), ""},
	} {
		f := File{Chains: []Chain{{Name: "a", Settings: tt.a}, {Name: "b", Settings: tt.b}}}
		got := ""
		for _, x := range f.faults(func(string) bool { return false }) {
			if strings.Contains(x.text, "the chain a signs with this wallet too") {
				got += strings.TrimPrefix(x.path, "chains[1].settings.")
			}
		}
		if got != tt.want {
			t.Errorf("%s: faults at %q, want %q", name, got, tt.want)
		}
	}
}

// with is a map with more keys and values.
func with(m map[string]string, more ...string) map[string]string {
	for i := 0; i+1 < len(more); i += 2 {
		m[more[i]] = more[i+1]
	}
	return m
}

// The example names each field that the file of chains takes, below the field that it belongs to.
func TestExampleHasEachField(t *testing.T) {
	b, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	has := func(text, field string) bool {
		return regexp.MustCompile(`(?m)(^|[^A-Za-z_])` + field + `:`).MatchString(text)
	}
	for field := range fieldsOf(reflect.TypeFor[File]()) {
		if !has(string(b), field) {
			t.Errorf("no %s", field)
		}
	}
	parts, at := map[string]string{}, ""
	key := regexp.MustCompile(`^    (?:# )?([a-z_]+):`)
	for line := range strings.Lines(strings.Replace(string(b), "  - name:", "    name:", 1)) {
		if m := key.FindStringSubmatch(line); m != nil {
			at = m[1]
		}
		parts[at] += line
	}
	chain := reflect.TypeFor[Chain]()
	for field, i := range fieldsOf(chain) {
		if parts[field] == "" {
			t.Errorf("no %s", field)
		}
		of := chain.Field(i).Type
		if of.Kind() == reflect.Slice {
			of = of.Elem()
		}
		if of.Kind() != reflect.Struct {
			continue
		}
		for inner := range fieldsOf(of) {
			if !has(parts[field], inner) {
				t.Errorf("no %s.%s", field, inner)
			}
		}
	}
}
