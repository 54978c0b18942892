package felt_test

import (
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

func FuzzFromHex(f *testing.F) {
	for _, s := range []string{"0x0", "0x", "0x800000000000011000000000000000000000000000000000000000000000000",
		"0x800000000000011000000000000000000000000000000000000000000000001", "-1", "0xg"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		x, err := felt.FromHex(s)
		if err != nil {
			return
		}
		if x.Big().Cmp(felt.Prime()) >= 0 {
			t.Errorf("%q is taken as %s, which is not a felt", s, x)
		}
		again, err := felt.FromHex(x.String())
		if err != nil || again != x || !strings.HasPrefix(x.String(), "0x") {
			t.Errorf("%q: %s is read as %s, %v", s, x, again, err)
		}
	})
}
