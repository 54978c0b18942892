package main

import (
	"bytes"
	"strings"
	"testing"
)

// What a user types is taken or refused before anything is started, with what would be right.
func TestParse(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"":                         "",
		"-layer l3 -speed 2":       "",
		"-fail prover@3 -keep":     "",
		"-fail prover":             "",
		"-fail l1":                 "",
		"-fail mongo -layer l3":    "",
		"-fail l1 -layer l3":       "break an l2's",
		"-fail prover@0":           "number of a proof",
		"-fail disk":               "want prover@3",
		"-layer l4":                "want l2 or l3",
		"-wallet ledger":           "want key or kms",
		"-wallet kms -layer l3":    "signs with a key",
		"-blocks 0":                "want 1 to 10000",
		"-speed -1":                "want 0 to 1000",
		"l3":                       "unexpected argument",
		"-layer l4 -wallet ledger": "want key or kms", // all faults at once
	} {
		var out bytes.Buffer
		_, err := parse(strings.Fields(args), &out)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(out.String(), want) {
			t.Errorf("%q: %v, printed %q, want %q", args, err, out.String(), want)
		}
	}
	if code := run(t.Context(), []string{"-blocks", "0"}, &bytes.Buffer{}, &bytes.Buffer{}); code != 2 {
		t.Errorf("wrong usage ends with %d, want 2", code)
	}
}

// A failure names what it needs: a prover that can refuse, a component that hangs.
func TestFailure(t *testing.T) {
	t.Parallel()
	for v, want := range map[string]failure{
		"prover@7": {proof: 7}, "l1": {part: "anvil"}, "mongo": {part: "mongod"}, "": {},
	} {
		got, err := parseFailure(v, "l2")
		if got.once = nil; err != nil || got != want {
			t.Errorf("%q: %+v, %v, want %+v", v, got, err, want)
		}
		if kind := got.proverKind(); (kind == "atlantic") != (want.proof > 0) {
			t.Errorf("%q: the prover is %s", v, kind)
		}
	}
}
