package main

import (
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
			"68 at a time, 204 database connections",
			"mychain/atlantic, mychain/mongo, mychain/wallet", "emails: 1, webhooks: 0", next,
		} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("no %q in:\n%s", want, b.String())
			}
		}
	}
}
