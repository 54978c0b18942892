package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	devoptions "github.com/madara-orchestrator/orchestrator/shared/dev/options"
)

// fails runs the tool, which must end with a code and a message, and print nothing else.
func fails(t *testing.T, code int, message string, args ...string) {
	t.Helper()
	failsWith(t, nil, code, message, args...)
}

func failsWith(t *testing.T, stdin []byte, code int, message string, args ...string) {
	t.Helper()
	var out, errs bytes.Buffer
	if got := run(args, bytes.NewReader(stdin), &out, &errs); got != code ||
		!strings.Contains(errs.String(), message) || out.Len() > 0 {
		t.Errorf("inspect %s: exit code %d, want %d\nstderr: %s\nwant: %s\nstdout of %d bytes",
			args, got, code, errs.String(), message, out.Len())
	}
}

// someUpdate writes one slot of contract 0x1234.
const someUpdate = `{"block_hash":"0x1","old_root":"0x2","new_root":"0x3","state_diff":{"storage_diffs":[
	{"address":"0x1234","storage_entries":[{"key":"0x5","value":"0x9"}]}]}}`

func TestWrongUsage(t *testing.T) {
	t.Parallel()
	update := file(t, "update.json", []byte(`{}`))
	for message, args := range map[string][]string{
		"usage: inspect COMMAND":               nil,
		`no command "pies"`:                    {"pies"},
		`no command "blob"`:                    {"blob"},
		`no command "blob show"`:               {"blob", "show"},
		"not defined: -aggregate":              {"pie", "x", "--aggregate"},
		"0 arguments beside the flags, want 1": {"pie"},
		"2 arguments beside the flags, want 1": {"output", "a", "b"},
		"--state-update is missing":            {"blob", "encode", "--starknet-version", "0.13.5"},
		"--starknet-version is missing":        {"blob", "encode", "--state-update", update},
		"Starknet version 0.12.0": {"blob", "encode", "--state-update", update,
			"--starknet-version", "0.12.0"},
		"exclude each other": {"blob", "encode", "--state-update", update, "--starknet-version",
			"0.13.4", "--aliased", "--aliases", "x"},
		"not a Starknet version such as":        {"blob", "decode", "x", "--starknet-version", "new"},
		"--blob is missing":                     {"kzg"},
		"1 to 64 hex digits":                    {"kzg", "--blob", "x", "--point", "0x"},
		"want 1 to 64: not a field element":     {"pie", "x", "--program-hash", "0x"},
		"--output is missing":                   {"calldata"},
		"usage: inspect calldata --output FILE": {"calldata", "more"},
	} {
		fails(t, exitUsage, message, args...)
	}
	failsWith(t, []byte(someUpdate), exitUsage, "standard input is named twice", "blob", "encode", "--starknet-version",
		"0.13.1", "--nonces", "-", "--state-update", "-")
}

// Commands that have an option of one name do not share its variable.
func TestOptionsOfEnvironment(t *testing.T) {
	t.Setenv("ORCH_INSPECT_BLOB_ENCODE_JSON", "true") // of another command
	t.Setenv("ORCH_INSPECT_CONFIG_HASH_VERSION", "0.14.4")
	args := []string{"config-hash", "--chain", "SN_MAIN", "--fee-token", "0x1"}
	if out := inspect(t, nil, args...); strings.HasPrefix(out, "{") {
		t.Errorf("JSON is printed because another command's is: %s", out)
	}
	t.Setenv("ORCH_INSPECT_CONFIG_HASH_JSON", "true")
	if out := inspect(t, nil, args...); !strings.HasPrefix(out, "{") {
		t.Errorf("no JSON: %s", out)
	}
	t.Setenv("ORCH_INSPECT_CONFIG_HASH_VERSIONS", "0.14.4")
	fails(t, exitUsage, "ORCH_INSPECT_CONFIG_HASH_VERSIONS in the environment", args...)
}

func TestHelp(t *testing.T) {
	t.Parallel()
	all := inspect(t, nil, "help")
	for _, c := range commands {
		if !strings.Contains(all, "  "+c.name+" "+c.args) {
			t.Errorf("help does not list %s", c.name)
		}
		one := inspect(t, nil, append(strings.Fields(c.name), "-h")...)
		variable := devoptions.Variable(c.options(), "json")
		if !strings.Contains(one, "usage: inspect "+c.name) || !strings.Contains(one, "-json") ||
			!strings.Contains(one, variable) || strings.Contains(variable, " ") {
			t.Errorf("inspect %s -h: %s", c.name, one)
		}
		// Every flag that a command has stands in its usage line, but the one that all programs have.
		for _, line := range strings.Split(one, "\n") {
			if name, ok := strings.CutPrefix(line, "  -"); ok && !strings.HasPrefix(name, "options ") &&
				!strings.Contains(c.args, "--"+strings.Fields(name)[0]) {
				t.Errorf("usage of %s lacks --%s", c.name, strings.Fields(name)[0])
			}
		}
	}
}

func TestFaultyInput(t *testing.T) {
	t.Parallel()
	none := file(t, "empty", nil)
	text := file(t, "text", []byte("hello"))
	update := file(t, "update.json", []byte(someUpdate))
	for _, tt := range []struct {
		message string
		args    []string
	}{
		{"no such file", []string{"pie", none + "x"}},
		{"malformed Cairo PIE", []string{"pie", text}},
		{"no words", []string{"output", none}},
		{"not a number in decimal or in hex", []string{"output", text}},
		{"no blobs", []string{"blob", "decode", none}},
		{"line 1 is not 262144 hex digits", []string{"kzg", "--blob", text}},
		{"state update", []string{"blob", "encode", "--starknet-version", "0.13.1", "--state-update", text}},
		{"1 contracts with changes have no nonce in the state update, such as 0x1234: give them by --nonces",
			[]string{"blob", "encode", "--starknet-version", "0.13.1", "--state-update", update}},
		{"not a JSON list of address and nonce",
			[]string{"blob", "encode", "--starknet-version", "0.13.1", "--state-update", update, "--nonces", text}},
		{"not a JSON object of key to alias",
			[]string{"blob", "encode", "--starknet-version", "0.13.4", "--state-update", update, "--aliases", text}},
	} {
		fails(t, exitFailed, tt.message, tt.args...)
	}
	failsWith(t, []byte(`["0x1","0x2"]`), exitFailed, "neither a state update nor an aggregator's output", "output",
		"-")
	failsWith(t, []byte("1 2 3"), exitFailed, "after the aggregator's inputs", "calldata", "--output", "-")
}

func TestParseWords(t *testing.T) {
	t.Parallel()
	ten := strings.Repeat("0", 62) + "10"
	for in, want := range map[string]string{
		`["0xa", "0x10"]`:     "[0xa 0x10]",
		"10\n16\n":            "[0xa 0x10]",
		"0xa\r\n16\n":         "[0xa 0x10]",
		ten + "\n" + ten:      "[0x10 0x10]", // padded: hex
		"\n" + ten + "\n10\n": "[0xa 0xa]",   // not padded: decimal
	} {
		got, err := parseWords([]byte(in))
		if s := strings.Trim(strings.Join(strings.Fields(texts(got)), " "), " "); err != nil || s != want {
			t.Errorf("%q: %s, %v, want %s", in, s, err, want)
		}
	}
	for _, in := range []string{"", "[1]", "-1", "0xzz", "1.5", "0x" + strings.Repeat("f", 64),
		strings.Repeat("9", 77), strings.Repeat("9", 1000)} {
		if got, err := parseWords([]byte(in)); err == nil {
			t.Errorf("%.80q: %v", in, got)
		}
	}
}

func texts(fs []felt.Felt) string {
	out := make([]string, len(fs))
	for i, f := range fs {
		out[i] = f.String()
	}
	return "[" + strings.Join(out, " ") + "]"
}

func FuzzParseWords(f *testing.F) {
	f.Add([]byte(`["0xa"]`))
	f.Add([]byte("10\n0x16"))
	f.Fuzz(func(t *testing.T, b []byte) {
		words, err := parseWords(b)
		if err != nil {
			return
		}
		again, err := parseWords([]byte(strings.Join(strings.Fields(strings.Trim(texts(words), "[]")), "\n")))
		if len(words) > 0 && (err != nil || texts(again) != texts(words)) {
			t.Fatalf("%q: %v, then %v, %v", b, words, again, err)
		}
	})
}

// A reader or writer that fails is an error, not a success with half of an output.
func TestFailingStreams(t *testing.T) {
	t.Parallel()
	var errs bytes.Buffer
	if code := run([]string{"output", "-"}, broken{}, &bytes.Buffer{}, &errs); code != exitFailed ||
		!strings.Contains(errs.String(), "broken pipe") {
		t.Errorf("exit code %d, %s", code, errs.String())
	}
	words := []byte(strings.Repeat("0\n", 14))
	if code := run([]string{"output", "-"}, bytes.NewReader(words), broken{}, &errs); code != exitFailed {
		t.Errorf("exit code %d where nothing can be written", code)
	}
}

type broken struct{}

var errBroken = errors.New("broken pipe")

func (broken) Read([]byte) (int, error)  { return 0, errBroken }
func (broken) Write([]byte) (int, error) { return 0, errBroken }
