package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	devappchain "github.com/madara-orchestrator/orchestrator/shared/dev/appchain"
	devethereum "github.com/madara-orchestrator/orchestrator/shared/dev/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/dev/ethereum/contracts"
	"github.com/madara-orchestrator/orchestrator/shared/dev/snosrunner"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

// Accounts of the development chain.
var (
	registrar = devethereum.Address(devethereum.Keys[1]).Hex()
	operator  = devethereum.Address(devethereum.Keys[2]).Hex()
)

// file writes a file of the test's own.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func keyFile(t *testing.T) string { return file(t, "key", "0x"+devethereum.Keys[0]+"\n") }

// program runs the program, which must end with a code. said is all that it prints; nothing may show the key.
func program(t *testing.T, code int, args ...string) (said string) {
	t.Helper()
	var out, err bytes.Buffer
	got := run(t.Context(), args, &out, &err)
	said = out.String() + err.String()
	if got != code {
		t.Fatalf("%q: exit code %d, want %d:\n%s", args, got, code, said)
	}
	if strings.Contains(said, devethereum.Keys[0]) {
		t.Errorf("%q shows the key:\n%s", args, said)
	}
	return said
}

// result runs the program with -json.
func result(t *testing.T, code int, args ...string) (r resultJSON) {
	t.Helper()
	var out, notes bytes.Buffer
	got := run(t.Context(), append(args, "-json"), &out, &notes)
	if err := json.Unmarshal(out.Bytes(), &r); err != nil || got != code || r.OK != (code == 0) {
		t.Fatalf("%q: exit code %d, %v:\n%s%s", args, got, err, out.String(), notes.String())
	}
	return r
}

// contains wants texts in what was said, wherever lines end.
func contains(t *testing.T, said string, want ...string) {
	t.Helper()
	flat := strings.Join(strings.Fields(said), " ")
	for _, w := range want {
		if !strings.Contains(flat, w) {
			t.Errorf("it does not say %q:\n%s", w, said)
		}
	}
}

// core is our client of what was deployed, for an account.
func core(t *testing.T, url string, r resultJSON, account string) *ethereum.Core {
	t.Helper()
	node, err := ethereum.Dial(url, r.ChainID)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(node.Close)
	a, err := ethereum.NewWatched(account)
	if err != nil {
		t.Fatal(err)
	}
	k, err := ethereum.NewCore(node, r.Core, ethereum.NewWallet(node, a, ethereum.SidecarAuto))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// What is deployed holds what the settings say, as the settlement client reads it; what it has shows again in the lines
// for the settings, with which a second run goes on and finds nothing to do.
func TestDeploys(t *testing.T) {
	t.Parallel()
	url, key := tools.Anvil(t), keyFile(t)
	before := program(t, 0, "-rpc", url, "-key", key, "-dry-run")
	contains(t, before, "which proves nothing", "create the core contract", "at most 0.", "Nothing was sent")
	env := file(t, "settings.env", "ORCHESTRATOR_CHAIN_ID=DEV_APPCHAIN\nORCHESTRATOR_SETTLEMENT_RPC="+url+
		"\nORCHESTRATOR_SETTLEMENT_KEY_SECRET=wallet\nORCHESTRATOR_SETTLEMENT_ADDRESS="+operator+"\n")
	r := result(t, 0, "-env", env, "-key", key, "-starknet-version", "0.14.2", "-fund", "0.5")
	hashes, err := snosrunner.HashesOf("0.14.2")
	if err != nil {
		t.Fatal(err)
	}
	k := core(t, url, r, operator)
	has, err := k.Config(t.Context())
	if want := (settlement.Config{ProgramHash: hashes.OS, AggregatorProgramHash: hashes.Aggregator,
		ConfigHash: hashes.Config, Operator: true}); err != nil || has != want {
		t.Errorf("%+v, %v, want %+v", has, err, want)
	}
	if s, err := k.State(t.Context(), false); err != nil || s.Settled {
		t.Errorf("state %+v, %v", s, err)
	}
	if r.Check == nil || r.Check.Err() != nil || len(r.Check.Lines) != 7 {
		t.Errorf("check %+v", r.Check)
	}
	if len(r.Steps) != 4 || r.Steps[3].About != "send 0.5 ETH to the operator" || !r.Steps[3].Done {
		t.Errorf("transactions %+v", r.Steps)
	}

	contains(t, program(t, 1, "-env", env, "-key", key), "has made contracts on this chain before", r.Core, r.Registry)
	lines := "\n"
	for name, value := range r.Settings {
		lines += name + "=" + value + "\n"
	}
	text, err := os.ReadFile(env)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("ORCHESTRATOR_SETTLEMENT_ADDRESS"), []byte("# "), 1) // it is among the lines
	env = file(t, "settings.env", string(text)+lines)
	contains(t, program(t, 1, "-env", env, "-key", key), "the settings name a core contract that exists", r.Core)
	contains(t, program(t, 0, "-env", env, "-key", key, "-core", r.Core, "-starknet-version", "0.14.2"),
		"Nothing is to be done", "the wallet may update the state")
	contains(t, program(t, 1, "-env", env, "-key", key, "-core", r.Core, "-starknet-version", "0.14.4"),
		"WRONG config hash", "a line of the check is wrong")
	other := result(t, 0, "-env", env, "-key", key, "-another")
	if other.Core == r.Core {
		t.Error("-another made no other contract")
	}
}

// The block that the contract begins with is read of the app chain, and so is the Starknet version.
func TestSettled(t *testing.T) {
	t.Parallel()
	chain, err := devappchain.Start(devappchain.Options{Seed: 1, Blocks: 4,
		Versions: []devappchain.VersionFrom{{Block: 0, Version: "0.14.2"}, {Block: 3, Version: "0.14.4"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = chain.Close() })
	url, key := tools.Anvil(t), keyFile(t)
	args := []string{"-rpc", url, "-key", key, "-chain-rpc", chain.URL(), "-chain-id", chain.ChainID()}
	contains(t, program(t, 1, append(args, "-settled", "99")...), "-settled: read block 99 of the app chain")
	r := result(t, 0, append(args, "-settled", "2")...)
	s, err := core(t, url, r, operator).State(t.Context(), false)
	if err != nil || !s.Settled || s.Block != 2 || s.Root.IsZero() || s.BlockHash.IsZero() || r.Starknet != "0.14.4" {
		t.Errorf("state %+v, %v, Starknet %s", s, err, r.Starknet)
	}
	if l := r.Check.Lines[0]; !strings.Contains(l.Want, s.Root.String()) {
		t.Errorf("the check did not compare the state with the app chain: %+v", l)
	}
}

// A run that ends while a transaction waits says what it sent. The next one waits for that, and goes on with what
// exists.
func TestBrokenOff(t *testing.T) {
	t.Parallel()
	url, key := tools.Anvil(t, "--no-mining"), keyFile(t)
	client, err := rpc.DialContext(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	said := program(t, 1, "-rpc", url, "-key", key, "-timeout", "3s")
	contains(t, said, "not done within 3s", "create the fact registry: 0x", "is not known to be in a block")
	contains(t, program(t, 1, "-rpc", url, "-key", key), "1 transactions of the deployer", "wait for a block")
	for _, method := range []string{"anvil_mine", "evm_setAutomine"} {
		if err := client.CallContext(t.Context(), nil, method, map[string]any{
			"anvil_mine": 1, "evm_setAutomine": true}[method]); err != nil {
			t.Fatal(err)
		}
	}
	registry := crypto.CreateAddress(devethereum.Address(devethereum.Keys[0]), 0).Hex()
	contains(t, program(t, 1, "-rpc", url, "-key", key), "fact registry "+registry, "-verifier "+registry)
	if r := result(t, 0, "-rpc", url, "-key", key, "-verifier", registry); r.Registry != registry || len(r.Steps) != 1 {
		t.Errorf("%+v", r)
	}
}

// artifact is a compiled contract in Foundry's form.
func artifact(t *testing.T, abi string, code []byte) string {
	t.Helper()
	return file(t, "Contract.json",
		fmt.Sprintf(`{"abi": %s, "bytecode": {"object": "0x%s"}}`, abi, hex.EncodeToString(code)))
}

// Artifacts of our own contracts are deployed as others would be.
func TestArtifacts(t *testing.T) {
	t.Parallel()
	url := tools.Anvil(t)
	r := result(t, 0, "-rpc", url, "-key", keyFile(t), "-operator", operator,
		"-core", artifact(t, contracts.CoreABI, contracts.CoreBytecode()),
		"-verifier", artifact(t, contracts.RegistryABI, contracts.RegistryBytecode()))
	if has, err := core(t, url, r, operator).Config(t.Context()); err != nil || !has.Operator {
		t.Errorf("%+v, %v", has, err)
	}
}

// StarkWare's own core contract is deployed behind a proxy and set up; where that was broken off, it goes on.
func TestStarknetSol(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("ORCHESTRATOR_STARKNET_SOL")
	if dir == "" {
		t.Skip("`make test-starknet-sol SOLIDITY=CHECKOUT` runs this: StarkWare's contract is in none of the package " +
			"registries")
	}
	url, key := tools.Anvil(t), keyFile(t)
	args := []string{"-rpc", url, "-key", key, "-operator", operator}
	r := result(t, 0, append(args, "-core", filepath.Join(dir, "Starknet.json"))...)
	k := core(t, url, r, operator)
	if s, err := k.State(t.Context(), false); err != nil || s.Settled || len(r.Steps) != 5 {
		t.Errorf("state %+v, %v; transactions %+v", s, err, r.Steps)
	}
	a, err := devethereum.ReadArtifact(filepath.Join(dir, "Starknet.json"))
	if err != nil {
		t.Fatal(err)
	}
	d := &deployer{o: options{rpc: url, secret: devethereum.Keys[0], another: true,
		core: target{artifact: &a}, chainID: snosrunner.ChainID}, out: &bytes.Buffer{}}
	if err := d.o.settings(); err != nil {
		t.Fatal(err)
	}
	half(t, d, 3)
	contains(t, program(t, 1, args...), "-core "+d.at.Core.Hex(), "-verifier "+d.at.Registry.Hex())
	contains(t, program(t, 1, append(args, "-core", d.at.Core.Hex())...), "-verifier: missing")
	again := result(t, 0, append(args, "-core", d.at.Core.Hex(), "-verifier", d.at.Registry.Hex())...)
	if len(again.Steps) != 2 || again.Core != d.at.Core.Hex() {
		t.Errorf("%+v", again)
	}
}

// half carries out the first steps of a deployment.
func half(t *testing.T, d *deployer, steps int) {
	t.Helper()
	client, err := d.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, f := range []func(context.Context) error{d.readChain, d.look, d.plan} {
		if err := f(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for i := range steps {
		if err := d.carryOut(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
}

// `make run` settles a chain on contracts that the command made.
func TestRunSettlesOnThem(t *testing.T) {
	t.Parallel()
	url := tools.Anvil(t, "--block-time", "1")
	r := result(t, 0, "-rpc", url, "-key", keyFile(t), "-operator", operator, "-registrar", registrar)
	program := filepath.Join(t.TempDir(), "run")
	if out, err := exec.Command("go", "build", "-o", program, "../run").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), program, "-blocks", "4", "-ethereum", url, "-core", r.Core,
		"-verifier", r.Registry).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s, err := core(t, url, r, operator).State(t.Context(), false)
	if err != nil || !s.Settled || s.Block != 3 {
		t.Errorf("state %+v, %v:\n%s", s, err, out)
	}
}

// What is wrong is said before anything is sent: with 2 where an option is, with 1 where a chain is.
func TestRefused(t *testing.T) {
	t.Parallel()
	url, key := tools.Anvil(t), keyFile(t)
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	secret := strings.Replace(web.URL, "http://", "http://user:hunter2hunter2@", 1)
	poor := file(t, "key", strings.Repeat("11", 32))
	short := func(s string) string { return file(t, "settings.env", s) }
	core, registry := contracts.CoreABI, contracts.RegistryABI
	for name, tt := range map[string]struct {
		code int
		args []string
		says string
	}{
		"no node":         {2, []string{"-key", key}, "-rpc: want"},
		"no key":          {2, []string{"-rpc", url}, "-key: missing"},
		"no such key":     {2, []string{"-rpc", url, "-key", "/nowhere"}, "-key: open /nowhere"},
		"key as option":   {2, []string{"-rpc", url, "-key", devethereum.Keys[0]}, "looks like a private key"},
		"key as argument": {2, []string{"-rpc", url, "-key", key, devethereum.Keys[0]}, "1 unexpected arguments"},
		"no variable":     {2, []string{"-rpc", url, "-key", "env:NO_SUCH_KEY"}, "no variable NO_SUCH_KEY"},
		"bad key":         {2, []string{"-rpc", url, "-key", file(t, "key", "0x1234")}, "want 64 hex digits"},
		"not a URL":       {2, []string{"-rpc", "localhost:8545", "-key", key}, "-rpc: want"},
		"an l3":           {2, []string{"-rpc", url, "-key", key, "-layer", "l3"}, "piltover"},
		"version": {2, []string{"-rpc", url, "-key", key, "-starknet-version", "0.99.0"},
			"-starknet-version"},
		"half a pair":       {2, []string{"-rpc", url, "-key", key, "-program-hash", "0x1"}, "give both or none"},
		"operator":          {2, []string{"-rpc", url, "-key", key, "-operator", "0x12"}, "-operator"},
		"fund in wei":       {2, []string{"-rpc", url, "-key", key, "-fund", "1000000000"}, "at most 100"},
		"settled, no chain": {2, []string{"-rpc", url, "-key", key, "-settled", "3"}, "give -chain-rpc"},
		"misspelt setting": {2, []string{"-rpc", url, "-key", key, "-env",
			short("ORCHESTRATOR_CHAIN_ID=X\nORCHESTRATOR_CHAIN_FEE_TOKEN=0x1\n")}, "ORCHESTRATOR_CHAIN_FEE_TOKEN"},
		"wallet in KMS": {2, []string{"-rpc", url, "-key", key, "-env",
			short("ORCHESTRATOR_CHAIN_ID=X\nORCHESTRATOR_SETTLEMENT_KMS_KEY=alias/x\n")}, "-operator: missing"},
		"no artifact": {2, []string{"-rpc", url, "-key", key, "-core", "/nowhere.json"}, "read the artifact"},
		"not JSON":    {2, []string{"-rpc", url, "-key", key, "-core", key}, "want JSON of Foundry"},
		"no bytecode": {2, []string{"-rpc", url, "-key", key, "-core", artifact(t, core, nil)}, "it has no bytecode"},
		"another contract": {1, []string{"-rpc", url, "-key", key, "-core", artifact(t, registry, []byte{1})},
			"is not a Starknet core contract: its abi has no programHash()"},
		"no registry": {1, []string{"-rpc", url, "-key", key, "-verifier", artifact(t, core, []byte{1})},
			"is not a fact registry"},
		"broken code": {1, []string{"-rpc", url, "-key", key, "-core", artifact(t, core, []byte{0xfe})},
			"to create the core contract would fail"},
		"no core contract there": {1, []string{"-rpc", url, "-key", key, "-core", operator}, "no core contract is at"},
		"no registry there": {1, []string{"-rpc", url, "-key", key, "-verifier", operator}, "no fact " +
			"registry is at"},
		"no Ethereum":  {1, []string{"-rpc", secret, "-key", key}, "is it an Ethereum node?"},
		"nobody there": {1, []string{"-rpc", "http://127.0.0.1:1", "-key", key}, "is it an Ethereum node?"},
		"mainnet": {1, []string{"-rpc", tools.Anvil(t, "--chain-id", "1"), "-key", key},
			"the development fact registry proves nothing"},
		"another chain": {1, []string{"-rpc", url, "-key", key, "-operator", operator, "-env",
			short("ORCHESTRATOR_CHAIN_ID=X\nORCHESTRATOR_SETTLEMENT_CHAIN_ID=11155111\n")}, "says 11155111"},
		"poor": {1, []string{"-rpc", url, "-key", poor}, "holds 0 ETH, and this may cost up to 0."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said := program(t, tt.code, tt.args...)
			contains(t, said, tt.says)
			if strings.Contains(said, "hunter2") || strings.Contains(said, "sent     0x") {
				t.Errorf("it shows a password, or sent something:\n%s", said)
			}
		})
	}
}

// The key is read of a file or of an environment variable.
func TestReadKey(t *testing.T) {
	t.Parallel()
	for _, from := range []string{keyFile(t), "env:DEPLOYER"} {
		key, err := readKey(from, []string{"A=1", "DEPLOYER=0x" + devethereum.Keys[0]})
		if err != nil || key != devethereum.Keys[0] {
			t.Errorf("%s: the key was not read: %v", from, err)
		}
	}
}
