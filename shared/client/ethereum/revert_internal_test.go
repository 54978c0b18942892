package ethereum

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ethereum/go-ethereum/accounts/abi"

	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// withData is a node's answer with revert data.
type withData struct {
	said
	data any
}

func (w withData) ErrorData() any { return w.data }

// reason is the data of require(false, s).
func reason(t testing.TB, s string) string {
	t.Helper()
	text, err := abi.NewType("string", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := abi.Arguments{{Type: text}}.Pack(s)
	if err != nil {
		t.Fatal(err)
	}
	return "0x08c379a0" + hex.EncodeToString(b)
}

func TestRevertOf(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err          error
		code, detail string // detail is a part; "" where nothing is to be found
	}{
		"GethReason": {withData{said{"execution reverted: ONLY_OPERATOR"}, reason(t, "ONLY_OPERATOR")},
			"ONLY_OPERATOR", "register it"},
		"AnvilNoData": {said{"execution reverted: INVALID_PREV_BLOCK_NUMBER"},
			"INVALID_PREV_BLOCK_NUMBER", "earlier update is missing"},
		"ParityData": {withData{said{"VM execution error."}, "Reverted " + reason(t, "INVALID_CONFIG_HASH")},
			"INVALID_CONFIG_HASH", "another configuration"},
		"OtherCode": {withData{said{"execution reverted"}, reason(t, "SOME_NEW_CHECK")},
			"SOME_NEW_CHECK", "SOME_NEW_CHECK"},
		"Sentence": {withData{said{"execution reverted"}, reason(t, "Ownable: caller is not the owner")},
			"", "caller is not the owner"},
		"EmptyReason": {withData{said{"execution reverted"}, reason(t, "")}, "", "empty reason"},
		"Panic": {withData{said{"execution reverted"}, "0x4e487b71" + strings.Repeat("0", 62) + "11"}, "",
			"panic in the contract: arithmetic underflow"},
		"PanicUnknown": {withData{said{"execution reverted"}, "0x4e487b71" + strings.Repeat("0", 62) + "99"},
			"", "unknown panic code: 0x99"},
		"Custom": {withData{said{"execution reverted"}, "0x12345678" + strings.Repeat("0", 64)},
			"", "custom error 0x12345678"},
		"Short":    {withData{said{"execution reverted"}, "0x12"}, "", "unknown reason 0x12"},
		"NoReason": {withData{said{"execution reverted"}, "0x"}, "", "reverted"},
		"OddData":  {withData{said{"execution reverted"}, 7}, "", "reverted"},
		"Opcode":   {said{"invalid opcode: INVALID"}, "", "invalid opcode"},
		"OutOfGas": {said{"out of gas"}, "", "out of gas"},
		"Busy":     {said{"too many requests"}, "", ""},
		"OnTheWay": {errors.New("proxy said: execution reverted"), "", ""},
		"None":     {nil, "", ""},
	} {
		got := revertOf(c.err)
		if c.detail == "" {
			if got != nil {
				t.Errorf("%s: %v where nothing is reverted", name, got)
			}
			continue
		}
		if got == nil || got.Code != c.code || !strings.Contains(got.Detail, c.detail) {
			t.Errorf("%s: %+v, want code %q and %q", name, got, c.code, c.detail)
		}
	}
	if len(meaning) < 20 {
		t.Errorf("%d codes have a meaning", len(meaning))
	}
}

// FuzzDecodeRevert feeds revert data, which comes from any contract.
func FuzzDecodeRevert(f *testing.F) {
	for _, s := range []string{reason(f, "ONLY_OPERATOR"), "0x4e487b71" + strings.Repeat("0", 62) + "11",
		"0x12345678ff", "0x", "0x08c379a0" + strings.Repeat("f", 128)} {
		raw, err := hex.DecodeString(s[2:])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := decodeRevert(raw)
		if (r == nil) != (len(raw) == 0) {
			t.Fatalf("decodeRevert of %d bytes is %v", len(raw), r)
		}
		if r == nil {
			return
		}
		if r.Detail == "" || len(r.Detail) > maxReason+100 || !utf8.ValidString(r.Detail) || len(r.Code) > maxReason {
			t.Errorf("detail of %d bytes, code %q", len(r.Detail), r.Code)
		}
		var as *tx.RevertError
		if err := error(r); !errors.As(err, &as) || err.Error() == "" {
			t.Error("it is not a RevertError")
		}
	})
}

func FuzzVerdict(f *testing.F) {
	for _, c := range texts {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		err := sendError(said{text})
		if err != nil && !strings.Contains(err.Error(), text) {
			t.Errorf("%v does not show %q", err, text)
		}
	})
}
