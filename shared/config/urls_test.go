package config_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/config"
)

func with(lines ...string) []string {
	m := valid()
	for _, line := range lines {
		name, value, _ := strings.Cut(line, "=")
		m[name] = value
	}
	return environ(m)
}

// What node providers put keys into is found, and names of networks and versions are not taken for keys.
func TestKeyIn(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"": "", "0x0123456789abcdef0123456789abcdef01234567": "", "arn:aws:sns:eu-west-1:123456789012:x": "",
		"https://rpc.mychain.example": "", "http://127.0.0.1:5050/rpc/v0_10": "",
		"https://x.example/starknet-sepolia/rpc/v0_10_2":                   "",
		"https://gateway.example/v1/starknet/sepolia-integration/rpc-2026": "",
		"https://x.example/?network=sepolia":                               "", "grpcs://snos.example:443": "",
		"redis://cache.example:6379/0": "", "https://x.example/the-very-long-name-of-our-production-node": "",
		"https://user:password@x.example":                                    "a user or password",
		"redis://:password@cache.example:6379":                               "a user or password",
		"https://token@x.example":                                            "a user or password",
		"https://eth-sepolia.example/v2/aB3dE5gH7jK9mN1pQ3sT5vW7yZ_0-2b4":    "a key in its path",
		"https://sepolia.example/v3/0123456789abcdef0123456789abcdef":        "a key in its path",
		"https://x.example/3f2b6c1e-8a4d-4c53-9d8e-0b1a2c3d4e5f/rpc/v0_10":   "a key in its path",
		"https://x.example/ext/bc/C0FFEE0123456789ABCDEF":                    "a key in its path",
		"https://x.example/rpc?apikey=short":                                 "a key in its query",
		"https://x.example/rpc?x=0123456789abcdef0123456789abcdef":           "a key in its query",
		"https://x.example/rpc?access_token=t":                               "a key in its query",
		"https://x.example/rpc#0123456789abcdef0123456789abcdef":             "a key behind its #",
		"https://x.example/quick/9f8e7d6c5b4a39281706f5e4d3c2b1a0f9e8d7c6/":  "a key in its path",
		"https://x.example/word_0123456789abcdef0123456789abcdef_and_others": "a key in its path",
	} {
		if got := config.KeyIn(url); got != want {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
}

// A URL of a service with a key in it is refused without showing it, and the message says where it belongs.
func TestPlainURLs(t *testing.T) {
	t.Parallel()
	const key = "0123456789abcdef0123456789abcdef"
	for name, instead := range map[string]string{
		"CHAIN_RPC": "CHAIN_RPC_SECRET", "CHAIN_BACKUP_RPC": "CHAIN_BACKUP_RPC_SECRET",
		"SETTLEMENT_RPC": "SETTLEMENT_RPC_SECRET",
		"REDIS_URL":      "REDIS_URL_SECRET", "SNOS_RPC": "SNOS_RPC_SECRET", "CHAIN_FEEDER_GATEWAY": "needs none",
		"PROVER_URL": "needs none",
	} {
		_, err := config.FromEnviron(with(name + "=https://x.example/v2/" + key))
		if err == nil || !strings.Contains(err.Error(), name+": it holds a key in its path") ||
			!strings.Contains(err.Error(), instead) || strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a secret may hold: as many URLs as there may be, each once. What is wrong with it is said without showing it.
func TestNodeURLs(t *testing.T) {
	t.Parallel()
	got, err := config.NodeURLs(" https://a.example/v2/hunter2,\nhttps://b.example\n", 5)
	if err != nil || !slices.Equal(got, []string{"https://a.example/v2/hunter2", "https://b.example"}) {
		t.Errorf("%q, %v", got, err)
	}
	for text, want := range map[string]string{
		"": "0 URLs", "https://hunter2.example,ftp://hunter2.example": "URL 2: want an http",
		"https://hunter2.example,https://hunter2.example": "URL 2 is there before", "hunter2": "URL 1: want an http",
		"https://a/hunter2,https://b,https://c,https://d,https://e,https://f": "6 URLs: want 1 to 5",
	} {
		if got, err := config.NodeURLs(text, 5); err == nil || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %q, %v; want %q", text, got, err, want)
		}
	}
	if got, err := config.NodeURLs("https://a.example,https://b.example", 1); err == nil {
		t.Errorf("%q of a secret that is one URL", got)
	}
}

// The settlement layer may have several nodes, each given once; a key in any of their URLs is found.
func TestSeveralNodes(t *testing.T) {
	t.Parallel()
	c, err := config.FromEnviron(with("SETTLEMENT_RPC=https://a.example, https://b.example/rpc,"))
	if got := c.Settlement.Nodes(); err != nil || len(got) != 2 || got[1] != "https://b.example/rpc" {
		t.Errorf("%q, %v", got, err)
	}
	for value, want := range map[string]string{
		"https://a.example,ftp://b.example":      "SETTLEMENT_RPC: not an http or https URL",
		"https://a.example,https://a.example":    "SETTLEMENT_RPC: URL 2 is there before",
		"https://a.example,https://u:hunter2@b":  "SETTLEMENT_RPC: it holds a user or password",
		strings.Repeat("https://x.example,", 6):  "SETTLEMENT_RPC: 6 URLs: want 1 to 5",
		",":                                      "SETTLEMENT_RPC: missing",
		"https://a.example,https://b/v2/" + uuid: "whole URL into a secret and name that in SETTLEMENT_RPC_SECRET",
	} {
		_, err := config.FromEnviron(with("SETTLEMENT_RPC=" + value))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") ||
			strings.Contains(err.Error(), uuid) {
			t.Errorf("%s: %v, want %q", value, err, want)
		}
	}
}

// Waiting for lower fees needs a percentile and an end, and Ethereum.
func TestFeeTarget(t *testing.T) {
	t.Parallel()
	c, err := config.FromEnviron(with("SETTLEMENT_FEE_TARGET=30", "SETTLEMENT_FEE_PATIENCE=6h"))
	if got := c.TxPolicy().Target; err != nil || got.Percentile != 30 || got.Patience != 6*time.Hour {
		t.Errorf("%+v, %v", got, err)
	}
	if c, err := config.FromEnviron(with()); err != nil || c.TxPolicy().Target.Percentile != 0 {
		t.Errorf("by default: %+v, %v", c.TxPolicy().Target, err)
	}
	for want, lines := range map[string][]string{
		"SETTLEMENT_FEE_TARGET: 100: want":      {"SETTLEMENT_FEE_TARGET=100", "SETTLEMENT_FEE_PATIENCE=6h"},
		"SETTLEMENT_FEE_TARGET: -1: want":       {"SETTLEMENT_FEE_TARGET=-1", "SETTLEMENT_FEE_PATIENCE=6h"},
		"SETTLEMENT_FEE_PATIENCE: missing":      {"SETTLEMENT_FEE_TARGET=30"},
		"SETTLEMENT_FEE_PATIENCE: means":        {"SETTLEMENT_FEE_PATIENCE=6h"},
		"SETTLEMENT_FEE_TARGET: means nothing ": {"SETTLEMENT_FEE_TARGET=30", "SETTLEMENT_KIND=starknet"},
	} {
		if _, err := config.FromEnviron(with(lines...)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", lines, err, want)
		}
	}
}

const uuid = "3f2b6c1e-8a4d-4c53-9d8e-0b1a2c3d4e5f"

// The URL of a node is given once: in plain or as the name of a secret.
func TestSecretURLs(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"CHAIN_RPC", "SETTLEMENT_RPC"} {
		if _, err := config.FromEnviron(with(name+"=", name+"_SECRET=mychain/node")); err != nil {
			t.Errorf("%s as a secret: %v", name, err)
		}
		if _, err := config.FromEnviron(with(name+"=", name+"_SECRET=")); err == nil ||
			!strings.Contains(err.Error(), name+": missing") {
			t.Errorf("no %s: %v", name, err)
		}
	}
	for _, name := range []string{"CHAIN_RPC", "CHAIN_BACKUP_RPC", "SETTLEMENT_RPC", "REDIS_URL"} {
		_, err := config.FromEnviron(with(name+"=https://x.example", name+"_SECRET=mychain/node"))
		if err == nil || !strings.Contains(err.Error(), "give either it or "+name) {
			t.Errorf("%s twice: %v", name, err)
		}
	}
}
