package batching

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
)

func TestHalves(t *testing.T) {
	t.Parallel()
	broken := errors.New("the node is gone")
	for name, tt := range map[string]struct {
		most  uint64 // blocks that can be read at once
		fails uint64 // a block that can't be read; 0: none
		want  []string
		err   error
	}{
		"at once":                 {10, 0, []string{"1-7"}, nil},
		"in parts, in order":      {2, 0, []string{"1-2", "3-4", "5-6", "7-7"}, nil},
		"one by one":              {1, 0, []string{"1-1", "2-2", "3-3", "4-4", "5-5", "6-6", "7-7"}, nil},
		"one block is too much":   {0, 0, nil, block.ErrTooMuch},
		"another failure ends it": {2, 5, []string{"1-2", "3-4"}, broken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			err := halves(1, 7, func(from, to uint64) error {
				if to-from+1 > tt.most {
					return fmt.Errorf("blocks %d to %d: %w", from, to, block.ErrTooMuch)
				}
				if tt.fails != 0 && from <= tt.fails && tt.fails <= to {
					return broken
				}
				got = append(got, fmt.Sprintf("%d-%d", from, to))
				return nil
			})
			if d := cmp.Diff(tt.want, got); d != "" || !errors.Is(err, tt.err) {
				t.Errorf("%v, want %v (-want +got):\n%s", err, tt.err, d)
			}
		})
	}
}
