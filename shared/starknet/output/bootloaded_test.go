package output_test

import (
	"slices"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/hash"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
)

func TestBootloaded(t *testing.T) {
	t.Parallel()
	whole := output.Bootloaded(felt.FromUint64(9), felts(5, 6))
	if want := felts(1, 4, 9, 5, 6); !slices.Equal(whole, want) {
		t.Errorf("%v, want %v", whole, want)
	}
	program, task, ok := output.SkipBootloader(whole)
	if !ok || program != felt.FromUint64(9) || !slices.Equal(task, felts(5, 6)) {
		t.Errorf("%v %v %v", program, task, ok)
	}
	for _, other := range [][]felt.Felt{nil, felts(1, 2), felts(2, 2, 9), felts(1, 3, 9), sample(false).Words()} {
		if _, same, ok := output.SkipBootloader(other); ok || !slices.Equal(same, other) {
			t.Errorf("%v is taken for a bootloader's", other)
		}
	}
	if got, want := output.LayoutBridge(felt.FromUint64(7), felt.FromUint64(8), whole), append(felts(1, 4, 7, 8),
		hash.PoseidonMany(whole)); !slices.Equal(got, want) {
		t.Errorf("layout bridge %v, want %v", got, want)
	}
}
