package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/pie"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/starknettest"
)

// inspect runs the tool, which must succeed.
func inspect(t *testing.T, stdin []byte, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(args, bytes.NewReader(stdin), &out, &errs); code != exitOK || errs.Len() > 0 {
		t.Fatalf("inspect %s: exit code %d, %s", args, code, errs.String())
	}
	return out.String()
}

// inspectJSON runs the tool with --json.
func inspectJSON(t *testing.T, v any, args ...string) {
	t.Helper()
	if err := json.Unmarshal([]byte(inspect(t, nil, append(args, "--json")...)), v); err != nil {
		t.Fatal(err)
	}
}

// row is the value of a table's first row with a name.
func row(t *testing.T, table, name string) string {
	t.Helper()
	for _, line := range strings.Split(table, "\n") {
		if rest, ok := strings.CutPrefix(line, name+"  "); ok {
			return strings.TrimSpace(rest)
		}
	}
	t.Fatalf("no row %q in:\n%s", name, table)
	return ""
}

// file writes a file for the test.
func file(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// digits are the hex digits of a recorded file or of the tool's lines.
func digits[T string | []byte](s T) string {
	return strings.TrimPrefix(strings.TrimSpace(string(s)), "0x")
}

func TestBlobEncode(t *testing.T) {
	t.Parallel()
	for _, n := range []string{"178", "631861", "640641"} {
		got := inspect(t, nil, "blob", "encode", "--state-update", starknettest.Data(t, "state_update", n+".json"),
			"--nonces", starknettest.Data(t, "nonces", n+".json"), "--starknet-version", "0.13.1")
		if digits(got) != digits(starknettest.Read(t, "l1_blob", n+".hex")) {
			t.Errorf("the blob of block %s is not that on Ethereum", n)
		}
	}
}

var sepolia = []string{"batch_8373665", "8373665.tar.gz"}

func sepoliaFile(t *testing.T, member string) string {
	t.Helper()
	return file(t, filepath.Base(member), starknettest.ReadTar(t, member, sepolia...))
}

func TestBlobEncodeCompressed(t *testing.T) {
	t.Parallel()
	got := inspect(t, nil, "blob", "encode", "--aliased", "--starknet-version=0.13.5", "--state-update",
		sepoliaFile(t, "stateful_compressed_state_update.json"))
	for i, line := range strings.Split(strings.TrimSpace(got), "\n") {
		if digits(line) != digits(starknettest.ReadTar(t, fmt.Sprintf("%d.txt", i+1), sepolia...)) {
			t.Errorf("blob %d is not the recorded one", i)
		}
	}
	var out struct {
		Words []felt.Felt
		Blobs []string
	}
	inspectJSON(t, &out, "blob", "encode", "--aliased", "--starknet-version=0.13.5", "--state-update",
		sepoliaFile(t, "stateful_compressed_state_update.json"))
	if len(out.Words) != 7023 || len(out.Blobs) != 2 || out.Blobs[0]+"\n"+out.Blobs[1]+"\n" != got {
		t.Errorf("JSON of %d words and %d blobs", len(out.Words), len(out.Blobs))
	}
}

// Aliases that a list of updates brings itself need not be given; others are named.
func TestBlobEncodeAliases(t *testing.T) {
	t.Parallel()
	update := func(diff string) string {
		return `{"block_hash":"0x1","old_root":"0x2","new_root":"0x3","state_diff":{"nonces":[],
"deployed_contracts":[],"replaced_classes":[],
			"declared_classes":[],"deprecated_declared_classes":[],"storage_diffs":[` + diff + `]}}`
	}
	list := file(t, "updates.json",
		[]byte("["+update(`{"address":"0x2","storage_entries":[{"key":"0x1234","value":"0x80"}]}`)+","+
			update(`{"address":"0x1234","storage_entries":[{"key":"0x777","value":"0x9"}]}`)+"]"))
	aliases := file(t, "aliases.json", []byte(`{"0x777":"0x81"}`))
	args := []string{"blob", "encode", "--state-update", list, "--starknet-version", "0.13.4"}
	fails(t, exitFailed, "1 addresses and keys have no alias in the state update, such as 0x777", args...)
	blobs := inspect(t, nil, append(args, "--aliases", aliases)...)
	words := strings.Fields(inspect(t, []byte(blobs), "blob", "decode", "-"))
	want := []string{"0x2", "0x2", "0x6", "0x1234", "0x80", "0x80", "0x6", "0x81", "0x9"}
	if strings.Join(words, " ") != strings.Join(want, " ") {
		t.Errorf("words %s, want %s", words, want)
	}
}

func TestBlobDecode(t *testing.T) {
	t.Parallel()
	path := starknettest.Data(t, "l1_blob", "178.hex")
	table := inspect(t, nil, "blob", "decode", path, "--starknet-version", "0.13.1")
	if row(t, table, "contracts") != "5" || row(t, table, "classes") != "1" || row(t, table, "words") != "27" {
		t.Errorf("got\n%s", table)
	}
	var out struct {
		Words []felt.Felt
		Diff  map[string]any `json:"state_diff"`
	}
	inspectJSON(t, &out, "blob", "decode", path, "--starknet-version", "0.13.1")
	if len(out.Words) != 27 || out.Words[0] != felt.FromUint64(5) {
		t.Errorf("words %v", out.Words)
	}
	// What was decoded encodes to the same blob again.
	raw, err := json.Marshal(
		map[string]any{"block_hash": "0x1", "old_root": "0x2", "new_root": "0x3", "state_diff": out.Diff})
	if err != nil {
		t.Fatal(err)
	}
	again := inspect(t, raw, "blob", "encode", "--starknet-version", "0.13.1", "--state-update", "-")
	if digits(again) != digits(starknettest.Read(t, "l1_blob", "178.hex")) {
		t.Error("decoded and encoded again it is another blob")
	}
}

func TestKzg(t *testing.T) {
	t.Parallel()
	for _, n := range []string{"651053", "651054"} {
		got := inspect(t, nil, "kzg", "--blob", starknettest.Data(t, "kzg_proof_at_point", n, "blob_data.txt"),
			"--point", strings.TrimSpace(string(starknettest.Read(t, "kzg_proof_at_point", n, "x_0.txt"))))
		if row(t, got,
			"proof") != strings.TrimSpace(string(starknettest.Read(t, "kzg_proof_at_point", n, "kzg_proof.txt"))) {
			t.Errorf("%s: got\n%s", n, got)
		}
	}
	got := inspect(t, starknettest.Read(t, "kzg", "20462788.blob.hex"), "kzg", "--blob", "-")
	if digits(row(t, got, "commitment")) != digits(starknettest.Read(t, "kzg", "20462788.commitment.hex")) ||
		digits(row(t, got, "proof")) != digits(starknettest.Read(t, "kzg", "20462788.proof.hex")) ||
		!strings.HasPrefix(row(t, got, "versioned hash"), "0x01") {
		t.Errorf("got\n%s", got)
	}
	// The values are those of the settled program output.
	var o struct {
		Z                        string
		Commitments, Evaluations []string
	}
	inspectJSON(t, &o, "output", starknettest.Data(t, "settlement_6806848", "program_output.txt"))
	var p []struct{ Commitment, Y, Point string }
	inspectJSON(t, &p, "kzg", "--point", o.Z, "--blob", starknettest.Data(t, "settlement_6806848", "blob.hex"))
	if len(p) != 1 || p[0].Commitment != o.Commitments[0] || p[0].Y != o.Evaluations[0] {
		t.Errorf("got %+v, the program output says %+v", p, o)
	}
}

func TestPie(t *testing.T) {
	t.Parallel()
	const fibonacci = "0xca15503f02f8406b599cb220879e842394f5cf2cef753f3ee430647b5981b782"
	path := starknettest.Data(t, "pie", "fibonacci.zip")
	table := inspect(t, nil, "pie", path)
	if row(t, table, "fact") != fibonacci || row(t, table, "output[0]") != "0x59" || row(t, table, "steps") != "72" {
		t.Errorf("got\n%s", table)
	}
	if inspect(t, starknettest.Read(t, "pie", "fibonacci.zip"), "pie", "-") != table {
		t.Error("from standard input it is another")
	}
	other := inspect(t, nil, "pie", "--program-hash", "0x1", path)
	if row(t, other, "program hash") != "0x1" || row(t, other, "fact") == fibonacci {
		t.Errorf("with another program hash\n%s", other)
	}

	agg := starknettest.Data(t, "aggregator_1", "aggregator_pie.zip")
	var out struct {
		Fact           string
		AggregatorFact string `json:"aggregator_fact"`
		AggregatorHash string `json:"aggregator_hash"`
		Inputs         int    `json:"input_words"`
		Output         []felt.Felt
	}
	inspectJSON(t, &out, "pie", "--aggregator", agg)
	var want []felt.Felt
	if err := json.Unmarshal(starknettest.Read(t, "aggregator_1", "program_output.json"), &want); err != nil {
		t.Fatal(err)
	}
	if out.Fact != "0x33e3f396ba1ff4214ea52123d74dae13dbdc75991af79c92eccaae10924fdac5" ||
		fmt.Sprint(out.Output) != fmt.Sprint(want) || out.Inputs != 2967 {
		t.Errorf("got %+v", out)
	}
	// cairo-lang 0.14.3a3 with HashFunction.BLAKE.
	table = inspect(t, nil, "pie", agg, "--aggregator", "--starknet-version", "0.14.3")
	if row(t, table, "hash function") != "blake" ||
		row(t, table, "aggregator fact") != "0x8f5373d0a0ac9890c4b2f377b072ffb5d9aac3429ce936fc2018ab5df94c21df" ||
		row(t, table, "program hash") != "0x10efd5376e9baafbafc85245fbd3b93044d63e8c894a5d9431c1391afd8511e" {
		t.Errorf("with Blake2s\n%s", table)
	}
	table = inspect(t, nil, "pie", agg, "--aggregator", "--program-hash", out.AggregatorHash)
	if row(t, table, "fact") != out.AggregatorFact || out.AggregatorFact == out.Fact {
		t.Errorf("under the aggregator hash\n%s\nwant %s", table, out.AggregatorFact)
	}
}

// A state diff on its own page has a data hash.
func TestPiePages(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	err := pie.Write(&b, &pie.PIE{
		Program: pie.Program{Data: make([]felt.Felt, 1), Builtins: []string{"output"}},
		Output:  make([]felt.Felt, 5), Steps: 1,
		Pages: []pie.Page{{Start: 3, Size: 2}}, Tree: []int{2, 2},
	})
	if err != nil {
		t.Fatal(err)
	}
	table := inspect(t, b.Bytes(), "pie", "-")
	if row(t, table, "data size") != "2" || row(t, table, "pages") != "[[3 2]]" || row(t, table, "tree") != "[2 2]" {
		t.Errorf("got\n%s", table)
	}
}

func TestOutput(t *testing.T) {
	t.Parallel()
	table := inspect(t, nil, "output", starknettest.Data(t, "settlement_6806848", "program_output.txt")) // decimal
	if row(t, table, "previous block") != "218378" || row(t, table, "new block") != "218402" ||
		row(t, table, "messages to L1") != "1" {
		t.Errorf("got\n%s", table)
	}
	var out struct {
		NewBlock                 string `json:"new_block"`
		UseKzg                   bool   `json:"use_kzg_da"`
		Commitments, Evaluations []string
		ToL1                     []any `json:"messages_to_l1"`
		ToL2                     []any `json:"messages_to_l2"`
		Words                    int
		InputWords               int `json:"input_words"`
	}
	inspectJSON(t, &out, "output", sepoliaFile(t, "program_output.txt")) // hex without 0x
	if len(out.Commitments) != 2 || len(out.Evaluations) != 2 || len(out.ToL1)+len(out.ToL2) != 18 ||
		!out.UseKzg || out.NewBlock != "790377" {
		t.Errorf("got %+v", out)
	}
	inspectJSON(t, &out, "output", starknettest.Data(t, "aggregator_1", "program_output.json")) // JSON
	if out.Words != 18 || out.InputWords != 0 || out.NewBlock != "490001" {
		t.Errorf("got %+v", out)
	}
	// An aggregator's whole output, and the first update of a chain.
	first := output.Output{PrevBlock: felt.MinusOne(), NewBlock: felt.FromUint64(7),
		NewRoot: felt.FromUint64(1), Kzg: &output.Kzg{}}.Words()
	raw, err := json.Marshal(output.WithInputs([][]felt.Felt{{felt.MinusOne(), felt.MinusOne()}}, first))
	if err != nil {
		t.Fatal(err)
	}
	table = inspect(t, raw, "output", "-")
	if row(t, table, "previous block") != "-1" || row(t, table, "input words") != "4" ||
		row(t, table, "words") != "14" {
		t.Errorf("got\n%s", table)
	}
}

func TestCalldata(t *testing.T) {
	t.Parallel()
	args := []string{
		"calldata", "--output", sepoliaFile(t, "program_output.txt"), "--blob", sepoliaFile(t, "1.txt"),
		"--blob", sepoliaFile(t, "2.txt"),
		"--segment", sepoliaFile(t, "stateless_compressed_state_update.json"),
	}
	if got := inspect(t, nil,
		args...); digits(got) != digits(starknettest.Read(t, "batch_8373665", "updateStateKzgDA_calldata.hex")) {
		t.Error("it is not the calldata that settled the batch")
	}
	args[4], args[6] = args[6], args[4]
	fails(t, exitFailed, "INVALID_BLOB_HASH", args...)
	fails(t, exitFailed, "INVALID_NUMBER_OF_KZG_PROOFS", args[:5]...)
}

// The config hash is that of recorded outputs and of cairo-lang, with the chain id as text or as a felt.
func TestConfigHash(t *testing.T) {
	t.Parallel()
	const strk, eth = "0x4718f5a0fc34cc1af16a1cdee98ffb20c31f5cd61d6ab07201858f4287c938d",
		"0x49d36570d4e46f48e99674bd3fcc84644ddd6b96f7c741b1562b82f9e004dc7"
	for want, args := range map[string][]string{
		"0x1b9900f77ff5923183a7795fcfbb54ed76917bc1ddd4160cc77fa96e36cf8c5": {"--version", "0.14.2", "--chain",
			"SN_SEPOLIA", "--fee-token", strk},
		"0x504fa6e5eb930c0d8329d4a77d98391f2730dab8516600aeaf733a6123432": {"--version", "0.13.5", "--chain",
			"SN_SEPOLIA", "--fee-token", strk, "--eth-fee-token", eth},
		"0x7a7ea8f590e8277cda4f1f79a08164c0254cc8fcd87a2484468816a6ebea9bf": {
			"--version", "0.14.4", "--chain", "0x434841494e5f49445f535542444952", "--fee-token",
			"0xa1b69de14909e3b0a1ff3f831a9e40422357cf04981ad0517b77757f362e79",
			"--key", "0x411494b501a98abd8262b0da1351e17899a0c4ef23dd2f96fec5ba847310b20", "--key",
			"0x1ef15c18599971b7beced415a40f0c7deacfd9b0d1819e03d723d8bc943cfca",
		},
	} {
		if got := row(t, inspect(t, nil, append([]string{"config-hash"}, args...)...), "config hash"); got != want {
			t.Errorf("%v: %s, want %s", args, got, want)
		}
	}
	var out struct {
		Hash string `json:"config_hash"`
	}
	inspectJSON(t, &out, "config-hash", "--version", "0.14.3", "--chain", "MADARA_DEVNET", "--fee-token", strk)
	if out.Hash != "0x6201acad862458cef8b8050c4605012f317d3330c2f775f0714f69e3f98fb5e" {
		t.Errorf("%+v", out)
	}
	failsWith(t, nil, exitUsage, "--fee-token is missing", "config-hash", "--version", "0.14.4", "--chain", "X")
	failsWith(t, nil, exitUsage, "deploy a release", "config-hash", "--version", "0.15.0",
		"--chain", "X", "--fee-token", strk)
	failsWith(t, nil, exitUsage, "before Starknet 0.14.0", "config-hash", "--version", "0.13.5",
		"--chain", "X", "--fee-token", strk)
}
