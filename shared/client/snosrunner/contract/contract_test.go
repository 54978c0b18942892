package contract_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/contract"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, x := range []snos.Task{
		{Kind: snos.Run, ID: "a", Batch: 3, StartBlock: 4, EndBlock: 9, FullOutput: true,
			OutputPrefix: "snos/3/", UseBackup: true,
			StarknetVersion: "0.14.4", RPC: "https://node", Chain: snos.Chain{ID: "MADARA", FeeToken: "0x1",
				EthFeeToken: "0x2", PublicKeys: []string{"0x3", "0x4"}}},
		{Kind: snos.Aggregate, ID: "b", Batch: 1, EndBlock: 9, Inputs: []string{"snos/1/program_output.json"},
			OutputPrefix: "aggregator/1/"},
	} {
		text, err := contract.Encode(x)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := contract.Decode(text); err != nil || !reflect.DeepEqual(got, x) {
			t.Errorf("%+v, %v; want %+v", got, err, x)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		``: "task", `{`: "task", `{"kind":"dance"}`: "kind", `{"kind":"snos"}`: "no id",
		`{"kind":"snos","id":"a","start_block":2}`:               "blocks 2 to 0",
		`{"kind":"snos","id":"a"}`:                               "output_prefix",
		`{"kind":"snos","id":"a","output_prefix":"/etc/"}`:       "output_prefix",
		`{"kind":"snos","id":"a","output_prefix":"a/../"}`:       "output_prefix",
		`{"kind":"aggregate","id":"a","output_prefix":"a/"}`:     "without inputs",
		`{"kind":"snos","id":"a","output_prefix":"a/","more":1}`: "unknown field",
	} {
		if _, err := contract.Decode(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(`{"kind":"snos","id":"a","batch":1,"start_block":1,"end_block":2,"output_prefix":"snos/1/"}`)
	f.Add(`{"kind":"aggregate","id":"a","inputs":["x"],"output_prefix":"a/"}`)
	f.Fuzz(func(t *testing.T, text string) {
		x, err := contract.Decode(text)
		if err != nil {
			return
		}
		again, err := contract.Encode(x)
		if err != nil {
			return // too large
		}
		if y, err := contract.Decode(again); err != nil || y.OutputPrefix != x.OutputPrefix || y.ID != x.ID {
			t.Errorf("%+v becomes %+v, %v", x, y, err)
		}
	})
}
