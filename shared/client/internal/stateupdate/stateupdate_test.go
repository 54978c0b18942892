package stateupdate_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/internal/stateupdate"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
)

// words are an output from after block 4 to block 7.
func words() []felt.Felt {
	w := make([]felt.Felt, output.HeaderWords+2)
	w[output.PrevBlockAt], w[output.NewBlockAt] = felt.FromUint64(4), felt.FromUint64(7)
	return w
}

func TestCheck(t *testing.T) {
	t.Parallel()
	hash, root, config := felt.FromUint64(11), felt.FromUint64(12), felt.FromUint64(13)
	right := output.Output{ConfigHash: config, PrevHash: hash, PrevRoot: root}
	for name, tt := range map[string]struct {
		change func(c *stateupdate.Check, w *[]felt.Felt, o *output.Output)
		want   string // the contract's word; "": right
	}{
		"right": {func(*stateupdate.Check, *[]felt.Felt, *output.Output) {}, ""},
		"too short": {func(_ *stateupdate.Check, w *[]felt.Felt, _ *output.Output) {
			*w = (*w)[:output.HeaderWords+1]
		}, "STARKNET_OUTPUT_TOO_SHORT"},
		"not a felt": {func(_ *stateupdate.Check, w *[]felt.Felt, _ *output.Output) {
			(*w)[output.HeaderWords] = felt.Felt{0xff}
		}, "PROGRAM_OUTPUT_VALUE_OUT_OF_RANGE"},
		"after another block than the contract's": {func(c *stateupdate.Check, _ *[]felt.Felt, _ *output.Output) {
			c.State.Block = 3
		}, "INVALID_PREV_BLOCK_NUMBER"},
		"the contract has settled nothing": {func(c *stateupdate.Check, _ *[]felt.Felt, _ *output.Output) {
			c.State.Settled = false
		}, "INVALID_PREV_BLOCK_NUMBER"},
		"to another block than the batch's": {func(c *stateupdate.Check, _ *[]felt.Felt, _ *output.Output) {
			c.Update.EndBlock = 8
		}, "INVALID_BLOCK_NUMBER"},
		"of other settings": {func(_ *stateupdate.Check, _ *[]felt.Felt, o *output.Output) {
			o.ConfigHash = hash
		}, "INVALID_CONFIG_HASH"},
		"from another hash": {func(_ *stateupdate.Check, _ *[]felt.Felt, o *output.Output) {
			o.PrevHash = root
		}, "INVALID_PREV_BLOCK_HASH"},
		"from another root": {func(_ *stateupdate.Check, _ *[]felt.Felt, o *output.Output) {
			o.PrevRoot = hash
		}, "INVALID_PREVIOUS_ROOT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := stateupdate.Check{
				Update: settlement.Update{StartBlock: 5, EndBlock: 7},
				State:  settlement.State{Settled: true, Block: 4, BlockHash: hash, Root: root},
				Config: settlement.Config{ConfigHash: config}, Name: "output",
				Invalid: func(code, format string, args ...any) error {
					return fmt.Errorf(code+": "+format, args...)
				},
			}
			w, o := slices.Clone(words()), right
			tt.change(&c, &w, &o)
			err := errors.Join(c.Words(w), c.Settings(o), c.Start(o))
			if (err == nil) != (tt.want == "") || err != nil && !strings.HasPrefix(err.Error(), tt.want+": ") {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}
