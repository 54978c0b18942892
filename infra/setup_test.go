package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/cxapi"
	"github.com/aws/jsii-runtime-go"

	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

func TestMain(m *testing.M) {
	// as the Makefile does: they work
	if err := os.Setenv("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "18,20"); err != nil {
		panic(err)
	}
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

// template is a synthesized stack.
type template struct {
	chain     Chain
	raw       []byte
	asked     []string // what the CDK would look up in an account
	Outputs   map[string]any
	Resources map[string]struct {
		Type           string
		Properties     map[string]any
		DeletionPolicy string
	}
}

// example are the chains of the tests: the example's, an L3 in prod, and an L2 in prod with all that the stack can
// make.
const example = "chains.example.yaml"

const others = `
region: eu-west-1
account: "123456789012"
chains:
  - name: full
    environment: prod
    layer: l2
    wallet_kms: true
    settings:
      CHAIN_ID: FULL
      CHAIN_RPC: https://rpc.example
      CHAIN_BACKUP_RPC: https://backup.example
      SETTLEMENT_RPC: https://ethereum.example
      SETTLEMENT_CHAIN_ID: "11155111"
      SETTLEMENT_CONTRACT: "0x0000000000000000000000000000000000000001"
      SETTLEMENT_VERIFIER: "0x0000000000000000000000000000000000000002"
      PROVER_KIND: sharp
      PROVER_URL: https://sharp.example/v1/gateway
      PROVER_SHARP_CUSTOMER_ID: full
      PROVER_SHARP_CLIENT_CERT_SECRET: cert
      PROVER_SHARP_CLIENT_KEY_SECRET: key
      PROVER_SHARP_SERVER_CERT_SECRET: server
    mongo: {documentdb: true}
    snos: {image: "123456789012.dkr.ecr.eu-west-1.amazonaws.com/snos:1.0", vcpu: 4, memory_mib: 16384, spot: true}
    alerts: {emails: [ops@example.org]}
  - name: game
    environment: prod
    layer: l3
    settings:
      CHAIN_ID: GAME
      CHAIN_RPC: https://rpc.example
      SETTLEMENT_KIND: starknet
      SETTLEMENT_RPC: https://starknet.example
      SETTLEMENT_CHAIN_ID: SN_SEPOLIA
      SETTLEMENT_CONTRACT: "0x1"
      SETTLEMENT_ACCOUNT: "0x2"
      SETTLEMENT_KEY_SECRET: wallet
      PROVER_KIND: atlantic
      PROVER_KEY_SECRET: prover
      PROVER_ATLANTIC_NETWORK: TESTNET
      PROVER_ATLANTIC_VERIFIER_PROGRAM_HASH: "0x5"
      PROVER_ATLANTIC_HOOK_SECRET: hook
      SNOS_KIND: grpc
      SNOS_URL: grpcs://snos.example:443
      SNOS_TOKEN_SECRET: runner
      SNOS_CA_SECRET: runner-ca
      MONGO_URI_SECRET: mongo
    snos: {}
    vpc: {create: true}
    alerts: {webhooks: [https://pager.example/x]}
    events:
      - {name: settled, types: [BatchSettled, BatchClosed], queue: "arn:aws:sqs:eu-west-1:123456789012:settled"}
      - {name: jobs, types: [JobChanged], lambda: "arn:aws:lambda:eu-west-1:123456789012:function:jobs"}
      - {name: hook, url: "https://hook.example/x"}
    api:
      {auth: jwt, issuer: https://issuer.example, audience: [orchestrator], admin: true,
      command_scopes: [orchestrator/commands]}
  - name: blobs
    environment: dev
    layer: l3
    data_wallet_kms: true
    settings:
      CHAIN_ID: BLOBS
      CHAIN_RPC_SECRET: node
      SETTLEMENT_KIND: starknet
      SETTLEMENT_RPC: https://starknet.example
      SETTLEMENT_CHAIN_ID: SN_SEPOLIA
      SETTLEMENT_CONTRACT: "0x1"
      SETTLEMENT_ACCOUNT: "0x3"
      SETTLEMENT_KEY_SECRET: wallet
      DA_KIND: ethereum
      DA_COMPARE: "true"
      DA_RPC_SECRET: da-node
      DA_BEACON: https://beacon.example
      DA_CHAIN_ID: "11155111"
      PROVER_KIND: atlantic
      PROVER_KEY_SECRET: prover
      PROVER_ATLANTIC_NETWORK: TESTNET
      PROVER_ATLANTIC_VERIFIER_PROGRAM_HASH: "0x5"
      SNOS_URL: https://snos.example
      MONGO_URI_SECRET: mongo
  - name: public
    environment: dev
    layer: l2
    settings:
      CHAIN_ID: PUBLIC
      CHAIN_RPC: https://rpc.example
      CHAIN_BACKUP_RPC: https://backup.example
      SETTLEMENT_RPC: https://ethereum.example
      SETTLEMENT_CHAIN_ID: "11155111"
      SETTLEMENT_CONTRACT: "0x0000000000000000000000000000000000000001"
      SETTLEMENT_VERIFIER: "0x0000000000000000000000000000000000000002"
      SETTLEMENT_KEY_SECRET: wallet
      SETTLEMENT_ADDRESS: "0x0000000000000000000000000000000000000003"
      PROVER_KIND: mock
      PROVER_KEY_SECRET: registrar
      MONGO_URI_SECRET: mongo
    snos: {image: "ghcr.io/example/snos:1.0"}
  - name: keys
    environment: prod
    layer: l2
    tracing: true
    lag_blocks: 5000
    settings:
      CHAIN_ID: KEYS
      CHAIN_RPC_SECRET: node
      CHAIN_BACKUP_RPC_SECRET: backup
      REDIS_URL_SECRET: redis
      SETTLEMENT_RPC_SECRET: ethereum
      SETTLEMENT_CHAIN_ID: "11155111"
      SETTLEMENT_CONTRACT: "0x0000000000000000000000000000000000000001"
      SETTLEMENT_VERIFIER: "0x0000000000000000000000000000000000000002"
      SETTLEMENT_KEY_SECRET: wallet
      SETTLEMENT_ADDRESS: "0x0000000000000000000000000000000000000004"
      PROVER_KIND: mock
      PROVER_KEY_SECRET: registrar
      MONGO_URI_SECRET: mongo
    snos: {image: "ghcr.io/example/snos:1.0"}
    alerts: {emails: [ops@example.org]}
`

// templates are synthesized once for all tests; the functions' code stands for itself by a few bytes.
var templates = sync.OnceValues(func() (map[string]template, error) {
	zips, err := testZips()
	if err != nil {
		return nil, err
	}
	l2, err := Load(example)
	if err != nil {
		return nil, err
	}
	other, err := parse(strings.NewReader(others))
	if err != nil {
		return nil, err
	}
	return synthesized(map[string]Chain{"l2": l2.Chains[0], "full": other.Chains[0], "l3": other.Chains[1],
		"blobs": other.Chains[2], "runner": other.Chains[3], "keys": other.Chains[4]}, zips)
})

// testZips are archives of every function, of a few bytes.
func testZips() (Zips, error) {
	dir, err := os.MkdirTemp("", "infra-test-")
	if err != nil {
		return nil, err
	}
	zips := Zips{}
	for _, f := range resource.Functions() {
		program := filepath.Join(dir, f.Name)
		if err := os.WriteFile(program, []byte(f.Name), 0o600); err != nil {
			return nil, err
		}
		zips[f.Name] = program + ".zip"
		if err := pack(program, zips[f.Name], nil); err != nil {
			return nil, err
		}
	}
	return zips, nil
}

// synthesized are the stacks of chains. Notes of the rules are errors.
func synthesized(chains map[string]Chain, zips Zips) (map[string]template, error) {
	return synthesizedIn("eu-west-1", chains, zips)
}

func synthesizedIn(region string, chains map[string]Chain, zips Zips) (map[string]template, error) {
	out := map[string]template{}
	for name, c := range chains {
		app, err := newApp() // one a stack: an app is synthesized once
		if err != nil {
			return nil, err
		}
		s := NewStack(app, c, "123456789012", region, zips)
		b, err := json.Marshal(assertions.Template_FromStack(s.Stack, nil).ToJSON())
		if err != nil {
			return nil, err
		}
		t := template{chain: c, raw: b}
		if err := json.Unmarshal(b, &t); err != nil {
			return nil, err
		}
		// Annotations_FromStack would synthesize once more (findings/cdk-annotations-synthesize-again.sh).
		made := app.Synth(nil)
		var found []error
		for _, m := range *made.GetStackArtifact(s.Stack.ArtifactId()).Messages() {
			//lint:ignore SA1019 deprecated, but what the library has
			if m.Level != cxapi.SynthesisMessageLevel_INFO {
				//lint:ignore SA1019 likewise
				found = append(found, fmt.Errorf("%s: %v at %s", name, m.Entry.Data, *m.Id))
			}
		}
		if len(found) > 0 {
			return nil, errors.Join(found...)
		}
		if asked := made.Manifest().Missing; asked != nil {
			for _, m := range *asked {
				t.asked = append(t.asked, *m.Key)
			}
		}
		out[name] = t
	}
	return out, nil
}

// newApp is an app with the feature flags of cdk.json.
func newApp() (awscdk.App, error) {
	b, err := os.ReadFile("../cdk.json")
	if err != nil {
		return nil, err
	}
	var settings struct{ Context map[string]any }
	if err := json.Unmarshal(b, &settings); err != nil {
		return nil, err
	}
	return awscdk.NewApp(&awscdk.AppProps{Context: &settings.Context}), nil
}

// each runs a test for every stack.
func each(t *testing.T, f func(t *testing.T, s template)) {
	t.Helper()
	all, err := templates()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) { f(t, all[name]) })
	}
}

// of are the properties of all resources of a type, by logical id.
func (s template) of(kind string) map[string]map[string]any {
	out := map[string]map[string]any{}
	for id, r := range s.Resources {
		if r.Type == kind {
			out[id] = r.Properties
		}
	}
	return out
}

// text is a value as JSON: what it refers to can be looked for in it.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // it was JSON before
	}
	return string(b)
}

// id is the logical id that a Ref or GetAtt names.
func id(v any) string {
	m, _ := v.(map[string]any)
	if r, ok := m["Ref"].(string); ok {
		return r
	}
	if l, ok := m["Fn::GetAtt"].([]any); ok && len(l) > 0 {
		return fmt.Sprint(l[0])
	}
	return ""
}
