package ethereum

import (
	"encoding/json"
	"math/big"
	"testing"
)

// What recent blocks were had for counts, and empty blocks say nothing of it.
func TestTipIsLearned(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		history string
		want    *big.Int
	}{
		"three blocks":       {`{"gasUsedRatio":[0.5,0.4,0.3],"reward":[["0x3"],["0x1"],["0x2"]]}`, big.NewInt(2)},
		"empty blocks":       {`{"gasUsedRatio":[0,0.4,0],"reward":[["0x0"],["0x7"],["0x0"]]}`, big.NewInt(7)},
		"only empty blocks":  {`{"gasUsedRatio":[0],"reward":[["0x0"]]}`, nil},
		"no rewards":         {`{"gasUsedRatio":[0.5,0.5]}`, nil},
		"a hole in the list": {`{"gasUsedRatio":[0.5],"reward":[["0x3"],["0x9"]]}`, big.NewInt(3)},
	} {
		var h feeHistory
		if err := json.Unmarshal([]byte(tt.history), &h); err != nil {
			t.Fatal(err)
		}
		if got := h.tip(); (got == nil) != (tt.want == nil) || got != nil && got.Cmp(tt.want) != 0 {
			t.Errorf("%s: tip %s, want %s", name, got, tt.want)
		}
	}
	var b *fullBlock
	block := `{"baseFeePerGas":"0x64","transactions":[
		{"type":"0x2","maxPriorityFeePerGas":"0xff","maxFeePerGas":"0xffff"},
		{"type":"0x3","maxPriorityFeePerGas":"0x5","maxFeePerGas":"0x66"},
		{"type":"0x3","maxPriorityFeePerGas":"0x5","maxFeePerGas":"0xff"},
		{"type":"0x3","maxPriorityFeePerGas":"0x9","maxFeePerGas":"0xff"}]}`
	if err := json.Unmarshal([]byte(block), &b); err != nil {
		t.Fatal(err)
	}
	if got := b.tip(); got.Cmp(big.NewInt(5)) != 0 {
		t.Errorf("tip of blob transactions %s, want the median of 2, 5 and 9", got)
	}
	if got := highest(nil, big.NewInt(3), nil, big.NewInt(8)); got.Cmp(big.NewInt(8)) != 0 {
		t.Errorf("the highest is %s", got)
	}
}
