package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// Without credentials, or with those of another account, nothing is built; a synthesis needs none.
func TestCredentials(t *testing.T) {
	f := File{Account: "123456789012"}
	for name, tt := range map[string]struct {
		caller caller
		want   string
	}{
		"synth without any":  {caller{"synth", "", defaultPath}, ""},
		"the app by itself":  {caller{"", "", defaultPath}, ""},
		"deploy without any": {caller{"deploy", "", defaultPath}, "no AWS credentials"},
		"bootstrap without":  {caller{"bootstrap", "", defaultPath}, "no AWS credentials"},
		"another account": {caller{"diff", "210987654321", defaultPath},
			"your AWS credentials are of account 210987654321, infra/chains.yaml says 123456789012"},
		"the file's account":   {caller{"deploy", "123456789012", defaultPath}, ""},
		"destroy with another": {caller{"destroy", "1", defaultPath}, "of account 1"},
	} {
		err := tt.caller.refused(f)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	if err := (caller{"deploy", "1", defaultPath}).refused(File{}); err != nil {
		t.Errorf("a file without an account takes any: %v", err)
	}
}

// A synthesis ends with what will be made and the next command.
func TestSummary(t *testing.T) {
	f, err := Load(example)
	if err != nil {
		t.Fatal(err)
	}
	for account, next := range map[string]string{
		"":             "none that work were found), then: make bootstrap deploy CHAINS=my.yaml",
		"123456789012": "Next: make bootstrap deploy CHAINS=my.yaml",
		"210987654321": "take those of 123456789012, then: make bootstrap deploy",
	} {
		var b strings.Builder
		if err := summarize(&b, f, caller{"synth", account, "my.yaml"}); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			"Orchestrator-mychain: L2 (dev) in account 123456789012, eu-west-1", "12 queues, 8 schedules", "arm64",
			"68 at a time, 23 of them reserved, 204 database connections",
			`"Concurrent executions" in eu-west-1 must be 123 at least: 23 are reserved`,
			"mychain/atlantic, mychain/mongo, mychain/wallet", "emails: 1, webhooks: 0", next,
		} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("no %q in:\n%s", want, b.String())
			}
		}
	}
}

// The quota is what the stacks' functions reserve and what Lambda leaves unreserved; the README has the numbers.
func TestQuota(t *testing.T) {
	each(t, func(t *testing.T, s template) {
		sum := 0
		for _, p := range s.of("AWS::Lambda::Function") {
			n, _ := p["ReservedConcurrentExecutions"].(float64)
			sum += int(n)
		}
		want := 23
		if s.chain.Heads {
			want = 25
		}
		if got := s.chain.reserved(); got != sum || got != want {
			t.Errorf("reserved %d, in the template %d, in the README %d", got, sum, want)
		}
	})
	f, err := Load(example)
	if err != nil {
		t.Fatal(err)
	}
	with := f.Chains[0]
	with.Name, with.Heads = "another", true
	f.Chains = append(f.Chains, with)
	if got := quota(f.Chains); got != 100+23+25 {
		t.Errorf("two chains need %d", got)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| 123 for one chain (125 with `heads`), and 23 (25) more for each further chain |",
		fmt.Sprintf("up to %d functions of a chain run at a time", f.Chains[0].concurrency())} {
		if !strings.Contains(string(readme), want) {
			t.Errorf("the README does not say: %s", want)
		}
	}
}

// A deployment of stacks that the account's quota can't take builds nothing.
func TestQuotaIsChecked(t *testing.T) {
	f, err := Load(example)
	if err != nil {
		t.Fatal(err)
	}
	f.Chains = append(f.Chains, f.Chains[0])
	f.Chains[1].Name = "another"
	for name, tt := range map[string]struct {
		command, stacks string
		has             int
		err             error
		want, said      string
	}{
		"a new account":     {"deploy", "--all", 10, nil, "the stacks need 146 (they reserve 46", ""},
		"one too few":       {"deploy", "", 145, nil, "--desired-value 1000", ""},
		"enough":            {"deploy", "--all", 146, nil, "", ""},
		"one of two":        {"deploy", "Orchestrator-another", 123, nil, "", ""},
		"one, too few":      {"deploy", "Orchestrator-another", 122, nil, "need 123", ""},
		"differences alone": {"diff", "--all", 10, nil, "", ""},
		"it may not ask":    {"deploy", "--all", 0, errors.New("denied"), "", "must be 146 at least: denied"},
	} {
		t.Run(name, func(t *testing.T) {
			var said strings.Builder
			err := f.checkQuota(&said, caller{tt.command, "123456789012", example}, tt.stacks,
				func(region string) (int, error) {
					if region != "eu-west-1" {
						t.Errorf("asked in %s", region)
					}
					return tt.has, tt.err
				})
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
			if !strings.Contains(said.String(), tt.said) || tt.said == "" && said.Len() > 0 {
				t.Errorf("it says %q, want %q", said.String(), tt.said)
			}
		})
	}
}
