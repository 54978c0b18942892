package protocol_test

import (
	"os"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/setup/protocol"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/blob"
)

// Blobs that stand on Ethereum are valid, and any other word in them is found.
func TestValidate(t *testing.T) {
	t.Parallel()
	f, err := os.Open("/work/shared/data/l1_blob/640641.hex")
	if err != nil {
		t.Skip("the recorded blobs are not there:", err)
	}
	defer func() { _ = f.Close() }()
	bs, err := blob.ReadHex(f)
	if err != nil {
		t.Fatal(err)
	}
	words, err := blob.ToWords(bs)
	if err != nil {
		t.Fatal(err)
	}
	for len(words) > 1 && words[len(words)-2].IsZero() { // the last word says that no class is declared
		words = words[:len(words)-1]
	}
	raw := make([][]byte, len(bs))
	for i := range bs {
		raw[i] = bs[i][:]
	}
	const version = "0.13.1"
	if err := protocol.Validate(version, words, raw); err != nil {
		t.Fatal(err)
	}
	changed := append([]felt.Felt{}, words...)
	changed[len(changed)/2] = felt.FromUint64(99)
	for name, err := range map[string]error{
		"another word":     protocol.Validate(version, changed, raw),
		"fewer words":      protocol.Validate(version, words[:len(words)-1], raw),
		"half a blob":      protocol.Validate(version, words, [][]byte{raw[0][:100]}),
		"no blobs":         protocol.Validate(version, words, nil),
		"an other version": protocol.Validate("9.9.9", words, raw),
	} {
		if err == nil {
			t.Errorf("%s is valid", name)
		}
	}
	short, err := blob.FromWords(words[:len(words)-1])
	if err != nil {
		t.Fatal(err)
	}
	if err := protocol.Validate(version, words[:len(words)-1], [][]byte{short[0][:]}); err == nil {
		t.Error("a state diff that is cut off is valid")
	}
}
