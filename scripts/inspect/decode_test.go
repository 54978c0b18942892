package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/blob"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/starknettest"
)

// A recorded encrypted segment is recognised in its blob, decrypted with a member's key, and its state diff shown.
func TestBlobDecodeEncrypted(t *testing.T) {
	t.Parallel()
	var run starknettest.Run
	for _, r := range starknettest.OSRuns(t) {
		if r.Name == "encrypted_state_diff_kzg1_full0_2keys.os.json" {
			run = r
		}
	}
	blobs, err := blob.FromWords(run.Segment)
	if err != nil {
		t.Fatal(err)
	}
	var hex bytes.Buffer
	if err := blob.WriteHex(&hex, blobs); err != nil {
		t.Fatal(err)
	}
	table := inspect(t, hex.Bytes(), "blob", "decode", "-", "--starknet-version", "0.14.4")
	if got := row(t, table, "encrypted"); !strings.HasPrefix(got,
		"7 words for 2 members; give a committee member's private key") {
		t.Errorf("without a key\n%s", table)
	}
	for _, key := range run.PrivateKeys {
		key := file(t, "key", []byte(key.String()+"\n"))
		var out struct {
			Words     []felt.Felt
			Encrypted struct{ Decrypted bool }
			Diff      *diffJSON `json:"state_diff"`
		}
		text := inspect(t, hex.Bytes(), "blob", "decode", "-", "--starknet-version",
			"0.14.4", "--key-file", key, "--json")
		if err := json.Unmarshal([]byte(text), &out); err != nil {
			t.Fatal(err)
		}
		if !out.Encrypted.Decrypted || len(out.Words) != 7 || out.Diff == nil {
			t.Errorf("%+v", out)
		}
	}
	failsWith(t, hex.Bytes(), exitFailed, "belongs to none of the 2 members", "blob", "decode", "-", "--key-file",
		file(t, "key", []byte("0x2")))
	failsWith(t, hex.Bytes(), exitFailed, "it does not hold one felt in hex", "blob", "decode", "-", "--key-file",
		file(t, "key", []byte("hunter2")))
	failsWith(t, nil, exitUsage, "encrypted since Starknet 0.14.1", "blob", "decode",
		starknettest.Data(t, "l1_blob", "640641.hex"), "--starknet-version", "0.13.1",
		"--key-file", file(t, "key", []byte("0x2")))
	plain := starknettest.Data(t, "l1_blob", "640641.hex")
	failsWith(t, nil, exitFailed, "no encrypted segment", "blob", "decode", plain, "--key-file",
		file(t, "key", []byte("0x2")))
}
