package starknet_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/starknet"
)

// An ABI of no known form is refused with what it has instead.
func TestParseForm_Refuses(t *testing.T) {
	t.Parallel()
	const (
		felts  = `core::array::Span::<core::felt252>`
		update = `{"type":"function","name":"update_state","inputs":[{"name":"a","type":"` + felts + `"}]}`
		info   = `{"type":"function","name":"get_program_info","inputs":[],"outputs":[{"type":"x::Info"}]}`
	)
	for name, tt := range map[string]struct{ abi, says string }{
		"no JSON":          {`{`, "not a list"},
		"another contract": {`[{"type":"function","name":"transfer"}]`, "no update_state"},
		"other arguments": {
			`[{"type":"function","name":"update_state","inputs":[` +
				`{"name":"a","type":"core::felt252"},{"name":"b","type":"core::bool"}]}]`,
			"(core::felt252, core::bool)",
		},
		"an enum without the variant": {
			`[{"type":"enum","name":"x::In","variants":[{"name":"Tee","type":"x::T"}]},` +
				`{"type":"function","name":"update_state","inputs":[{"name":"a","type":"x::In"}]}]`,
			"x::In, which has no LayoutBridgeOutputNoDa",
		},
		"no program info": {`[` + update + `]`, "no get_program_info"},
		"another answer": {
			`[` + update + `,` + info + `,{"type":"struct","name":"x::Info","members":` +
				`[{"name":"a","type":"core::felt252"}]}]`,
			"x::Info, without snos_program_hash",
		},
		"a field that is not a felt": {
			`[` + update + `,` + info + `,{"type":"struct","name":"x::Info","members":` +
				`[{"name":"snos_program_hash","type":"core::felt252"},` +
				`{"name":"snos_config_hash","type":"core::integer::u256"}]}]`,
			"snos_config_hash of its get_program_info is a core::integer::u256",
		},
	} {
		if _, err := starknet.ParseForm([]byte(tt.abi)); !errors.Is(err, starknet.ErrForm) ||
			!strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %q", name, err, tt.says)
		}
	}
	two := `[` + update + `,{"type":"interface","name":"c","items":[` +
		`{"type":"function","name":"get_program_info","outputs":` +
		`[{"type":"(core::felt252, core::felt252)"}]}]}]`
	if f, err := starknet.ParseForm([]byte(two)); err != nil || f.Arguments != starknet.SnosArguments {
		t.Errorf("an answer of two felts: %+v, %v", f, err)
	}
}

// FuzzParseForm: whatever a node answers for an ABI, it is a form or ErrForm.
func FuzzParseForm(f *testing.F) {
	f.Add([]byte(`[{"type":"function","name":"update_state","inputs":[{"name":"a","type":"core::felt252"}]}]`))
	f.Add(
		[]byte(
			`[{"type":"interface","items":[{"type":"interface","items":[{"type":"function","name":"update_state"}]}]}]`,
		),
	)
	f.Add(
		[]byte(
			`[{"type":"enum","name":"e","variants":[` +
				`{"name":"LayoutBridgeOutputNoDa","type":"core::array::Span::<core::felt252>"}]},` +
				`{"type":"function","name":"update_state","inputs":[{"name":"a","type":"e"}]},` +
				`{"type":"function","name":"get_program_info","outputs":[{"type":"(core::felt252, core::felt252)"}]}]`,
		),
	)
	f.Fuzz(func(t *testing.T, abi []byte) {
		form, err := starknet.ParseForm(abi)
		if err != nil && !errors.Is(err, starknet.ErrForm) || err == nil && form.Arguments == "" {
			t.Errorf("%+v, %v", form, err)
		}
	})
}
