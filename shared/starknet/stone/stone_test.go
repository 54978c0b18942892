package stone_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/stone"
)

// sample has the form of a file of Stone's prover.
const sample = `{"annotations":["a","b"],"private_input":{"x":[1,{"y":2}]},"proof_hex":"0x00",
"proof_parameters":{"stark":{"fri":{}}},
"public_input":{"dynamic_params":null,"layout":"recursive","memory_segments":{"execution":{"begin_addr":10,
"stop_ptr":20},"output":{"begin_addr":30,"stop_ptr":33}},
"n_steps":1024,"public_memory":[{"address":1,"page":0,"value":"0x40780017fff7fff"},{"address":32,"page":0,
"value":"0x3"},{"address":30,"page":0,"value":"0x1"},
{"address":31,"page":0,"value":"0x2"},{"address":33,"page":0,"value":"0x9"},{"address":31,"page":1,
"value":"0x7"}],"rc_max":1,"rc_min":0}}`

func TestOutput(t *testing.T) {
	t.Parallel()
	got, err := stone.Output(strings.NewReader(sample))
	if want := []felt.Felt{felt.FromUint64(1), felt.FromUint64(2), felt.FromUint64(3)}; err != nil ||
		!slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for name, c := range map[string]struct {
		old, new string
		want     error
	}{
		"no public input": {`"public_input"`, `"public"`, stone.ErrNoPublicInput},
		"no output":       {`"output"`, `"outputs"`, stone.ErrMalformed},
		"backwards":       {`"stop_ptr":33`, `"stop_ptr":3`, stone.ErrMalformed},
		"too many words":  {`"stop_ptr":33`, `"stop_ptr":3333333333`, stone.ErrMalformed},
		"a word missing":  {`"stop_ptr":33`, `"stop_ptr":35`, stone.ErrMalformed},
		"a word twice":    {`"page":1`, `"page":0`, stone.ErrMalformed},
		"no felt":         {`"0x3"`, `"3"`, stone.ErrMalformed},
		"no address":      {`"address":32`, `"at":32`, stone.ErrMalformed},
		"cut":             {`"rc_max":1,"rc_min":0}}`, ``, stone.ErrMalformed},
		"no object":       {`{"annotations"`, `["annotations"`, stone.ErrMalformed},
		"memory no list":  {`"public_memory":[`, `"public_memory":{`, stone.ErrMalformed},
		"nested too deep": {`"proof_hex":"0x00"`,
			`"proof_hex":` + strings.Repeat("[", 200) + strings.Repeat("]", 200), stone.ErrMalformed},
		"too long":          {`"0x00"`, `"` + strings.Repeat("0", stone.MaxBytes) + `"`, stone.ErrMalformed},
		"a mock's, no JSON": {sample, `proof`, stone.ErrMalformed},
	} {
		if _, err := stone.Output(strings.NewReader(strings.Replace(sample, c.old, c.new, 1))); !errors.Is(err,
			c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func FuzzOutput(f *testing.F) {
	f.Add(sample)
	f.Add(`{"mock_proof":"x"}`)
	f.Fuzz(func(t *testing.T, s string) {
		words, err := stone.Output(strings.NewReader(s))
		if err != nil && !errors.Is(err, stone.ErrMalformed) && !errors.Is(err, stone.ErrNoPublicInput) {
			t.Errorf("error of no kind: %v", err)
		}
		if len(words) > stone.MaxWords {
			t.Errorf("%d words", len(words))
		}
	})
}
